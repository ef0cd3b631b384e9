"""A Docker Engine on a unix socket, as far as the program uses one: containers with a small file
tree, networks, images. Answers have the shape of a real engine's (tests/fixtures/engine). While a
registry container "runs", something answers at the port that it publishes."""

import base64
import json
import re
import time

from fake_container import FIXTURES, Container, Refusal, Registry, identity, timestamp
from http_server import Request, Response, Server, reply

NETWORK = json.loads((FIXTURES / "network_kind.json").read_text())
IMAGE = json.loads((FIXTURES / "image_registry.json").read_text())
CONFIG_TOML = """version = 2
[plugins."io.containerd.grpc.v1.cri".registry]
  config_path = "/etc/containerd/certs.d"
"""
API_VERSION = 41
REMOVAL = "-maxdepth 1 ( -type f -name hosts.toml -o -type d -empty ) -delete".split()


class Engine(Server):
    STATE = ("containers", "networks", "images", "pullable", "execs", "addresses")

    def __init__(self, address):
        super().__init__(address)
        self.containers = []
        self.networks = {}
        self.images = {}  # reference -> how its containers behave: answers, exits, silent, unstartable
        self.pullable = {"registry:2": "answers"}
        self.start_error = "exec format error"  # of an unstartable one
        self.refused_commands = {}  # program -> what it says before it fails
        self.execs = {}
        self.addresses = 1

    def close(self):
        super().close()
        for container in self.containers:
            self._hush(container)

    def tell(self, kind, action, identifier, **attributes):
        now = time.time_ns()
        actor = {"ID": identifier, "Attributes": attributes}
        event = {"Type": kind, "Action": action, "Actor": actor, "scope": "local"}
        self.emit(event | {"time": now // 10**9, "timeNano": now})

    def tell_of(self, container, action, **attributes):
        attributes = {"image": container.spec["Image"], "name": container.name} | container.labels | attributes
        self.tell("container", action, container.id, **attributes)

    def tell_of_network(self, action, name, container):
        attributes = {"container": container.id, "name": name, "type": "bridge"}
        self.tell("network", action, self.networks.get(name, ""), **attributes)

    # ---- the state that tests set up ----

    def restore(self, saved):
        """What ran then answers again at its port."""
        with self.lock:
            for container in self.containers:
                self._hush(container)
            super().restore(saved)
            for container in self.containers:
                if container.state == "running":
                    self._publish(container)

    def add_network(self, name="kind"):
        self.networks[name] = identity("network", name, len(self.requests), time.time_ns())
        self.tell("network", "create", self.networks[name], name=name, type="bridge")

    def stop_container(self, container):
        """As `docker stop` by somebody else."""
        with self.lock:
            self._hush(container)
            container.state, container.exit_code = "exited", 2
            container.finished = timestamp()
        self.tell_of(container, "die", exitCode="2")
        self.tell_of(container, "stop")

    def remove_container(self, container):
        """As `docker rm -f` by somebody else."""
        with self.lock:
            self._hush(container)
            self.containers.remove(container)
        self.tell_of(container, "destroy")

    def add_node(self, name, cluster, role="control-plane", api_port=None, running=True):
        labels = {"io.x-k8s.kind.cluster": cluster, "io.x-k8s.kind.role": role}
        node = Container(name, {"Image": "kindest/node:v1.29.2", "Labels": labels})
        if api_port is not None:
            node.ports = [{"IP": "127.0.0.1", "PrivatePort": 6443, "PublicPort": api_port, "Type": "tcp"}]
        node.tree.write("/etc/containerd/config.toml", CONFIG_TOML)
        node.state = "running" if running else "exited"
        with self.lock:
            self.containers.append(node)
        self.tell_of(node, "start")
        return node

    def add_container(self, name, spec, start=True):
        with self.lock:
            container = Container(name, spec)
            self.containers.append(container)
            if start:
                self._start(container)
        return container

    def find(self, name):
        for container in self.containers:
            if name in (container.name, container.id):
                return container
        return None

    def registries(self):
        """All containers that are no nodes."""
        return [c for c in self.containers if "io.x-k8s.kind.cluster" not in c.labels]

    # ---- requests ----

    def handle(self, request):
        path = request.path
        version = re.match(r"/v1\.(\d+)(?=/)", path)
        if version is not None:
            if int(version[1]) > API_VERSION:
                text = f"client version 1.{version[1]} is too new. Maximum supported API version is 1.{API_VERSION}"
                return reply({"message": text}, 400)
            path = path[version.end() :]
        for method, pattern, handler in ROUTES:
            match = re.fullmatch(pattern, path)
            if match is not None and request.method in method.split():
                try:
                    return handler(self, request, *match.groups())
                except Refusal as refusal:
                    return reply({"message": str(refusal)}, refusal.status)
        self.unexpected.append(str(request))
        return reply({"message": "page not found"}, 404)

    def ping(self, _request):
        return Response(200, b"OK", {"Api-Version": f"1.{API_VERSION}", "Content-Type": "text/plain"})

    def _need(self, name):
        container = self.find(name)
        if container is None:
            raise Refusal(404, f"No such container: {name}")
        return container

    def _need_free_name(self, name):
        taken = self.find(name)
        if taken is not None:
            raise Refusal(
                409,
                f'Conflict. The container name "/{name}" is already in use by container "{taken.id}". '
                "You have to remove (or rename) that container to be able to reuse that name.",
            )

    def events(self, request):
        kinds = json.loads(request.query["filters"])["type"]
        stream = self.open_stream(lambda event: event["Type"] in kinds)
        return Response(200, headers={"Content-Type": "application/json"}, chunks=stream)

    def list(self, _request):
        return reply([container.listed() for container in self.containers])

    def inspect(self, _request, name):
        return reply(self._need(name).inspected())

    def create(self, request):
        name, spec = request.query["name"], request.json()
        self._need_free_name(name)
        if spec["Image"] not in self.images:
            raise Refusal(404, f"No such image: {spec['Image']}")
        container = Container(name, spec)
        container.networks["bridge"] = {"id": identity("network", "bridge"), "aliases": None, "ip": "172.17.0.2"}
        self.containers.append(container)
        self.tell_of(container, "create")
        return reply({"Id": container.id, "Warnings": []}, 201)

    def _hush(self, container):
        if container.server is not None:
            container.server.close()
            container.server = None

    def _publish(self, container):
        bindings = (container.spec.get("HostConfig", {}).get("PortBindings") or {}).get("5000/tcp") or []
        for binding in bindings:
            address = (binding["HostIp"] or "0.0.0.0", int(binding["HostPort"]))
            server = Registry(address, self)
            if self.images.get(container.spec["Image"]) == "silent":
                server.fault("", "close", times=None)
            try:
                container.server = server.up()
            except OSError:
                container.error = (
                    f"driver failed programming external connectivity on endpoint {container.name} "
                    f"({identity('endpoint')}): Error starting userland proxy: listen tcp4 "
                    f"{address[0]}:{address[1]}: bind: address already in use"
                )
                raise Refusal(500, container.error) from None

    def _start(self, container):
        for network in container.networks:
            if network != "bridge" and container.networks[network]["id"] != self.networks.get(network):
                raise Refusal(404, f"network {container.networks[network]['id']} not found")
        behaviour = self.images.get(container.spec["Image"], "answers")
        container.error, container.exit_code = "", 0
        if behaviour == "unstartable":
            container.error = self.start_error
            raise Refusal(500, container.error)
        if behaviour == "exits":
            container.state, container.exit_code = "restarting", 1
            return
        self._publish(container)
        container.state = "running"
        # One that stays silent has been up for long: its time to come up need not be waited for.
        container.started = timestamp(60 if behaviour == "silent" else 0)
        self.tell_of(container, "start")

    def start(self, _request, name):
        container = self._need(name)
        if container.is_up():
            return reply(None, 304)
        self._start(container)
        return reply(None, 204)

    def stop(self, _request, name):
        container = self._need(name)
        if not container.is_up():
            return reply(None, 304)
        self.stop_container(container)
        return reply(None, 204)

    def unpause(self, _request, name):
        container = self._need(name)
        if container.state != "paused":
            raise Refusal(500, f"Container {container.id} is not paused")
        container.state = "running"
        self.tell_of(container, "unpause")
        return reply(None, 204)

    def rename(self, request, name):
        container = self._need(name)
        self._need_free_name(request.query["name"])
        old, container.name = container.name, request.query["name"]
        self.tell_of(container, "rename", oldName="/" + old)
        return reply(None, 204)

    def update(self, request, name):
        self._need(name).spec.setdefault("HostConfig", {}).update(request.json())
        return reply({"Warnings": None})

    def remove(self, _request, name):
        self.remove_container(self._need(name))
        return reply(None, 204)

    def network(self, _request, name):
        if name not in self.networks:
            raise Refusal(404, f"network {name} not found")
        return reply(NETWORK | {"Name": name, "Id": self.networks[name]})

    def connect(self, request, name):
        document = request.json()
        if name not in self.networks:
            raise Refusal(404, f"network {name} not found")
        container = self._need(document["Container"])
        if name in container.networks:
            raise Refusal(403, f"endpoint with name {container.name} already exists in network {name}")
        self.addresses += 1
        container.networks[name] = {
            "id": self.networks[name],
            "aliases": document["EndpointConfig"]["Aliases"] + [container.id[:12]],
            "ip": f"172.18.0.{self.addresses}",
        }
        self.tell_of_network("connect", name, container)
        return reply(None)

    def disconnect(self, request, name):
        container = self._need(request.json()["Container"])
        if container.networks.pop(name, None) is None:
            raise Refusal(500, f"container {container.id} is not connected to network {name}")
        self.tell_of_network("disconnect", name, container)
        return reply(None)

    def image(self, _request, name):
        if name not in self.images:
            raise Refusal(404, f"no such image: {name}: No such image: {name}")
        return reply(IMAGE | {"Id": "sha256:" + identity(name), "RepoTags": [name]})

    def pull(self, request):
        name, tag = request.query["fromImage"], request.query["tag"]
        reference = f"{name}:{tag}"
        if reference not in self.pullable:
            raise Refusal(404, f"manifest for {reference} not found: manifest unknown: manifest unknown")
        self.images[reference] = self.pullable[reference]
        lines = [{"status": f"Pulling from library/{name}", "id": tag}]
        for layer in ("79e9f2f55bf5", "0d96da54f60b"):
            lines.append({"status": "Pulling fs layer", "progressDetail": {}, "id": layer})
            for current in (0, 500000, 1000000):
                detail = {"current": current, "total": 1000000}
                lines.append({"status": "Downloading", "progressDetail": detail, "progress": "[>]", "id": layer})
            lines.append({"status": "Pull complete", "progressDetail": {}, "id": layer})
        lines.append({"status": f"Status: Downloaded newer image for {reference}"})
        chunks = ((json.dumps(line) + "\r\n").encode() for line in lines)
        return Response(200, headers={"Content-Type": "application/json"}, chunks=chunks)

    def archive(self, request: Request, name):
        container, path = self._need(name), request.query["path"].rstrip("/")
        if path not in container.tree.files:
            raise Refusal(404, f"Could not find the file {path} in container {name}")
        if request.method == "PUT":
            if container.tree.files[path] is not None:
                raise Refusal(400, "extraction point is not a directory")
            container.tree.unpack(path, request.body)
            self.tell_of(container, "extract-to-dir", path=path)
            return reply(None)
        stat = base64.b64encode(json.dumps(container.tree.stat(path)).encode()).decode()
        headers = {"X-Docker-Container-Path-Stat": stat, "Content-Type": "application/x-tar"}
        return Response(200, b"" if request.method == "HEAD" else container.tree.pack(path), headers)

    def exec_create(self, request, name):
        container = self._need(name)
        if container.state != "running":
            raise Refusal(409, f"Container {container.id} is not running")
        number = identity("exec", len(self.execs))
        self.execs[number] = [container, request.json()["Cmd"], None]
        return reply({"Id": number}, 201)

    def exec_start(self, _request, number):
        container, command, _ = self.execs[number]
        output, self.execs[number][2] = self._execute(container, command)
        self.tell_of(container, "exec_die", execID=number, exitCode=str(self.execs[number][2]))
        headers = {"Content-Type": "application/vnd.docker.raw-stream"}
        return Response(200, output.encode(), headers, until_close=True)

    def exec_inspect(self, _request, number):
        return reply({"ID": number, "Running": False, "ExitCode": self.execs[number][2]})

    def _execute(self, container, command):
        if command[0] in self.refused_commands:
            return self.refused_commands[command[0]] + "\r\n", 1
        if command == ["containerd", "--version"]:
            return container.version + "\r\n", 0
        if command[0] == "find" and command[-len(REMOVAL) :] == REMOVAL:
            for directory in command[1 : -len(REMOVAL)]:
                container.tree.remove(f"{directory}/hosts.toml")
                if container.tree.below(directory) == [directory]:
                    container.tree.remove(directory)
            return "", 0
        return f"{command[0]}: not found\r\n", 127


ROUTES = [
    ("GET HEAD", "/_ping", Engine.ping),
    ("GET", "/events", Engine.events),
    ("GET", "/containers/json", Engine.list),
    ("POST", "/containers/create", Engine.create),
    ("GET", "/containers/([^/]+)/json", Engine.inspect),
    ("POST", "/containers/([^/]+)/start", Engine.start),
    ("POST", "/containers/([^/]+)/stop", Engine.stop),
    ("POST", "/containers/([^/]+)/unpause", Engine.unpause),
    ("POST", "/containers/([^/]+)/rename", Engine.rename),
    ("POST", "/containers/([^/]+)/update", Engine.update),
    ("DELETE", "/containers/([^/]+)", Engine.remove),
    ("GET HEAD PUT", "/containers/([^/]+)/archive", Engine.archive),
    ("POST", "/containers/([^/]+)/exec", Engine.exec_create),
    ("POST", "/exec/([^/]+)/start", Engine.exec_start),
    ("GET", "/exec/([^/]+)/json", Engine.exec_inspect),
    ("GET", "/networks/([^/]+)", Engine.network),
    ("POST", "/networks/([^/]+)/connect", Engine.connect),
    ("POST", "/networks/([^/]+)/disconnect", Engine.disconnect),
    ("GET", "/images/(.+)/json", Engine.image),
    ("POST", "/images/create", Engine.pull),
]
