"""Between two polls the engine's events and the clusters' watches tell what changed."""

import json

from harness import CONTAINER, DEPLOYMENT, HELD, HOSTS, RESOURCES, MachineTest, wait_until

WATCH = r"GET /apis/apps/v1/deployments\?.*watch=1"


class StreamTest(MachineTest):
    def setUp(self):
        super().setUp()
        self.configure(reconcile={"poll": "1h"})

    def watching_daemon(self):
        daemon = self.converged_daemon()
        self.engine.wait("GET .*/events", answered=True)
        self.kube.wait(WATCH, answered=True)
        return daemon


class EngineEvents(StreamTest):
    def assert_starts(self, container):
        self.engine.stop_container(container)
        wait_until(lambda: container.state == "running", "the registry runs again")

    def test_registry_and_nodes(self):
        daemon = self.watching_daemon()
        self.assert_starts(self.registry())
        self.engine.remove_container(self.registry())
        self.engine.wait("POST .*/networks/kind/connect", count=2, answered=True)
        daemon.wait_converged()
        self.assert_registry()
        node = self.engine.add_node("hostk8s-worker2", "hostk8s", role="worker")
        wait_until(lambda: node.tree.text(HOSTS), "a new node gets its files")
        daemon.wait_converged(RESOURCES + 1)
        self.engine.remove_container(node)
        daemon.wait_converged(RESOURCES)

    def test_copied_file_with_the_size_and_time_of_the_former_one(self):
        self.watching_daemon()
        good = self.worker.tree.text(HOSTS)
        with self.engine.lock:
            self.worker.tree.files[HOSTS] = good.replace("http", "xxxx").encode()
        self.engine.tell_of(self.worker, "extract-to-dir", path="/etc/containerd")
        wait_until(lambda: self.worker.tree.text(HOSTS) == good, "repaired")

    def test_what_changes_before_the_stream_begins(self):
        fault = self.engine.fault("GET .*/events", "delay", seconds=HELD)
        daemon = self.converged_daemon()
        self.engine.remove_container(self.registry())
        fault.released.set()
        wait_until(self.engine.registries, "a new registry")
        daemon.wait_converged()

    def test_stream_breaks_and_comes_back(self):
        daemon = self.watching_daemon()
        before = self.engine.mark()
        self.engine.down()
        self.engine.remove_container(self.registry())
        self.engine.up()
        self.engine.wait("GET .*/events", since=before, answered=True)
        wait_until(self.engine.registries, "what was missed is seen")
        daemon.wait_converged()
        self.assert_starts(self.registry())

    def test_garbage_in_the_stream(self):
        daemon = self.watching_daemon()
        before = self.engine.mark()
        for stream in self.engine.streams:
            stream.put(b'{"Type": "container", "Action"\n\x00 nonsense')
        self.engine.wait("GET .*/events", since=before, answered=True)
        self.engine.remove_container(self.registry())
        wait_until(self.engine.registries, "a new registry")
        self.assertEqual(daemon.stop(), 0)

    def test_refused_stream_is_no_harm(self):
        self.engine.fault("GET .*/events", "status", times=3, code=500)
        self.configure(reconcile={"poll": "1s"})
        daemon = self.converged_daemon()
        self.assertEqual(daemon.condition(CONTAINER)["reason"], "Converged")


class ClusterWatches(StreamTest):
    def assert_made_again(self, plural, name):
        self.kube.remove(plural, name)
        wait_until(lambda: self.kube.get(plural, name), "made again")

    def test_objects(self):
        daemon = self.watching_daemon()
        self.kube.change("deployments", "registry-ui", lambda document: document["spec"].update(replicas=3))
        wait_until(lambda: self.kube.get("deployments", "registry-ui")["spec"]["replicas"] == 1, "repaired")
        self.assert_made_again("services", "registry-api")
        daemon.wait_converged()

    def test_what_changes_before_the_watch_begins(self):
        fault = self.kube.fault(r"GET /api/v1/services\?.*watch=1", "delay", seconds=HELD)
        self.converged_daemon()
        self.kube.remove("services", "registry-api")
        fault.released.set()
        wait_until(lambda: self.kube.get("services", "registry-api"), "made again")

    def test_watch_ends_and_is_opened_again(self):
        """As it does now and then, and when the version that it would go on from is gone."""
        status = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"}
        daemon = self.watching_daemon()
        for lines in ([], [json.dumps({"type": "ERROR", "object": status}).encode() + b"\n"]):
            with self.subTest(lines=lines):
                before = self.kube.mark()
                with self.kube.lock:
                    for stream in self.kube.streams:
                        for line in lines:
                            stream.put(line)
                    self.kube.end_streams()
                self.kube.wait(WATCH, since=before, answered=True)
                self.assert_made_again("deployments", "registry-ui")
                daemon.wait_reason(DEPLOYMENT, "Converged")
        self.assertEqual(daemon.stop(), 0)
