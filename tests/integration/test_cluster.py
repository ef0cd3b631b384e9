"""A cluster that is being made, and one that is being removed, while the daemon runs."""

import time

from harness import CONTROL_PLANE, DEPLOYMENT, WORKER, MachineTest, wait_until

ADMIN_CONF = "/etc/kubernetes/admin.conf"
MAKING = "cluster hostk8s is being made; its API server does not answer yet"


class Cluster(MachineTest):
    def conditions(self, daemon):
        return [entry for entry in daemon.status()["resources"] if entry["resource"].startswith("kube/")]

    def assert_is_being_made(self, daemon):
        daemon.wait_reason(DEPLOYMENT, "Converging", MAKING)
        said = {(c["ready"], c["reason"], c["message"]) for c in self.conditions(daemon)}
        self.assertEqual(said, {("False", "Converging", MAKING)})

    def test_is_being_made(self):
        admin_conf = self.node.tree.text(ADMIN_CONF)
        self.node.created = time.time()
        self.node.tree.remove(ADMIN_CONF)
        daemon = self.daemon()
        self.assert_is_being_made(daemon)
        self.kube.fault(".*", "status", code=403, times=None)  # before kubeadm has given any rights
        self.node.tree.write(ADMIN_CONF, admin_conf)
        wait_until(lambda: self.kube.requests, "the API server is asked")
        self.assert_is_being_made(daemon)
        self.kube.clear_faults()
        daemon.wait_converged()
        for word in ("warning: kube/", "Error", "Forbidden", "ApiUnreachable"):
            self.assertNotIn(word, daemon.output)

    def test_answers_no_more(self):
        """However young the cluster is: its API server has answered before."""
        self.node.created = time.time()
        daemon = self.converged_daemon()
        self.kube.fault(".*", "close", times=None)
        daemon.wait_reason(DEPLOYMENT, "ApiUnreachable", "it is asked again")

    def test_is_broken_later(self):
        self.node.tree.remove(ADMIN_CONF)
        self.daemon().wait_reason(DEPLOYMENT, "Error", f"cannot read {ADMIN_CONF}")

    def test_is_being_removed(self):
        daemon = self.converged_daemon()
        for node in (self.node, self.worker):
            self.engine.begin_removal(node)
        wait_until(lambda: not self.nodes(daemon), "nodes that are being removed are none")
        for node in (self.node, self.worker):
            self.engine.remove_container(node)
        daemon.wait_reason(DEPLOYMENT, "ClusterNotFound")
        for word in ("NodeNotRunning", "docker start"):
            self.assertNotIn(word, daemon.output)

    def test_node_ends_before_it_is_removed(self):
        """As podman does it."""
        now = time.time()
        self.engine.clock = lambda: now  # by which the node has only just ended
        daemon = self.converged_daemon()
        self.engine.stop_container(self.worker)
        daemon.wait_reason(WORKER, "Converging", "the node is just starting, or going")
        self.engine.remove_container(self.worker)
        wait_until(lambda: self.nodes(daemon) == [CONTROL_PLANE], "the node is gone")
        self.assertNotIn("docker start", daemon.output)

    def test_node_ends_and_stays(self):
        daemon = self.converged_daemon()
        self.engine.stop_container(self.worker)
        daemon.wait_reason(WORKER, "NodeNotRunning", "docker start hostk8s-worker")
        daemon.wait_line("docker start")
        self.wait_passes()
        self.assertEqual(daemon.output.count("docker start"), 1)

    def nodes(self, daemon):
        return [e["resource"] for e in daemon.status()["resources"] if e["resource"].startswith("node/")]
