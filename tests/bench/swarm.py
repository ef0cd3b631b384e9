"""Fake machines of any size: the fakes of the integration tests, served by one event loop instead of
a thread for each connection, so that a thousand nodes in fifty clusters cost little."""

import asyncio
import json
import pathlib
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

from fake_engine import Engine  # noqa: E402
from fake_kube import Kube  # noqa: E402
from http_server import Request, Response, Server  # noqa: E402

NODES_PER_CLUSTER = 20
BACKLOG = 1024


class LiveStream:
    """An endless answer: a chunk for each event that it wants, written as it comes."""

    def __init__(self, wants):
        self.wants = wants
        self.transport = None
        self.waiting = []

    def attach(self, transport):
        self.transport = transport
        for chunk in self.waiting:
            transport.write(chunk)

    def send(self, event):
        if self.wants(event):
            line = json.dumps(event).encode() + b"\n"
            chunk = b"%x\r\n%s\r\n" % (len(line), line)
            if self.transport is None:
                self.waiting.append(chunk)
            elif not self.transport.is_closing():
                self.transport.write(chunk)

    def end(self):
        if self.transport is not None:
            self.transport.write(b"0\r\n\r\n")


class Connection(asyncio.Protocol):
    """HTTP/1.1 with keep-alive, one request after the other."""

    def __init__(self, server):
        self.server = server
        self.data = b""

    def connection_made(self, transport):
        self.transport = transport
        self.server.open.add(self)
        self.server.accepted += 1

    def connection_lost(self, _error):
        self.server.open.discard(self)

    def data_received(self, data):
        self.data += data
        while (request := self._parse()) is not None:
            self._answer(request)

    def _parse(self):
        head, found, rest = self.data.partition(b"\r\n\r\n")
        if not found:
            return None
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length", 0))
        if len(rest) < length:
            return None
        self.data = rest[length:]
        method, target, _ = first.split(" ", 2)
        return Request(method, target, headers, rest[:length])

    def _answer(self, request):
        self.server.count += 1
        if self.server.silent:
            return
        response = self.server.handle(request)
        head = [f"HTTP/1.1 {response.status} Status"]
        head += [f"{name}: {value}" for name, value in response.headers.items()]
        body = b"" if request.method == "HEAD" else response.body
        if response.until_close:
            head.append("Connection: close")
        elif response.chunks is not None:
            head.append("Transfer-Encoding: chunked")
        elif response.status not in (204, 304):
            head.append(f"Content-Length: {len(response.body)}")
        self.transport.write(("\r\n".join(head) + "\r\n\r\n").encode() + body)
        if isinstance(response.chunks, LiveStream):
            response.chunks.attach(self.transport)
        elif response.chunks is not None:
            for chunk in response.chunks:
                self.transport.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
            self.transport.write(b"0\r\n\r\n")
        elif response.until_close:
            self.transport.close()


class OnLoop(Server):
    """Takes the place of Server's threads. Counts requests and keeps none."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.open = set()
        self.accepted = 0
        self.count = 0
        self.silent = False  # connections are accepted, requests are not answered

    def open_stream(self, wants):
        stream = LiveStream(wants)
        self.streams.append(stream)
        return stream

    def record(self, _request):
        self.count += 1

    async def serve(self):
        loop = asyncio.get_running_loop()
        if isinstance(self.address, str):
            self.listener = await loop.create_unix_server(lambda: Connection(self), self.address, backlog=BACKLOG)
        else:
            host, port = self.address
            self.listener = await loop.create_server(
                lambda: Connection(self), host, port, ssl=self.tls, backlog=BACKLOG
            )
            self.address = self.listener.sockets[0].getsockname()

    def down(self):
        self.listener.close()
        for connection in list(self.open):
            connection.transport.abort()


class Cluster(OnLoop, Kube):
    pass


class SwarmEngine(OnLoop, Engine):
    """An engine that finds a node and lists it at the same cost whatever their number."""

    def __init__(self, address):
        super().__init__(address)
        self.nodes = {}  # by id and by name
        self.listed = {}  # the id of a node -> its element of the list
        self.written = None  # called when files were put somewhere

    def add_node(self, *arguments, **options):
        node = super().add_node(*arguments, **options)
        self.nodes |= {node.id: node, node.name: node}
        self.listed[node.id] = json.dumps(node.listed())
        return node

    def find(self, name):
        return self.nodes.get(name) or super().find(name)

    def handle(self, request):
        if request.path.endswith("/containers/json"):
            return self._list()
        response = super().handle(request)
        if request.method == "PUT" and self.written is not None:
            self.written()
        return response

    def _list(self):
        items = [self.listed.get(container.id) or json.dumps(container.listed()) for container in self.containers]
        return Response(200, f"[{','.join(items)}]".encode(), {"Content-Type": "application/json"})


class Swarm:
    """An engine with `count` nodes, NODES_PER_CLUSTER to a cluster, and the API server of each cluster, of
    which `silent` ones never answer."""

    def __init__(self, socket, count, silent=0):
        self.engine = SwarmEngine(socket)
        self.engine.add_network()
        self.count = count
        self.clusters = [Cluster() for _ in range(max(1, count // NODES_PER_CLUSTER))]
        for cluster in self.clusters[:silent]:
            cluster.silent = True

    @property
    def nodes(self):
        return [node for node in self.engine.containers if node.id in self.engine.nodes]

    @property
    def servers(self):
        return [self.engine, *self.clusters]

    @property
    def requests(self):
        return sum(server.count for server in self.servers)

    @property
    def accepted(self):
        return sum(server.accepted for server in self.servers)

    @property
    def connections(self):
        return sum(len(server.open) for server in self.servers)

    async def serve(self):
        await self.engine.serve()
        for number, kube in enumerate(self.clusters):
            await kube.serve()
            self._add_nodes(f"c{number:02}", kube)

    def _add_nodes(self, cluster, kube):
        control_plane = self.engine.add_node(f"{cluster}-control-plane", cluster, api_port=kube.port)
        control_plane.tree.write("/etc/kubernetes/admin.conf", kube.admin_conf())
        for worker in range(1, self.count // len(self.clusters)):
            self.engine.add_node(f"{cluster}-worker{worker}", cluster, role="worker")

    def close(self):
        for server in self.servers:
            server.close()
