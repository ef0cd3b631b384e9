"""Several of the program at once, as people start them: two daemons, `apply` beside a daemon or beside
another, `teardown` beside a daemon. Each has a defined end. For the middle of a recreate see
test_midway.py."""

import re

from harness import HELD, REGISTRY, RESOURCES, WORKER, MachineTest, free_port, wait_until


class PeopleTest(MachineTest):
    def other_configuration(self, **registry):
        """Another file from here on, which differs in registry's keys."""
        self.config_file = self.home / "other.yaml"
        self.configure(registry={"name": "other", "storage": str(self.home / "other")} | registry)


class TwoDaemons(PeopleTest):
    def assert_refused(self, message, file=None):
        arguments = ("-c", str(file or self.config_file), "run")
        since = self.notify.mark()
        environment = {"NOTIFY_SOCKET": self.notify.path}
        result = self.run_program(*arguments, status=1, config=False, environment=environment)
        self.assertIn(f"error: {message}\n", result.stderr)
        self.assertFalse(any("READY=1" in text for text in self.notify.messages[since:]))

    def test_same_file(self):
        """By whatever name."""
        daemon = self.converged_daemon()
        link = self.home / "link"
        link.symlink_to(self.home)
        (self.home / "alias.yaml").symlink_to(self.config_file)
        said = f"process {daemon.pid} runs with {self.config_file}"
        with self.untouched():
            self.assert_refused(f"{said} already")
            self.assert_refused(f"{said} already", link / self.config_file.name)
            self.assert_refused(f"{said} and keeps registry.name {REGISTRY} already", self.home / "alias.yaml")
        self.run_program("status", status=0)

    def test_same_registry(self):
        daemon = self.converged_daemon()
        said = f"process {daemon.pid} runs with {self.config_file} and keeps"
        self.other_configuration(name=REGISTRY, listen=f"127.0.0.1:{free_port()}")
        self.assert_refused(f"{said} registry.name {REGISTRY} already")
        self.other_configuration(name="other", storage=str(self.storage))
        self.assert_refused(f"{said} registry.storage {self.storage} already")
        self.assertEqual(daemon.stop(), 0)
        self.daemon().wait_reason("container/other", "Converged")

    def test_same_registry_after_a_reload(self):
        """What was given up is free, what another one has is refused, and the old one stays."""
        daemon = self.converged_daemon()
        first, config = self.config_file, self.config
        self.other_configuration(listen=f"127.0.0.1:{free_port()}")
        self.configure(clusters=[])
        other = self.daemon()
        self.config_file, self.config = first, config
        self.configure(registry={"name": "other"})
        said = f"process {other.pid} runs with {self.home}/other.yaml and keeps registry.name other already"
        self.reload(daemon, f"^STATUS=reload failed: {said}$")
        daemon.wait_line(f"reload failed, the old configuration stays: {said}$")
        self.assertEqual(self.registry().state, "running")
        self.assertEqual(other.stop(), 0)
        self.reload(daemon)
        daemon.wait_reason("container/other", "Converged")
        self.assertEqual(daemon.stop(), 0)
        self.configure(registry={"name": REGISTRY})
        self.converged_daemon()

    def test_same_clusters(self):
        """They want different things of the same nodes and objects: the first one that gives way says so."""
        self.configure(reconcile={"backoff": {"initial": "1s", "max": "1m"}})
        daemons = [self.converged_daemon()]
        self.other_configuration(listen=f"127.0.0.1:{free_port()}")
        daemons.append(self.daemon())
        contended = f"{WORKER}: .*Contended: something else keeps changing .*hosts.toml.* back; stop it"
        wait_until(lambda: any(re.search(contended, daemon.output) for daemon in daemons), "one is told")
        self.assertEqual({c.name: c.state for c in self.engine.registries()}, {REGISTRY: "running", "other": "running"})


class BesideADaemon(PeopleTest):
    def test_apply_that_wants_the_same(self):
        daemon = self.converged_daemon()
        with self.untouched():
            result = self.apply()
        self.assertEqual(result.stdout, f"converged: {RESOURCES} of {RESOURCES} ready, 0 changes\n")
        self.assertIn(f"process {daemon.pid} runs with {self.config_file} and keeps everything", result.stderr)
        self.assertEqual(daemon.stop(), 0)
        self.assertEqual(self.apply().stderr, "", "no daemon is not mentioned")

    def test_teardown_is_refused_and_nothing_is_asked(self):
        daemon = self.converged_daemon()
        said = f"hostk8s-registryd: process {daemon.pid} runs with {self.config_file}"
        hint = "stop it first (systemctl --user stop hostk8s-registryd)"
        with self.untouched():
            result = self.run_program("teardown", status=1)
            self.assertEqual((result.stdout, result.stderr), ("", f"{said} already; {hint}\n"))
            self.other_configuration(name=REGISTRY)
            result = self.run_program("teardown", "--yes", status=1)
            self.assertEqual(result.stderr, f"{said} and keeps registry.name {REGISTRY} already; {hint}\n")
        self.assertEqual(daemon.stop(), 0)

    def test_no_daemon_is_started_during_a_teardown(self):
        self.apply()
        fault = self.engine.fault("DELETE .*/containers/", "delay", seconds=HELD)
        teardown = self.start("teardown", "--yes")
        wait_until(lambda: fault.hits == 1, "the teardown is held")
        for command in (["run"], ["teardown", "--yes"]):
            result = self.run_program(*command, status=1)
            self.assertIn(f"process {teardown.pid} runs with {self.config_file} already", result.stderr)
        self.run_program("status", status=1)
        fault.released.set()
        self.assertEqual(teardown.wait(), 0)
        self.assertEqual(self.engine.registries(), [])
        self.run_program("status", status=3)
        self.converged_daemon()


class TwoApplies(PeopleTest):
    def test_on_an_empty_machine(self):
        for step in ("images/create", "containers/create", "containers/.*/start$", "/connect", "PUT .*/archive"):
            with self.subTest(step=step):
                fault = self.engine.fault(step, "delay", seconds=HELD)
                first = self.start("apply")
                wait_until(lambda fault=fault: fault.hits == 1, "the first is held")
                second = self.start("apply")
                self.engine.wait(step, count=2, seconds=HELD)
                fault.released.set()
                self.assertEqual(first.wait(), 0, first.output)
                self.assertEqual(second.wait(), 0, second.output)
                self.assert_registry()
            self.fresh()
