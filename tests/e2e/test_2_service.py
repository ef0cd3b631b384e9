"""The daemon as a user service: whatever is broken by hand is repaired within one poll, with the
pushed image still there."""

import contextlib
import json
import time
import unittest

from machine import CLUSTER, MACHINE, REGISTRY, Process, Workstation, nodes, push_demo, registry_tags, run_pod, wait_until

POLL = 3
# What a repair itself may take on a small machine that runs a cluster beside it.
WORK = 20
NAMESPACE = "hostk8s"


running = {}  # the one service that runs, by the function that made it


def tearDownModule():
    while running:
        _, service = running.popitem()
        with contextlib.suppress(AssertionError):
            service.stop()
            service.program("teardown", "--yes")
        service.close()


class Service(unittest.TestCase):
    """Classes that want the same service share it, one after the other."""

    @staticmethod
    def make_service():
        return MACHINE.service()

    @classmethod
    def setUpClass(cls):
        if cls.make_service not in running:
            tearDownModule()
            service = running[cls.make_service] = cls.make_service()
            service.configure()
            service.start()
        cls.service = running[cls.make_service]
        cls.wait_ready()
        push_demo()

    @classmethod
    def wait_ready(cls, seconds=120):
        def ready():
            status = cls.service.status()
            return status["total"] > 0 and status["ready"] == status["total"]

        return wait_until(ready, seconds, "every resource is ready")

    def repaired(self, condition, what, seconds=POLL + WORK):
        wait_until(lambda: condition() and registry_tags() == ["1"], seconds, what)  # so that no former status is read
        self.wait_ready()
        self.assertEqual(registry_tags(), ["1"])

    def condition(self, resource):
        for entry in self.service.status()["resources"]:
            if entry["resource"] == resource:
                return entry
        raise KeyError(resource)


class Container(Service):
    def running(self):
        return MACHINE.docker("inspect", "-f", "{{.State.Running}}", REGISTRY).strip() == "true"

    def field(self, template):
        return MACHINE.docker("inspect", "-f", template, REGISTRY).strip()

    def test_stopped(self):
        MACHINE.docker("stop", REGISTRY)
        self.repaired(self.running, "the container runs")

    def test_killed(self):
        MACHINE.docker("kill", REGISTRY)
        self.repaired(self.running, "the container runs")

    def test_paused(self):
        MACHINE.docker("pause", REGISTRY)
        self.repaired(lambda: self.field("{{.State.Status}}") == "running", "the container runs")

    def test_removed(self):
        MACHINE.docker("rm", "-f", REGISTRY)
        self.repaired(self.running, "the container runs")

    def test_renamed_away(self):
        MACHINE.docker("rename", REGISTRY, "elsewhere")
        self.repaired(self.running, "the container has its name")
        self.assertNotIn("elsewhere", MACHINE.docker("ps", "-a", "--format", "{{.Names}}").split())

    def test_restart_policy(self):
        identity = self.field("{{.Id}}")
        MACHINE.docker("update", "--restart=no", REGISTRY)
        self.repaired(lambda: self.field("{{.HostConfig.RestartPolicy.Name}}") == "always", "the policy is back")
        self.assertEqual(self.field("{{.Id}}"), identity, "updated, not made again")

    def test_other_port(self):
        storage = json.loads(MACHINE.docker("inspect", REGISTRY))[0]["HostConfig"]["Binds"]
        label = self.field('{{index .Config.Labels "io.hostk8s.registryd.owner"}}')
        MACHINE.docker("rm", "-f", REGISTRY)
        MACHINE.docker("run", "-d", "--name", REGISTRY, "-p", "127.0.0.1:5009:5000", "-v", storage[0],
                       "--label", f"io.hostk8s.registryd.owner={label}", "registry:2", check=False)
        self.repaired(lambda: self.field('{{(index (index .HostConfig.PortBindings "5000/tcp") 0).HostPort}}') == "5002",
                      "the port is back")

    def test_network_detached(self):
        MACHINE.docker("network", "disconnect", "kind", REGISTRY)
        self.repaired(lambda: "kind" in self.field("{{json .NetworkSettings.Networks}}"), "the container is attached")


class Nodes(Service):
    path = "/etc/containerd/certs.d/localhost:5002/hosts.toml"

    def text(self, node):
        return MACHINE.docker("exec", node, "cat", self.path, check=False)

    def test_files(self):
        breaks = {
            "deleted": ["rm", self.path],
            "edited": ["sed", "-i", "s/5000/5999/", self.path],
            "directory removed": ["rm", "-r", "/etc/containerd/certs.d/localhost:5002"],
            "all removed": ["rm", "-r", "/etc/containerd/certs.d"],
        }
        good = self.text(nodes()[0])
        self.assertIn("http://hostk8s-registry:5000", good)
        for node in nodes():
            for name, command in breaks.items():
                with self.subTest(node=node, file=name):
                    MACHINE.docker("exec", node, *command)  # fails if there is nothing to break
                    self.repaired(lambda node=node: self.text(node) == good, "the file is back")

    def test_foreign_file_is_reported_and_left_alone(self):
        node = nodes()[-1]
        foreign = 'server = "https://example.com"\\n[host."https://mirror.example.com"]\\n  capabilities = ["pull"]\\n'
        MACHINE.docker("exec", node, "sh", "-c", f"printf '{foreign}' > {self.path}")
        before = self.text(node)
        wait_until(lambda: self.condition(f"node/{node}")["reason"] == "ForeignFile", POLL + WORK, "it is reported")
        self.assertEqual(self.text(node), before)
        MACHINE.docker("exec", node, "rm", self.path)
        self.repaired(lambda: "hostk8s-registry" in self.text(node), "the file is back")

    @unittest.skipUnless(hasattr(MACHINE, "lab"), "kind adds no worker to a running cluster")
    def test_worker_added(self):
        before = nodes()
        MACHINE.worker_up()
        (added,) = set(nodes()) - set(before)
        try:
            self.repaired(lambda: self.condition(f"node/{added}")["ready"] == "True", "the new node is ready", POLL + WORK + 30)
            MACHINE.wait_ready()
            run_pod("localhost:5002/demo:1", added)
        finally:
            MACHINE.docker("rm", "-fv", added)
            MACHINE.kubectl("delete", "node", added)
        wait_until(lambda: f"node/{added}" not in json.dumps(self.service.status()), POLL + WORK, "the node is forgotten")

    def address(self, container):
        return MACHINE.docker("inspect", "-f", "{{.NetworkSettings.Networks.kind.IPAddress}}", container).strip()

    def is_attached(self):
        return "kind" in json.loads(MACHINE.docker("inspect", "-f", "{{json .NetworkSettings.Networks}}", REGISTRY))

    def starts_with_its_address(self, node, *free):
        """The engine gives it the lowest that is free."""
        MACHINE.docker("start", node)
        address = self.address(node)
        self.assertIn(address, free)
        MACHINE.wait_ready()
        self.repaired(lambda: self.is_attached() and self.address(REGISTRY) != address, "the registry is attached elsewhere", 60)
        run_pod("localhost:5002/demo:1", node)

    def test_new_registry_leaves_the_address_of_a_stopped_node(self):
        node = nodes()[-1]
        free = self.address(node), self.address(REGISTRY)
        MACHINE.docker("stop", "-t", "0", node)
        MACHINE.docker("rm", "-f", REGISTRY)
        wait_until(lambda: registry_tags() == ["1"], POLL + WORK, "the registry serves the host meanwhile")
        self.assertFalse(self.is_attached())
        self.starts_with_its_address(node, *free)

    def test_registry_gives_the_address_of_a_stopped_node_back(self):
        node = nodes()[-1]
        before = self.address(node)
        self.service.stop()
        MACHINE.docker("stop", "-t", "0", node)
        MACHINE.docker("network", "disconnect", "kind", REGISTRY)
        MACHINE.docker("network", "connect", "--alias", REGISTRY, "kind", REGISTRY)
        self.assertEqual(self.address(REGISTRY), before, "the engine gives the lowest free address")
        self.service.start()
        wait_until(lambda: not self.is_attached(), POLL + WORK, "the registry gives way")
        self.starts_with_its_address(node, before)

    def test_stopped_node_delays_nothing_else(self):
        node = nodes()[-1]
        MACHINE.docker("stop", "-t", "5", node)
        try:
            wait_until(lambda: self.condition(f"node/{node}")["reason"] == "NodeNotRunning", POLL + WORK, "it is reported")
            MACHINE.docker("rm", "-f", REGISTRY)
            wait_until(lambda: registry_tags() == ["1"], POLL + WORK, "the registry is back all the same")
        finally:
            MACHINE.docker("start", node)
        MACHINE.wait_ready()
        self.repaired(lambda: self.condition(f"node/{node}")["ready"] == "True", "the node is ready again", 60)


class Objects(Service):
    KINDS = [
        ("deployment/registry-ui", NAMESPACE, {"spec": {"replicas": 3}}),
        ("service/registry-ui", NAMESPACE, {"spec": {"ports": [{"name": "http", "port": 80, "targetPort": 81}]}}),
        ("service/registry-api", NAMESPACE, {"spec": {"ports": [{"name": "http", "port": 5000, "targetPort": 5999}]}}),
        ("endpoints/registry-api", NAMESPACE, {"subsets": [{"addresses": [{"ip": "10.0.0.1"}], "ports": [{"name": "http", "port": 1}]}]}),
        ("configmap/registry-ui", NAMESPACE, {"data": {"hostk8s-registryd.conf": "# nothing"}}),
        ("ingress/registry-ui", NAMESPACE, {"metadata": {"annotations": {"nginx.ingress.kubernetes.io/proxy-body-size": "1m"}}}),
        ("configmap/local-registry-hosting", "kube-public", {"data": {"localRegistryHosting.v1": "host: elsewhere"}}),
    ]

    def kinds(self):
        served = MACHINE.kubectl("api-versions").split()
        for name, namespace, patch in self.KINDS:
            if name.startswith("endpoints/") and "discovery.k8s.io/v1" in served:
                name = name.replace("endpoints/", "endpointslice/")
                patch = {"endpoints": [{"addresses": ["10.0.0.1"]}]}
            yield name, namespace, patch

    def get(self, name, namespace):
        result = json.loads(MACHINE.kubectl("-n", namespace, "get", name, "-o", "json"))
        for volatile in ("resourceVersion", "generation", "managedFields", "uid", "creationTimestamp"):
            result["metadata"].pop(volatile, None)
        result["metadata"].get("annotations", {}).pop("deployment.kubernetes.io/revision", None)
        result.pop("status", None)
        result.get("spec", {}).pop("clusterIP", None)
        result.get("spec", {}).pop("clusterIPs", None)
        return result

    def test_deleted(self):
        for name, namespace, _ in self.kinds():
            with self.subTest(name=name):
                good = self.get(name, namespace)
                MACHINE.kubectl("-n", namespace, "delete", name, "--wait=false")
                self.repaired(lambda name=name, namespace=namespace, good=good: self.get(name, namespace) == good, "it is back")

    def test_edited(self):
        for name, namespace, patch in self.kinds():
            with self.subTest(name=name):
                good = self.get(name, namespace)
                MACHINE.kubectl("-n", namespace, "patch", name, "--type=merge", "-p", json.dumps(patch))
                self.repaired(lambda name=name, namespace=namespace, good=good: self.get(name, namespace) == good, "it is back")

    def test_label_taken_away(self):
        MACHINE.kubectl("-n", NAMESPACE, "label", "service/registry-ui", "app.kubernetes.io/managed-by-")
        self.repaired(lambda: "hostk8s-registryd" in MACHINE.kubectl(
            "-n", NAMESPACE, "get", "service/registry-ui", "-o", "jsonpath={.metadata.labels}"), "the label is back")

    def test_namespace_deleted(self):
        MACHINE.kubectl("delete", "namespace", NAMESPACE, "--wait=true", timeout=120)
        self.repaired(lambda: "registry-ui" in MACHINE.kubectl("-n", NAMESPACE, "get", "deployment", "-o", "name"),
                      "the objects are back", POLL + WORK + 20)
        answer = wait_until(lambda: "html" in MACHINE.inside("curl", "-sf", "http://localhost:8080/registry/").stdout, 60, "the page is back")
        self.assertLess(answer, 60)

    def test_paused_api_delays_nothing_else(self):
        MACHINE.pause_api()
        try:
            wait_until(lambda: self.condition(f"kube/{CLUSTER}/Deployment/{NAMESPACE}/registry-ui")["reason"] == "ApiUnreachable",
                       POLL + WORK + 20, "it is reported")
            others = [e for e in self.service.status()["resources"] if not e["resource"].startswith("kube/")]
            self.assertTrue(all(e["ready"] == "True" for e in others), others)
            MACHINE.docker("rm", "-f", REGISTRY)
            wait_until(lambda: registry_tags() == ["1"], POLL + WORK, "the registry is back all the same")
        finally:
            MACHINE.resume_api()
        self.repaired(lambda: True, "")


class World(Service):
    @staticmethod
    def make_service():
        return Process(MACHINE)  # the lab's workstation would stop with the engine

    def test_engine_restarted(self):
        before = time.time()
        MACHINE.engine_restart()
        MACHINE.wait_ready()
        self.repaired(lambda: registry_tags() == ["1"], "the registry is back", 90)
        for node in nodes():
            run_pod("localhost:5002/demo:1", node)
        address = MACHINE.docker("inspect", "-f", "{{.NetworkSettings.Networks.kind.IPAddress}}", REGISTRY).strip()
        self.assertIn(address, MACHINE.kubectl("-n", NAMESPACE, "get", "endpoints", "registry-api", "-o", "json"))
        self.assertLess(time.time() - before, 300)

    def test_cluster_made_again(self):
        MACHINE.cluster_down(CLUSTER)
        wait_until(lambda: self.condition(f"kube/{CLUSTER}/Deployment/{NAMESPACE}/registry-ui")["reason"] == "ClusterNotFound",
                   POLL + WORK, "it is reported")
        MACHINE.cluster_up(CLUSTER, workers=1)
        self.repaired(lambda: self.condition(f"kube/{CLUSTER}/Deployment/{NAMESPACE}/registry-ui")["ready"] == "True", "the cluster is served", 120)
        for node in nodes():
            run_pod("localhost:5002/demo:1", node)


class Reload(Service):
    def tearDown(self):
        self.service.configure()
        self.service.reload()
        self.wait_ready()

    def test_new_alias_rewrites_files_only(self):
        identity = MACHINE.docker("inspect", "-f", "{{.Id}} {{.State.StartedAt}}", REGISTRY)
        self.service.configure(aliases=["localhost:5000", "registry.test:5000"])
        self.service.reload()
        self.repaired(lambda: "hostk8s-registry" in MACHINE.docker(
            "exec", nodes()[0], "cat", "/etc/containerd/certs.d/registry.test:5000/hosts.toml"), "the alias is there")
        self.assertEqual(MACHINE.docker("inspect", "-f", "{{.Id}} {{.State.StartedAt}}", REGISTRY), identity)
        self.service.configure()
        self.service.reload()
        wait_until(lambda: "registry.test" not in MACHINE.docker("exec", nodes()[0], "ls", "/etc/containerd/certs.d"),
                   POLL + WORK, "the alias is gone")

    def test_other_port_loses_nothing(self):
        self.service.configure(port=5003)
        self.service.reload()
        wait_until(lambda: registry_tags(5003) == ["1"], POLL + WORK, "the registry answers at the new port")
        self.wait_ready()
        self.assertNotIn(f"{REGISTRY}-previous", MACHINE.docker("ps", "-a", "--format", "{{.Names}}").split())

    def test_ui_disabled(self):
        self.service.configure(ui=False)
        self.service.reload()
        wait_until(lambda: MACHINE.kubectl("-n", NAMESPACE, "get", "deployment,service,ingress", "-o", "name") == "",
                   60, "the UI is gone")
        self.assertEqual(registry_tags(), ["1"])
        self.assertIn("localhost:5002", MACHINE.kubectl("-n", "kube-public", "get", "configmap", "local-registry-hosting", "-o", "json"))

    def test_invalid_file_changes_nothing(self):
        identity = MACHINE.docker("inspect", "-f", "{{.Id}} {{.State.StartedAt}}", REGISTRY)
        self.service.configure("regsitry: {}\nnodes: {aliases: 5}\n")
        self.service.reload(fails=True)
        if isinstance(self.service, Workstation):
            wait_until(lambda: self.service.show("StatusText").startswith("reload failed"), 20, "systemd is told")
            text = "\n".join(entry["MESSAGE"] for entry in self.service.journal("-p", "err", "-n", "20"))
            self.assertRegex(text, r"registryd\.yaml:1:1: .*unknown key `regsitry`, did you mean `registry`\?")
            self.assertRegex(text, r"registryd\.yaml:2:\d+: nodes\.aliases: ")
        self.assertEqual(MACHINE.docker("inspect", "-f", "{{.Id}} {{.State.StartedAt}}", REGISTRY), identity)
        self.wait_ready()


class Systemd(Service):
    def setUp(self):
        if not isinstance(self.service, Workstation):
            self.skipTest("needs the lab's workstation")

    def test_status_line(self):
        wait_until(lambda: self.service.show("StatusText") == "13/13 ready", POLL + WORK, "systemd is told")
        self.assertEqual(self.service.program("status").returncode, 0)

    def test_journal_fields(self):
        MACHINE.docker("rm", "-f", REGISTRY)
        self.repaired(lambda: True, "")
        wait_until(lambda: any(e.get("HOSTK8S_RESOURCE") == f"container/{REGISTRY}" and e.get("HOSTK8S_ACTION") == "create"
                               and e.get("MESSAGE_ID") and e["PRIORITY"] == "5" for e in self.service.journal("-n", "200")),
                   20, "the change is in the journal with its fields")

    def test_an_idle_pass_logs_nothing(self):
        def quiet():
            passes = self.service.status()["pass"]["count"]
            cursor = self.service.journal("-n", "1")[-1]["__CURSOR"]
            wait_until(lambda: self.service.status()["pass"]["count"] >= passes + 2, 3 * POLL + WORK, "two passes")
            return self.service.journal(f"--after-cursor={cursor}") == []

        wait_until(quiet, 60, "two passes without a line, once what came before is told")

    def test_full_pass_on_signal(self):
        passes = self.service.status()["pass"]["count"]
        self.service.as_dev("systemctl", "--user", "kill", "-s", "USR1", "hostk8s-registryd.service")
        wait_until(lambda: self.service.status()["pass"]["count"] > passes, POLL + WORK, "a pass")

    def test_stopping_leaves_the_registry(self):
        self.service.stop()
        try:
            self.assertEqual(registry_tags(), ["1"])
            self.assertEqual(self.service.program("status", check=False).returncode, 3)
            self.assertEqual(self.service.show("Result"), "success")
        finally:
            self.service.start()

    def test_second_daemon_says_who_runs(self):
        second = self.service.program("run", check=False)
        self.assertEqual(second.returncode, 1)
        self.assertIn(self.service.show("MainPID"), second.stderr)


del Service  # the base has no tests of its own

if __name__ == "__main__":
    unittest.main()
