"""The reasons that come from a cluster and its nodes; see test_conditions.py."""

import signal
import unittest

from fake_kube import certificates
from harness import (
    CONTAINER,
    DEPLOYMENT,
    DEPLOYMENT_LIST,
    HOSTING,
    INGRESS,
    REGISTRY,
    RESOURCES,
    WORKER,
    ConditionTest,
    wait_until,
)

FOREIGN = 'server = "https://registry.example"\n\n[host."https://registry.example"]\n  capabilities = ["pull"]\n'


class NodeConditions(ConditionTest):
    def test_node_not_running_then_it_starts(self):
        self.worker.state = "exited"
        daemon = self.daemon()
        self.wait_ready(daemon, WORKER, "NodeNotRunning", "docker start hostk8s-worker")
        self.assert_others(daemon, WORKER)
        self.worker.state = "running"
        daemon.wait_converged()

    def test_foreign_file(self):
        path = f"/etc/containerd/certs.d/localhost:{self.port}/hosts.toml"
        self.worker.tree.write(path, FOREIGN)
        daemon = self.daemon()
        text = f"{path} was not made by this program; remove it or drop the alias"
        self.wait_ready(daemon, WORKER, "ForeignFile", text)
        self.assert_others(daemon, WORKER)
        self.assertEqual(self.worker.tree.text(path), FOREIGN)
        self.assertIsNotNone(self.hosts(self.worker, "localhost:5000"))
        self.worker.tree.remove(path)
        daemon.wait_converged()

    def test_file_of_the_script_is_replaced(self):
        script = f'[host."http://{REGISTRY}:5000"]\n  capabilities = ["pull", "resolve"]\n  skip_verify = true\n'
        self.worker.tree.write("/etc/containerd/certs.d/localhost:5000/hosts.toml", script)
        self.converged_daemon()
        self.assertNotEqual(self.hosts(self.worker, "localhost:5000"), script)

    def test_config_path_disabled(self):
        self.worker.tree.write("/etc/containerd/config.toml", "version = 2\n")
        daemon = self.daemon()
        text = "reads no hosts.toml; .*containerdConfigPatches.*config_path"
        self.wait_ready(daemon, WORKER, "ConfigPathDisabled", text)
        self.assert_others(daemon, WORKER)
        self.worker.version = "containerd github.com/containerd/containerd/v2 v2.2.1 dea7da592f5d"
        self.worker.tree.write("/etc/containerd/config.toml", "version = 3\n")
        daemon.wait_converged()

    def test_one_node_without_an_answer(self):
        self.configure(reconcile={"timeout": "300ms"})
        self.engine.fault(f"/containers/{self.worker.id}/", "hang", times=None)
        daemon = self.daemon()
        daemon.wait_reason(WORKER, "EngineUnreachable", "no answer within 300 ms")
        self.assert_others(daemon, WORKER)
        self.engine.clear_faults()
        daemon.wait_converged()

    def test_node_answers_anything(self):
        daemon = self.converged_daemon()
        faults = [("close", {}), ("partial", {}), ("garbage", {}), ("truncated", {}), ("huge", {})]
        faults += [("status", {"code": 500}), ("shape", {"body": []})]
        path = "/etc/containerd/certs.d/localhost:5000/hosts.toml"
        for kind, options in faults:
            with self.subTest(kind=kind):
                fault = self.engine.fault(f"GET .*/{self.worker.id}/archive", kind, times=1, **options)
                self.worker.tree.write(path, f'server = "http://{kind}"\n')
                daemon.signal(signal.SIGUSR1)
                wait_until(lambda fault=fault: fault.hits, "the fault was met")
                self.worker.tree.remove(path)
                daemon.signal(signal.SIGUSR1)
                wait_until(lambda: self.hosts(self.worker, "localhost:5000"), "the file is back")
                daemon.wait_converged()


class ClusterConditions(ConditionTest):
    def test_api_unreachable_then_it_answers(self):
        self.kube.down()
        daemon = self.daemon()
        for resource in (DEPLOYMENT, HOSTING):
            self.wait_ready(daemon, resource, "ApiUnreachable", "connection refused; it is asked again", "Unknown")
        self.assert_others(daemon, DEPLOYMENT, HOSTING)
        self.kube.up()
        daemon.wait_converged()

    def test_outage_names_what_the_cluster_has(self):
        def names():
            return sorted(entry["resource"] for entry in daemon.status()["resources"])

        self.kube.groups.remove("discovery.k8s.io/v1")
        daemon = self.converged_daemon()
        before = names()
        self.assertIn("kube/hostk8s/Endpoints/hostk8s/registry-api", before)
        self.kube.down()
        daemon.wait_reason("kube/hostk8s/Endpoints/hostk8s/registry-api", "ApiUnreachable")
        self.assertEqual(names(), before)
        self.kube.up()
        daemon.wait_converged()
        self.assertEqual(names(), before)

    def test_network_of_both_families(self):
        self.apply()
        self.registry().networks["kind"]["ipv6"] = "fc00::4"
        before = self.kube.mark()
        self.apply()
        self.assertEqual(self.kube.since(before, "GET .*/endpointslices/"), [])
        self.assertEqual(self.kube.writes(before), [])

    def test_network_gets_another_family(self):
        daemon = self.converged_daemon()
        self.registry().networks["kind"] |= {"ip": "", "ipv6": "fc00::4"}
        daemon.signal(signal.SIGUSR1)
        wait_until(lambda: self.kube.get("endpointslices", "registry-api") is None, "the old slice is gone")
        self.assertEqual(self.kube.get("endpointslices", "registry-api-ipv6")["addressType"], "IPv6")
        daemon.wait_converged()

    def test_foreign_slice_of_the_other_family_stays(self):
        self.apply()
        self.registry().networks["kind"] |= {"ip": "", "ipv6": "fc00::4"}
        self.kube.add("endpointslices", "hostk8s", "registry-api-ipv6", {"addressType": "IPv6", "endpoints": []})
        result = self.apply(status=1)
        self.assertRegex(result.stdout, r"registry-api-ipv6: NameConflict: ")
        self.assertEqual(self.kube.get("endpointslices", "registry-api-ipv6")["endpoints"], [])

    def test_api_that_does_not_answer_delays_no_other(self):
        self.configure(reconcile={"timeout": "60s"})
        self.kube.fault("", "hang", times=None)
        daemon = self.daemon()
        for resource in self.others(DEPLOYMENT, HOSTING):
            daemon.wait_reason(resource, "Converged")
        self.kube.clear_faults()
        daemon.wait_converged()

    def test_wrong_certificate_authority(self):
        wrong = certificates().base64("client.crt")
        conf = self.kube.admin_conf().replace(certificates().base64("ca.crt"), wrong)
        self.node.tree.write("/etc/kubernetes/admin.conf", conf)
        daemon = self.daemon()
        self.wait_ready(daemon, DEPLOYMENT, "ApiUnreachable", "certificate refused", "Unknown")
        self.node.tree.write("/etc/kubernetes/admin.conf", self.kube.admin_conf())
        daemon.wait_converged()

    def test_refused_credentials_are_read_again(self):
        daemon = self.converged_daemon()
        before = self.engine.mark()
        self.kube.fault("", "status", times=None, code=401)
        daemon.signal(signal.SIGUSR1)
        self.wait_ready(daemon, DEPLOYMENT, "Forbidden", "HTTP 401", "Unknown")
        self.engine.wait("GET .*admin.conf", since=before)
        self.kube.clear_faults()
        daemon.wait_converged()

    def test_forbidden(self):
        text = 'deployments.apps is forbidden: User "nobody" cannot list resource "deployments"'
        body = {"message": text, "reason": "Forbidden"}
        fault = self.kube.fault("/deployments", "status", times=None, code=403, body=body)
        daemon = self.daemon()
        self.wait_ready(daemon, DEPLOYMENT, "Forbidden", "deployments.apps is forbidden.*kubeconfig", "Unknown")
        self.assert_others(daemon, DEPLOYMENT, HOSTING)
        self.kube.faults.remove(fault)
        daemon.wait_converged()

    def test_forbidden_to_write(self):
        body = {"message": "registry-ui is forbidden", "reason": "Forbidden"}
        fault = self.kube.fault("PATCH .*/deployments/", "status", times=None, code=403, body=body)
        daemon = self.daemon()
        self.wait_ready(daemon, DEPLOYMENT, "Forbidden", "registry-ui is forbidden")
        self.assert_others(daemon, DEPLOYMENT)
        self.kube.faults.remove(fault)
        daemon.wait_converged()

    def test_cluster_not_found_then_it_appears(self):
        self.configure(clusters=["hostk8s", "other"])
        daemon = self.daemon()
        name = "kube/other/Deployment/hostk8s/registry-ui"
        condition = daemon.wait_reason(name, "ClusterNotFound", "kind create cluster --name other")
        self.assertEqual(condition["ready"], "False")
        self.assert_others(daemon)
        node = self.engine.add_node("other-control-plane", "other", api_port=self.kube.port)
        node.tree.write("/etc/kubernetes/admin.conf", certificates().kubeconfig("https://other-control-plane:6443"))
        daemon.wait_converged(RESOURCES + 9)
        self.assertIsNotNone(self.hosts(node, "localhost:5000"))

    def test_cluster_goes_away(self):
        daemon = self.converged_daemon()
        self.engine.containers = [c for c in self.engine.containers if c not in (self.node, self.worker)]
        daemon.wait_reason(DEPLOYMENT, "ClusterNotFound")
        self.assertIsNone(daemon.condition(WORKER))
        self.assertEqual(daemon.condition(CONTAINER)["reason"], "Converged")

    def test_ingress_class_missing_then_it_appears(self):
        gone = self.kube.objects.pop(("ingressclasses", None, "nginx"))
        daemon = self.daemon()
        self.wait_ready(daemon, INGRESS, "IngressClassMissing", "no IngressClass nginx; install an ingress controller")
        self.assert_others(daemon, INGRESS)
        self.kube.objects["ingressclasses", None, "nginx"] = gone
        daemon.wait_converged()

    def test_unavailable(self):
        self.kube.ready = False
        self.kube.add_pods("pods_image_pull_back_off.json")
        daemon = self.daemon()
        text = "0 of 1 pods ready: ImagePullBackOff: .*; see `kubectl .* describe pods"
        self.wait_ready(daemon, DEPLOYMENT, "Unavailable", text)
        self.assert_others(daemon, DEPLOYMENT)
        self.kube.bring_up()
        daemon.wait_converged()

    def test_object_of_somebody_else(self):
        service = {"apiVersion": "v1", "spec": {"selector": {"app": "theirs"}}}
        self.kube.add("services", "hostk8s", "registry-ui", service)
        daemon = self.daemon()
        name = "kube/hostk8s/Service/hostk8s/registry-ui"
        text = "is not managed by hostk8s-registryd; delete it, or hand it over with `kubectl"
        self.wait_ready(daemon, name, "NameConflict", text)
        self.assert_others(daemon)
        self.assertEqual(self.kube.get("services", "registry-ui")["spec"], service["spec"])
        del self.kube.objects["services", "hostk8s", "registry-ui"]
        daemon.wait_converged()

    def test_webhook_refuses_for_a_while(self):
        body = {"message": "failed calling webhook: connection refused", "reason": "InternalError"}
        self.kube.fault("PATCH .*/ingresses/", "status", times=3, code=500, body=body)
        self.converged_daemon()

    def test_api_answers_anything(self):
        daemon = self.converged_daemon()
        kinds = ("close", "partial", "garbage", "truncated", "shape", "huge", "slow")
        faults = [(kind, {}) for kind in kinds] + [("status", {"code": code}) for code in (401, 404, 500)]
        faults.append(("status", {"code": 429, "headers": {"Retry-After": "1"}}))
        for kind, options in faults:
            with self.subTest(kind=kind, options=options):
                fault = self.kube.fault(DEPLOYMENT_LIST, kind, times=1, **options)
                daemon.signal(signal.SIGUSR1)
                wait_until(lambda fault=fault: fault.hits, "the fault was met")
                daemon.wait_converged()
        self.assertEqual(daemon.stop(), 0)

    def test_made_again_under_the_same_name(self):
        daemon = self.converged_daemon()
        old, self.kube = self.kube, type(self.kube)().up()
        self.addCleanup(self.kube.close)
        old.close()
        self.engine.containers.remove(self.node)
        self.node = self.engine.add_node("hostk8s-control-plane", "hostk8s", api_port=self.kube.port)
        self.node.tree.write("/etc/kubernetes/admin.conf", self.kube.admin_conf())
        wait_until(lambda: self.kube.get("endpointslices", "registry-api"), "the new cluster has the objects")
        daemon.wait_converged()

    def test_kubeconfig_file(self):
        kubeconfig = self.home / "kubeconfig"
        kubeconfig.write_text(certificates().kubeconfig(f"https://127.0.0.1:{self.kube.port}", name="kind-hostk8s"))
        self.configure(kubernetes={"kubeconfig": str(kubeconfig)})
        self.converged_daemon()
        self.assertEqual(self.engine.since(0, "admin.conf"), [])

    def test_kubeconfig_file_is_missing(self):
        self.configure(kubernetes={"kubeconfig": str(self.home / "nowhere")})
        daemon = self.daemon()
        condition = wait_until(lambda: daemon.condition(DEPLOYMENT), "a condition")
        self.assertIn(f"cannot read kubernetes.kubeconfig {self.home}/nowhere", condition["message"])
        self.assert_others(daemon, DEPLOYMENT, HOSTING)


if __name__ == "__main__":
    unittest.main()
