"""Clusters that accept connections and never answer hold up no other cluster and no node."""


from harness import KubeServer, MachineTest, wait_until

SILENT = 10  # more than clusters are looked at side by side
CLUSTERS = SILENT + 4
TIMEOUT = "300s"  # of a request: longer than a test takes


class SilentClusters(MachineTest):
    def setUp(self):
        super().setUp()
        self.configure(clusters=["*"], reconcile={"timeout": TIMEOUT})
        self.kubes = {}
        for number in range(CLUSTERS):
            name = f"c{number:02}"
            kube = self.kubes[name] = KubeServer().up()
            self.addCleanup(kube.close)
            node = self.engine.add_node(f"{name}-control-plane", name, api_port=kube.port)
            node.tree.write("/etc/kubernetes/admin.conf", kube.admin_conf())

    @property
    def silent(self):
        return list(self.kubes)[:SILENT]

    @property
    def others(self):
        return ["hostk8s", *list(self.kubes)[SILENT:]]

    def fall_silent(self):
        for name in self.silent:
            self.kubes[name].fault("", "hang", times=None)

    def asked(self):
        return {name: len(self.kubes[name].requests) for name in self.silent}

    def assert_unanswered(self, before):
        for name in self.silent:
            requests = self.kubes[name].requests[before[name] :]
            self.assertTrue(requests, f"{name} was not asked")
            self.assertEqual([request for request in requests if request.status], [], name)

    def wait_others(self, daemon):
        for cluster in self.others:
            daemon.wait_reason(f"kube/{cluster}/Deployment/hostk8s/registry-ui", "Converged")
        for cluster in ["hostk8s", *self.kubes]:
            daemon.wait_reason(f"node/{cluster}-control-plane", "Converged")

    def test_from_the_start(self):
        self.fall_silent()
        daemon = self.daemon()
        self.wait_others(daemon)
        self.assert_unanswered(dict.fromkeys(self.silent, 0))
        for cluster in self.silent:
            self.assertIsNone(daemon.condition(f"kube/{cluster}/Deployment/hostk8s/registry-ui"))

    def test_while_all_is_well(self):
        daemon = self.daemon()
        for cluster in self.kubes:
            daemon.wait_reason(f"kube/{cluster}/Deployment/hostk8s/registry-ui", "Converged")
        self.wait_others(daemon)
        self.fall_silent()
        before = self.asked()
        wait_until(lambda: all(count > before[name] for name, count in self.asked().items()), "all silent ones asked")
        other = self.kubes[self.others[-1]]
        other.remove("services", "registry-api")
        wait_until(lambda: other.get("services", "registry-api"), "repaired")
        self.assert_repairs()
        self.assert_unanswered(before)
