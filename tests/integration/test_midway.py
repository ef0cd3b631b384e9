"""What people do in the middle of a recreate, at each of its steps: a reload with another wish, SIGTERM,
SIGKILL and a new start, an `apply` beside it. There is a container at any time, no image is lost, and the
last wish is what comes of it."""

import signal
import time

from harness import HELD, REGISTRY, MachineTest, timestamp, wait_until

# The steps of a recreate, in their order.
STEPS = {
    "rename": "POST .*/rename",
    "create": "POST .*/containers/create",
    "stop": "POST .*/stop",
    "start": "POST .*/containers/.*/start$",  # and none of an exec
    "probe": "^GET /v2/$",
    "remove": "DELETE .*/containers/",
}


class MidwayTest(MachineTest):
    def setUp(self):
        super().setUp()
        self.storage.mkdir()
        (self.storage / "blob").write_text("an image")
        self.counts = []  # of containers, at each request of a recreate

    def tearDown(self):
        super().tearDown()
        self.assertEqual((self.storage / "blob").read_text(), "an image")
        self.assertGreater(min(self.counts, default=1), 0, "there was no container")

    def at_each_step(self, do):
        """do(match) with the request of each step, on a machine of its own."""
        for step, match in STEPS.items():
            with self.subTest(step=step):
                do(match)
            self.fresh()

    def hold(self, match, act):
        """The fault that holds the request which comes of act()."""
        fault = self.engine.fault(match, "delay", seconds=HELD)
        result = act()
        wait_until(lambda: fault.hits == 1, "it is held")
        return fault, result

    def release(self, fault, match):
        """Returns when the request is carried out, whether anybody waits for it or not."""
        fault.released.set()
        if match != STEPS["probe"]:  # which changes nothing, and may have nobody to answer it any more
            self.engine.wait(match, since=self.mark, answered=True)

    def held_daemon(self, match):
        """A daemon which recreates its container for another port, up to the step; and that."""
        daemon = self.converged_daemon()
        self.first = self.port
        self.engine.before = lambda request: self.counts.append(len(self.engine.registries()))
        self.change_port()
        self.mark = self.engine.mark()
        fault, _ = self.hold(match, lambda: daemon.signal(signal.SIGHUP))
        return daemon, fault

    def back(self):
        self.port = self.first
        self.configure(registry={"listen": f"127.0.0.1:{self.port}"})

    def wait_port(self, daemon):
        """Waits until the one registry has the declared port and all is well."""

        def there():
            names = [container.name for container in self.engine.registries()]
            return names == [REGISTRY] and self.bind_of(self.registry()) == str(self.port)

        wait_until(there, f"port {self.port}")
        daemon.wait_converged()
        self.assert_registry()


class Reload(MidwayTest):
    def reloaded_with(self, change):
        """change(daemon) says another wish."""

        def do(match):
            daemon, fault = self.held_daemon(match)
            change(daemon)
            self.release(fault, match)
            self.wait_port(daemon)
            self.assertEqual(daemon.stop(), 0)

        self.at_each_step(do)

    def test_yet_another_port(self):
        self.reloaded_with(lambda daemon: (self.change_port(), self.reload(daemon)))

    def test_back_to_the_old_port(self):
        self.reloaded_with(lambda daemon: (self.back(), self.reload(daemon)))

    def test_invalid(self):
        """The recreate goes on."""

        def change(daemon):
            text = self.config_file.read_text()
            self.config_file.write_text("registry: 1\n")
            self.assertRegex(self.reload(daemon), "(?m)^STATUS=reload failed: ")
            self.config_file.write_text(text)

        self.reloaded_with(change)


class Stop(MidwayTest):
    def started_again(self, change=lambda: None, by_force=False):
        """change() says another wish before the next daemon starts."""

        def do(match):
            daemon, fault = self.held_daemon(match)
            if by_force:
                daemon.kill()
                self.release(fault, match)
            else:
                daemon.signal(signal.SIGTERM)
                self.notify.wait("^STOPPING=1")
                mark = self.engine.mark()
                fault.released.set()
                self.assertEqual(daemon.wait(), 0)
                self.assertEqual([str(r) for r in self.engine.since(mark, REGISTRY) if r.writes], [], "nothing more")
            change()
            self.wait_port(self.daemon())

        self.at_each_step(do)

    def test_and_start(self):
        self.started_again()

    def test_and_start_with_the_old_port(self):
        self.started_again(self.back)

    def test_and_start_with_yet_another_port(self):
        self.started_again(self.change_port)

    def test_by_force(self):
        self.started_again(self.change_port, by_force=True)

    def test_by_force_and_back(self):
        """A new container that was started is not given time to come up: it would have an hour."""

        def change():
            for container in self.engine.registries():
                container.started = timestamp(time.time() + 3600)
            self.back()

        self.started_again(change, by_force=True)


class Apply(MidwayTest):
    def started_beside(self, fault):
        mark = self.engine.mark()
        process = self.start("apply")
        self.engine.wait(r"GET .*/containers/json\?", since=mark, answered=True)
        fault.released.set()
        self.assertEqual(process.wait(), 0, process.output)

    def test_beside_a_daemon(self):
        def do(match):
            daemon, fault = self.held_daemon(match)
            self.started_beside(fault)
            daemon.wait_converged()
            self.assert_registry()

        self.at_each_step(do)

    def test_that_a_daemon_undoes(self):
        """The daemon has the file as it was: what it does not know of it puts back."""

        def do(match):
            daemon = self.converged_daemon()
            old_port = self.port
            self.change_port()
            fault, process = self.hold(match, lambda: self.start("apply"))
            daemon.signal(signal.SIGUSR1)
            fault.released.set()
            process.wait()
            self.wait_passes()
            daemon.signal(signal.SIGUSR1)  # else what both have changed is left for a minute
            daemon.wait_converged()
            self.assert_registry(old_port)
            daemon.signal(signal.SIGHUP)
            self.wait_port(daemon)

        self.at_each_step(do)

    def test_beside_another(self):
        def do(match):
            self.apply()
            self.change_port()
            fault, first = self.hold(match, lambda: self.start("apply"))
            self.started_beside(fault)
            self.assertEqual(first.wait(), 0, first.output)
            self.assert_registry()

        self.at_each_step(do)
