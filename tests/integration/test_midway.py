"""What people do in the middle of a recreate: a reload with another wish, SIGTERM and a new start, at
each of its steps. There is a container at any time, and the last wish is what comes of it."""

import signal
import unittest

from harness import REGISTRY, RESOURCES, wait_until
from test_people import HELD, STEPS, PeopleTest

RESOURCES_WITHOUT_UI = 5


class MidwayTest(PeopleTest):
    def setUp(self):
        super().setUp()
        self.counts = []

    def tearDown(self):
        super().tearDown()
        self.assertGreater(min(self.counts, default=1), 0, "there was no container")

    def held_daemon(self, match):
        """A daemon which recreates its container for another port, up to the step; and that."""
        daemon = self.converged_daemon()
        self.first = self.port
        self.engine.before = lambda request: self.counts.append(len(self.engine.registries()))
        self.change_port()
        fault = self.engine.fault(match, "delay", seconds=HELD)
        daemon.signal(signal.SIGHUP)
        wait_until(lambda: fault.hits == 1, "the daemon is held")
        return daemon, fault

    def reload(self, daemon):
        since = self.notify.mark()
        daemon.signal(signal.SIGHUP)
        return self.notify.wait("^READY=1", since)

    def back(self):
        self.port = self.first
        self.configure(registry={"listen": f"127.0.0.1:{self.port}"})


class Reload(MidwayTest):
    def at_each_step(self, change, total=RESOURCES):
        """change(daemon) says another wish; returns the total of resources then."""
        for step, match in STEPS.items():
            with self.subTest(step=step):
                daemon, fault = self.held_daemon(match)
                change(daemon)
                fault.released.set()
                self.wait_port(daemon, total)
                self.assertEqual(daemon.stop(), 0)
            self.fresh()

    def test_yet_another_port(self):
        def change(daemon):
            self.change_port()
            self.reload(daemon)

        self.at_each_step(change)

    def test_back_to_the_old_port(self):
        def change(daemon):
            self.back()
            self.reload(daemon)

        self.at_each_step(change)

    def test_without_the_ui(self):
        def change(daemon):
            self.configure(ui={"enabled": False})
            self.reload(daemon)

        self.at_each_step(change, RESOURCES_WITHOUT_UI)

    def test_several_in_a_row(self):
        def change(daemon):
            for _ in range(5):
                self.change_port()
                daemon.signal(signal.SIGHUP)
            self.reload(daemon)

        self.at_each_step(change)

    def test_invalid(self):
        """The recreate goes on."""

        def change(daemon):
            text = self.config_file.read_text()
            self.config_file.write_text("registry: 1\n")
            self.assertRegex(self.reload(daemon), "(?m)^STATUS=reload failed: ")
            self.config_file.write_text(text)

        self.at_each_step(change)


class Stop(MidwayTest):
    def at_each_step(self, change=lambda: None):
        """change() says another wish before the next daemon starts."""
        for step, match in STEPS.items():
            with self.subTest(step=step):
                daemon, fault = self.held_daemon(match)
                daemon.signal(signal.SIGTERM)
                self.notify.wait("^STOPPING=1")
                mark = self.engine.mark()
                fault.released.set()
                self.assertEqual(daemon.wait(), 0)
                self.assertEqual([str(r) for r in self.engine.since(mark, REGISTRY) if r.writes], [], "nothing more")
                change()
                self.wait_port(self.daemon())
            self.fresh()

    def test_and_start(self):
        self.at_each_step()

    def test_and_start_with_the_old_port(self):
        self.at_each_step(self.back)

    def test_and_start_with_yet_another_port(self):
        self.at_each_step(self.change_port)

    def test_by_force(self):
        """SIGKILL at the step, and a start with another wish."""
        for step, match in STEPS.items():
            with self.subTest(step=step):
                daemon, fault = self.held_daemon(match)
                daemon.kill()
                fault.released.set()  # carried out all the same
                self.change_port()
                self.wait_port(self.daemon())
            self.fresh()


if __name__ == "__main__":
    unittest.main()
