"""doctor: proves the whole way, tells what is wrong by its cause, and leaves nothing behind."""

import json
import pathlib
import re
import signal
import subprocess
import tempfile
import time
import unittest

from harness import (
    HELD,
    REGISTRY,
    RESOURCES,
    IngressServer,
    MachineTest,
    Server,
    Store,
    ingress,
    reply,
    timestamp,
    wait_until,
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
            tags = [tag for tags in store.tags.values() for tag in tags]
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


class Green(Doctor):
    def test_all_proved_and_nothing_left(self):
        self.apply()
        blobs = dict(self.engine.store_of(self.registry()).blobs)
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
        self.assertEqual(self.engine.store_of(self.registry()).repositories(), [])
        left = self.engine.store_of(self.registry()).blobs
        self.assertLess(sum(len(left[digest]) for digest in left.keys() - blobs), 2048)

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
        store.push("demo", "1")
        store.push(DOCTOR, "another")
        self.doctor(status=0)
        self.assertEqual({name: list(tags) for name, tags in store.tags.items()}, {"demo": ["1"], DOCTOR: ["another"]})

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

    def test_localhost_of_somebody_else(self):
        self.apply()
        self.answer_at("::1", lambda request: reply({}, 403, Server="AirTunes/770.8.1"))
        self.assert_fault(
            "localhost",
            r"\[::1\]:\d+ is answered by somebody else \(HTTP 403, server \"AirTunes",
            "IPv6",
        )

    def test_localhost_of_another_registry(self):
        self.apply()
        self.answer_at("::1", lambda request: Store().handle(request, {}))
        self.assert_fault("localhost", r"\[::1\]:\d+ is answered by another registry", "another port")

    def test_full_disk(self):
        self.apply()
        self.engine.images["registry:2"] = "full"
        found = self.assert_fault("push", f"the disk of {self.storage} is full", "hostk8s-registryd gc", ["upload"])
        self.assertEqual(found["pull"]["did"], "needs the pushed image")

    def test_read_only(self):
        self.configure(registry={"environment": {"REGISTRY_STORAGE_MAINTENANCE_READONLY": '{"enabled": true}'}})
        self.apply(status=1)
        self.assert_fault(
            "push",
            "takes no pushes: it is read-only",
            "REGISTRY_STORAGE_MAINTENANCE_READONLY",
            ["upload"],
        )

    def test_a_cache_takes_no_pushes(self):
        self.configure(registry={"environment": {"REGISTRY_PROXY_REMOTEURL": "https://registry-1.docker.io"}})
        self.apply()
        self.assert_fault("push", "makes it a cache", "caches", ["upload"])

    def test_not_on_the_network(self):
        self.apply()
        self.engine.detach(self.registry())
        found = self.assert_fault(
            "name",
            "the registry is not on the network kind",
            "docker network connect",
            ["container", "pull", "objects", "page", "api", "upload"],
        )
        self.assertRegex(found["pull"]["faults"][0]["cause"], f"the node knows no host {REGISTRY}")

    def test_name_of_somebody_else(self):
        self.apply()
        self.engine.detach(self.registry())
        other = self.engine.add_container("other", {"Image": "registry:2"})
        self.engine.attach(other, "kind", [REGISTRY])
        self.engine.attach(self.registry(), "kind", ["nameless"])
        self.engine.containers.remove(other)
        self.engine.containers.insert(0, other)
        self.assert_fault(
            "name",
            rf"{REGISTRY} is 172\.\S+ there, and the registry is 172",
            "who else has the name",
            ["pull", "container", "objects", "api"],
        )

    def test_hosts_toml_missing(self):
        self.apply()
        self.remove_hosts(self.worker)
        found = self.assert_fault("containerd", "node/hostk8s-worker: Converging", "hostk8s-registryd apply", ["pull"])
        causes = [fault["cause"] for fault in found["pull"]["faults"]]
        self.assertEqual(len(causes), 4, causes)  # one for each name
        self.assertRegex(causes[0], "containerd asks localhost:5000 within the node, where no registry is")
        self.assertRegex(causes[3], f"containerd asks {REGISTRY}:5000 by HTTPS, and the registry speaks plain HTTP")

    def test_config_path_off(self):
        self.apply()
        self.worker.tree.write("/etc/containerd/config.toml", "version = 2\n")
        found = self.assert_fault("containerd", "ConfigPathDisabled", "containerdConfigPatches", ["pull"])
        self.assertRegex(found["pull"]["faults"][0]["cause"], "ConfigPathDisabled")

    def test_mirrors_in_the_way(self):
        self.apply()
        self.worker.tree.write("/etc/containerd/config.toml", MIRRORS)
        found = self.assert_fault("containerd", "mirrors", "no mirrors", ["pull"])
        self.assertRegex(found["pull"]["faults"][0]["cause"], "mirrors")

    def test_foreign_file(self):
        self.apply()
        self.worker.tree.write("/etc/containerd/certs.d/localhost:5000/hosts.toml", FOREIGN)
        found = self.assert_fault(
            "containerd",
            "ForeignFile: .*localhost:5000/hosts.toml was not made",
            "remove it",
            ["pull"],
        )
        self.assertRegex(found["pull"]["faults"][0]["cause"], "ForeignFile")

    def test_shadowing_directory(self):
        self.apply()
        self.worker.tree.write("/etc/containerd/certs.d/localhost_5000_/hosts.toml", FOREIGN)
        found = self.assert_fault("containerd", "ForeignFile: .*localhost_5000_", "remove it", ["pull"])
        self.assertRegex(found["pull"]["faults"][0]["cause"], "ForeignFile: .*localhost_5000_")

    def test_default_directory(self):
        self.apply()
        self.remove_hosts(self.worker)
        self.worker.tree.write("/etc/containerd/certs.d/_default/hosts.toml", FOREIGN)
        found = self.assert_fault("containerd", "Converging", "apply", ["pull"])
        cause = found["pull"]["faults"][0]["cause"]
        self.assertRegex(cause, "containerd asks elsewhere:5000 for images of .*: .*_default")

    def test_proxy(self):
        self.apply()
        self.worker.spec["Env"] = ["HTTP_PROXY=http://10.9.8.7:3128", "NO_PROXY=10.96.0.0/12"]
        found = self.assert_fault(
            "pull",
            "node/hostk8s-worker: ProxyInTheWay: .*HTTP_PROXY",
            f"NO_PROXY.*{REGISTRY}",
            ["containerd"],
        )
        self.assertEqual(len(found["pull"]["faults"]), 1)

    def test_refused_in_the_network(self):
        self.apply()
        registry = self.registry()
        publish = registry.answers
        registry.answers = False  # in the network; the port of the host goes on
        self.assert_fault(
            "pull",
            "nobody listens: the registry's container does not serve port 5000",
            "REGISTRY_HTTP_ADDR",
        )
        registry.answers = publish

    def test_node_that_does_not_run(self):
        self.apply()
        self.engine.stop_container(self.worker)
        self.worker.finished = timestamp(time.time() - 3600)
        found = self.assert_fault("containerd", "NodeNotRunning", "docker start hostk8s-worker")
        self.assertEqual(found["pull"]["did"], "needs a node that runs")

    def test_api_server_away(self):
        self.apply()
        self.kube.down()
        found = self.assert_fault("api-server", "ApiUnreachable", ".")
        self.assertEqual(found["objects"]["did"], "needs the API server")

    def test_nothing_at_the_url(self):
        self.apply()
        self.ingress.down()
        found = self.assert_fault("page", "nothing listens at ", "extraPortMappings")
        for station in ("redirect", "api", "upload"):
            self.assertEqual(found[station]["result"], "skipped")

    def test_404_of_the_ingress(self):
        self.apply()
        self.ingress.hides = ("/registry",)
        self.assert_fault("page", "HTTP 404", "ui.ingressClass", ["redirect"])

    def test_api_404_of_the_ingress(self):
        self.apply()
        self.ingress.hides = ("/v2/",)
        self.assert_fault("api", r"HTTP 404|nothing serves /v2/", "ui.ingressClass", ["page", "upload"])

    def test_body_limit(self):
        self.apply()
        self.ingress.body_max = 1 << 20
        self.assert_fault("upload", "takes no body of that size", "proxy-body-size")

    def test_host_not_forwarded(self):
        self.apply()
        self.ingress.forwards_host = False
        self.assert_fault("upload", "sends the client to http://localhost/v2/", "X-Forwarded-Host")

    def test_api_of_another_registry(self):
        self.apply()
        self.ingress.registry = Store()
        self.assert_fault("api", "another registry", "ui.url")

    def test_a_person_reads_cause_and_cure(self):
        self.apply()
        self.ingress.body_max = 1 << 20
        result = self.run_program("doctor", status=1)
        self.assertRegex(result.stdout, r"(?m)^FAILED +\d+ ms  upload http://\S+\n {19}cause: .*\n {19}cure: .*$")
        for line in result.stdout.splitlines():
            self.assertRegex(line, rf"\A({LINE.pattern})\Z")


class Ends(Doctor):
    def hold(self, match, part=None):
        """The next request that matches is carried out, but not answered until the fault is released. With
        part it is the start of a command that has it. Returns a list that the fault is in once there is one."""
        options = {"seconds": HELD, "carried_out": True}
        if part is None:
            return [self.engine.fault(match, "delay", **options)]
        held = []

        def before(request):
            if not held and re.search("POST .*/exec$", str(request)) and part in request.body:
                held.append(self.engine.fault("POST .*/exec/.*/start", "delay", **options))

        self.engine.before = before
        return held

    def interrupted(self, match, part, number):
        self.apply()
        held = self.hold(match, part)
        process = self.start("doctor")
        wait_until(lambda: held and held[0].hits, "the request")
        process.signal(number)
        process.wait_line("stopping, and taking back")
        return process, held[0]

    def test_a_signal_ends_it_and_takes_back(self):
        for match, part in (
            ("", b"crictl pull"),
            ("PATCH /v2/hostk8s-registryd/", None),
            ("PUT /v2/hostk8s-registryd/doctor/manifests/", None),
            ("GET .*/info$", None),
        ):
            for number in (signal.SIGINT, signal.SIGTERM):
                with self.subTest(match=match, signal=number):
                    process, fault = self.interrupted(match, part, number)
                    if "GET" not in match:  # it is waited for
                        fault.released.set()
                    self.assertEqual(process.wait(), 1)
                    self.assertRegex(process.output, r"(?m)^interrupted: \d+ proved, 0 failed, \d+ skipped$")
                    self.assert_nothing_left()
                    self.fresh()

    def test_a_second_signal_does_not_wait(self):
        process, _ = self.interrupted("", b"crictl pull", signal.SIGINT)
        process.signal(signal.SIGINT)
        self.assertEqual(process.wait(), 1)
        self.assertRegex(process.output, r"(?m)^interrupted: ")

    def test_timeout(self):
        self.apply()
        held = self.hold("", b"getent")
        result = self.run_program("doctor", "--timeout", "1s", status=1)
        self.assertEqual(len(held), 1)
        self.assertRegex(result.stdout, r"(?m)^skipped .* name hostk8s-control-plane: the time was up$")
        self.assertRegex(result.stdout, r"(?m)^ok .* clean-up: ")
        self.assertRegex(result.stdout, r"(?m)^timed out: \d+ proved, 0 failed, \d+ skipped$")
        self.assert_nothing_left()

    def test_json_tells_that_it_did_not_end(self):
        self.apply()
        self.hold("", b"getent")
        document = json.loads(self.run_program("doctor", "--json", "--timeout", "1s", status=1).stdout)
        self.assertFalse(document["complete"])

    def test_what_cannot_be_taken_back_is_told(self):
        self.apply()
        self.engine.fault("DELETE /v2/.*/manifests/", "status", code=500)
        refuse = self.engine.fault("POST .*/exec$", "status", times=0, code=500)

        def before(request):
            if b"crictl rmi" in request.body or b"repositories" in request.body:
                refuse.times = 1

        self.engine.before = before
        found = self.doctor(status=1)
        faults = [fault["cause"] for fault in found["clean-up"]["faults"]]
        self.assertEqual(len(faults), 3, faults)
        self.assertRegex(faults[0], "may be left in the node hostk8s-control-plane: ")
        self.assertRegex(faults[2], "delete the manifest")


class Scripts(Doctor):
    """What runs in containers, in a real shell."""

    def commands(self):
        self.apply()
        found = []

        def before(request):
            if request.text.endswith("/exec"):
                found.append(request.json()["Cmd"])

        self.engine.before = before
        self.doctor(status=0)
        return found

    def run_script(self, command, directory, tools):
        for name, text in tools.items():
            path = pathlib.Path(directory, name)
            path.write_text("#!/bin/sh\n" + text)
            path.chmod(0o755)
        environment = {"PATH": f"{directory}:/usr/bin:/bin"}
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)

    def test_in_a_node(self):
        crictl = 'printf "%s\\n" "$*" >> "$0.log"; [ "$1" != images ] || echo x:5000/hostk8s-registryd/doctor'
        for tool, pulls, removes in (
            ("crictl", "pull REF", "rmi"),
            ("ctr", "-n k8s.io images pull --hosts-dir /etc/containerd/certs.d REF", "-n k8s.io images rm"),
        ):
            commands = self.commands()
            pull = next(command for command in commands if "crictl pull" in command[2])
            clean = next(command for command in commands if "crictl rmi" in command[2])
            tag = clean[3]
            with tempfile.TemporaryDirectory() as directory:
                log = pathlib.Path(directory, f"{tool}.log")
                self.assertEqual(self.run_script(pull, directory, {tool: crictl}).returncode, 0)
                self.assertEqual(log.read_text(), pulls.replace("REF", pull[3]) + "\n")
                failing = self.run_script(pull, directory, {tool: "echo why >&2; echo resolving; exit 1"})
                self.assertEqual((failing.returncode, failing.stdout, failing.stderr), (1, "", "why\n"))
                self.assertEqual(self.run_script(clean, directory, {tool: crictl}).returncode, 0)
                self.assertIn(f"{removes} {' '.join(clean[4:])}\n", log.read_text())
                left = self.run_script(clean, directory, {tool: f"echo y:{tag} {tag} 1kB"})
                self.assertNotEqual(left.returncode, 0)

    def test_in_the_registry(self):
        command = next(command for command in self.commands() if "repositories" in command[2])
        own, other = (f"doctor/_manifests/tags/{tag}/current" for tag in (command[3], "other"))
        for before, after in (
            ([own, "doctor/_uploads/u"], []),
            (["doctor/_uploads/u"], []),
            ([own, other], [other]),
            ([own, "mine/_layers/l"], ["mine/_layers/l"]),
        ):
            with tempfile.TemporaryDirectory() as directory, self.subTest(before=before):
                top = pathlib.Path(directory, "docker/registry/v2/repositories/hostk8s-registryd")
                for name in before:
                    path = top / name
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_text("")
                words = [word.replace("/var/lib/registry", directory) for word in command]
                self.assertEqual(self.run_script(words, directory, {}).returncode, 0)
                left = [str(path.relative_to(top)) for path in sorted(top.rglob("*")) if path.is_file()]
                self.assertEqual(left, after)
                self.assertEqual(top.exists(), bool(after))


if __name__ == "__main__":
    unittest.main()
