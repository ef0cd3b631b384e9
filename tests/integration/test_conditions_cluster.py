"""The reasons that come from a cluster and its nodes; see test_conditions.py."""

import signal

from harness import (
    CONTAINER,
    DEPLOYMENT,
    DEPLOYMENT_LIST,
    HOSTING,
    HOSTS,
    INGRESS,
    REGISTRY,
    RESOURCES,
    WORKER,
    ConditionTest,
    certificates,
    condition,
    wait_until,
)

FOREIGN = 'server = "https://registry.example"\n\n[host."https://registry.example"]\n  capabilities = ["pull"]\n'
SCRIPT = f'[host."http://{REGISTRY}:5000"]\n  capabilities = ["pull", "resolve"]\n  skip_verify = true\n'
KIND_NO_PROXY = ["NO_PROXY=172.18.0.0/16,10.96.0.0/16,10.244.0.0/16,hostk8s-control-plane,hostk8s-worker,.svc"]
ADMIN_CONF = "/etc/kubernetes/admin.conf"
ENDPOINTS = "kube/hostk8s/Endpoints/hostk8s/registry-api"
FAULTS = [(kind, {}) for kind in ("close", "partial", "garbage", "truncated", "huge")]
FAULTS += [("shape", {"body": []}), ("status", {"code": 500})]
API_FAULTS = [("slow", {}), ("status", {"code": 401}), ("status", {"code": 404})]
API_FAULTS += [("status", {"code": 429, "headers": {"Retry-After": "1"}})]


class NodeConditions(ConditionTest):
    @condition(WORKER)
    def test_node_not_running_then_it_starts(self):
        self.worker.state = "exited"
        yield "NodeNotRunning", "docker start hostk8s-worker"
        self.worker.state = "running"

    @condition(WORKER)
    def test_foreign_file(self):
        path = f"/etc/containerd/certs.d/localhost:{self.port}/hosts.toml"
        self.worker.tree.write(path, FOREIGN)
        yield "ForeignFile", f"{path} was not made by this program; remove it in the node with `docker exec`, or take the name out of nodes.aliases"
        self.assertEqual(self.worker.tree.text(path), FOREIGN)
        self.assertIsNotNone(self.worker.tree.text(HOSTS))
        self.worker.tree.remove(path)

    def test_file_of_the_script_is_replaced(self):
        self.worker.tree.write(HOSTS, SCRIPT)
        self.converged_daemon()
        self.assertNotEqual(self.worker.tree.text(HOSTS), SCRIPT)

    @condition(WORKER)
    def test_config_path_disabled(self):
        self.worker.tree.write("/etc/containerd/config.toml", "version = 2\n")
        yield "ConfigPathDisabled", "reads no hosts.toml; .*containerdConfigPatches.*config_path"
        self.worker.version = "containerd github.com/containerd/containerd/v2 v2.2.1 dea7da592f5d"
        self.worker.tree.write("/etc/containerd/config.toml", "version = 3\n")

    @condition(WORKER)
    def test_proxy_in_the_way(self):
        proxy = "http://user:hunter2222@proxy.example:3128"
        self.worker.spec["Env"] = [f"{name}={proxy}" for name in ("HTTP_PROXY", "http_proxy")] + KIND_NO_PROXY
        yield "ProxyInTheWay", f"HTTP_PROXY .* no entry {REGISTRY}; .*NO_PROXY=.NO_PROXY,{REGISTRY} kind create"
        self.assertNotIn("proxy.example", self.status_file.read_text())
        self.engine.remove_container(self.worker)
        self.worker = self.engine.add_node("hostk8s-worker", "hostk8s", "worker")
        self.worker.spec["Env"] = [f"HTTP_PROXY={proxy}", f"{KIND_NO_PROXY[0]},{REGISTRY}"]

    @condition(WORKER, ready="Unknown")
    def test_one_node_without_an_answer(self):
        self.configure(reconcile={"timeout": "2s"})
        self.engine.fault(f"/containers/{self.worker.id}/", "hang", times=None)
        yield "EngineUnreachable", "no answer within 2 s"
        self.engine.clear_faults()

    def test_node_answers_anything(self):
        daemon = self.converged_daemon()
        for kind, options in FAULTS:
            with self.subTest(kind=kind):
                fault = self.engine.fault(f"GET .*/{self.worker.id}/archive", kind, times=1, **options)
                self.worker.tree.write(HOSTS, f'server = "http://{kind}"\n')
                daemon.signal(signal.SIGUSR1)
                wait_until(lambda fault=fault: fault.hits, "the fault was met")
                self.worker.tree.remove(HOSTS)
                daemon.signal(signal.SIGUSR1)
                wait_until(lambda: self.worker.tree.text(HOSTS), "the file is back")
                daemon.wait_converged()


class ClusterConditions(ConditionTest):
    @condition(DEPLOYMENT, HOSTING, ready="Unknown")
    def test_api_unreachable_then_it_answers(self):
        self.kube.down()
        yield "ApiUnreachable", "connection refused; it is asked again"
        self.kube.up()

    def test_outage_names_what_the_cluster_has(self):
        def names():
            return sorted(entry["resource"] for entry in daemon.status()["resources"])

        self.kube.groups.remove("discovery.k8s.io/v1")
        daemon = self.converged_daemon()
        before = names()
        self.assertIn(ENDPOINTS, before)
        self.kube.down()
        daemon.wait_reason(ENDPOINTS, "ApiUnreachable")
        self.assertEqual(names(), before)
        self.kube.up()
        daemon.wait_converged()
        self.assertEqual(names(), before)

    def test_network_gets_another_family(self):
        daemon = self.converged_daemon()
        self.registry().networks["kind"] |= {"ip": "", "ipv6": "fc00::4"}
        daemon.signal(signal.SIGUSR1)
        wait_until(lambda: self.kube.get("endpointslices", "registry-api") is None, "the old slice is gone")
        slice_ = wait_until(lambda: self.kube.get("endpointslices", "registry-api-ipv6"), "a slice of the other family")
        self.assertEqual(slice_["addressType"], "IPv6")
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

    @condition(DEPLOYMENT, ready="Unknown", others=[HOSTING])
    def test_forbidden(self):
        text = 'deployments.apps is forbidden: User "nobody" cannot list resource "deployments"'
        body = {"message": text, "reason": "Forbidden"}
        self.kube.fault("/deployments", "status", times=None, code=403, body=body)
        yield "Forbidden", "deployments.apps is forbidden.*kubeconfig"
        self.kube.clear_faults()

    @condition(DEPLOYMENT)
    def test_forbidden_to_write(self):
        body = {"message": "registry-ui is forbidden", "reason": "Forbidden"}
        self.kube.fault("PATCH .*/deployments/", "status", times=None, code=403, body=body)
        yield "Forbidden", "registry-ui is forbidden"
        self.kube.clear_faults()

    def test_cluster_not_found_then_it_appears(self):
        self.configure(clusters=["hostk8s", "other"])
        daemon = self.daemon()
        name = "kube/other/Deployment/hostk8s/registry-ui"
        self.wait_ready(daemon, name, "ClusterNotFound", "kind create cluster --name other")
        self.assert_others(daemon)
        node = self.engine.add_node("other-control-plane", "other", api_port=self.kube.port)
        node.tree.write(ADMIN_CONF, certificates().kubeconfig("https://other-control-plane:6443"))
        daemon.wait_converged(RESOURCES + 9)
        self.assertIsNotNone(node.tree.text(HOSTS))

    def test_cluster_goes_away(self):
        daemon = self.converged_daemon()
        self.engine.containers = [c for c in self.engine.containers if c not in (self.node, self.worker)]
        daemon.wait_reason(DEPLOYMENT, "ClusterNotFound")
        wait_until(lambda: daemon.condition(WORKER) is None, "the node is gone, too")
        daemon.wait_reason(CONTAINER, "Converged")

    @condition(INGRESS)
    def test_ingress_class_missing_then_it_appears(self):
        gone = self.kube.get("ingressclasses", "nginx")
        self.kube.remove("ingressclasses", "nginx")
        yield "IngressClassMissing", "no IngressClass nginx; install an ingress controller"
        self.kube.add("ingressclasses", None, "nginx", gone)

    @condition(DEPLOYMENT)
    def test_unavailable(self):
        self.kube.ready = False
        self.kube.add_pods("pods_image_pull_back_off.json")
        yield "Unavailable", "0 of 1 pods ready: ImagePullBackOff: .*; see `kubectl .* describe pods"
        self.kube.bring_up()

    @condition("kube/hostk8s/Service/hostk8s/registry-ui")
    def test_object_of_somebody_else(self):
        service = {"apiVersion": "v1", "spec": {"selector": {"app": "theirs"}}}
        self.kube.add("services", "hostk8s", "registry-ui", service)
        yield "NameConflict", "is not managed by hostk8s-registryd; delete it, or hand it over with `kubectl"
        self.assertEqual(self.kube.get("services", "registry-ui")["spec"], service["spec"])
        self.kube.remove("services", "registry-ui")

    def test_api_answers_anything(self):
        daemon = self.converged_daemon()
        for kind, options in FAULTS + API_FAULTS:
            with self.subTest(kind=kind, options=options):
                fault = self.kube.fault(DEPLOYMENT_LIST, kind, times=1, **options)
                daemon.signal(signal.SIGUSR1)
                wait_until(lambda fault=fault: fault.hits, "the fault was met")
                daemon.wait_converged()
        self.assertEqual(daemon.stop(), 0)

    def test_list_that_is_not_needed(self):
        """Endpoints, where slices are served: whatever becomes of that list, all is ready."""
        for code in (403, 404, 500):
            with self.subTest(code=code):
                self.kube.fault(r"GET .*/endpoints\b", "status", times=None, code=code)
                daemon = self.daemon()
                daemon.wait_converged()
                daemon.kill()
                self.kube.clear_faults()

    def test_one_list_that_fails_is_that_kinds_alone(self):
        for code, reason in ((403, "Forbidden"), (500, "Error")):
            with self.subTest(code=code):
                self.kube.fault(r"GET .*/ingresses\?[^&]*$", "status", times=None, code=code)
                daemon = self.daemon()
                daemon.wait_reason(INGRESS, reason)
                for entry in daemon.status()["resources"]:
                    if "/Ingress/" not in entry["resource"]:
                        daemon.wait_reason(entry["resource"], "Converged")
                self.kube.clear_faults()
                daemon.wait_converged()
                daemon.kill()

    def test_made_again_under_the_same_name(self):
        daemon = self.converged_daemon()
        old, self.kube = self.kube, type(self.kube)().up()
        self.addCleanup(self.kube.close)
        old.close()
        with self.engine.lock:
            self.engine.containers.remove(self.node)
        self.node = self.engine.add_node("hostk8s-control-plane", "hostk8s", api_port=self.kube.port)
        self.node.tree.write(ADMIN_CONF, self.kube.admin_conf())
        wait_until(lambda: self.kube.get("endpointslices", "registry-api"), "the new cluster has the objects")
        daemon.wait_converged()

    def test_kubeconfig_file(self):
        self.use_kubeconfig()
        self.converged_daemon()
        self.assertEqual(self.engine.since(0, "admin.conf"), [])

    def test_kubeconfig_file_is_missing(self):
        self.use_kubeconfig().unlink()
        daemon = self.daemon()
        daemon.wait_reason(DEPLOYMENT, "Error", f"kubernetes.kubeconfig {self.home}/kubeconfig cannot be read")
        self.assert_others(daemon, DEPLOYMENT, HOSTING)
