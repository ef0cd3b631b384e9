"""doctor: proves the whole way, tells what is wrong by its cause, and leaves nothing behind. How it ends when it
is told to is in test_doctor_ends.py."""

import contextlib
import functools
import json
import re
import time
import unittest

from harness import (
    REGISTRY,
    RESOURCES,
    IngressServer,
    MachineTest,
    Server,
    Storage,
    ingress,
    reply,
    timestamp,
)

STATIONS = ["configuration", "engine", "container", "registry", "push", "localhost"]
STATIONS += 2 * ["containerd", "name", "pull"]
STATIONS += ["api-server", "objects", "page", "redirect", "api", "upload", "clean-up"]
STATION = r"(ok|FAILED|skipped) +\d+ ms  [a-z-]+( \S+)?(: .*)?"
LINE = re.compile(rf"{STATION}| {{19}}(cause|cure): .+|\d+ proved, \d+ failed, \d+ skipped")
DOCTOR = "hostk8s-registryd/doctor"
MIRRORS = """version = 2
[plugins."io.containerd.grpc.v1.cri".registry]
[plugins."io.containerd.grpc.v1.cri".registry.mirrors."localhost:5000"]
  endpoint = ["http://x:5000"]
"""
FOREIGN = 'server = "http://elsewhere:5000"\n'


class Ingress(IngressServer):
    """With what controllers do beside what a cluster's objects say."""

    body_max = None  # bytes, as client_max_body_size
    forwards_host = True
    hides = ()  # paths that it answers with 404
    registry = None  # another one, behind /v2/

    def handle(self, request):
        if request.path.startswith(self.hides):
            return ingress.error_page(404)
        if self.body_max is not None and len(request.body) > self.body_max:
            return ingress.page(b"<html><h1>413 Request Entity Too Large</h1></html>", 413)
        if self.registry is not None and request.path.startswith("/v2/"):
            return self.registry.handle(request, {})
        if not self.forwards_host:
            request.headers["host"] = "localhost"
        return super().handle(request)


class Doctor(MachineTest):
    def setUp(self):
        super().setUp()
        self.ingress = Ingress(self.kube, self.engine).up()
        self.addCleanup(self.ingress.close)
        self.configure(ui={"url": self.ingress.url, "check": True})

    def doctor(self, *arguments, status, **options):
        """The result of each station by its name; of those over several things, of the last one."""
        result = self.run_program("doctor", "--json", *arguments, status=status, **options)
        document = json.loads(result.stdout)
        self.assertEqual(document["failed"] == 0 and document["complete"], status == 0)
        self.stations = document["stations"]
        return {station["station"]: station for station in self.stations}

    def assert_nothing_left(self):
        """But an empty repository, where nobody can be told to remove its directory."""
        for container in self.engine.containers:
            self.assertEqual(container.pulled, [], container.name)
        for store in self.engine.stores.values():
            tags = [tag for name in store.repositories() for tag in store.tags(name)]
            self.assertEqual((tags, store.uploads), ([], {}))

    def assert_fault(self, station, cause, cure, others=(), **options):
        """The station fails for this cause, and beside those named no other station fails."""
        found = self.doctor(status=1, **options)
        failed = {station["station"] for station in self.stations if station["result"] == "failed"}
        text = json.dumps(self.stations, indent=1)
        self.assertEqual(failed, {station, *others}, text)
        fault = next(s for s in self.stations if s["station"] == station and s["result"] == "failed")["faults"][0]
        self.assertRegex(fault["cause"], cause)
        self.assertRegex(fault["cure"], cure)
        self.assert_nothing_left()
        return found

    def answer_at(self, host, answer):
        """Somebody else listens at the registry's port."""
        server = Server((host, self.port))
        server.handle, server.end_streams = answer, lambda: None
        self.addCleanup(server.up().close)

    def remove_hosts(self, node):
        node.tree.remove("/etc/containerd/certs.d")
        node.tree.write("/etc/containerd/certs.d", None)


def cause(spoil):
    """Makes a test of a generator, which spoils what is applied; it yields what assert_fault takes, and gets what
    that returns."""

    @functools.wraps(spoil)
    def test(self):
        self.apply()
        steps = spoil(self)
        found = self.assert_fault(*next(steps))
        with contextlib.suppress(StopIteration):
            steps.send(found)

    return test


class Green(Doctor):
    def test_all_proved_and_nothing_left(self):
        self.apply()
        store = self.engine.store_of(self.registry())
        found = self.doctor(status=0)
        self.assertEqual([station["station"] for station in self.stations], STATIONS)
        self.assertEqual({station["result"] for station in self.stations}, {"proved"})
        engine = f"unix://{self.engine.address}, named by docker.host; Docker 20.10.24 on Debian"
        self.assertRegex(found["engine"]["did"], engine)
        self.assertEqual(found["localhost"]["did"], f"nobody else answers at [::1]:{self.port}")
        names = f"localhost:5000, localhost:{self.port}, 127.0.0.1:{self.port}, {REGISTRY}:5000"
        self.assertEqual(found["pull"]["did"], f"pulled from {names}")
        self.assertEqual(found["upload"]["did"], f"1536 KiB went up through {self.config['ui']['url']}")
        self.assert_nothing_left()
        self.assertEqual(store.repositories(), [])
        self.assertLess(store.size(), 2048)

    def test_a_person_reads_a_line_for_each(self):
        self.apply()
        result = self.run_program("doctor", status=0)
        lines = result.stdout.splitlines()
        self.assertEqual(len(lines), len(STATIONS) + 1)
        for line in lines:
            self.assertRegex(line, rf"\A({LINE.pattern})\Z")
        self.assertEqual(lines[-1], f"{len(STATIONS)} proved, 0 failed, 0 skipped")
        self.assertEqual(result.stderr, "")

    def test_with_a_daemon_that_runs(self):
        daemon = self.daemon()
        daemon.wait_converged(RESOURCES + 1)  # and the route
        self.doctor(status=0)
        self.assert_nothing_left()

    def test_other_repositories_stay(self):
        self.apply()
        store = self.engine.store_of(self.registry())
        store.image("demo", "a", "1")
        store.image(DOCTOR, "b", "another")
        self.doctor(status=0)
        tags = {name: list(store.tags(name)) for name in store.repositories()}
        self.assertEqual(tags, {"demo": ["1"], DOCTOR: ["another"]})

    def test_deletion_may_be_off(self):
        self.configure(registry={"delete": False})
        self.apply()
        self.doctor(status=0)
        self.assert_nothing_left()

    def test_without_ui(self):
        self.configure(ui={"enabled": False})
        self.apply()
        found = self.doctor(status=0)
        self.assertNotIn("page", found)
        self.assertNotIn("upload", found)

    def test_what_the_engine_is(self):
        self.engine.security = ["name=rootless", "name=userns", "name=selinux"]
        self.apply()
        did = self.doctor(status=0)["engine"]["did"]
        self.assertIn("Docker 20.10.24 on Debian GNU/Linux 12, rootless, user namespaces, SELinux", did)

    def test_caches(self):
        """One answers in the network, and one is not there."""
        self.apply()
        self.configure(caches=["docker.io", "ghcr.io"])
        cache = self.engine.add_container(f"{REGISTRY}-cache-docker.io", {"Image": "registry:2"})
        self.engine.attach(cache, "kind")
        self.doctor(status=1)
        good, bad = (station for station in self.stations if station["station"] == "cache")
        self.assertEqual(good["did"], f"{cache.name} answers in hostk8s-control-plane")
        self.assertEqual((good["subject"], bad["subject"]), ("docker.io", "ghcr.io"))
        self.assertEqual(bad["faults"][0]["cause"], f"hostk8s-control-plane knows no host {REGISTRY}-cache-ghcr.io")


class Causes(Doctor):
    def test_configuration(self):
        self.config_file.write_text("regsitry: {}\n")
        found = self.doctor(status=1)
        self.assertEqual(list(found), ["configuration"])
        self.assertIn("did you mean `registry`", found["configuration"]["faults"][0]["cause"])

    def test_no_engine(self):
        self.apply()
        self.configure(docker={"host": f"unix://{self.home}/none.sock"})
        found = self.assert_fault("engine", "EngineUnreachable: .*no such socket", "start the Docker Engine")
        self.assertEqual(found["pull"]["result"], "skipped")
        self.assertEqual(found["pull"]["did"], "needs the engine")
        self.assertEqual(found["push"]["result"], "proved")
        self.assertIn("removed, but for an empty repository", found["clean-up"]["did"])

    def test_nothing_runs_without_the_engine(self):
        """What it would run is not looked for in vain."""
        self.engine.down()
        self.ingress.down()
        found = self.assert_fault("engine", "EngineUnreachable", "start the Docker Engine")
        results = {s["station"]: s["did"] for s in self.stations if s["result"] == "skipped"}
        needs = {name: "needs the engine" for name in STATIONS[2:] if name not in ("localhost", "clean-up")}
        self.assertEqual(results, needs | {"push": "needs the registry", "api": "needs the pushed image"})

    def test_the_engine_goes_meanwhile(self):
        self.apply()

        def before(request):
            if b"getent" in request.body:
                self.engine.down()

        self.engine.before = before
        found = self.assert_fault("name", "engine: .*no such socket", ".")
        for station in ("pull", "containerd", "api-server", "objects"):
            self.assertEqual((found[station]["result"], found[station]["did"]), ("skipped", "needs the engine"))

    def test_offline(self):
        """What the network does not know is asked of name servers that nobody reaches."""
        self.apply()
        self.engine.detach(self.registry())
        self.worker.hanging = ["getent", "crictl pull"]
        found = self.doctor(status=1)
        self.assertRegex(found["name"]["faults"][0]["cause"], "no name server .* within 10 s, .* is not on the network")
        self.assertEqual(len(found["pull"]["faults"]), 1, "one that hangs is the last")
        self.assertRegex(found["pull"]["faults"][0]["cause"], "did not end within 15 s")
        self.assertRegex(found["pull"]["faults"][0]["cure"], "hostk8s-registryd apply")

    def test_nothing_applied_yet(self):
        found = self.assert_fault(
            "registry",
            f"nobody listens at 127.0.0.1:{self.port}",
            "hostk8s-registryd apply",
            ["container", "containerd", "name", "objects", "page", "redirect", "upload"],
        )
        self.assertIn("Deployment/hostk8s/registry-ui: Converging: is missing", str(found["objects"]["faults"]))
        self.assertEqual(found["container"]["faults"][0]["cure"], "run `hostk8s-registryd apply`, or start the daemon")
        self.assertEqual(found["pull"]["did"], "needs the pushed image")
        self.assertEqual(found["push"]["result"], "skipped")

    def test_port_of_somebody_else(self):
        self.answer_at("127.0.0.1", lambda request: reply({}, 403, Server="AirTunes/770.8.1"))
        self.assert_fault(
            "registry",
            r"is answered by somebody else \(HTTP 403, server \"AirTunes",
            "choose another port",
            ["container", "containerd", "name", "objects", "page", "redirect", "upload"],
        )

    @cause
    def test_localhost_of_somebody_else(self):
        self.answer_at("::1", lambda request: reply({}, 403, Server="AirTunes/770.8.1"))
        yield "localhost", r"\[::1\]:\d+ is answered by somebody else \(HTTP 403, server \"AirTunes", "IPv6"

    @cause
    def test_localhost_of_another_registry(self):
        self.answer_at("::1", lambda request: Storage(self.home).handle(request, {}))
        yield "localhost", r"\[::1\]:\d+ is answered by another registry", "another port"

    @cause
    def test_full_disk(self):
        self.engine.images["registry:2"] = "full"
        found = yield "push", f"the disk of {self.storage} is full", "hostk8s-registryd gc", ["upload"]
        self.assertEqual(found["pull"]["did"], "needs the pushed image")

    def test_read_only(self):
        variable = "REGISTRY_STORAGE_MAINTENANCE_READONLY"
        self.configure(registry={"environment": {variable: '{"enabled": true}'}})
        self.apply(status=1)
        self.assert_fault("push", "takes no pushes: it is read-only", variable, ["upload"])

    def test_a_cache_takes_no_pushes(self):
        self.configure(registry={"environment": {"REGISTRY_PROXY_REMOTEURL": "https://registry-1.docker.io"}})
        self.apply()
        self.assert_fault("push", "makes it a cache", "caches", ["upload"])

    @cause
    def test_not_on_the_network(self):
        self.engine.detach(self.registry())
        others = ["container", "pull", "objects", "page", "api", "upload"]
        found = yield "name", "the registry is not on the network kind", "docker network connect", others
        self.assertRegex(found["pull"]["faults"][0]["cause"], f"the node knows no host {REGISTRY}")

    @cause
    def test_name_of_somebody_else(self):
        self.engine.detach(self.registry())
        other = self.engine.add_container("other", {"Image": "registry:2"})
        self.engine.attach(other, "kind", [REGISTRY])
        self.engine.attach(self.registry(), "kind", ["nameless"])
        self.engine.containers.remove(other)
        self.engine.containers.insert(0, other)
        said = rf"{REGISTRY} is 172\.\S+ there, and the registry is 172"
        yield "name", said, "who else has the name", ["pull", "container", "objects", "api"]

    @cause
    def test_hosts_toml_missing(self):
        self.remove_hosts(self.worker)
        found = yield "containerd", "node/hostk8s-worker: Converging", "hostk8s-registryd apply", ["pull"]
        causes = [fault["cause"] for fault in found["pull"]["faults"]]
        self.assertEqual(len(causes), 4, causes)  # one for each name
        self.assertRegex(causes[0], "containerd asks localhost:5000 within the node, where no registry is")
        self.assertRegex(causes[3], f"containerd asks {REGISTRY}:5000 by HTTPS, and the registry speaks plain HTTP")

    @cause
    def test_config_path_off(self):
        self.worker.tree.write("/etc/containerd/config.toml", "version = 2\n")
        found = yield "containerd", "ConfigPathDisabled", "containerdConfigPatches", ["pull"]
        self.assertRegex(found["pull"]["faults"][0]["cause"], "ConfigPathDisabled")

    @cause
    def test_mirrors_in_the_way(self):
        self.worker.tree.write("/etc/containerd/config.toml", MIRRORS)
        found = yield "containerd", "mirrors", "no mirrors", ["pull"]
        self.assertRegex(found["pull"]["faults"][0]["cause"], "mirrors")

    @cause
    def test_foreign_file(self):
        self.worker.tree.write("/etc/containerd/certs.d/localhost:5000/hosts.toml", FOREIGN)
        said = "ForeignFile: .*localhost:5000/hosts.toml was not made"
        found = yield "containerd", said, "remove it", ["pull"]
        self.assertRegex(found["pull"]["faults"][0]["cause"], "ForeignFile")

    @cause
    def test_shadowing_directory(self):
        self.worker.tree.write("/etc/containerd/certs.d/localhost_5000_/hosts.toml", FOREIGN)
        found = yield "containerd", "ForeignFile: .*localhost_5000_", "remove it", ["pull"]
        self.assertRegex(found["pull"]["faults"][0]["cause"], "ForeignFile: .*localhost_5000_")

    @cause
    def test_default_directory(self):
        self.remove_hosts(self.worker)
        self.worker.tree.write("/etc/containerd/certs.d/_default/hosts.toml", FOREIGN)
        found = yield "containerd", "Converging", "apply", ["pull"]
        said = found["pull"]["faults"][0]["cause"]
        self.assertRegex(said, "containerd asks elsewhere:5000 for images of .*: .*_default")

    @cause
    def test_proxy(self):
        self.worker.spec["Env"] = ["HTTP_PROXY=http://10.9.8.7:3128", "NO_PROXY=10.96.0.0/12"]
        said = "node/hostk8s-worker: ProxyInTheWay: .*HTTP_PROXY"
        found = yield "pull", said, f"NO_PROXY.*{REGISTRY}", ["containerd"]
        self.assertEqual(len(found["pull"]["faults"]), 1)

    @cause
    def test_refused_in_the_network(self):
        self.registry().answers = False  # in the network; the port of the host goes on
        said = "nobody listens: the registry's container does not serve port 5000"
        yield "pull", said, "REGISTRY_HTTP_ADDR"

    @cause
    def test_node_that_does_not_run(self):
        self.engine.stop_container(self.worker)
        self.worker.finished = timestamp(time.time() - 3600)
        found = yield "containerd", "NodeNotRunning", "docker start hostk8s-worker"
        self.assertEqual(found["pull"]["did"], "needs a node that runs")

    @cause
    def test_api_server_away(self):
        self.kube.down()
        found = yield "api-server", "ApiUnreachable", "."
        self.assertEqual(found["objects"]["did"], "needs the API server")

    @cause
    def test_nothing_at_the_url(self):
        self.ingress.down()
        found = yield "page", "nothing listens at ", "extraPortMappings"
        for station in ("redirect", "api", "upload"):
            self.assertEqual(found[station]["result"], "skipped")

    @cause
    def test_404_of_the_ingress(self):
        self.ingress.hides = ("/registry",)
        yield "page", "HTTP 404", "ui.ingressClass", ["redirect"]

    @cause
    def test_api_404_of_the_ingress(self):
        self.ingress.hides = ("/v2/",)
        yield "api", r"HTTP 404|nothing serves /v2/", "ui.ingressClass", ["page", "upload"]

    @cause
    def test_body_limit(self):
        self.ingress.body_max = 1 << 20
        yield "upload", "takes no body of that size", "proxy-body-size"

    @cause
    def test_host_not_forwarded(self):
        self.ingress.forwards_host = False
        yield "upload", "sends the client to http://localhost/v2/", "X-Forwarded-Host"

    @cause
    def test_api_of_another_registry(self):
        self.ingress.registry = Storage(self.home)
        yield "api", "another registry", "ui.url"

    def test_a_person_reads_cause_and_cure(self):
        self.apply()
        self.ingress.body_max = 1 << 20
        result = self.run_program("doctor", status=1)
        self.assertRegex(result.stdout, r"(?m)^FAILED +\d+ ms  upload http://\S+\n {19}cause: .*\n {19}cure: .*$")
        for line in result.stdout.splitlines():
            self.assertRegex(line, rf"\A({LINE.pattern})\Z")

    def test_a_terminal_s_lines_are_broken_between_words(self):
        self.apply()
        self.ingress.body_max = 1 << 20
        terminal = self.terminal("doctor")
        terminal.wait(r"\d+ proved, 1 failed")
        lines = re.sub(r"\x1b\[\d*[mK]", "", terminal.shown).replace("\r\n", "\n").split("\n")
        lines = [line.rpartition("\r")[2] for line in lines]
        self.assertLessEqual(max(map(len, lines)), 80, lines)
        cure = lines[next(i for i, line in enumerate(lines) if line.startswith(" " * 19 + "cure: raise the")) + 1]
        self.assertRegex(cure, r"\A {21}\S")


if __name__ == "__main__":
    unittest.main()
