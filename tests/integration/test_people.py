"""Several of the program at once, as people start them: two daemons, `apply` beside a daemon or beside
another, `teardown` beside a daemon. Each has a defined end, and no image is lost on the way."""

import signal
import unittest

from harness import CONTAINER, REGISTRY, RESOURCES, WORKER, MachineTest, free_port, wait_until

HELD = 60  # seconds, longer than any wait
# The steps of a recreate, in their order.
STEPS = {
    "rename": "POST .*/rename",
    "create": "POST .*/containers/create",
    "stop": "POST .*/stop",
    "start": "POST .*/containers/.*/start$",  # and none of an exec
    "probe": "^GET /v2/$",
    "remove": "DELETE .*/containers/",
}


class PeopleTest(MachineTest):
    def setUp(self):
        super().setUp()
        self.storage.mkdir()
        (self.storage / "blob").write_text("an image")

    def tearDown(self):
        super().tearDown()
        self.assertEqual((self.storage / "blob").read_text(), "an image")

    def fresh(self):
        """The machine as it was, for the next subtest."""
        self.tearDown()
        self.doCleanups()
        self.setUp()

    def change_port(self):
        self.port = free_port()
        self.configure(registry={"listen": f"127.0.0.1:{self.port}"})

    def wait_port(self, daemon, total=RESOURCES):
        """Waits until the one registry has the declared port and all is well."""

        def there():
            names = [container.name for container in self.engine.registries()]
            return names == [REGISTRY] and self.bind_of(self.registry()) == str(self.port)

        wait_until(there, f"port {self.port}")
        daemon.wait_converged(total)
        self.assert_registry()

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
        before = self.engine.mark()
        link = self.home / "link"
        link.symlink_to(self.home)
        (self.home / "alias.yaml").symlink_to(self.config_file)
        said = f"process {daemon.pid} runs with {self.config_file}"
        self.assert_refused(f"{said} already")
        self.assert_refused(f"{said} already", link / self.config_file.name)
        self.assert_refused(f"{said} and keeps registry.name {REGISTRY} already", self.home / "alias.yaml")
        self.assertEqual(self.engine.writes(before), [])
        self.run_program("status", status=0)

    def test_same_registry(self):
        daemon = self.converged_daemon()
        first = self.config_file
        said = f"process {daemon.pid} runs with {first} and keeps"
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
        since = self.notify.mark()
        daemon.signal(signal.SIGHUP)
        said = f"process {other.pid} runs with {self.home}/other.yaml and keeps registry.name other already"
        self.notify.wait(f"^STATUS=reload failed: {said}$", since)
        daemon.wait_line(f"reload failed, the old configuration stays: {said}$")
        self.assertEqual(self.registry().state, "running")
        self.assertEqual(other.stop(), 0)
        daemon.signal(signal.SIGHUP)
        daemon.wait_reason("container/other", "Converged")
        self.assertEqual(daemon.stop(), 0)
        self.configure(registry={"name": REGISTRY})
        self.converged_daemon()

    def test_same_clusters(self):
        """They want different things of the same nodes and objects: each says so."""
        self.converged_daemon()
        self.other_configuration(listen=f"127.0.0.1:{free_port()}")
        daemons = [self.daemon()]
        self.status_file = next(self.status_file.parent.glob("?*[0-9a-f].json"), self.status_file)
        daemons[0].wait_line(f"{WORKER}: .*Contended: something else keeps changing .*hosts.toml back; stop it")
        self.assertEqual({c.name: c.state for c in self.engine.registries()}, {REGISTRY: "running", "other": "running"})


class ApplyBesideADaemon(PeopleTest):
    def test_both_want_the_same(self):
        daemon = self.converged_daemon()
        before = self.engine.mark(), self.kube.mark()
        result = self.apply()
        self.assertEqual(result.stdout, f"converged: {RESOURCES} of {RESOURCES} ready, 0 changes\n")
        self.assertIn(f"process {daemon.pid} runs with {self.config_file} and keeps everything", result.stderr)
        self.assertEqual(self.engine.writes(before[0]) + self.kube.writes(before[1]), [])

    def test_no_daemon_is_not_mentioned(self):
        self.assertEqual(self.apply().stderr, "")

    def test_in_mid_recreate_of_the_daemon(self):
        for step, match in STEPS.items():
            with self.subTest(step=step):
                daemon = self.converged_daemon()
                self.change_port()
                fault = self.engine.fault(match, "delay", seconds=HELD)
                daemon.signal(signal.SIGHUP)
                self.engine.wait(match, count=fault.hits + 1)
                wait_until(lambda fault=fault: fault.hits == 1, "the daemon is held")
                process = self.start("apply")
                self.engine.wait(r"GET .*/containers/json\?", since=self.engine.mark(), answered=True)
                fault.released.set()
                self.assertEqual(process.wait(), 0, process.output)
                daemon.wait_converged()
                self.assert_registry()
            self.fresh()

    def test_in_mid_recreate_of_the_apply(self):
        """The daemon has the file as it was: what it does not know of it puts back."""
        for step, match in STEPS.items():
            with self.subTest(step=step):
                daemon = self.converged_daemon()
                old_port = self.port
                self.change_port()
                fault = self.engine.fault(match, "delay", seconds=HELD)
                process = self.start("apply")
                wait_until(lambda fault=fault: fault.hits == 1, "one of them is held")
                daemon.signal(signal.SIGUSR1)
                fault.released.set()
                process.wait()
                self.wait_passes()
                daemon.wait_converged()
                self.assert_registry(old_port)
                daemon.signal(signal.SIGHUP)
                self.wait_port(daemon)
            self.fresh()


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

    def test_of_one_recreate(self):
        self.apply()
        for step, match in STEPS.items():
            with self.subTest(step=step):
                self.change_port()
                fault = self.engine.fault(match, "delay", seconds=HELD)
                first = self.start("apply")
                wait_until(lambda fault=fault: fault.hits == 1, "the first is held")
                mark = self.engine.mark()
                second = self.start("apply")
                self.engine.wait(r"GET .*/containers/json\?", since=mark, answered=True)
                fault.released.set()
                self.assertEqual(first.wait(), 0, first.output)
                self.assertEqual(second.wait(), 0, second.output)
                self.assert_registry()
                self.engine.clear_faults()


class TeardownBesideADaemon(PeopleTest):
    def test_refused_and_nothing_is_asked(self):
        daemon = self.converged_daemon()
        before = self.engine.mark(), self.kube.mark()
        first = self.config_file
        result = self.run_program("teardown", status=1)
        said = f"hostk8s-registryd: process {daemon.pid} runs with {first}"
        hint = "stop it first (systemctl --user stop hostk8s-registryd)"
        self.assertEqual(result.stderr, f"{said} already; {hint}\n")
        self.assertEqual(result.stdout, "")
        self.other_configuration(name=REGISTRY)
        result = self.run_program("teardown", "--yes", status=1)
        self.assertEqual(result.stderr, f"{said} and keeps registry.name {REGISTRY} already; {hint}\n")
        self.assertEqual(self.engine.writes(before[0]) + self.kube.writes(before[1]), [])
        self.assertEqual(daemon.stop(), 0)

    def test_no_daemon_is_started_meanwhile(self):
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


if __name__ == "__main__":
    unittest.main()
