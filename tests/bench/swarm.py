"""Fake machines of any size: a thousand nodes in fifty clusters cost little."""

import json
import pathlib
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1]))

from fakes.message import Response  # noqa: E402
from fakes.server import EngineServer, KubeServer  # noqa: E402

NODES_PER_CLUSTER = 20


class Counting:
    """Counts requests and keeps none."""

    def record(self, _request):
        pass


class Cluster(Counting, KubeServer):
    pass


class SwarmEngine(Counting, EngineServer):
    """An engine that finds a node and lists it at the same cost whatever their number."""

    def __init__(self, address):
        super().__init__(address)
        self.nodes = {}  # by id and by name
        self.listed = {}  # the id of a node -> its element of the list
        self.written = None  # called when files were put somewhere

    def add_node(self, *arguments, **options):
        node = super().add_node(*arguments, **options)
        self.nodes |= {node.id: node, node.name: node}
        self.listed[node.id] = json.dumps(self.accent.list_element(node))
        return node

    def find(self, name):
        return self.nodes.get(name) or super().find(name)

    def handle(self, request):
        if request.path.endswith("/containers/json"):
            return self._list_all()
        response = super().handle(request)
        if request.method == "PUT" and self.written is not None:
            self.written()
        return response

    def _list_all(self):
        items = [self.listed.get(c.id) or json.dumps(self.accent.list_element(c)) for c in self.containers]
        return Response(200, f"[{','.join(items)}]".encode(), {"Content-Type": "application/json"})


class Swarm:
    """An engine with `count` nodes, NODES_PER_CLUSTER to a cluster, and the API server of each cluster, of
    which `silent` ones never answer."""

    def __init__(self, socket, count, silent=0):
        self.engine = SwarmEngine(socket).up()
        self.engine.add_network()
        self.count = count
        self.clusters = [Cluster().up() for _ in range(max(1, count // NODES_PER_CLUSTER))]
        for cluster in self.clusters[:silent]:
            cluster.fault("", "hang", times=None)
        for number, kube in enumerate(self.clusters):
            self._add_nodes(f"c{number:02}", kube)

    def _add_nodes(self, cluster, kube):
        control_plane = self.engine.add_node(f"{cluster}-control-plane", cluster, api_port=kube.port)
        control_plane.tree.write("/etc/kubernetes/admin.conf", kube.admin_conf())
        for worker in range(1, self.count // len(self.clusters)):
            self.engine.add_node(f"{cluster}-worker{worker}", cluster, role="worker")

    @property
    def nodes(self):
        return [node for node in self.engine.containers if node.is_node]

    @property
    def servers(self):
        return [self.engine, *self.clusters]

    @property
    def requests(self):
        return sum(server.asked for server in self.servers)

    @property
    def accepted(self):
        return sum(server.accepted for server in self.servers)

    @property
    def connections(self):
        return sum(len(server.connections) for server in self.servers)

    def close(self):
        for server in self.servers:
            server.close()
