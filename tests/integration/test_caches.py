"""Pull-through caches: containers beside the registry, files on the nodes, logins, and what is wrong with
an upstream."""

import json
import os
import stat

from harness import (
    CONTAINER,
    CONTROL_PLANE,
    REGISTRY,
    RESOURCES,
    WORKER,
    MachineTest,
    Server,
    free_port,
    loopback_prefix,
    reply,
    wait_until,
)

CACHE = f"{REGISTRY}-cache-docker.io"
RESOURCE, ATTACHMENT = f"container/{CACHE}", f"network/kind/{CACHE}"
PASSWORD = "hunter2-of-the-upstream"
NEW_PASSWORD = "swordfish-of-the-upstream"
LOGIN_FILE = "/etc/registryd-cache.json"
FILE = f"""# managed by hostk8s-registryd
server = "%s"

[host."http://{CACHE}:5000"]
  capabilities = ["pull", "resolve"]
"""


class Upstream(Server):
    """An upstream's API."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0))
        self.answer = reply({}, Docker_Distribution_Api_Version="registry/2.0")

    def end_streams(self):
        """It has none."""

    def handle(self, request):
        return self.answer

    @property
    def url(self):
        return f"http://upstream.localhost:{self.address[1]}"


class CachesTest(MachineTest):
    def setUp(self):
        super().setUp()
        self.engine.prefix = loopback_prefix()
        self.upstream = Upstream().up()
        self.addCleanup(self.upstream.close)
        self.cached = self.storage.with_name("registry-cache") / "docker.io"
        self.declare()

    def declare(self, **more):
        self.configure(caches=[{"upstream": "docker.io", "url": self.upstream.url} | more])

    def cache(self):
        container = self.engine.find(CACHE)
        self.assertIsNotNone(container, "no cache")
        return container

    def wait_another(self, former):
        """The status may tell of the former one for a moment more."""

        def runs():
            cache = self.engine.find(CACHE)
            return cache not in (None, former) and cache.state == "running" and "kind" in cache.networks

        wait_until(runs, "another cache")
        wait_until(lambda: self.engine.find(f"{CACHE}-previous") is None, "the former one is removed")

    def file_of(self, node):
        return self.hosts(node, "docker.io")

    def assert_cache(self):
        cache = self.cache()
        self.assertEqual(cache.state, "running")
        self.assertEqual(cache.binds, [f"{self.cached}:/var/lib/registry"])
        self.assertEqual(list(cache.bindings()), [])
        self.assertIn(f"REGISTRY_PROXY_REMOTEURL={self.upstream.url}", cache.spec["Env"])
        self.assertIn(CACHE, cache.networks["kind"]["aliases"])
        for node in (self.node, self.worker):
            self.assertEqual(self.file_of(node), FILE % self.upstream.url)

    def assert_no_cache(self):
        self.assertIsNone(self.engine.find(CACHE))
        for node in (self.node, self.worker):
            self.assertIsNone(self.file_of(node))
        self.assertTrue(self.cached.is_dir())  # and what is cached


class Caches(CachesTest):
    def test_made_and_removed(self):
        result = self.run_program("plan", status=2)
        self.assertRegex(result.stdout, rf"(?m)^{RESOURCE}: (make storage|pull|create)")
        self.apply()
        self.assert_cache()
        self.assertEqual(self.registry().state, "running")
        with self.untouched():
            self.run_program("plan", status=0)
        result = self.run_program("teardown", input="n\n", status=1)
        self.assertIn(f"What is cached in {self.cached.parent} stays. The storage directory", result.stdout)
        self.run_program("teardown", "--yes", status=0)
        self.assert_no_cache()
        self.assertIsNone(self.engine.find(REGISTRY))

    def test_adopted(self):
        """As somebody made it by hand; for what differs it is made again over the same directory."""
        self.engine.images["registry:2"] = "answers"
        spec = {
            "Image": "registry:2",
            "Env": [
                "OTEL_TRACES_EXPORTER=none",
                f"REGISTRY_PROXY_REMOTEURL={self.upstream.url}",
                "REGISTRY_STORAGE_DELETE_ENABLED=true",
            ],
            "HostConfig": {"Binds": [f"{self.cached}:/var/lib/registry"], "RestartPolicy": {"Name": "always"}},
        }
        self.cached.mkdir(parents=True)
        made = self.engine.add_container(CACHE, spec)
        self.apply()
        self.assert_cache()
        self.assertIs(self.cache(), made)
        self.configure(registry={"environment": {"HTTPS_PROXY": "http://proxy:1"}})
        self.apply()
        self.assertIsNot(self.cache(), made)
        self.assert_cache()

    def test_somebody_elses(self):
        made = self.engine.add_container(CACHE, {"Image": "registry:2"})
        foreign = '[host."http://mirror:5000"]\n'
        self.worker.tree.write("/etc/containerd/certs.d/docker.io/hosts.toml", foreign)
        daemon = self.daemon()
        daemon.wait_reason(RESOURCE, "NameConflict", "another container has the name")
        daemon.wait_reason(WORKER, "ForeignFile", "docker.io/hosts.toml .*take the name out of caches")
        daemon.wait_reason(CONTAINER, "Converged")
        self.assertIs(self.cache(), made)
        self.assertEqual(self.file_of(self.worker), foreign)

    def converged_daemon_of_both(self):
        daemon = self.daemon()
        daemon.wait_converged(RESOURCES + 2)
        return daemon

    def test_kept(self):
        daemon = self.converged_daemon_of_both()
        cache = self.cache()
        self.engine.remove_container(cache)
        self.wait_another(cache)
        self.worker.tree.remove("/etc/containerd/certs.d/docker.io/hosts.toml")
        wait_until(lambda: self.file_of(self.worker), "the file is back")
        daemon.wait_converged(RESOURCES + 2)
        self.assert_cache()

    def test_undeclared(self):
        daemon = self.converged_daemon_of_both()
        registry = self.registry()
        self.configure(caches=[])
        self.reload(daemon)
        wait_until(lambda: self.engine.find(CACHE) is None, "the cache is removed")
        for node in (self.node, self.worker):
            wait_until(lambda node=node: self.file_of(node) is None, "the file is removed")
        daemon.wait_converged(RESOURCES)
        self.assertIsNone(daemon.condition(RESOURCE))
        self.assert_no_cache()
        self.assertIs(self.registry(), registry)

    def test_undeclared_while_nobody_was_there(self):
        """Also in the middle of a recreate; a teardown finds it, too."""
        for command in ("apply", "teardown"):
            with self.subTest(command=command):
                self.apply()
                self.engine.rename_container(self.cache(), f"{CACHE}-previous")
                self.configure(caches=[])
                self.run_program(command, *(["--yes"] if command == "teardown" else []), status=0)
                self.assertEqual([c.name for c in self.engine.registries() if "cache" in c.name], [])
                self.assert_no_cache()
            self.fresh()

    def test_claimed(self):
        """Another daemon's registry cannot have a cache's directory."""
        self.converged_daemon_of_both()
        self.config |= {"caches": []}
        self.config_file = self.home / "other.yaml"
        self.configure(registry={"name": "other", "storage": str(self.cached), "listen": f"127.0.0.1:{free_port()}"})
        result = self.run_program("run", status=1)
        self.assertIn(f"keeps registry.storage {self.cached} already", result.stderr)

    def test_silent(self):
        """It is asked on its network, where this machine is on that."""
        daemon = self.converged_daemon_of_both()
        self.engine.wait("^GET /v2/$")
        cache = self.cache()
        self.engine.images["registry:3"] = "silent"
        self.configure(registry={"image": "registry:3", "environment": {}})
        self.reload(daemon)
        daemon.wait_reason(RESOURCE, "Unavailable", "the new container runs but does not answer")
        wait_until(lambda: self.engine.find(CACHE) is cache and cache.state == "running", "the old one is put back")

    def test_parts_are_independent(self):
        """The registry does not wait for a cache, nor the nodes for either."""
        self.engine.fault(rf"POST .*/containers/create\?name={CACHE}", "status", times=None, code=500)
        daemon = self.daemon()
        daemon.wait_reason(RESOURCE, "Error", "create")
        for resource in (CONTAINER, CONTROL_PLANE, WORKER):
            daemon.wait_reason(resource, "Converged")
        self.assertEqual(self.file_of(self.node), FILE % self.upstream.url)


class Upstreams(CachesTest):
    def test_faults(self):
        """Each is told, and the nodes go on with the upstream, which their files name."""
        cases = [
            (reply({}, 404), "is no registry, its /v2/ answers with 404"),
            (None, "this machine does not reach http://upstream.localhost"),
        ]
        for answer, message in cases:
            with self.subTest(message=message):
                if answer is None:
                    self.upstream.down()
                self.upstream.answer = answer
                daemon = self.daemon()
                daemon.wait_reason(RESOURCE, "Unavailable", message + ".*the nodes ask the upstream themselves")
                for resource in (ATTACHMENT, CONTAINER, CONTROL_PLANE, WORKER):
                    daemon.wait_reason(resource, "Converged")
                self.assert_cache()
                self.assertEqual(daemon.stop(), 0)


class Logins(CachesTest):
    def setUp(self):
        super().setUp()
        self.texts = []
        self.password_file = self.home / "password"
        self.write_password(PASSWORD)
        self.declare(username="me", passwordFile=str(self.password_file))

    def tearDown(self):
        super().tearDown()
        self.assertNotEqual(self.texts, [])
        for text in self.texts:
            for secret in (PASSWORD, NEW_PASSWORD):
                self.assertNotIn(secret[:10], text)

    def run_program(self, *arguments, **options):
        result = super().run_program(*arguments, **options)
        self.texts += [result.stdout, result.stderr]
        return result

    def write_password(self, password):
        self.password_file.write_text(password + "\n")

    def login(self):
        return json.loads(self.cache().tree.text(LOGIN_FILE))["proxy"]

    def inspected(self):
        """What any user of the engine sees who only looks: requests and answers, but for the file itself."""
        for request in self.engine.requests:
            if "/archive" not in str(request):
                self.texts.append(request.body.decode("utf-8", "replace"))
                self.texts.append("" if request.response is None else request.response.body.decode("utf-8", "replace"))

    def test_is_in_the_container_alone(self):
        self.run_program("check", "--print", status=0)
        self.run_program("-l", "debug", "plan", status=2)
        self.run_program("plan", "--json", status=2)
        daemon = self.daemon("-l", "debug")
        daemon.wait_converged(RESOURCES + 2)
        self.assert_cache()
        self.assertEqual(self.login(), {"remoteurl": self.upstream.url, "username": "me", "password": PASSWORD})
        self.assertEqual(self.cache().spec["Cmd"], ["serve", LOGIN_FILE])
        self.run_program("status", status=0)
        self.run_program("status", "--json", status=0)
        self.texts += [daemon.output, self.status_file.read_text(), *self.notify.messages]
        self.inspected()
        with daemon.frozen():
            for path in self.home.rglob("*"):
                if path.is_file() and path != self.password_file and not stat.S_ISSOCK(os.stat(path).st_mode):
                    self.texts.append(path.read_text(errors="replace"))
        with self.untouched():
            self.run_program("plan", status=0)

    def test_another_password_takes_another_container(self):
        daemon = self.daemon("-l", "debug")
        daemon.wait_converged(RESOURCES + 2)
        before = self.cache()
        self.write_password(NEW_PASSWORD)
        self.wait_another(before)
        daemon.wait_converged(RESOURCES + 2)
        self.assertEqual(self.login()["password"], NEW_PASSWORD)
        self.texts.append(daemon.output)
        self.inspected()

    def test_written_before_the_first_start(self):
        """However often the program is interrupted between the two."""
        self.engine.fault("PUT .*/archive.path=/etc&", "status", times=None, code=500, body={"message": "no"})
        self.run_program("apply", "--timeout", "6s", status=1)
        self.assertEqual(self.cache().state, "created")
        self.engine.clear_faults()
        self.run_program("apply", status=0)
        self.assertEqual(self.login()["password"], PASSWORD)

    def test_password_that_is_too_long(self):
        daemon = self.daemon()
        daemon.wait_converged(RESOURCES + 2)
        cache = self.cache()
        self.password_file.write_text(4097 * "a")
        daemon.wait_reason(RESOURCE, "Error", "it is too long.*passwordFile in caches")
        self.assertIs(self.cache(), cache)
        self.assertEqual(daemon.condition(CONTAINER)["reason"], "Converged")
        self.texts.append(daemon.output)
