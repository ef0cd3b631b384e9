"""Between two polls the engine's events and the clusters' watches tell what changed."""

import unittest

from harness import CONTAINER, DEPLOYMENT, RESOURCES, MachineTest, wait_until


class StreamTest(MachineTest):
    def setUp(self):
        super().setUp()
        self.configure(reconcile={"poll": "1h"})

    def listening_daemon(self):
        daemon = self.converged_daemon()
        self.engine.wait("GET .*/events", answered=True)
        self.kube.wait(r"GET /apis/apps/v1/deployments\?.*watch=1", answered=True)
        return daemon


class EngineEvents(StreamTest):
    def test_stopped_registry_is_started(self):
        self.listening_daemon()
        container = self.registry()
        self.engine.stop_container(container)
        wait_until(lambda: container.state == "running", "the registry runs again")

    def test_removed_registry_is_made_again(self):
        daemon = self.listening_daemon()
        self.engine.remove_container(self.registry())
        wait_until(lambda: self.engine.registries(), "a new registry")
        daemon.wait_converged()
        self.assert_registry()

    def test_new_node_gets_its_files(self):
        daemon = self.listening_daemon()
        node = self.engine.add_node("hostk8s-worker2", "hostk8s", role="worker")
        wait_until(lambda: self.hosts(node, "localhost:5000"), "the files")
        daemon.wait_converged(RESOURCES + 1)
        self.engine.remove_container(node)
        daemon.wait_converged(RESOURCES)

    def test_copied_file_with_the_size_and_time_of_the_former_one(self):
        self.listening_daemon()
        good = self.hosts(self.worker, "localhost:5000")
        with self.engine.lock:
            self.worker.tree.files["/etc/containerd/certs.d/localhost:5000/hosts.toml"] = good.replace("http", "xxxx").encode()
        self.engine.tell_of(self.worker, "extract-to-dir", path="/etc/containerd")
        wait_until(lambda: self.hosts(self.worker, "localhost:5000") == good, "repaired")

    def test_stream_breaks_and_comes_back(self):
        daemon = self.listening_daemon()
        before = self.engine.mark()
        self.engine.down()
        self.engine.remove_container(self.registry())
        self.engine.up()
        self.engine.wait("GET .*/events", since=before, answered=True)
        wait_until(lambda: self.engine.registries(), "what was missed is seen")
        daemon.wait_converged()
        container = self.registry()
        self.engine.stop_container(container)
        wait_until(lambda: container.state == "running", "the registry runs again")

    def test_garbage_in_the_stream(self):
        daemon = self.listening_daemon()
        before = self.engine.mark()
        for stream in self.engine.streams:
            stream.lines.put(b'{"Type": "container", "Action"\n\x00 nonsense')
        self.engine.wait("GET .*/events", since=before, answered=True)
        self.engine.remove_container(self.registry())
        wait_until(lambda: self.engine.registries(), "a new registry")
        self.assertEqual(daemon.stop(), 0)

    def test_refused_stream_is_no_harm(self):
        self.engine.fault("GET .*/events", "status", times=3, code=500)
        self.configure(reconcile={"poll": "1s"})
        daemon = self.converged_daemon()
        self.assertEqual(daemon.condition(CONTAINER)["reason"], "Converged")

    def test_stop_while_it_listens(self):
        daemon = self.listening_daemon()
        self.assertEqual(daemon.stop(), 0)


class ClusterWatches(StreamTest):
    def test_changed_object_is_repaired(self):
        daemon = self.listening_daemon()
        self.kube.change("deployments", "registry-ui", lambda document: document["spec"].update(replicas=3))
        wait_until(lambda: self.kube.get("deployments", "registry-ui")["spec"]["replicas"] == 1, "repaired")
        daemon.wait_converged()

    def test_deleted_object_is_made_again(self):
        daemon = self.listening_daemon()
        self.kube.remove("services", "registry-api")
        wait_until(lambda: self.kube.get("services", "registry-api"), "made again")
        daemon.wait_converged()

    def test_watch_ends_and_is_opened_again(self):
        daemon = self.listening_daemon()
        before = self.kube.mark()
        self.kube.end_streams()
        self.kube.wait(r"GET /apis/apps/v1/deployments\?.*watch=1", since=before, answered=True)
        self.kube.remove("deployments", "registry-ui")
        wait_until(lambda: self.kube.get("deployments", "registry-ui"), "made again")
        self.assertEqual(daemon.stop(), 0)

    def test_version_that_is_gone(self):
        daemon = self.listening_daemon()
        before = self.kube.mark()
        status = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"}
        with self.kube.lock:
            for stream in self.kube.streams:
                stream.lines.put(b'{"type": "ERROR", "object": %s}\n' % str(status).replace("'", '"').encode())
            self.kube.end_streams()
        self.kube.wait(r"GET /apis/apps/v1/deployments\?.*watch=1", since=before, answered=True)
        self.kube.remove("deployments", "registry-ui")
        wait_until(lambda: self.kube.get("deployments", "registry-ui"), "made again")
        daemon.wait_reason(DEPLOYMENT, "Converged")

    def test_api_goes_away_and_comes_back(self):
        self.configure(reconcile={"poll": "1s"})
        daemon = self.listening_daemon()
        self.kube.down()
        daemon.wait_reason(DEPLOYMENT, "ApiUnreachable")
        self.kube.up()
        daemon.wait_converged()
        self.assertEqual(daemon.stop(), 0)


if __name__ == "__main__":
    unittest.main()
