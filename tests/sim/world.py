"""A simulated machine: an engine, kind clusters on it, and things of others beside them, which the program
must leave alone: every write is looked at."""

import base64
import fnmatch
import re

from fakes import ingress
from fakes.certificates import kubeconfig
from fakes.engine import Engine
from fakes.kube import MANAGER, Kube

SOCKET = "/sim/docker.sock"
PAGE_CLUSTER, PAGE_PORT = "hostk8s", 8080  # where its ingress is published
OWNER = "io.hostk8s.registryd.owner"
MANAGED_BY = "app.kubernetes.io/managed-by"
CERTS = "/etc/containerd/certs.d/"
MARKS = (b"# managed by hostk8s-registryd", b'[host."http://hostk8s-registry:5000"]')
PEM = base64.b64encode(b"-----BEGIN A-----\n").decode()  # none: nobody connects
VERSIONS = ("v1.7.18", "v2.1.9", "v2.2.1")
CONTAINER = re.compile(r"(?:/v1\.\d+)?/containers/([^/]+)(?:/(\w+))?")
NETWORK = re.compile(r"(?:/v1\.\d+)?/networks/[^/]+/(?:dis)?connect")
OBJECT = re.compile(r"/(?:api/v1|apis/[^/]+/[^/]+)(?:/namespaces/([^/]+)(?=/))?/([a-z]+)(?:/([^/]+))?")


class World:
    def __init__(self, clock, accent, version):
        self.clock = clock
        self.version = version
        self.engine = Engine(clock, accent)
        self.engine.add_network()
        self.engine.images["nginx:1"] = "answers"
        self.engine.pullable |= {"registry:3": "answers", "registry:crash": "exits"}
        self.clusters = {}  # name -> its API server
        web = self.engine.add_container("web", {"Image": "nginx:1"})
        self.engine.attach(web, "kind")
        self.add_cluster("hostk8s", 6443)

    # ---- what comes and goes ----

    def fill_node(self, node, number=0):
        node.version = f"containerd github.com/containerd/containerd {VERSIONS[number % len(VERSIONS)]} abc"
        node.tree.write(f"{CERTS}registry.example:5000/hosts.toml", 'server = "https://registry.example"\n')

    def add_cluster(self, name, port):
        kube = self.clusters[name] = Kube(self.clock, self.version)
        kube.port = port
        kube.add("namespaces", None, "tools", {})
        kube.add("configmaps", "kube-public", "cluster-info", {"data": {"a": "b"}})
        kube.add("configmaps", "tools", "registry-ui", {"data": {"a": "b"}})
        kube.node = self.engine.add_node(f"{name}-control-plane", name, api_port=port)
        self.fill_node(kube.node)
        data = dict.fromkeys(("ca.crt", "client.crt", "client.key"), PEM)
        kube.node.tree.write("/etc/kubernetes/admin.conf", kubeconfig(f"https://{name}-control-plane:6443", data))

    def add_worker(self, cluster, name, number):
        self.fill_node(self.engine.add_node(name, cluster, role="worker"), number)

    def remove_cluster(self, name):
        for container in list(self.engine.containers):
            if container.cluster == name:
                self.engine.remove_container(container)
        self.clusters.pop(name).end_streams()

    def nodes(self):
        return [container for container in self.engine.containers if container.is_node]

    def timers(self):
        return [self.engine, *self.clusters.values()]

    # ---- who is asked ----

    def server_at(self, endpoint):
        """What carries a request out, None: nobody listens there."""
        if endpoint == SOCKET:
            return self.engine.handle
        port = int(endpoint.rpartition(":")[2])
        if endpoint.startswith("https:"):
            kubes = [k for k in self.clusters.values() if k.port == port and k.node.state == "running"]
            return kubes[0].handle if kubes else None
        if port == PAGE_PORT:
            kube = self.clusters[PAGE_CLUSTER]
            return self.ask_page if kube.node.state == "running" else None
        container = self.engine.at_port(port)
        return (lambda request: self.engine.ask_registry(container, request)) if container else None

    def ask_page(self, request):
        return ingress.answer(self.clusters[PAGE_CLUSTER], self.engine, request)

    # ---- what is not the program's ----

    def carry_out(self, handle, request):
        """The response. A write to what is somebody else's is an AssertionError."""
        if not request.writes or "dryRun" in request.query:
            return handle(request)
        container = None
        if handle == self.engine.handle:
            container = self._check_engine(request)
        elif isinstance(getattr(handle, "__self__", None), Kube):
            self._check_cluster(handle.__self__.objects, request)
        if container is None:
            return handle(request)
        before = dict(container.tree.files)
        response = handle(request)
        for path in before.keys() | container.tree.files.keys():
            old = before.get(path)
            if old != container.tree.files.get(path) and old is not None:
                assert path.startswith(CERTS) and old.startswith(MARKS), f"{request}: {container.name}:{path} was {old}"
        return response

    def _check_engine(self, request):
        """The node whose files it may change."""
        name = CONTAINER.fullmatch(request.path)
        if NETWORK.fullmatch(request.path):
            name, word = request.json()["Container"], "connect"
        elif name is None or name[1] == "create":
            return None
        else:
            name, word = name.groups()
        container = self.engine.find(name)
        if container is None or word in ("archive", "exec"):
            assert container is None or container.is_node, f"{request}: is no node"
            return container
        assert OWNER in container.labels, f"{request}: {container.name} is somebody else's"
        return None

    @staticmethod
    def _check_cluster(objects, request):
        namespace, plural, name = OBJECT.fullmatch(request.path).groups()
        existing = objects.get((plural, namespace, name or request.json()["metadata"]["name"]))
        assert existing is None or is_own(existing), f"{request}: is somebody else's"
        if request.method == "DELETE" and plural == "namespaces":
            others = [key for key, document in objects.items() if key[1] == name and not is_own(document)]
            assert not others, f"{request}: with {others}"


    def own(self, patterns):
        """All that the program has made and that is there, in the clusters that it is for."""
        clusters = [name for name in self.clusters if any(fnmatch.fnmatch(name, pattern) for pattern in patterns)]
        things = [container.name for container in self.engine.containers if OWNER in container.labels]
        for node in self.nodes():
            files = node.tree.files.items() if node.cluster in clusters else ()
            things += [f"{node.name}:{path}" for path, content in files if content and content.startswith(MARKS)]
        for kube in (self.clusters[name] for name in clusters):
            things += [key for key, document in kube.objects.items() if is_own(document)]
        return things


def is_own(document):
    metadata = document["metadata"]
    managers = [entry["manager"] for entry in metadata.get("managedFields", [])]
    labels = metadata.get("labels") or {}
    return labels.get(MANAGED_BY) == MANAGER or MANAGER in managers or labels.get("hostk8s.addon") == "registry"
