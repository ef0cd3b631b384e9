"""The daemon as systemd and its user see it: notifications, signals, its status and its log."""

import re
import signal

from harness import CONTAINER, DEPLOYMENT, DEPLOYMENT_LIST, HOSTS, RESOURCES, WORKER, MachineTest, wait_until

ALL_READY = rf"^STATUS={RESOURCES}/{RESOURCES} ready$"


class Notify(MachineTest):
    def test_ready_then_status_then_stopping(self):
        daemon = self.converged_daemon()
        self.notify.wait(ALL_READY)
        self.assertEqual(daemon.stop(), 0)
        self.notify.wait(r"\ASTOPPING=1$")
        self.assertRegex(self.notify.messages[0], r"\AREADY=1\nSTATUS=\S")
        for message in self.notify.messages:
            self.assertEqual(message.count("STATUS="), 1, "a status of one line")
            self.assertNotIn("WATCHDOG", message, "nobody asked for it")

    def test_status_names_the_first_that_is_not_ready(self):
        self.worker.state = "exited"
        self.daemon()
        self.notify.wait(rf"^STATUS={RESOURCES - 1}/{RESOURCES} ready: {WORKER} NodeNotRunning$")

    def test_pull_progress(self):
        self.daemon()
        self.notify.wait(r"^STATUS=registry:2: \d+ of \d+ layers, [0-9.]+ MB(, [0-9.]+ MB/s)?$")

    def test_not_ready_when_the_configuration_is_wrong(self):
        self.config_file.write_text("registry: 1\n")
        daemon = self.start("run", environment={"NOTIFY_SOCKET": self.notify.path})
        self.assertEqual(daemon.wait(), 78)
        self.notify.wait("^ERRNO=")
        self.assertFalse(any("READY=1" in message for message in self.notify.messages))

    def test_run_is_the_default_command_also_without_an_engine(self):
        self.engine.down()
        daemon = self.start(environment={"NOTIFY_SOCKET": self.notify.path, "WATCHDOG_USEC": "200000"})
        self.notify.wait("^READY=1")
        daemon.wait_reason(CONTAINER, "EngineUnreachable")
        self.notify.wait("^WATCHDOG=1", count=5)
        self.assertEqual(daemon.stop(), 0)

    def test_dead_notify_socket_is_no_trouble(self):
        self.notify.close()
        daemon = self.start("run", environment={"NOTIFY_SOCKET": self.notify.path})
        daemon.wait_converged()
        self.assertEqual(daemon.stop(), 0)


class Signals(MachineTest):
    def test_sigusr1_is_a_full_pass(self):
        self.configure(reconcile={"poll": "1h"})
        daemon = self.converged_daemon()
        self.notify.wait(ALL_READY)
        before = self.engine.mark(), self.kube.mark()
        with self.untouched():
            daemon.signal(signal.SIGUSR1)
            self.engine.wait("GET .*/containers/json", since=before[0])
            for node in (self.node, self.worker):
                self.engine.wait(f"HEAD .*/{node.id}/archive", since=before[0])
            self.kube.wait(DEPLOYMENT_LIST, since=before[1])
        self.worker.tree.remove(HOSTS)
        daemon.signal(signal.SIGUSR1)
        wait_until(lambda: self.worker.tree.text(HOSTS), "the file is back")

    def test_sigusr1_cuts_a_back_off_short(self):
        self.configure(reconcile={"poll": "1h", "backoff": {"initial": "1m", "max": "1h"}})
        self.kube.down()
        daemon = self.daemon()
        daemon.wait_reason(DEPLOYMENT, "ApiUnreachable")
        self.kube.up()
        daemon.signal(signal.SIGUSR1)
        daemon.wait_converged()


class Idle(MachineTest):
    def test_idle_pass_logs_nothing_and_only_looks(self):
        daemon = self.converged_daemon()
        self.wait_passes(1)
        before = self.engine.mark(), self.kube.mark(), len(daemon.lines), self.notify.mark()
        resources = daemon.status()["resources"]
        with self.untouched():
            self.wait_passes(5)
        self.assertEqual(daemon.lines[before[2] :], [])
        self.assertEqual(self.notify.messages[before[3] :], [])
        self.assertEqual(daemon.status()["resources"], resources)
        self.assertEqual(self.engine.since(before[0], "GET .*/archive"), [], "no archive is read again")
        lists = self.engine.since(before[0], r"GET .*/containers/json\?")
        deployments = self.kube.since(before[1], DEPLOYMENT_LIST)
        # Of the first pass and of the last one only one of the two may be counted.
        self.assertLessEqual(abs(len(lists) - len(deployments)), 2, "one list of each kind for each pass")

    def test_one_line_for_each_change(self):
        self.configure(reconcile={"poll": "10s"})  # half of it what is repaired may take, and is no news
        self.apply()
        daemon = self.daemon()
        daemon.wait_line("info: .*: Converged$")
        before = len(daemon.lines)
        self.worker.tree.remove(HOSTS)
        daemon.signal(signal.SIGUSR1)
        daemon.wait_line(f"{WORKER}: write", before)
        for _ in range(3):
            since = self.kube.mark()
            daemon.signal(signal.SIGUSR1)
            self.kube.wait(DEPLOYMENT_LIST, since=since, answered=True)
        self.assertEqual(daemon.stop(), 0)  # which tells all news that there are
        lines = [f"notice: {WORKER}: write: {HOSTS} (none) -> present", "info: stopping; the registry keeps running"]
        late = re.compile(r"info: .*: Converged")  # under load not all were told of in one line
        self.assertEqual([line for line in daemon.lines[before:] if not late.fullmatch(line)], lines)

    def test_level_of_the_command_line_wins(self):
        daemon = self.converged_daemon("-l", "warning")
        self.assertEqual(daemon.lines, [])

    def test_foreign_journal_stream_means_stderr(self):
        daemon = self.converged_daemon(environment={"JOURNAL_STREAM": "1:2"})
        daemon.wait_line(f"notice: {CONTAINER}: create")

    def test_what_no_event_tells(self):
        daemon = self.converged_daemon()
        self.registry().state = "paused"
        self.engine.wait("POST .*/unpause", answered=True)
        with self.engine.lock:
            self.engine.containers.remove(self.worker)
        daemon.wait_converged(RESOURCES - 1)
        self.worker = self.engine.add_node("hostk8s-worker", "hostk8s", role="worker")
        wait_until(lambda: self.worker.tree.text(HOSTS), "a node made again gets its files")
        self.engine.add_node("hostk8s-lb", "hostk8s", role="external-load-balancer")
        self.wait_passes(2)
        self.assertIsNone(daemon.condition("node/hostk8s-lb"))
