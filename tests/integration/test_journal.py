"""What a user reads in the journal of what happens to a machine: what has one cause is one line, what comes
and goes is none, and nothing is told twice."""

import re
import time

from harness import DEPLOYMENT, SECONDS, WORKER
from test_route import RouteTest

LINES_MAX = 40  # of a start, an engine that restarts, a cluster that is deleted and made again
TOGETHER_SECONDS = 2.5  # within which what comes about is told in one line
CONVERGED = r"info: .*: (\w+ -> )?Converged$"
RESOURCES = r"(?P<names>\S+(?:, \S+)*)|(?P<count>\d+) resources(?: of cluster \S+)?"
CONDITION = re.compile(rf"(?:info|warning): (?:{RESOURCES}): (?:(?P<before>\w+) -> )?(?P<reason>[A-Z]\w+)(?:$|: )")


class ADay(RouteTest):
    def setUp(self):
        super().setUp()
        self.configure(reconcile={"poll": "10s"})  # the default: of it follows how long a condition has to stand
        self.late = f"warning: {self.route}: .*Unavailable: .* answer ended early; see that the ingress controller runs"

    # ---- what happens ----

    def stop_engine(self):
        """As `systemctl stop docker`: containers end, none is started any more, and nobody listens."""
        self.engine.fault("POST .*/start$", "close", times=None)
        for container in (self.registry(), self.node, self.worker):
            self.engine.stop_container(container)
        self.kube.down()
        self.page.down()
        self.engine.down()
        self.engine.clear_faults()

    def start_engine(self, daemon):
        """Somebody else has the registry's former address."""
        with self.engine.lock:  # nobody is answered before all run
            self.engine.up()
            for container in (self.node, self.worker, self.engine.add_container("other", {"Image": "redis:7"})):
                if not container.is_node:
                    self.engine.attach(container, "kind")
                self.engine.start_container(container)
            self.engine.start_container(self.registry())
        self.bring_up(daemon)

    def delete_cluster(self):
        for node in (self.node, self.worker):
            self.engine.stop_container(node)
            self.engine.remove_container(node)
        self.kube.down()
        self.page.down()

    def create_cluster(self):
        self.kube.remove_namespace("hostk8s")
        self.kube.remove("configmaps", "local-registry-hosting", "kube-public")
        self.node = self.engine.add_node("hostk8s-control-plane", "hostk8s", api_port=self.kube.port)
        self.worker = self.engine.add_node("hostk8s-worker", "hostk8s", role="worker")

    def bring_up(self, daemon):
        """From the nodes' containers to the API server and the ingress, one after the other."""
        self.page.fault("", "close", times=None)
        self.page.up()  # the engine listens for the node, which does not answer
        daemon.wait_reason(WORKER, "Converged")
        self.node.tree.write("/etc/kubernetes/admin.conf", self.kube.admin_conf())
        self.kube.up()
        daemon.wait_reason(DEPLOYMENT, "Converged")
        self.page.clear_faults()
        daemon.wait_converged(13)

    # ---- what is told of it ----

    def told(self, daemon, since, *expected):
        """These conditions are told, and no others but that the page is late; returns how many lines there are."""
        for match in expected:
            daemon.wait_line(match, since)
        lines = [line for line in daemon.lines[since:] if CONDITION.match(line)]
        for line in lines:
            matches = [match for match in (*expected, self.late) if re.match(match, line)]
            self.assertTrue(matches, f"{line}\n\n{daemon.output}")
            self.assertNotEqual(*CONDITION.match(line).group("before", "reason"), line)
        self.assertEqual(len(set(lines)), len(lines), daemon.output)
        return len(daemon.lines)

    def wait_told_converged(self, daemon, count):
        """The last that is told of so many resources is that they are Converged."""

        def told():
            total = 0
            for match in filter(None, map(CONDITION.match, daemon.lines)):
                resources = int(match["count"] or match["names"].count(",") + 1)
                total += resources * ((match["reason"] == "Converged") - (match["before"] == "Converged"))
            return total == count

        with daemon.changed:
            self.assertTrue(daemon.changed.wait_for(told, SECONDS), daemon.output)

    def test_start_restart_delete_create(self):
        start = time.monotonic()
        daemon = self.converged_daemon()
        lines_max = 1 + (time.monotonic() - start) // TOGETHER_SECONDS
        self.wait_told_converged(daemon, 13)
        mark = self.told(daemon, 0, CONVERGED)
        self.assertLessEqual(len([line for line in daemon.lines if CONDITION.match(line)]), lines_max, daemon.output)
        self.stop_engine()
        mark = self.told(
            daemon,
            mark,
            "warning: 4 resources: Converged -> EngineUnreachable: ",
            "warning: 8 resources of cluster hostk8s: Converged -> ApiUnreachable: ",
            f"warning: {self.route}: Converged -> Unavailable: nothing listens .* while the engine does not answer",
        )
        self.start_engine(daemon)
        self.wait_told_converged(daemon, 13)
        mark = self.told(daemon, mark, CONVERGED)
        self.delete_cluster()
        mark = self.told(daemon, mark, "warning: 8 resources of cluster hostk8s: Converged -> ClusterNotFound: ")
        self.create_cluster()
        self.bring_up(daemon)
        self.told(daemon, mark, CONVERGED)
        self.assertLessEqual(len(daemon.lines), LINES_MAX, daemon.output)
