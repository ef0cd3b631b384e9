"""Each reason of the contract: what causes it, what its message tells to do, that all else converges
meanwhile, and that the resource is ready as soon as the cause is gone."""

import os
import pathlib
import shutil
import signal
import socket
import unittest

from fake_kube import certificates
from harness import (
    BINARY,
    CONTAINER,
    CONTROL_PLANE,
    DEPLOYMENT,
    DEPLOYMENT_LIST,
    HOSTING,
    INGRESS,
    NETWORK,
    REGISTRY,
    RESOURCES,
    WORKER,
    MachineTest,
    wait_until,
)

NOBODY = 65534
FOREIGN = 'server = "https://registry.example"\n\n[host."https://registry.example"]\n  capabilities = ["pull"]\n'
ENGINE_FAULTS = [
    ("close", {}),
    ("partial", {}),
    ("status", {"code": 500, "body": {"message": "no luck today"}}),
    ("status", {"code": 503, "body": "<html>a proxy's page</html>"}),
    ("garbage", {}),
    ("shape", {"body": {"a": 1}}),
    ("shape", {"body": [{"Id": 1, "Names": "x", "Labels": [], "Ports": 7}, None, 3]}),
    ("truncated", {}),
    ("huge", {}),
]


class ConditionTest(MachineTest):
    def others(self, *resources):
        """What has to be converged beside the given ones."""
        everything = [CONTAINER, NETWORK, CONTROL_PLANE, WORKER, DEPLOYMENT, HOSTING]
        return [resource for resource in everything if resource not in resources]

    def assert_others(self, daemon, *resources):
        for resource in self.others(*resources):
            daemon.wait_reason(resource, "Converged")

    def wait_ready(self, daemon, resource, reason, message, ready="False"):
        condition = daemon.wait_reason(resource, reason, message)
        self.assertEqual(condition["ready"], ready)
        daemon.wait_line(f"warning: {resource}: .*{reason}: ")
        return condition


class EngineConditions(ConditionTest):
    def test_engine_unreachable_then_it_appears(self):
        self.engine.down()
        daemon = self.daemon()
        for resource in (CONTAINER, NETWORK):
            self.wait_ready(daemon, resource, "EngineUnreachable", "no such socket; start the Docker Engine", "Unknown")
        self.engine.up()
        daemon.wait_converged()

    def test_engine_goes_away_and_comes_back(self):
        daemon = self.converged_daemon()
        self.engine.down()
        for resource in (CONTAINER, CONTROL_PLANE, WORKER):
            self.wait_ready(daemon, resource, "EngineUnreachable", "docker.host", "Unknown")
        self.assertEqual(daemon.condition(DEPLOYMENT)["reason"], "Converged")
        self.engine.up()
        daemon.wait_converged()

    def test_engine_that_does_not_answer(self):
        self.configure(reconcile={"timeout": "300ms"})
        self.engine.fault("", "hang", times=None)
        daemon = self.daemon()
        self.wait_ready(daemon, CONTAINER, "EngineUnreachable", "no answer within 300 ms", "Unknown")
        self.engine.clear_faults()
        daemon.wait_converged()

    def test_engine_answers_anything(self):
        daemon = self.converged_daemon()
        for match in (r"GET .*/containers/json\?", f"GET .*/{self.registry().id}/json", "GET .*/networks/kind"):
            for kind, options in ENGINE_FAULTS:
                with self.subTest(match=match, kind=kind, options=options):
                    fault = self.engine.fault(match, kind, times=2, **options)
                    daemon.signal(signal.SIGUSR1)
                    wait_until(lambda fault=fault: fault.hits == 2, "the fault was met")
                    self.engine.faults.remove(fault)
                    daemon.wait_converged()
        self.assert_registry()
        self.assertEqual([c.name for c in self.engine.registries()], [REGISTRY])

    def test_engine_answers_slowly(self):
        self.engine.fault(r"GET .*/containers/json\?", "slow", times=2)
        self.engine.fault("GET .*/networks/kind", "slow", times=1)
        self.engine.fault("GET .*/archive", "slow", times=1)
        self.converged_daemon()

    def test_lost_answers_are_no_harm(self):
        for match in ("/create", "/start", "/connect", "PUT .*/archive"):
            self.engine.fault(f"(POST|PUT) .*{match.removeprefix('PUT .*')}", "lost", times=1)
        self.kube.fault("PATCH", "lost", times=3)
        daemon = self.converged_daemon()
        self.assert_registry()
        self.assertEqual(daemon.stop(), 0)

    def test_permission_denied(self):
        if os.geteuid() == 0:
            # Another user, who may read the program and its files but not use the socket.
            self.home.chmod(0o755)
            program = self.home / "program"
            shutil.copy2(BINARY, program)
            for path in (self.runtime, self.config_file):
                os.chown(path, NOBODY, NOBODY)
            os.chmod(self.engine.address, 0o600)
            os.chmod(self.notify.path, 0o777)
            daemon = self.daemon(user=NOBODY, group=NOBODY, extra_groups=[], executable=str(program))
        else:
            os.chmod(self.engine.address, 0)
            daemon = self.daemon()
        self.wait_ready(daemon, CONTAINER, "PermissionDenied", "add yourself to the group docker and log in again", "Unknown")
        os.chmod(self.engine.address, 0o777)
        daemon.wait_reason(CONTROL_PLANE, "Converged")

    def test_engine_forbids(self):
        self.engine.fault("POST .*/create", "status", times=None, code=403, body={"message": "authorization denied by plugin"})
        daemon = self.daemon()
        self.wait_ready(daemon, CONTAINER, "PermissionDenied", "authorization denied by plugin.*docker.host")
        self.assert_others(daemon, CONTAINER, NETWORK)

    def test_image_pull_failed(self):
        self.engine.pullable.clear()
        daemon = self.daemon()
        self.wait_ready(daemon, CONTAINER, "ImagePullFailed", "manifest unknown.*`docker pull registry:2`")
        self.assert_others(daemon, CONTAINER, NETWORK)
        self.engine.pullable["registry:2"] = "answers"
        daemon.wait_converged()

    def test_pull_that_breaks_off(self):
        self.engine.fault("POST .*/images/create", "partial", times=1)
        self.converged_daemon()

    def test_port_in_use(self):
        with socket.socket() as taken:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.bind(("127.0.0.1", self.port))
            taken.listen()
            daemon = self.daemon()
            text = f"127.0.0.1:{self.port} is taken by another process; change registry.listen or free the port"
            self.wait_ready(daemon, CONTAINER, "PortInUse", text)
            self.assert_others(daemon, CONTAINER, NETWORK)
        daemon.wait_converged()
        self.assert_registry()

    def test_name_conflict(self):
        self.engine.images["redis:7"] = "answers"
        foreign = self.engine.add_container(REGISTRY, {"Image": "redis:7"})
        daemon = self.daemon()
        self.wait_ready(daemon, CONTAINER, "NameConflict", f"another container has the name {REGISTRY}; rename or remove it")
        self.assert_others(daemon, CONTAINER, NETWORK)
        self.wait_passes(2)
        self.assertEqual((foreign.name, foreign.state), (REGISTRY, "running"))
        foreign.name = "redis"
        daemon.wait_converged()
        self.assertEqual(sorted(c.name for c in self.engine.registries()), [REGISTRY, "redis"])

    def test_storage_not_writable(self):
        self.storage.write_text("a file")
        daemon = self.daemon()
        self.wait_ready(daemon, CONTAINER, "StorageNotWritable", f"{self.storage} .*(change|correct) registry.storage")
        self.assert_others(daemon, CONTAINER, NETWORK)
        self.assertEqual(self.storage.read_text(), "a file")
        self.storage.unlink()
        daemon.wait_converged()
        self.assertTrue(self.storage.is_dir())

    def test_storage_cannot_be_made(self):
        pathlib.Path(self.home / "file").write_text("")
        self.configure(registry={"storage": str(self.home / "file/registry")})
        daemon = self.daemon()
        self.wait_ready(daemon, CONTAINER, "StorageNotWritable", "change registry.storage")
        self.assert_others(daemon, CONTAINER, NETWORK)

    def test_network_missing_then_it_appears(self):
        self.engine.networks.clear()
        daemon = self.daemon()
        self.wait_ready(daemon, NETWORK, "NetworkMissing", "there is no network kind; kind creates it with the first cluster")
        self.assert_others(daemon, NETWORK)
        self.assertEqual(self.engine.networks, {})
        self.engine.add_network()
        daemon.wait_converged()
        self.assert_registry()

    def test_network_is_made_again(self):
        daemon = self.converged_daemon()
        self.engine.networks.clear()
        daemon.wait_reason(NETWORK, "NetworkMissing")
        self.engine.add_network()
        wait_until(lambda: self.registry().networks.get("kind", {}).get("id") == self.engine.networks["kind"], "attached anew")
        daemon.wait_converged()
        address = self.registry().networks["kind"]["ip"]
        wait_until(
            lambda: self.kube.get("endpointslices", "registry-api")["endpoints"][0]["addresses"] == [address],
            "the cluster knows the new address",
        )


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
        self.wait_ready(daemon, WORKER, "ForeignFile", f"{path} was not made by this program; remove it or drop the alias")
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
        self.wait_ready(daemon, WORKER, "ConfigPathDisabled", "reads no hosts.toml; .*containerdConfigPatches.*config_path")
        self.assert_others(daemon, WORKER)
        self.worker.version = "containerd github.com/containerd/containerd/v2 v2.2.1 dea7da592f5d1d2b7755e3a161be07f43fad8f75"
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
        for kind, options in faults:
            with self.subTest(kind=kind):
                fault = self.engine.fault(f"GET .*/{self.worker.id}/archive", kind, times=1, **options)
                self.worker.tree.write("/etc/containerd/certs.d/localhost:5000/hosts.toml", f'server = "http://{kind}"\n')
                daemon.signal(signal.SIGUSR1)
                wait_until(lambda fault=fault: fault.hits, "the fault was met")
                self.worker.tree.remove("/etc/containerd/certs.d/localhost:5000/hosts.toml")
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

    def test_forbidden(self):
        text = 'deployments.apps is forbidden: User "nobody" cannot list resource "deployments"'
        fault = self.kube.fault("/deployments", "status", times=None, code=403, body={"message": text, "reason": "Forbidden"})
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
        condition = daemon.wait_reason("kube/other/Deployment/hostk8s/registry-ui", "ClusterNotFound", "kind create cluster --name other")
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
        self.wait_ready(daemon, DEPLOYMENT, "Unavailable", "0 of 1 pods ready: ImagePullBackOff: .*; see `kubectl .* describe pods")
        self.assert_others(daemon, DEPLOYMENT)
        self.kube.bring_up()
        daemon.wait_converged()

    def test_object_of_somebody_else(self):
        service = {"apiVersion": "v1", "spec": {"selector": {"app": "theirs"}}}
        self.kube.add("services", "hostk8s", "registry-ui", service)
        daemon = self.daemon()
        name = "kube/hostk8s/Service/hostk8s/registry-ui"
        self.wait_ready(daemon, name, "NameConflict", "is not managed by hostk8s-registryd; delete it, or hand it over with `kubectl")
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
        faults = [("close", {}), ("partial", {}), ("garbage", {}), ("truncated", {}), ("shape", {}), ("huge", {}), ("slow", {})]
        faults += [("status", {"code": 429, "headers": {"Retry-After": "1"}}), ("status", {"code": 401}), ("status", {"code": 404})]
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
        self.assertIn(f"cannot open kubernetes.kubeconfig {self.home}/nowhere", condition["message"])
        self.assert_others(daemon, DEPLOYMENT, HOSTING)


if __name__ == "__main__":
    unittest.main()
