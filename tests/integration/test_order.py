"""Nodes come first to their addresses on the network: the registry attaches after them, and gives back
an address that one of them had. Who waits for something begins as soon as it is there."""

import time

from harness import CONTAINER, HELD, NETWORK, REGISTRY, MachineTest, wait_until

SLICE = "kube/hostk8s/EndpointSlice/hostk8s/registry-api"
SOON_SECONDS = 2  # 20 ms, 20 ms and 40 ms; on a busy machine still less than half a second, one and two
ADDRESS_FILE = "/kind/old-ipv4"  # where kind's entrypoint notes a node's address


class OrderTest(MachineTest):
    def address(self):
        return self.registry().networks["kind"]["ip"]

    def start_worker(self):
        self.engine.start_container(self.worker)

    def wait_serving(self):
        wait_until(self.engine.registries, "a registry")
        wait_until(lambda: self.registry().state == "running", "the registry serves the host meanwhile")

    def wait_waiting(self, daemon):
        daemon.wait_reason(NETWORK, "NodeNotRunning", "waits for hostk8s-worker, .* `docker start hostk8s-worker`")
        wait_until(lambda: self.engine.find(REGISTRY) and "kind" not in self.registry().networks, "it is off the network")

    def assert_waits(self):
        self.engine.stop_container(self.worker)
        daemon = self.daemon()
        self.wait_waiting(daemon)
        self.wait_serving()
        self.start_worker()
        daemon.wait_converged()
        self.assert_registry()

    def test_new_registry_waits_for_a_node(self):
        self.assert_waits()

    def test_started_registry_waits_for_a_node(self):
        self.apply()
        self.engine.stop_container(self.registry())
        self.assert_waits()

    def test_address_of_a_node_is_given_back(self):
        self.apply()
        self.worker.tree.write(ADDRESS_FILE, self.address().encode())
        self.engine.stop_container(self.worker)
        address = self.address()
        daemon = self.daemon()
        daemon.wait_line(f"{NETWORK}: give way: address {address} -> ")
        self.wait_waiting(daemon)
        self.start_worker()
        daemon.wait_converged()
        self.assert_registry()

    def test_address_of_its_own_is_kept(self):
        self.apply()
        self.worker.tree.write(ADDRESS_FILE, "172.18.0.77\n")
        self.engine.stop_container(self.worker)
        before, mark = self.address(), self.engine.mark()
        daemon = self.daemon()
        daemon.wait_reason("node/hostk8s-worker", "NodeNotRunning")
        daemon.wait_reason(NETWORK, "Converged")
        self.wait_passes()
        self.assertEqual(self.address(), before)
        self.assertEqual(len(self.engine.since(mark, f"GET .*path={ADDRESS_FILE}")), 1, "kept while the node is stopped")

    def test_cluster_waits_for_the_address_alone(self):
        self.configure(reconcile={"poll": "1h"})
        fault = self.engine.fault("POST /v2/", "delay", seconds=HELD)  # of the push that is tried
        daemon = self.daemon()
        self.kube.wait("PATCH .*/endpointslices/", answered=True)
        daemon.wait_reason(SLICE, "Converged")
        self.assertNotEqual(daemon.condition(CONTAINER)["reason"], "Converged")
        fault.released.set()
        daemon.wait_converged()

    def test_registry_that_is_silent_at_first_is_asked_again_soon(self):
        """Nothing tells when it answers, so that it is asked; three times in vain here."""
        self.configure(reconcile={"poll": "1h"})
        self.engine.fault("GET /v2/", "close", times=3)
        daemon = self.daemon()
        self.engine.wait("GET /v2/")
        begun = time.monotonic()
        self.engine.wait("GET /v2/", count=4)
        self.assertLess(time.monotonic() - begun, SOON_SECONDS)
        daemon.wait_converged()
