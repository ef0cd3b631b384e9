"""The command `teardown`: what it removes, what it asks, and what it leaves alone."""


from harness import CONTAINER, CONTROL_PLANE, DEPLOYMENT, NETWORK, WORKER, MachineTest


class Teardown(MachineTest):
    def setUp(self):
        super().setUp()
        self.apply()
        (self.storage / "blob").write_text("data")

    def assert_gone(self):
        self.assertEqual(self.engine.registries(), [])
        for node in (self.node, self.worker):
            self.assertEqual([p for p in node.tree.below("/etc/containerd/certs.d") if p.count("/") > 3], [])
        plurals = ("deployments", "services", "ingresses", "configmaps", "endpointslices", "endpoints")
        self.assertEqual([key for key in self.kube.objects if key[0] in plurals or key[2] == "hostk8s"], [])
        self.assertEqual((self.storage / "blob").read_text(), "data")
        self.assertEqual(len(self.engine.networks), 1)

    def test_lists_and_asks(self):
        for answer in ("n\n", "\n", ""):
            with self.subTest(answer=answer):
                with self.untouched():
                    result = self.run_program("teardown", input=answer, status=1)
                for resource in (CONTAINER, NETWORK, CONTROL_PLANE, WORKER, DEPLOYMENT):
                    self.assertRegex(result.stdout, rf"(?m)^{resource}: \w+ \(destructive\)$")
                self.assertIn(f"The storage directory {self.storage} stays.", result.stdout)
                self.assertEqual(result.stderr, "nothing was removed\n")

    def test_does_not_ask_about_nothing(self):
        self.engine.close()
        result = self.run_program("teardown", input="y\n", status=1)
        self.assertRegex(result.stdout, r"\n0 changes pending, \d+ resources blocked\n\Z")
        self.assertEqual(result.stderr, "nothing was removed\n")

    def test_yes_at_the_prompt(self):
        self.run_program("teardown", input="y\n", status=0)
        self.assert_gone()

    def test_yes(self):
        before = self.engine.mark()
        result = self.run_program("teardown", "--yes", status=0)
        self.assertNotIn("[y/N]", result.stdout)
        self.assertRegex(result.stdout, r"(?m)^removed: ")
        self.assert_gone()
        removals = self.engine.since(before, "DELETE .*/containers/")
        self.assertEqual([request.query for request in removals], [{"force": "1", "v": "0"}])

    def test_timeout(self):
        self.engine.fault("/containers/json", "hang", times=None)
        with self.untouched():
            result = self.run_program("teardown", "--yes", "--timeout", "1s", status=1, seconds=20)
        self.assertRegex(result.stdout, r"(?m)^timed out: ")

    def test_second_time_there_is_nothing_to_do(self):
        self.run_program("teardown", "--yes", status=0)
        with self.untouched():
            self.assertEqual(self.run_program("teardown", status=0).stdout, "nothing to do\n")
            self.run_program("teardown", "--yes", status=0)

    def test_leaves_alone_what_is_not_its_own(self):
        self.node.tree.write("/etc/containerd/certs.d/docker.io/hosts.toml", 'server = "https://docker.io"\n')
        self.kube.add("configmaps", "hostk8s", "somebodys", {"apiVersion": "v1"})
        self.run_program("teardown", "--yes", status=0)
        self.assertIsNotNone(self.hosts(self.node, "docker.io"))
        self.assertIsNotNone(self.kube.get("configmaps", "somebodys"))
        self.assertIsNone(self.kube.get("deployments", "registry-ui"))

    def token(self, account):
        annotations = {"kubernetes.io/service-account.name": account}
        return {"type": "kubernetes.io/service-account-token", "metadata": {"annotations": annotations}}

    def add_what_every_namespace_has(self):
        self.kube.add("serviceaccounts", "hostk8s", "default", {})
        self.kube.add("configmaps", "hostk8s", "kube-root-ca.crt", {"data": {}})
        self.kube.add("secrets", "hostk8s", "default-token-x7k2p", self.token("default"))

    def test_residents_keep_the_namespace(self):
        for plural, name in (
            ("cronjobs", "backup"),
            ("serviceaccounts", "builder"),
            ("secrets", "builder-token"),
            ("widgets", "somebodys"),
        ):
            with self.subTest(plural=plural):
                self.add_what_every_namespace_has()
                self.kube.groups.append("example.com/v1")
                self.kube.add(plural, "hostk8s", name, self.token("builder") if plural == "secrets" else {})
                result = self.run_program("teardown", "--yes", status=0)
                text = f"is left in place and no longer managed, for others live in it: {plural}/{name}; "
                told = [line for line in result.stdout.splitlines() if line.startswith("kube/hostk8s/Namespace/")]
                self.assertEqual(len(told), 1, result.stdout)
                self.assertIn(f"kube/hostk8s/Namespace/hostk8s: {text}", told[0])
                self.assertIsNotNone(self.kube.get(plural, name))
                self.assertIsNotNone(self.kube.get("namespaces", "hostk8s"))
                self.assertIsNone(self.kube.get("deployments", "registry-ui"))
            self.fresh()

    def test_what_every_namespace_has_does_not_keep_it(self):
        self.add_what_every_namespace_has()
        self.run_program("teardown", "--yes", status=0)
        self.assert_gone()

    def test_an_api_that_is_down_keeps_the_namespace(self):
        self.kube.groups.append("dead.example/v1")
        result = self.run_program("teardown", "--yes", "-l", "error", status=1)
        text = r"(?m)^kube/hostk8s/Namespace/hostk8s: ApiUnreachable: is kept .* /apis/dead.example/v1: .*HTTP 503"
        self.assertRegex(result.stdout, text)
        self.assertIsNotNone(self.kube.get("namespaces", "hostk8s"))
        self.assertIsNone(self.kube.get("deployments", "registry-ui"))
        self.kube.groups.remove("dead.example/v1")
        self.run_program("teardown", "--yes", status=0)
        self.assert_gone()

    def test_without_the_cluster_the_rest_goes(self):
        self.kube.down()
        result = self.run_program("teardown", "--yes", "-l", "error", status=1)
        self.assertRegex(result.stdout, r"(?m)^kube/hostk8s/\S+: ApiUnreachable: ")
        self.assertEqual(self.engine.registries(), [])
