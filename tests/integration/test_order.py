"""Nodes come first to their addresses on the network: the registry attaches after them, and gives back
an address that one of them had."""


from harness import NETWORK, REGISTRY, MachineTest, wait_until

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
