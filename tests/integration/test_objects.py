"""What a cluster has beside what the program makes of its manifests: Gateways and their controllers, what
was made by former programs, and what is in the way of its Service."""

import signal

from harness import MachineTest, wait_until

from fakes import hostk8s
from fakes.schema import VERSIONS

ROUTE = "kube/hostk8s/HTTPRoute/hostk8s/registry-ui"
GATEWAY_API = "gateway.networking.k8s.io/v1"
GATEWAY = {"spec": {"gatewayClassName": "any", "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}]}}
MANAGED = {"app.kubernetes.io/managed-by": "hostk8s-registryd"}


class Gateways(MachineTest):
    def say(self, **conditions):
        """The Gateway's controller writes the route's status: Accepted="True", or "False" with a reason."""

        def write(route):
            generation = route["metadata"]["generation"]
            route["status"] = {"parents": [{
                "parentRef": route["spec"]["parentRefs"][0],
                "controllerName": "example.com/gateway",
                "conditions": [
                    {"type": name, "status": said.partition(" ")[0], "reason": said.partition(" ")[2] or name,
                     "message": "words", "observedGeneration": generation}
                    for name, said in conditions.items()
                ],
            }]}

        self.kube.change("httproutes", "registry-ui", write)

    def test_route_in_place_of_the_ingress(self):
        daemon = self.converged_daemon()
        self.configure(ui={"gateway": "infra/web"})
        self.reload(daemon)
        daemon.wait_reason(ROUTE, "GatewayMissing", "does not serve gateway.networking.k8s.io/v1; install a Gateway")
        wait_until(lambda: self.kube.get("ingresses", "registry-ui") is None, "the Ingress is gone")

        self.kube.groups.append(GATEWAY_API)
        self.kube.add("namespaces", None, "infra", {})
        daemon.wait_reason(ROUTE, "GatewayMissing", "has no Gateway infra/web; create it, or change ui.gateway")
        self.kube.add("gateways", "infra", "web", GATEWAY)
        daemon.wait_reason(ROUTE, "Converging", "waits for the controller of Gateway infra/web")
        spec = self.kube.get("httproutes", "registry-ui")["spec"]
        self.assertEqual([rule["matches"][0]["path"]["value"] for rule in spec["rules"]], ["/registry", "/v2/"])

        self.say(Accepted="False NotAllowedByListeners", ResolvedRefs="True")
        told = "Gateway infra/web: Accepted is False: NotAllowedByListeners: words; change ui.gateway, or"
        daemon.wait_reason(ROUTE, "RouteNotAccepted", told)
        self.say(Accepted="True", ResolvedRefs="False BackendNotFound")
        daemon.wait_reason(ROUTE, "RouteNotAccepted", "ResolvedRefs is False: BackendNotFound: words")
        self.say(Accepted="True", ResolvedRefs="True")
        daemon.wait_converged()

        self.kube.remove("gateways", "web", "infra")
        daemon.wait_reason(ROUTE, "GatewayMissing", "has no Gateway infra/web")
        self.kube.remove_group(GATEWAY_API)
        daemon.wait_reason(ROUTE, "GatewayMissing", "does not serve")
        self.kube.groups.append(GATEWAY_API)
        self.configure(ui={"gateway": ""})
        self.reload(daemon)
        daemon.wait_converged()
        self.assertIsNone(self.kube.get("httproutes", "registry-ui"))
        self.assertIsNotNone(self.kube.get("ingresses", "registry-ui"))

    def test_teardown_with_a_route(self):
        self.kube.groups.append(GATEWAY_API)
        self.kube.add("gateways", "default", "web", GATEWAY)
        self.configure(ui={"gateway": "default/web"})
        apply = self.start("apply")
        wait_until(lambda: self.kube.get("httproutes", "registry-ui"), "the route")
        apply.signal(signal.SIGTERM)
        self.assertEqual(apply.wait(), 1)
        self.run_program("teardown", "--yes", status=0)
        self.assertIsNone(self.kube.get("httproutes", "registry-ui"))


class FormerObjects(MachineTest):
    def test_two_ingresses_become_one(self):
        """Those of before version 2, with a rewrite."""
        self.apply()
        notes = {"nginx.ingress.kubernetes.io/rewrite-target": "/$2", "nginx.ingress.kubernetes.io/use-regex": "true"}
        for name, path, annotations in (("ui", "/registry(/|$)(.*)", notes), ("api", "/v2/", {})):
            backend = {"service": {"name": f"registry-{name}", "port": {"name": "http"}}}
            paths = [{"path": path, "pathType": "ImplementationSpecific", "backend": backend}]
            metadata = {"name": f"registry-{name}", "namespace": "hostk8s", "labels": MANAGED}
            metadata["annotations"] = annotations
            self.kube.apply({
                "apiVersion": "networking.k8s.io/v1",
                "kind": "Ingress",
                "metadata": metadata,
                "spec": {"ingressClassName": "nginx", "rules": [{"http": {"paths": paths}}]},
            })
        self.apply()
        self.assertIsNone(self.kube.get("ingresses", "registry-api"))
        ingress = self.kube.get("ingresses", "registry-ui")
        paths = ingress["spec"]["rules"][0]["http"]["paths"]
        paths = [(path["path"], path["pathType"]) for path in paths]
        self.assertEqual(paths, [("/registry", "Prefix"), ("/v2/", "Prefix")])
        self.assertEqual([name for name in ingress["metadata"]["annotations"] if name in notes], [])
        with self.untouched():
            self.apply()

    def test_another_path_is_another_pod(self):
        daemon = self.converged_daemon()

        def template():
            return self.kube.get("deployments", "registry-ui")["spec"]["template"]["metadata"]["annotations"]

        before = template()
        self.configure(ui={"path": "/images"})
        self.reload(daemon)
        wait_until(lambda: template() != before, "other pods")
        daemon.wait_converged()
        server = self.kube.get("configmaps", "registry-ui")["data"]["hostk8s-registryd.conf"]
        self.assertIn("location /images/ {", server)
        self.assertEqual(self.kube.get("services", "registry-ui")["spec"]["ports"][0]["targetPort"], 8081)



class Others(MachineTest):
    def setUp(self):
        super().setUp()
        self.kube.accent = VERSIONS["1.36"]

    def tearDown(self):
        super().tearDown()
        warned = [request for request in self.kube.since(0, r"/endpoints\b") if request.method != "DELETE"]
        self.assertEqual([str(request) for request in warned], [])

    def left(self):
        """Where requests for the Service go, and what still has HostK8s' label."""
        with self.kube.lock:
            objects = dict(self.kube.objects)
        slices = [document for (plural, _, _), document in objects.items() if plural == "endpointslices"]
        slices = [one for one in slices if one["metadata"]["labels"]["kubernetes.io/service-name"] == "registry-api"]
        addresses = [address for one in slices for endpoint in one["endpoints"] for address in endpoint["addresses"]]
        labels = {key: one["metadata"].get("labels", {}) for key, one in objects.items()}
        labelled = [key for key in labels if "hostk8s.addon" in labels[key]]
        return addresses, labelled

    def test_hostk8s_is_taken_over_by_one_apply(self):
        hostk8s.apply(self.kube)
        self.assertEqual(self.left()[0], ["192.168.65.254"])
        self.apply()
        self.assertEqual(self.left(), ([self.registry().networks["kind"]["ip"]], []))
        self.assertIsNone(self.kube.get("ingresses", "registry-api-ingress"))
        self.assertEqual(list(self.kube.get("ingresses", "registry-ui")["metadata"]["annotations"]),
                         [f"nginx.ingress.kubernetes.io/proxy-{what}" for what in
                          ("body-size", "request-buffering", "read-timeout", "send-timeout")])
        with self.untouched():
            self.apply()
        self.run_program("teardown", "--yes", status=0)
        self.assertIsNotNone(self.kube.get("namespaces", "hostk8s"), "it was there before")

    def test_nothing_of_hostk8s_goes_without_need(self):
        hostk8s.apply(self.kube)
        before = dict(self.kube.objects)
        self.run_program("teardown", "--yes", status=0)
        self.configure(ui={"enabled": False})
        self.apply()
        self.assertEqual([key for key in before if key not in self.kube.objects], [])

    def test_left_over_endpoints_of_hostk8s_go(self):
        daemon = self.converged_daemon()
        self.kube.apply(hostk8s.ENDPOINTS, "kubectl-client-side-apply")
        wait_until(lambda: self.kube.get("endpoints", "registry-api") is None, "the Endpoints are gone")
        daemon.wait_converged()
        self.assertEqual(self.left(), ([self.registry().networks["kind"]["ip"]], []))

    def test_endpoints_of_somebody_are_named(self):
        daemon = self.converged_daemon()
        self.kube.add("endpoints", "hostk8s", "registry-api", {"subsets": hostk8s.ENDPOINTS["subsets"]})
        told = daemon.wait_reason("kube/hostk8s/Endpoints/hostk8s/registry-api", "NameConflict")
        self.assertRegex(told["message"], "requests for Service registry-api to 192.168.65.254 port 5002, .*"
                         "`kubectl --context kind-hostk8s -n hostk8s delete Endpoints registry-api`")
        self.assertEqual(self.run_program("plan", status=2).stdout.count("NameConflict"), 1)
        self.assertIsNotNone(self.kube.get("endpoints", "registry-api"))
        self.kube.remove("endpoints", "registry-api")
        daemon.wait_converged()
