"""The commands: what they print, their exit statuses, and what they ask of the engine and the cluster."""

import json
import re
import signal

from harness import (
    CONTAINER,
    CONTROL_PLANE,
    DEPLOYMENT,
    HOSTS,
    NETWORK,
    REGISTRY,
    RESOURCES,
    SECONDS,
    WORKER,
    MachineTest,
    Response,
    Stream,
    wait_until,
)

USAGE_STATUS = 64
CONFIGURATION_STATUS = 78
COMMANDS = ["run", "check", "plan", "apply", "status", "teardown", "doctor"]
RED, GREEN, RESET = (rf"\x1b\[{number}m" for number in (31, 32, 0))
ODD = "a\x1b[31mb\nc\x9b\xff"


class Usage(MachineTest):
    def refused(self, *arguments):
        result = self.run_program(*arguments, status=USAGE_STATUS, config=False)
        self.assertRegex(result.stderr, r"\Ahostk8s-registryd: [ -~]+\n\Z")
        self.assertEqual(result.stdout, "")
        return result.stderr

    def test_help_and_version(self):
        for option in ("-h", "--help"):
            result = self.run_program(option, status=0, config=False)
            self.assertEqual(result.stderr, "")
            self.assertLessEqual(max(map(len, result.stdout.splitlines())), 80)
            for command in COMMANDS:
                self.assertRegex(result.stdout, rf"(?m)^  {command}\s")
        for option in ("-V", "--version"):
            result = self.run_program(option, status=0, config=False)
            self.assertRegex(result.stdout, r"\Ahostk8s-registryd \d+\.\d+\.\d+\n\Z")

    def test_wrong_usage_is_64_and_one_line(self):
        for words in (
            "frob",
            "plan apply",
            "--log-level loud",
            "check --json",
            "apply --print",
            "plan --yes",
            "status --timeout 5s",
            "run --timeout 5s",
            "teardown --json",
            "doctor --yes",
            "apply --timeout soon",
            "apply --timeout 0",
        ):
            with self.subTest(words=words):
                self.refused(*words.split())
        self.assertEqual(self.engine.requests, [])

    def test_the_option_that_is_wrong_is_named(self):
        for arguments, said in (
            (["-xc", "f"], "unknown option `-x'"),
            (["plan", "--json", "-xc", "f"], "unknown option `-x'"),
            (["--frob"], "unknown option `--frob'"),
            (["--help=me"], "option `--help=me' takes no argument"),
            (["--json=1", "plan"], "option `--json=1' takes no argument"),
            (["plan", "-c"], "option `-c' needs an argument"),
            (["plan", "--config"], "option `--config' needs an argument"),
            (["-c", ""], "--config: no file has an empty name"),
            (["--config=", "plan"], "--config: no file has an empty name"),
        ):
            with self.subTest(arguments=arguments):
                self.assertEqual(self.refused(*arguments), f"hostk8s-registryd: {said} (try --help)\n")

    def test_what_is_echoed_is_printable(self):
        for arguments in ([ODD], ["plan", ODD], ["--" + ODD], ["-l", ODD], ["apply", "--timeout", ODD]):
            with self.subTest(arguments=arguments):
                said = self.refused(*(argument.encode("latin-1") for argument in arguments))
                self.assertTrue(said.endswith(" (try --help)\n"), said)
        missing = self.run_program("-c", f"{self.home}/{ODD}".encode("latin-1"), "plan", status=78, config=False)
        self.assertRegex(missing.stderr, r"\A[ -~]+\n\Z")
        self.config_file = self.home / "a\nb"
        self.configure()
        self.assertRegex(self.run_program("status", status=3).stderr, r"\A[ -~]+\n\Z")


class Check(MachineTest):
    def test_valid_is_silent(self):
        result = self.run_program("check", status=0)
        self.assertEqual(result.stdout + result.stderr, "")
        self.assertEqual(self.engine.requests, [])

    def test_no_file_means_the_defaults(self):
        result = self.run_program("check", "--print", status=0, config=False)
        self.assertIn('\n  listen: "127.0.0.1:5002"\n', result.stdout)
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
        self.assertEqual(first, self.run_program("check", "--print", status=0).stdout)


class Plan(MachineTest):
    def plan(self, status):
        """As JSON, {resource: change}; nothing is changed by it."""
        with self.untouched():
            document = json.loads(self.run_program("plan", "--json", status=status).stdout)
        return document, {change["resource"]: change for change in document["changes"]}

    def test_everything_is_missing(self):
        with self.untouched():
            result = self.run_program("plan", status=2)
        for resource, verb in ((CONTAINER, "pull"), (CONTAINER, "create"), (NETWORK, "attach"), (DEPLOYMENT, "create")):
            self.assertRegex(result.stdout, rf"(?m)^{resource}: {verb}$")
        for node in (CONTROL_PLANE, WORKER):
            self.assertRegex(result.stdout, rf"(?m)^{node}: write$")
        self.assertRegex(result.stdout, rf"(?m)^    \S*/localhost:{self.port}/hosts.toml: \(none\) -> present$")
        self.assertRegex(result.stdout, r"(?m)^\d+ changes pending, 0 resources blocked$")
        self.assertFalse(self.storage.exists())

    def test_nothing_to_do(self):
        self.apply()
        with self.untouched():
            self.assertEqual(self.run_program("plan", status=0).stdout, "nothing to do\n")
        self.assertEqual(self.plan(0)[0], {"changes": [], "blocked": [], "waiting": [], "observed": True})

    def test_recreate_is_marked_and_explained(self):
        self.apply()
        old = self.port
        self.change_port()
        field = {"path": "listen", "is": f"127.0.0.1:{old}", "should": f"127.0.0.1:{self.port}"}
        self.assertIn(
            f"{CONTAINER}: recreate (destructive)\n    listen: {field['is']} -> {field['should']}\n",
            self.run_program("plan", status=2).stdout,
        )
        document, changes = self.plan(2)
        change = changes[CONTAINER]
        self.assertEqual((change["action"], change["destructive"], change["fields"]), ("recreate", True, [field]))
        absent = [f for e in document["changes"] for f in e["fields"] if f["is"] is None]
        self.assertTrue(absent, "what is absent is told as null")

    def test_drift_names_the_field(self):
        self.apply()
        self.kube.change("deployments", "registry-ui", lambda document: document["spec"].update(replicas=3))
        self.node.tree.write(f"/etc/containerd/certs.d/localhost:{self.port}/hosts.toml", "# hostk8s\nserver = 1\n")
        fields = self.plan(2)[1][DEPLOYMENT]["fields"]
        self.assertEqual(fields, [{"path": "spec.replicas", "is": "3", "should": "1"}])

    def test_something_could_not_be_observed(self):
        self.kube.down()
        result = self.run_program("plan", status=1)
        self.assertRegex(result.stdout, rf"(?m)^kube/\S+: ApiUnreachable: .*refused.*\n    likewise: .*, {DEPLOYMENT}, ")
        self.assertEqual(result.stdout.count("ApiUnreachable"), 1, result.stdout)
        self.assertRegex(result.stdout, rf"(?m)^{CONTAINER}: create$")
        self.engine.down()
        document, _ = self.plan(1)
        self.assertIs(document["observed"], False)
        reasons = {entry["resource"]: entry["reason"] for entry in document["blocked"]}
        self.assertEqual(reasons[CONTAINER], "EngineUnreachable")

    def test_blocked_without_changes(self):
        self.apply()
        self.engine.remove_network()
        result = self.run_program("plan", status=2)
        self.assertRegex(result.stdout, rf"(?m)^{NETWORK}: NetworkMissing: ")


class Apply(MachineTest):
    def test_converges_and_says_what_it_did(self):
        result = self.apply()
        self.assertRegex(result.stdout, rf"(?m)^{CONTAINER}: create$")
        self.assertRegex(result.stdout, rf"\nconverged: {RESOURCES} of {RESOURCES} ready, \d+ changes\n\Z")
        self.assertNotRegex(result.stdout, "[\x1b\r]")
        self.assertLessEqual(max(map(len, result.stdout.splitlines())), 80)
        self.assert_registry()
        self.assertTrue(self.storage.is_dir())
        registry = self.registry()
        self.assertIn(REGISTRY, registry.networks["kind"]["aliases"])
        self.assertEqual(registry.labels["io.hostk8s.registryd.owner"], REGISTRY)
        self.assertEqual(registry.spec["HostConfig"]["RestartPolicy"]["Name"], "always")
        self.assertIn("REGISTRY_STORAGE_DELETE_ENABLED=true", registry.spec["Env"])
        # The cluster knows it.
        endpoints = self.kube.get("endpointslices", "registry-api")
        self.assertEqual(endpoints["endpoints"][0]["addresses"], [registry.networks["kind"]["ip"]])
        hosting = self.kube.get("configmaps", "local-registry-hosting", "kube-public")
        self.assertIn(f'host: "localhost:{self.port}"', hosting["data"]["localRegistryHosting.v1"])
        self.assertIsNone(self.kube.get("services", "registry-api")["spec"].get("selector"))

    def test_every_node_knows_every_alias(self):
        self.configure(nodes={"aliases": ["registry.example:80", "localhost:5000"]})
        self.apply()
        aliases = ["registry.example:80", "localhost:5000", f"localhost:{self.port}", f"127.0.0.1:{self.port}"]
        for node in (self.node, self.worker):
            for alias in [*aliases, f"{REGISTRY}:5000"]:
                self.assertIn(f'[host."http://{REGISTRY}:5000"]', self.hosts(node, alias))

    def test_second_apply_writes_nothing(self):
        self.apply()
        with self.untouched():
            result = self.apply()
        self.assertEqual(result.stdout, f"converged: {RESOURCES} of {RESOURCES} ready, 0 changes\n")

    def test_old_cluster_without_endpoint_slices(self):
        self.kube.groups.remove("discovery.k8s.io/v1")
        self.apply()
        subsets = self.kube.get("endpoints", "registry-api")["subsets"]
        self.assertEqual(subsets[0]["addresses"], [{"ip": self.registry().networks["kind"]["ip"]}])

    def test_drift_is_repaired(self):
        self.apply()
        self.kube.change("deployments", "registry-ui", lambda document: document["spec"].update(replicas=3))
        self.worker.tree.remove(HOSTS)
        self.registry().networks.pop("kind")
        self.apply()
        self.assertEqual(self.kube.get("deployments", "registry-ui")["spec"]["replicas"], 1)
        self.assertIsNotNone(self.worker.tree.text(HOSTS))
        self.assert_registry()

    def test_failure_names_resource_and_reason(self):
        self.configure(registry={"image": "nowhere:1"})
        result = self.apply(status=1)
        self.assertRegex(result.stdout, rf"(?m)^{CONTAINER}: failed to pull: .*manifest unknown")
        self.assertRegex(result.stdout, rf"(?m)^{CONTAINER}: ImagePullFailed: .*docker pull nowhere:1")
        self.assertRegex(result.stdout, r"(?m)^not done: \d+ of \d+ ready, ")
        self.assertIsNotNone(self.node.tree.text(HOSTS))
        self.assertIsNotNone(self.kube.get("deployments", "registry-ui"))

    def timed_out(self, timeout):
        result = self.run_program("apply", "--timeout", timeout, status=1, seconds=SECONDS)
        self.assertRegex(result.stdout, r"(?m)^timed out: \d+ of \d+ ready, \d+ changes\n\Z")
        return result.stdout

    def test_timeout_is_honoured(self):
        self.kube.ready = False
        self.assertRegex(self.timed_out("6s"), rf"(?m)^{DEPLOYMENT}: Unavailable: 0 of 1 pods ready")

    def test_timeout_with_an_engine_that_hangs(self):
        self.configure(reconcile={"timeout": "2s"})
        self.engine.fault("/containers/json", "hang", times=None)
        self.timed_out("1s")

    def test_one_cause_is_told_once(self):
        self.kube.down()
        said = self.timed_out("5s")
        self.assertRegex(said, rf"(?m)^kube/\S+: ApiUnreachable: .*refused.*\n    likewise: .*, {DEPLOYMENT}, ")
        self.assertEqual(said.count("ApiUnreachable"), 1, said)

    def test_waits_for_what_time_helps(self):
        self.kube.ready = False
        process = self.start("apply")
        self.kube.wait("GET .*/pods", count=2)
        self.kube.bring_up()
        self.assertEqual(process.wait(), 0, process.output)

    def test_nohup(self):
        self.kube.ready = False
        process = self.start("apply", preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
        self.kube.wait("GET .*/pods")
        process.signal(signal.SIGHUP)
        self.kube.bring_up()
        self.assertEqual(process.wait(), 0, process.output)

    def test_interrupted(self):
        self.kube.ready = False
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with self.subTest(signal=number):
                since = self.kube.mark()
                process = self.start("apply")
                self.kube.wait("GET .*/pods", since=since)
                process.signal(number)
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
        self.assertRegex(lines[0], r"^RESOURCE +READY +REASON +SINCE$")
        self.assertEqual(len(lines), 1 + RESOURCES)
        self.assertRegex(lines[1], rf"^{CONTAINER} +True +Converged +\d+s")
        document = json.loads(self.run_program("status", "--json", status=0).stdout)
        self.assertEqual((document["ready"], document["pid"]), (RESOURCES, daemon.pid))
        self.assertEqual(document["summary"], f"{RESOURCES}/{RESOURCES} ready")
        self.assertEqual(daemon.stop(), 0)
        self.run_program("status", status=3)

    def test_not_all_ready(self):
        self.worker.state = "exited"
        daemon = self.daemon()
        daemon.wait_reason(WORKER, "NodeNotRunning")
        table = self.run_program("status", status=1).stdout
        self.assertRegex(table, rf"(?m)^{WORKER} +False +NodeNotRunning +\d+s\n    \S")
        self.assertLessEqual(max(map(len, table.splitlines())), 80)
        document = json.loads(self.run_program("status", "--json", status=1).stdout)
        entry = next(entry for entry in document["resources"] if entry["resource"] == WORKER)
        self.assertEqual((entry["ready"], entry["reason"], entry["cluster"]), ("False", "NodeNotRunning", "hostk8s"))
        self.assertRegex(entry["since"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")

    def test_age_after_the_clock_was_set_back(self):
        daemon = self.converged_daemon()
        document = daemon.status()
        for entry in document["resources"]:
            entry["since"] = "2999-01-01T00:00:00Z"
        with daemon.frozen():  # nothing else is published
            self.status_file.write_text(json.dumps(document))
            for line in self.run_program("status", status=0).stdout.splitlines()[1:]:
                self.assertRegex(line, r" Converged +0s$")

    def test_of_some_resources(self):
        daemon = self.converged_daemon()
        self.engine.stop_container(self.worker)
        daemon.wait_reason(WORKER, "NodeNotRunning")
        table = self.run_program("status", CONTROL_PLANE, CONTAINER, status=0).stdout.splitlines()
        self.assertEqual([line.split()[0] for line in table[1:]], [CONTROL_PLANE, CONTAINER])
        document = json.loads(self.run_program("status", "--json", WORKER, status=1).stdout)
        self.assertEqual([entry["resource"] for entry in document["resources"]], [WORKER])
        missing = self.run_program("status", CONTAINER, "node/none", status=1)
        self.assertEqual((missing.stdout, missing.stderr), ("", "hostk8s-registryd: there is no resource node/none\n"))

    def test_progress_of_a_pull(self):
        stream = Stream()
        stream.send({"status": "Downloading", "id": "a", "progressDetail": {"current": 1_500_000, "total": 3_000_000}})
        self.engine.fault("POST .*/images/create", "answer", response=Response(200, chunks=stream))
        daemon = self.daemon()
        wait_until(lambda: daemon.status().get("progress"), "progress")
        table = self.run_program("status", status=1).stdout
        self.assertRegex(table, r"(?m)^registry:2: 0 of 1 layers, 1\.5 MB(, [0-9.]+ MB/s)?$")
        stream.put(None)
        daemon.wait_converged()
        self.assertNotIn("progress", daemon.status())

    def test_watch(self):
        """On a terminal alone; what it shows is what there is."""
        for words in (["--watch"], ["--watch", "--json"]):
            self.run_program("status", *words, status=USAGE_STATUS)
        terminal = self.terminal("status", "--watch")
        terminal.wait(r"no daemon runs with")
        daemon = self.converged_daemon()
        terminal.wait(rf"{WORKER} +{GREEN}True{RESET} +Converged")
        self.engine.stop_container(self.worker)
        terminal.wait(rf"{WORKER} +{RED}False{RESET} +NodeNotRunning .*\r\n    \S")
        shown = len(terminal.shown)
        self.assertEqual(daemon.stop(), 0)
        terminal.wait(r"no daemon runs with", since=shown)


class Output(MachineTest):
    """Who has not got the answer is not told that all is well."""

    def assert_told(self, *arguments, beside=0, **options):
        with open("/dev/full", "w", encoding="utf-8") as full:
            lines = self.run_program(*arguments, status=1, stdout=full, **options).stderr.splitlines()
        self.assertEqual(len(lines), beside + 1)
        # What failed before the last buffer has left no reason.
        reasons = "No space left on device|Input/output error"
        self.assertRegex(lines[-1], f"^hostk8s-registryd: cannot print: ({reasons})$")

    def test_that_goes_nowhere(self):
        for number in range(100):  # more than a buffer's changes
            self.engine.add_node(f"hostk8s-worker{number}", "hostk8s", role="worker")
        for words in ("-h", "--help", "-V", "--version", "check --print", "plan", "plan --json", "teardown", "apply"):
            with self.subTest(words=words):
                self.assert_told(*words.split())
        self.daemon().wait_converged(RESOURCES + 100, seconds=60)
        self.assert_told("apply", beside=1)  # a line that a daemon runs
        self.assert_told("status")
        self.assert_told("status", "--json")

    def test_of_a_teardown(self):
        """What is not listed is not removed; with --yes it is, and the end is not told as success."""
        self.apply()
        with self.untouched():
            self.assert_told("teardown", input="y\n")
        self.assert_told("teardown", "--yes")
