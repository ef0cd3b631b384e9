"""Who runs, and what is known of it: the directory of this user's processes, its locks, the status."""

import contextlib
import fcntl
import json
import os
import pathlib
import shutil
import signal
import stat

from harness import ALIAS, CONTAINER, HELD, NOBODY, RESOURCES, WORKER, MachineTest, free_port, wait_until


class Directory(MachineTest):
    def setUp(self):
        super().setUp()
        self.directory = self.runtime / "hostk8s-registryd"

    def assert_refused(self, message):
        for command in ("run", "status", "teardown"):
            with self.subTest(command=command):
                self.assertIn(message, self.run_program(command, status=1).stderr)
        self.assertEqual(self.engine.requests, [])

    def test_made_for_the_user_alone(self):
        daemon = self.converged_daemon()
        self.assertEqual(stat.S_IMODE(self.directory.stat().st_mode), 0o700)
        with daemon.frozen():
            self.assertTrue(self.status_file.exists())
            for path in self.directory.iterdir():
                self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600, path)
        self.assertEqual(daemon.stop(), 0)
        self.assertEqual(list(self.directory.glob("*.json*")), [])

    def test_of_nobody_else(self):
        """A link to a directory, a file, what others may enter, what belongs to another user."""
        none = f"{self.directory} is no directory of this user"
        target = self.home / "elsewhere"
        target.mkdir(mode=0o700)
        self.directory.symlink_to(target)
        self.assert_refused(none)
        self.assertEqual(list(target.iterdir()), [])
        self.directory.unlink()
        self.directory.write_text("")
        self.assert_refused(none)
        self.directory.unlink()
        self.directory.mkdir()
        for mode in (0o755, 0o770, 0o707, 0o1777):
            self.directory.chmod(mode)
            self.assert_refused(f"{self.directory} is open to other users; close it with `chmod 700 ")
        self.directory.rmdir()
        if os.geteuid() == 0:
            self.directory.mkdir(mode=0o700)
            os.chown(self.directory, NOBODY, NOBODY)
        else:
            # What the others of this machine could have made; nobody else's is to be had here.
            self.directory.symlink_to("/")
        self.assert_refused(none)

    def test_links_in_it_are_not_followed(self):
        self.directory.mkdir(mode=0o700)
        target = self.home / "target"
        target.write_text("precious")
        (self.directory / "status.lock").symlink_to(target)
        daemon = self.daemon()
        self.notify.wait(rf"^STATUS={RESOURCES}/{RESOURCES} ready$")
        self.assertEqual(target.read_text(), "precious")
        self.assertEqual(daemon.stop(), 0)

    def test_without_the_variable(self):
        """What su, sudo and cron leave: the session's directory if there is one, else the one in /tmp. A
        relative one counts as none."""
        session = pathlib.Path(f"/run/user/{os.getuid()}")
        is_own = session.is_dir() and not session.is_symlink() and session.lstat().st_uid == os.getuid()
        fallback = pathlib.Path(f"/tmp/hostk8s-registryd-{os.getuid()}")
        directory = session / "hostk8s-registryd" if is_own else fallback
        self.environment.pop("XDG_RUNTIME_DIR", None)
        parent = os.open(directory.parent, os.O_RDONLY)
        self.addCleanup(os.close, parent)
        fcntl.flock(parent, fcntl.LOCK_EX)  # it is this test's alone
        for environment in ({}, {"XDG_RUNTIME_DIR": ""}, {"XDG_RUNTIME_DIR": "run"}):
            self.run_program("status", status=3, environment=environment, cwd=self.home)
        self.assertEqual(directory.lstat().st_uid, os.getuid())
        self.assertTrue(stat.S_ISDIR(directory.lstat().st_mode))
        self.assertEqual(stat.S_IMODE(directory.lstat().st_mode), 0o700)
        self.assertEqual(list(self.runtime.iterdir()), [])
        with contextlib.suppress(OSError):  # not empty when the user has a daemon there
            directory.rmdir()

    def test_removed_under_the_daemon_it_is_made_again(self):
        daemon = self.converged_daemon()
        with daemon.frozen():
            shutil.rmtree(self.directory)
        daemon.wait_line("notice: the directory of .*/status.json was removed, and is made again")
        daemon.wait_converged()
        self.run_program("status", status=0)
        self.assertIn(f"process {daemon.pid} runs with", self.run_program("run", status=1).stderr)
        self.assertEqual(daemon.stop(), 0)
        self.run_program("status", status=3)

    def test_removed_and_taken_by_another(self):
        """The first one cannot know before it looks; then it says so, and leaves the other's status alone."""
        self.configure(reconcile={"poll": "1h"})
        first = self.converged_daemon()
        self.engine.wait("GET .*/events", answered=True)
        with first.frozen():
            shutil.rmtree(self.directory)
            second = self.converged_daemon()
        first.signal(signal.SIGUSR1)
        first.wait_line(f"warning: no status is published: process {second.pid} runs with {self.config_file} already")
        self.assertEqual(second.status()["pid"], second.pid)
        self.assertEqual(first.stop(), 0)
        self.assertEqual(second.status()["pid"], second.pid)
        self.run_program("status", status=0)

    def test_removed_with_all_above_it(self):
        """As a logout does it: everything goes on, and that there is no status is said once."""
        daemon = self.converged_daemon()
        before = len(daemon.lines)
        with daemon.frozen():
            shutil.rmtree(self.runtime)
        daemon.wait_line("warning: no status is published: cannot (make|write) .*: No such file or directory", before)
        self.assert_repairs()
        self.wait_passes(3)
        self.assertEqual(len([line for line in daemon.lines if "no status is published" in line]), 1)
        self.configure(nodes={"aliases": [ALIAS]})
        self.reload(daemon, "^STATUS=reload failed: cannot make ")
        self.runtime.mkdir(mode=0o700)
        daemon.wait_line("is made again", before)
        daemon.signal(signal.SIGHUP)
        self.wait_alias()
        daemon.wait_converged()
        self.assertEqual(daemon.stop(), 0)


class Status(MachineTest):
    def test_of_a_daemon_that_was_killed(self):
        """Its file is there and tells of nobody, also to the next one."""
        daemon = self.converged_daemon()
        daemon.kill()
        self.assertTrue(self.status_file.exists())
        self.run_program("status", status=3)
        self.engine.fault(r"GET .*/containers/json\?", "hang", times=None)
        daemon = self.daemon()
        self.engine.wait(r"GET .*/containers/json\?", since=self.engine.mark())
        self.assertNotIn("Converged", self.run_program("status", status=1).stdout)
        self.engine.clear_faults()
        daemon.wait_converged()
        self.run_program("status", status=0)

    def test_before_it_is_published(self):
        """The file then is another daemon's, or one's that was before."""
        self.configure(reconcile={"timeout": "60s"})
        daemon = self.converged_daemon()
        document = daemon.status() | {"pid": 1}
        self.engine.fault("", "hang", times=None)
        self.engine.wait("", since=self.engine.mark())  # it waits, and publishes nothing
        for text in ("", json.dumps(document), "[]", '{"pid": "x"}'):
            self.status_file.write_text(text)
            result = self.run_program("status", status=1)
            said = f"hostk8s-registryd: process {daemon.pid} has published no status yet\n"
            self.assertEqual((result.stdout, result.stderr), ("", said))

    def test_before_a_first_pass_has_ended(self):
        """All that is known is ready, and not all is known."""
        self.apply()
        self.configure(reconcile={"timeout": "60s"})
        self.engine.fault(f"/containers/{self.worker.id}/", "hang", times=None)
        daemon = self.daemon()

        def known():
            document = daemon.status()
            return document.get("ready") == document.get("total") == RESOURCES - 1

        wait_until(known, "all others are ready")
        self.assertNotIn(WORKER, self.run_program("status", status=1).stdout)

    def test_while_it_reloads(self):
        """What was there last."""
        self.configure(reconcile={"timeout": f"{HELD}s"})
        daemon = self.converged_daemon()
        fault = self.engine.fault("PUT .*/archive", "delay", times=None, seconds=HELD)
        self.configure(nodes={"aliases": [ALIAS]})
        daemon.signal(signal.SIGHUP)
        wait_until(lambda: fault.hits > 0, "it writes")
        daemon.wait_reason(WORKER, "Converging")
        self.configure(nodes={"aliases": ["registry2.example:80"]})
        self.reload(daemon)
        result = self.run_program("status", status=1)
        self.assertRegex(result.stdout, rf"(?m)^{CONTAINER} +True ")
        self.assertRegex(result.stdout, rf"(?m)^{WORKER} +False +Converging ")
        self.engine.clear_faults()
        daemon.wait_converged()

    def test_another_configuration_runs_beside(self):
        self.converged_daemon()
        self.config_file = self.home / "other.yaml"
        registry = {"name": "other", "storage": str(self.home / "other"), "listen": f"127.0.0.1:{free_port()}"}
        self.configure(registry=registry, clusters=[])
        self.daemon()
        wait_until(lambda: self.run_program("status").returncode == 0, "the other's own status")
        document = json.loads(self.run_program("status", "--json", status=0).stdout)
        self.assertEqual(document["config"], str(self.config_file))

    def test_status_file_is_replaced_as_a_whole(self):
        daemon = self.converged_daemon()
        with open(self.status_file, encoding="utf-8") as held:
            self.worker.state = "exited"
            daemon.wait_reason(WORKER, "NodeNotRunning")
            self.assertEqual(json.load(held)["ready"], RESOURCES, "a reader keeps the whole old text")
            self.assertFalse(os.path.samestat(os.fstat(held.fileno()), self.status_file.stat()), "is replaced")
        self.assertEqual(daemon.stop(), 0)
        self.assertEqual(list(self.status_file.parent.glob("*.new")), [])


class Reading(MachineTest):
    def test_signals_before_it_is_ready_wait(self):
        """SIGHUP and SIGUSR1 that were sent before the program takes them up, and blocked meanwhile."""

        def before_the_program():
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP, signal.SIGUSR1})
            os.kill(os.getpid(), signal.SIGHUP)
            os.kill(os.getpid(), signal.SIGUSR1)

        daemon = self.daemon(preexec_fn=before_the_program)
        daemon.wait_line("info: reloaded ")
        daemon.wait_converged()
        before = len(daemon.lines)
        daemon.signal(signal.SIGHUP)
        daemon.wait_line("info: reloaded ", before)

    def test_link_that_points_elsewhere_by_the_next_reload(self):
        """As tools that keep versions of a configuration replace it."""
        versions = [self.home / "version1.yaml", self.home / "version2.yaml"]
        self.config_file.rename(versions[0])
        self.config_file.symlink_to(versions[0])
        daemon = self.converged_daemon()
        versions[1].write_text(json.dumps(self.config | {"nodes": {"aliases": [ALIAS]}}))
        new = self.home / "new"
        new.symlink_to(versions[1])
        new.rename(self.config_file)
        daemon.signal(signal.SIGHUP)
        self.wait_alias()
        wait_until(lambda: self.run_program("status").returncode == 0, "found by the same name")

    def test_replaced_while_it_is_read(self):
        """Either the one or the other: never a mixture, and never nothing."""
        daemon = self.converged_daemon()
        registry = self.registry().id
        texts = [json.dumps(self.config | {"nodes": {"aliases": [f"registry{n}.example:80"]}}) for n in (1, 2)]
        for number in range(100):
            new = self.home / "new.yaml"
            new.write_text(texts[number % 2] + "\n#" * 100000)
            new.rename(self.config_file)
            daemon.signal(signal.SIGHUP)
        self.wait_alias("registry2.example:80")
        daemon.wait_converged()
        self.assertNotIn("reload failed", daemon.output)
        self.assertEqual(self.registry().id, registry)
