"""The commands: what they print, their exit statuses, and what they ask of the engine and the cluster."""

import json
import re
import signal
import stat
import subprocess
import time
import unittest

from harness import (
    CONTAINER,
    CONTROL_PLANE,
    DEPLOYMENT,
    NETWORK,
    REGISTRY,
    RESOURCES,
    WORKER,
    MachineTest,
    free_port,
)

USAGE_STATUS = 64
CONFIGURATION_STATUS = 78
COMMANDS = ["run", "check", "plan", "apply", "status", "teardown"]


class Usage(MachineTest):
    def test_help_names_every_command(self):
        for option in ("-h", "--help"):
            result = self.run_program(option, status=0, config=False)
            self.assertEqual(result.stderr, "")
            for command in COMMANDS:
                self.assertRegex(result.stdout, rf"(?m)^  {command}\s")

    def test_version(self):
        for option in ("-V", "--version"):
            result = self.run_program(option, status=0, config=False)
            self.assertRegex(result.stdout, r"\Ahostk8s-registryd \d+\.\d+\.\d+\n\Z")

    def test_wrong_usage_is_64_and_one_line(self):
        wrong = [
            ["frob"],
            ["--frob"],
            ["-x"],
            ["plan", "apply"],
            ["-c"],
            ["--log-level", "loud"],
            ["check", "--json"],
            ["apply", "--print"],
            ["plan", "--yes"],
            ["status", "--timeout", "5s"],
            ["run", "--timeout", "5s"],
            ["teardown", "--json"],
            ["apply", "--timeout", "soon"],
            ["apply", "--timeout", "0"],
        ]
        for arguments in wrong:
            with self.subTest(arguments=arguments):
                result = self.run_program(*arguments, status=USAGE_STATUS, config=False)
                self.assertRegex(result.stderr, r"\Ahostk8s-registryd: [^\n]+\n\Z")
                self.assertEqual(result.stdout, "")
        self.assertEqual(self.engine.requests, [])


class Check(MachineTest):
    def test_valid_is_silent(self):
        result = self.run_program("check", status=0)
        self.assertEqual(result.stdout + result.stderr, "")
        self.assertEqual(self.engine.requests, [])

    def test_no_file_means_the_defaults(self):
        result = self.run_program("check", "--print", status=0, config=False)
        self.assertIn("\n  listen: 127.0.0.1:5002\n", result.stdout)
        self.assertIn(f"\n  storage: {self.home}/.local/share/hostk8s/registry\n", result.stdout)

    def test_file_below_xdg_config_home(self):
        directory = self.home / "xdg/hostk8s"
        directory.mkdir(parents=True)
        (directory / "registryd.yaml").write_text("registry: {name: other}\n")
        environment = {"XDG_CONFIG_HOME": str(self.home / "xdg")}
        result = self.run_program("check", "--print", status=0, config=False, environment=environment)
        self.assertIn("\n  name: other\n", result.stdout)

    def test_every_error_with_its_place(self):
        self.config_file.write_text(
            "regsitry: {}\n"
            "registry:\n"
            "  listen: 0.0.0.0:5002\n"
            "  name: [a]\n"
            "  delete: 1\n"
            "  name: b\n"
            "ui: {replicas: 99}\n"
        )
        expected = [
            r"1:1: regsitry: unknown key `regsitry`, did you mean `registry`\?",
            r"3:11: registry.listen: is reached from other hosts, which needs registry.allowRemote: true",
            r"4:9: registry.name: must be a single value, is a list",
            r"5:11: registry.delete: .*",
            r"6:3: registry.name: .*",
            r"7:16: ui.replicas: must be between 1 and 10",
        ]
        for command in ("check", "plan", "apply", "run", "teardown"):
            with self.subTest(command=command):
                lines = self.run_program(command, status=CONFIGURATION_STATUS).stderr.splitlines()
                self.assertEqual(len(lines), len(expected), lines)
                for line, pattern in zip(lines, expected):
                    self.assertRegex(line, rf"\A{re.escape(str(self.config_file))}:{pattern}\Z")
        self.assertEqual(self.engine.requests, [])

    def test_missing_file_is_an_error_when_named(self):
        self.config_file.unlink()
        result = self.run_program("check", status=CONFIGURATION_STATUS)
        self.assertIn(f"{self.config_file}:1:1: cannot be read: No such file or directory", result.stderr)

    def test_print_is_accepted_by_check(self):
        self.configure(
            registry={"environment": {"REGISTRY_LOG_LEVEL": "debug", "A": "yes", "B": "1: 2 # 3", "C": ""}},
            clusters=["*", "a?"],
            ui={"title": 'quote " and \\ and ü', "environment": {"THEME": "dark"}},
        )
        first = self.run_program("check", "--print", status=0).stdout
        self.config_file.write_text(first)
        second = self.run_program("check", "--print", status=0).stdout
        self.assertEqual(first, second)


class Plan(MachineTest):
    def assert_only_looked(self):
        self.assertEqual([str(r) for r in self.engine.writes() if "/exec" not in r.path], [])
        self.assertEqual([str(r) for r in self.kube.writes()], [])

    def test_everything_is_missing(self):
        result = self.run_program("plan", status=2)
        self.assertRegex(result.stdout, rf"(?m)^{CONTAINER}: pull$")
        self.assertRegex(result.stdout, rf"(?m)^{CONTAINER}: create$")
        self.assertRegex(result.stdout, rf"(?m)^{NETWORK}: attach$")
        for node in (CONTROL_PLANE, WORKER):
            self.assertRegex(result.stdout, rf"(?m)^{node}: write$")
        self.assertRegex(result.stdout, rf"(?m)^    \S*/localhost:{self.port}/hosts.toml: \(none\) -> present$")
        self.assertRegex(result.stdout, rf"(?m)^{DEPLOYMENT}: create$")
        self.assertRegex(result.stdout, r"(?m)^\d+ changes pending, 0 resources blocked$")
        self.assert_only_looked()
        self.assertFalse(self.storage.exists())

    def test_nothing_to_do(self):
        self.apply()
        before = self.engine.mark(), self.kube.mark()
        result = self.run_program("plan", status=0)
        self.assertEqual(result.stdout, "nothing to do\n")
        self.assertEqual(self.engine.writes(before[0]) + self.kube.writes(before[1]), [])
        document = json.loads(self.run_program("plan", "--json", status=0).stdout)
        self.assertEqual(document, {"changes": [], "blocked": [], "observed": True})

    def test_recreate_is_marked_and_explained(self):
        self.apply()
        old, self.port = self.port, free_port()
        self.configure(registry={"listen": f"127.0.0.1:{self.port}"})
        before = self.engine.mark(), self.kube.mark()
        result = self.run_program("plan", status=2)
        self.assertRegex(
            result.stdout,
            rf"(?m)^{CONTAINER}: recreate \(destructive\)\n    listen: 127.0.0.1:{old} -> 127.0.0.1:{self.port}$",
        )
        document = json.loads(self.run_program("plan", "--json", status=2).stdout)
        change = next(entry for entry in document["changes"] if entry["resource"] == CONTAINER)
        self.assertEqual(change["action"], "recreate")
        self.assertIs(change["destructive"], True)
        field = {"path": "listen", "is": f"127.0.0.1:{old}", "should": f"127.0.0.1:{self.port}"}
        self.assertEqual(change["fields"], [field])
        absent = [f for e in document["changes"] for f in e["fields"] if f["is"] is None]
        self.assertTrue(absent, "what is absent is told as null")
        self.assertEqual(self.engine.writes(before[0]) + self.kube.writes(before[1]), [])

    def test_drift_names_the_field(self):
        self.apply()
        self.kube.get("deployments", "registry-ui")["spec"]["replicas"] = 3
        self.node.tree.write(f"/etc/containerd/certs.d/localhost:{self.port}/hosts.toml", "# hostk8s\nserver = 1\n")
        document = json.loads(self.run_program("plan", "--json", status=2).stdout)
        deployment = next(entry for entry in document["changes"] if entry["resource"] == DEPLOYMENT)
        self.assertEqual(deployment["fields"], [{"path": "spec.replicas", "is": "3", "should": "1"}])

    def test_something_could_not_be_observed(self):
        self.kube.down()
        result = self.run_program("plan", status=1)
        self.assertRegex(result.stdout, rf"(?m)^{DEPLOYMENT}: ApiUnreachable: .*connection refused")
        self.assertRegex(result.stdout, rf"(?m)^{CONTAINER}: create$")
        self.engine.down()
        result = self.run_program("plan", "--json", status=1)
        document = json.loads(result.stdout)
        self.assertIs(document["observed"], False)
        reasons = {entry["resource"]: entry["reason"] for entry in document["blocked"]}
        self.assertEqual(reasons[CONTAINER], "EngineUnreachable")

    def test_blocked_without_changes(self):
        self.apply()
        self.engine.networks.clear()
        self.registry().networks.pop("kind")
        result = self.run_program("plan", status=2)
        self.assertRegex(result.stdout, rf"(?m)^{NETWORK}: NetworkMissing: ")


class Apply(MachineTest):
    def test_converges_and_says_what_it_did(self):
        result = self.apply()
        self.assertRegex(result.stdout, rf"(?m)^{CONTAINER}: create$")
        self.assertRegex(result.stdout, rf"\nconverged: {RESOURCES} of {RESOURCES} ready, \d+ changes\n\Z")
        self.assertNotIn("\x1b", result.stdout)
        self.assertNotIn("\r", result.stdout)
        self.assert_registry()
        self.assertTrue(self.storage.is_dir())
        registry = self.registry()
        self.assertIn(REGISTRY, registry.networks["kind"]["aliases"])
        self.assertEqual(registry.labels["io.hostk8s.registryd.owner"], REGISTRY)
        self.assertEqual(registry.spec["HostConfig"]["RestartPolicy"]["Name"], "always")
        self.assertIn("REGISTRY_STORAGE_DELETE_ENABLED=true", registry.spec["Env"])

    def test_every_node_knows_every_alias(self):
        self.configure(nodes={"aliases": ["registry.example:80", "localhost:5000"]})
        self.apply()
        aliases = ["registry.example:80", "localhost:5000", f"localhost:{self.port}", f"127.0.0.1:{self.port}"]
        for node in (self.node, self.worker):
            for alias in [*aliases, f"{REGISTRY}:5000"]:
                self.assertIn(f'[host."http://{REGISTRY}:5000"]', self.hosts(node, alias))

    def test_the_cluster_knows_the_registry(self):
        self.apply()
        address = self.registry().networks["kind"]["ip"]
        endpoints = self.kube.get("endpointslices", "registry-api")
        self.assertEqual(endpoints["endpoints"][0]["addresses"], [address])
        hosting = self.kube.get("configmaps", "local-registry-hosting", "kube-public")
        self.assertIn(f'host: "localhost:{self.port}"', hosting["data"]["localRegistryHosting.v1"])
        self.assertIsNone(self.kube.get("services", "registry-api")["spec"].get("selector"))

    def test_second_apply_writes_nothing(self):
        self.apply()
        before = self.engine.mark(), self.kube.mark()
        result = self.apply()
        self.assertEqual(self.engine.writes(before[0]) + self.kube.writes(before[1]), [])
        self.assertEqual(result.stdout, f"converged: {RESOURCES} of {RESOURCES} ready, 0 changes\n")

    def trees_read(self, since):
        return self.engine.since(since, "GET .*/archive.*containerd$")

    def test_what_one_process_has_read_the_next_does_not(self):
        self.apply()
        since = self.engine.mark()
        self.apply()
        self.assertEqual(self.trees_read(since), [])

        [known] = (self.runtime / "hostk8s-registryd").glob("*.nodes")
        self.assertEqual(stat.S_IMODE(known.stat().st_mode), 0o600)
        for text in ("", "{", '{"version": "other", "nodes": {}}'):
            with self.subTest(text=text):
                known.write_text(text)
                since = self.engine.mark()
                self.apply()
                self.assertEqual(len(self.trees_read(since)), 2)

    def test_old_cluster_without_endpoint_slices(self):
        self.kube.groups.remove("discovery.k8s.io/v1")
        self.apply()
        subsets = self.kube.get("endpoints", "registry-api")["subsets"]
        self.assertEqual(subsets[0]["addresses"], [{"ip": self.registry().networks["kind"]["ip"]}])

    def test_drift_is_repaired(self):
        self.apply()
        self.kube.get("deployments", "registry-ui")["spec"]["replicas"] = 3
        self.worker.tree.remove("/etc/containerd/certs.d/localhost:5000/hosts.toml")
        self.registry().networks.pop("kind")
        self.apply()
        self.assertEqual(self.kube.get("deployments", "registry-ui")["spec"]["replicas"], 1)
        self.assertIsNotNone(self.hosts(self.worker, "localhost:5000"))
        self.assert_registry()

    def test_failure_names_resource_and_reason(self):
        self.configure(registry={"image": "nowhere:1"})
        result = self.apply(status=1)
        self.assertRegex(result.stdout, rf"(?m)^{CONTAINER}: failed to pull: .*manifest unknown")
        self.assertRegex(result.stdout, rf"(?m)^{CONTAINER}: ImagePullFailed: .*docker pull nowhere:1")
        self.assertRegex(result.stdout, r"(?m)^not done: \d+ of \d+ ready, ")
        self.assertIsNotNone(self.hosts(self.node, "localhost:5000"))
        self.assertIsNotNone(self.kube.get("deployments", "registry-ui"))

    def test_timeout_is_honoured(self):
        self.kube.ready = False
        start = time.monotonic()
        result = self.run_program("apply", "--timeout", "2s", status=1, seconds=20)
        self.assertLess(time.monotonic() - start, 12)
        self.assertRegex(result.stdout, rf"(?m)^{DEPLOYMENT}: Unavailable: 0 of 1 pods ready")
        self.assertRegex(result.stdout, r"\ntimed out: \d+ of \d+ ready, \d+ changes\n\Z")

    def test_timeout_with_an_engine_that_hangs(self):
        self.configure(reconcile={"timeout": "2s"})
        self.engine.fault("/containers/json", "hang", times=None)
        start = time.monotonic()
        result = self.run_program("apply", "--timeout", "1s", status=1, seconds=20)
        self.assertLess(time.monotonic() - start, 10)
        self.assertRegex(result.stdout, r"(?m)^timed out: ")

    def test_waits_for_what_time_helps(self):
        self.kube.ready = False
        process = self.start("apply")
        self.kube.wait("GET .*/pods", count=2)
        self.kube.bring_up()
        self.assertEqual(process.wait(), 0, process.output)

    def test_interrupted(self):
        self.kube.ready = False
        process = self.start("apply")
        self.kube.wait("GET .*/pods")
        process.signal(signal.SIGINT)
        self.assertEqual(process.wait(), 1)
        self.assertRegex(process.output, r"(?m)^not done: ")


class Status(MachineTest):
    def test_no_daemon(self):
        for arguments in (["status"], ["status", "--json"]):
            result = self.run_program(*arguments, status=3)
            self.assertRegex(result.stderr, r"\Ahostk8s-registryd: no daemon runs with .*\n\Z")

    def test_all_ready(self):
        daemon = self.converged_daemon()
        lines = self.run_program("status", status=0).stdout.splitlines()
        self.assertRegex(lines[0], r"^RESOURCE +READY +REASON +SINCE +MESSAGE$")
        self.assertEqual(len(lines), 1 + RESOURCES)
        self.assertRegex(lines[1], rf"^{CONTAINER} +True +Converged +\d+s")
        document = json.loads(self.run_program("status", "--json", status=0).stdout)
        self.assertEqual(document["ready"], RESOURCES)
        self.assertEqual(document["pid"], daemon.pid)
        self.assertEqual(document["summary"], f"{RESOURCES}/{RESOURCES} ready")

    def test_not_all_ready(self):
        self.worker.state = "exited"
        daemon = self.daemon()
        daemon.wait_reason(WORKER, "NodeNotRunning")
        table = self.run_program("status", status=1).stdout
        self.assertRegex(table, rf"(?m)^{WORKER} +False +NodeNotRunning +\d+s +\S")
        document = json.loads(self.run_program("status", "--json", status=1).stdout)
        entry = next(entry for entry in document["resources"] if entry["resource"] == WORKER)
        self.assertEqual((entry["ready"], entry["reason"], entry["cluster"]), ("False", "NodeNotRunning", "hostk8s"))
        self.assertRegex(entry["since"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")

    def test_daemon_stopped(self):
        self.assertEqual(self.converged_daemon().stop(), 0)
        self.run_program("status", status=3)


class Output(MachineTest):
    """Who has not got the answer is not told that all is well."""

    def run_for_nobody(self, *arguments, **options):
        with open("/dev/full", "w", encoding="utf-8") as full:
            return self.run_program(*arguments, status=1, stdout=full, **options).stderr

    def test_that_goes_nowhere(self):
        self.converged_daemon()
        for words in ("check --print", "plan", "plan --json", "status", "status --json", "apply"):
            with self.subTest(words=words):
                lines = self.run_for_nobody(*words.split()).splitlines()
                self.assertEqual(lines[-1], "hostk8s-registryd: cannot print: No space left on device")
                self.assertEqual(len(lines), 2 if words == "apply" else 1, lines)

    def test_of_many_changes(self):
        for number in range(100):
            self.engine.add_node(f"hostk8s-worker{number}", "hostk8s", role="worker")
        for arguments in (["plan"], ["plan", "--json"]):
            with self.subTest(arguments=arguments):
                said = self.run_for_nobody(*arguments)
                self.assertRegex(said, r"\Ahostk8s-registryd: cannot print: [^\n]+\n\Z")

    def test_what_is_not_listed_is_not_removed(self):
        self.apply()
        before = self.engine.mark(), self.kube.mark()
        self.run_for_nobody("teardown", input="y\n")
        self.assertEqual(self.engine.writes(before[0]) + self.kube.writes(before[1]), [])


if __name__ == "__main__":
    unittest.main()
