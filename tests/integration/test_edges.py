"""What a program meets at its edges: closed descriptors, limits, a status or a configuration that hangs, and
one engine by many names."""

import os
import resource
import signal
import subprocess

from harness import ALIAS, BINARY, CONTAINER, REGISTRY, WORKER, MachineTest, wait_until


def closing(*descriptors):
    """For Popen: what the program then begins without."""

    def close():
        for descriptor in descriptors:
            os.close(descriptor)

    return close


class Descriptors(MachineTest):
    """A standard stream that is closed must not become a lock file or a connection."""

    def test_every_command_does_what_it_does(self):
        self.apply()
        for descriptors in ((0,), (1,), (2,), (0, 1, 2)):
            for command in ("check", "plan", "apply", "status"):
                with self.subTest(command=command, closed=descriptors):
                    expected = 3 if command == "status" else 0
                    self.run_program(command, status=expected, preexec_fn=closing(*descriptors))
        self.run_program("teardown", "--yes", status=0, preexec_fn=closing(0, 1, 2))

    def test_no_line_of_the_log_gets_into_a_file(self):
        for descriptors in ((2,), (0, 1, 2)):
            with self.subTest(closed=descriptors):
                daemon = self.converged_daemon("-l", "debug", preexec_fn=closing(*descriptors))
                locks = list((self.runtime / "hostk8s-registryd").glob("*.lock"))
                self.assertTrue(locks)
                for lock in locks:
                    self.assertEqual(lock.read_text(), f"{daemon.pid}\n{self.config_file}\n")
                self.assertEqual(daemon.stop(), 0)

    def test_input_that_is_closed_is_no_answer(self):
        self.apply()
        with self.untouched():
            result = self.run_program("teardown", status=1, preexec_fn=closing(0))
        self.assertIn("nothing was removed\n", result.stderr)


class Limits(MachineTest):
    def test_file_that_may_not_grow(self):
        """SIGXFSZ would end the daemon; that no status can be written is said, and everything else goes on."""

        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # Python ignores it
            resource.setrlimit(resource.RLIMIT_FSIZE, (512, 512))

        daemon = self.daemon(preexec_fn=limit)
        daemon.wait_line("warning: no status is published: cannot write .*/status.json: File too large$")
        self.wait_alias("localhost:5000")
        self.assertEqual(daemon.stop(), 0)

    def test_too_few_descriptors_are_told_to_the_log(self):
        for command, descriptors in (("run", 12), ("plan", 8), ("apply", 8)):  # run has locks, too
            with self.subTest(command=command):
                limit = resource.RLIMIT_NOFILE, (descriptors, descriptors)
                result = self.run_program(
                    command, status=1, preexec_fn=lambda limit=limit: resource.setrlimit(*limit)
                )
                self.assertEqual(result.stderr, "error: cannot start: Too many open files\n")


class OneEngine(MachineTest):
    """Two daemons over one registry are refused however they spell the engine's socket."""

    def assert_refused(self, holder, *spellings):
        file, config = self.config_file, self.config
        self.config_file = self.home / "other.yaml"
        before = self.engine.mark()
        for spelling in spellings:
            with self.subTest(spelling=spelling):
                self.configure(docker={"host": f"unix://{spelling}"})
                result = self.run_program("run", status=1)
                said = f"process {holder.pid} runs with {file} and keeps registry.name {REGISTRY} already"
                self.assertIn(said, result.stderr)
        self.assertEqual(self.engine.writes(before), [])
        self.config_file, self.config = file, config

    def spellings(self):
        """Of the engine's socket, which is home/docker.sock."""
        (self.home / "directory").symlink_to(self.home)
        (self.home / "to.sock").symlink_to("docker.sock")
        (self.home / "chain.sock").symlink_to(self.home / "directory/to.sock")
        names = ["directory/docker.sock", "to.sock", "chain.sock", "./docker.sock", "/docker.sock"]
        return [f"{self.home}/{name}" for name in [*names, f"../{self.home.name}/docker.sock"]]

    def test_spellings_of_the_socket(self):
        spellings = self.spellings()
        daemon = self.converged_daemon()
        self.assert_refused(daemon, *spellings)
        # The engine is started anew: then it is not there, then it is another inode.
        self.engine.down()
        self.assert_refused(daemon, spellings[2])
        self.engine.up()
        self.assert_refused(daemon, spellings[2])
        # It is not in its own way, however it spells the socket from now on.
        self.configure(docker={"host": f"unix://{spellings[0]}"})
        self.assertNotIn("reload failed", self.reload(daemon))
        self.assert_refused(daemon, f"{self.home}/docker.sock")


class Hanging(MachineTest):
    """A file system that hangs takes nothing with it but what is on it."""

    def setUp(self):
        super().setUp()
        self.configure(reconcile={"timeout": "1s"})
        self.process = self.converged_daemon(environment={"WATCHDOG_USEC": "200000"})

    def assert_all_else_goes_on(self):
        since = self.notify.mark()
        self.assert_repairs()
        self.notify.wait("^WATCHDOG=1", since, count=5)

    def hang_status(self):
        """What is written next stands in a FIFO that nobody reads; returns a function that reads it."""
        fifo = f"{self.status_file}.{self.process.pid}.new"
        with self.process.frozen():
            os.mkfifo(fifo, 0o600)

        def release():
            with open(fifo, "rb") as stream:
                stream.read()

        return release

    def hang_configuration(self):
        """What is read next is a pipe whose writer says nothing; returns the writer's end."""
        reader, writer = os.pipe()
        self.addCleanup(os.close, reader)
        link = self.home / "link"
        link.symlink_to(f"/proc/{os.getpid()}/fd/{reader}")
        link.rename(self.config_file)
        return writer

    def test_status(self):
        release = self.hang_status()
        self.assert_all_else_goes_on()
        self.process.wait_line(f"warning: no status is published: {self.status_file}: no answer within 10000 ms$")
        self.assert_all_else_goes_on()
        self.configure(nodes={"aliases": [ALIAS]})
        # Its claims are in that directory, too.
        self.reload(self.process, f"^STATUS=reload failed: {self.status_file}: no answer within 10000 ms$")
        release()
        self.worker.state = "exited"
        wait_until(self.status_file.is_file, "another file in the place of the FIFO")
        self.process.wait_reason(WORKER, "NodeNotRunning")
        self.assertEqual(self.process.stop(), 0)
        self.assertFalse(self.status_file.exists())

    def test_stop_while_the_status_hangs(self):
        self.hang_status()
        self.worker.state = "exited"
        self.notify.wait(f"{WORKER} NodeNotRunning$")
        self.process.signal(signal.SIGTERM)
        self.notify.wait("^STOPPING=1")
        self.assertEqual(self.process.stop(), 0)
        self.run_program("status", status=3)

    def test_configuration(self):
        writer = self.hang_configuration()
        since = self.notify.mark()
        self.process.signal(signal.SIGHUP)
        self.assert_all_else_goes_on()
        self.notify.wait(f"^STATUS=reload failed: {self.config_file}: no answer within 1000 ms$", since)
        self.assert_all_else_goes_on()
        os.close(writer)
        self.config_file.unlink()
        self.configure(nodes={"aliases": [ALIAS]})
        before = len(self.process.lines)

        def reloaded():
            self.process.signal(signal.SIGHUP)
            return any("reloaded" in line for line in self.process.lines[before:])

        wait_until(reloaded, "once the pipe has ended it is read again")
        self.wait_alias()

    def test_stop_while_the_configuration_hangs(self):
        self.configure(reconcile={"timeout": "60s"})
        self.reload(self.process)
        self.addCleanup(os.close, self.hang_configuration())
        self.reload(self.process, "^RELOADING=1")
        self.assertEqual(self.process.stop(), 0)


class Teardown(MachineTest):
    def test_what_is_listed_is_what_is_removed(self):
        """The file is read once, whatever becomes of it between the list and the removal."""
        self.apply()
        command = [BINARY, "-c", str(self.config_file), "teardown"]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        with subprocess.Popen(command, env=self.environment, **pipes) as process:
            listed = iter(process.stdout.readline, "")
            self.assertIn(f"{CONTAINER}: remove (destructive)\n", listed)
            self.configure(registry={"name": "other"})
            process.communicate("y\n", timeout=60)
        self.assertEqual(process.returncode, 0)
        self.assertEqual(self.engine.registries(), [])
