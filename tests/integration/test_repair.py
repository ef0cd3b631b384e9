"""nodes.configPath: repair, where a node's containerd reads no hosts.toml."""

from harness import WORKER, ConditionTest, condition, wait_until

CONFIG, CERTS = "/etc/containerd/config.toml", "/etc/containerd/certs.d"
FORMER, KUBELET_CONF = CONFIG + ".hostk8s-registryd", "/etc/kubernetes/kubelet.conf"
CRI = '[plugins."io.containerd.grpc.v1.cri".registry'
MIRRORS = f'version = 2\n{CRI}.mirrors."localhost:5000"]\n  endpoint = ["http://{{}}:5000"]\n'
EDITED = f'version = 2\n\n{CRI}]\n  config_path = "{CERTS}" # set by hostk8s-registryd\n'


class Repair(ConditionTest):
    def setUp(self):
        super().setUp()
        self.configure(nodes={"configPath": "repair"})
        self.worker.tree.write(CONFIG, MIRRORS)

    def files(self):
        return sorted(path for path in self.worker.tree.files if path.startswith(CONFIG))

    def test_there_and_back(self):
        self.apply()
        self.assertEqual(self.worker.tree.text(CONFIG), EDITED)
        self.assertEqual(self.worker.tree.text(FORMER), MIRRORS)
        self.assertEqual((self.files(), self.worker.restarts, self.node.restarts), ([CONFIG, FORMER], 1, 0))
        with self.untouched():
            self.apply()
        result = self.run_program("teardown", "--yes", status=0)
        self.assertRegex(result.stdout, rf"(?m)^{WORKER}: restore \(destructive\)\n    {CONFIG}: ")
        self.assertEqual((self.files(), self.worker.tree.text(CONFIG)), ([CONFIG], MIRRORS))
        self.assertEqual(self.worker.restarts, 2)

    def test_report_leaves_an_edit_alone(self):
        daemon = self.converged_daemon()
        self.configure(nodes={"configPath": "report"})
        self.reload(daemon)
        daemon.wait_converged()
        self.assertEqual((self.worker.tree.text(CONFIG), self.worker.restarts), (EDITED, 1))

    @condition(WORKER)
    def test_containerd_does_not_come_back(self):
        self.worker.comes_back = False
        yield "ConfigPathDisabled", f"{CONFIG} was edited and is as before again: .* remove {FORMER}"
        self.assertEqual((self.worker.tree.text(CONFIG), self.worker.restarts), (MIRRORS, 2))
        self.worker.comes_back = True
        self.wait_passes()
        self.assertEqual(self.worker.restarts, 2)  # never twice
        self.worker.tree.remove(FORMER)

    def test_apply_says_what_went_wrong(self):
        self.worker.comes_back = False
        result = self.apply(status=1)
        self.assertRegex(result.stdout, rf"(?m)^{WORKER}: failed to repair: .*the former file is in its place again$")
        self.assertRegex(result.stdout, rf"(?m)^{WORKER}: ConfigPathDisabled: ")

    @condition(WORKER)
    def test_what_is_imported_is_in_the_way(self):
        imports = 'imports = ["conf.d/*.toml"]\n'
        self.worker.version = "containerd github.com/containerd/containerd/v2 v2.3.4 x"
        self.worker.tree.write("/etc/containerd/conf.d/a.toml", MIRRORS)
        self.worker.tree.write(CONFIG, imports + "version = 2\n")
        yield "ConfigPathDisabled", "is as before again"
        self.assertEqual((self.worker.tree.text(CONFIG), self.worker.restarts), (imports + "version = 2\n", 0))
        self.worker.tree.remove("/etc/containerd/conf.d/a.toml")

    def test_node_that_is_being_made(self):
        self.worker.tree.remove(KUBELET_CONF)
        daemon = self.daemon()
        daemon.wait_reason(WORKER, "Converging", "is edited once kubeadm has set the node up")
        self.assertEqual((self.worker.tree.text(CONFIG), self.worker.restarts), (MIRRORS, 0))
        self.worker.tree.write(KUBELET_CONF, "")
        daemon.wait_converged()
        self.assertEqual((self.worker.tree.text(CONFIG), self.worker.restarts), (EDITED, 1))

    def test_interrupted_before_the_command(self):
        self.worker.tree.write(FORMER, MIRRORS)
        self.worker.tree.write(FORMER + ".new", EDITED)
        self.apply()
        self.assertEqual((self.worker.tree.text(CONFIG), self.worker.restarts), (EDITED, 1))
        self.assertEqual(self.files(), [CONFIG, FORMER])

    def test_node_made_anew(self):
        daemon = self.converged_daemon()
        self.engine.remove_container(self.worker)
        self.worker = self.engine.add_node("hostk8s-worker", "hostk8s", "worker")
        self.worker.tree.write(CONFIG, MIRRORS)
        wait_until(lambda: self.worker.tree.text(CONFIG) == EDITED, "the new node's file is edited")
        daemon.wait_converged()
        self.assertEqual(self.node.restarts, 0)
