"""A Docker Engine as a pure state machine, as far as the program uses one: handle(request) gives the
response. No sockets, no threads; the time comes from the clock that it is given. In which words it
answers is its accent's (accents.py)."""

import base64
import email.utils
import json
import re

from fakes import commands
from fakes.accents import ACCENTS, familiar
from fakes.container import Container, identity, node
from fakes.events import Events
from fakes.files import MODE_DIRECTORY, Refusal
from fakes.message import Response, Stream, reply
from fakes.registry import Storage
from fakes.script import run_script, storage_of

EXECS_MAX = 1000  # that are remembered
LATE_SECONDS = 60  # that one which stays silent has been up: its time to come up need not be waited for
MULTIPLEXED = "application/vnd.docker.multiplexed-stream"
RAW = "application/vnd.docker.raw-stream"


class Engine(Events):
    STATE = ("containers", "networks", "images", "pullable", "execs", "count", "exec_count", "events", "timers")
    STATE += ("stores",)

    def __init__(self, clock, accent="docker-20.10"):
        super().__init__(clock)
        self.accent = ACCENTS[accent]
        self.containers = []
        self.networks = {}  # name -> id
        self.prefix = "172.18"  # of addresses; 127.x, and this machine is on the networks, too
        # Reference -> how its containers behave: answers, exits, silent, unstartable; of a registry that answers,
        # what a push comes to: full, denied (its storage), read-only.
        self.images = {}
        self.pullable = {"registry:2": "answers"}
        self.start_error = "exec format error"  # of an unstartable one
        self.refused_commands = {}  # program -> what it says before it fails
        self.stores = {}  # what is mounted as storage -> what registries have there
        self.execs = {}  # id -> [container, command, exit status, whether it has a terminal]
        self.count = 0  # of what has an id
        self.exec_count = 0
        self.identity = identity("engine")[:36]
        self.security = []  # of /info's SecurityOptions: name=rootless, name=userns, name=selinux
        self.root = "/var/lib/docker"
        self.unexpected = []  # requests that it does not know
        self.program = None  # what runs for an image's own in a script; None: a fake
        self.holds_scripts = False  # one that is started goes on until run_script

    # ---- what others do ----

    def add_network(self, name="kind"):
        self.count += 1
        self.networks[name] = identity("network", name, self.count)
        self.tell_of_network("create", name)

    def remove_network(self, name="kind"):
        """Nobody is on it any more; those that were stopped still refer to it."""
        for container in self.containers:
            if name in container.networks and container.is_up():
                self.detach(container, name)
        self.tell_of_network("destroy", name)
        del self.networks[name]

    def add_node(self, name, cluster, role="control-plane", api_port=None, running=True):
        self.count += 1
        container = node(self.count, name, cluster, role, self.clock)
        if api_port is not None:
            container.publish(6443, api_port)
        self.containers.append(container)
        if "kind" in self.networks:
            container.networks["kind"] = {"id": self.networks["kind"], "aliases": [name], "ip": ""}
        if running:
            self.start_container(container)
        else:
            container.state = "exited"
        return container

    def add_container(self, name, spec, start=True):
        self.count += 1
        container = Container(self.count, name, spec, self.clock)
        self.containers.append(container)
        if start:
            self.start_container(container)
        return container

    def start_container(self, container):
        """As `docker start` by somebody else; may raise Refusal."""
        for name, network in container.networks.items():
            known = self.accent.network_id(name, self.networks[name]) if name in self.networks else None
            if name != self.accent.default_network and self.accent.network_id(name, network["id"]) != known:
                raise Refusal(404, f"network {network['id']} not found")
        behaviour = self.images.get(familiar(container.spec["Image"]), "answers")
        container.error, container.exit_code = "", 0
        if behaviour == "unstartable":
            container.error = self.start_error
            raise Refusal(500, container.error)
        if behaviour == "exits":
            container.state, container.exit_code = "restarting", 1
            return
        if not container.is_node:
            self.publish(container)
        container.runs(LATE_SECONDS if behaviour == "silent" else 0)
        for name in container.networks:
            self._give_address(container, name)
        if container.is_node and "kind" in container.networks:  # as kind's entrypoint notes it
            container.tree.write("/kind/old-ipv4", container.networks["kind"]["ip"])
        self.tell_of(container, "start")
        if container.spec.get("Entrypoint") == ["sh"] and not self.holds_scripts:
            self.run_script(container)

    def run_script(self, container):
        self.end_script(container, *run_script(container, self.program))

    def end_script(self, container, exit_code, log):
        if container.is_up():  # nobody has killed it
            container.log = log
            self.end_container(container, exit_code)

    def end_container(self, container, exit_code):
        """By itself, or killed."""
        container.ends(exit_code)
        self.tell_of(container, "die", exitCode=str(exit_code))
        for waiter in container.waiters:
            waiter.send({"StatusCode": exit_code})
            waiter.put(None)
        container.waiters = []

    def stop_container(self, container):
        """As `docker stop` by somebody else."""
        self.hush(container)
        container.ends()
        for network in container.networks.values():
            network["ip"] = ""
        self.tell_of(container, "die", exitCode="2")
        self.tell_of(container, "stop")

    def begin_removal(self, container):
        """What `docker rm -f` does first: Engine 20.10 then lists it as such for 10 to 50 ms, never as exited."""
        self.hush(container)
        container.ends(137)
        container.state = "removing"
        self.tell_of(container, "kill", signal="9")
        self.tell_of(container, "die", exitCode="137")

    def remove_container(self, container):
        """As `docker rm -f` by somebody else."""
        self.hush(container)
        if container.waiters:
            self.end_container(container, 137)
        self.containers.remove(container)
        self.tell_of(container, "destroy")

    def rename_container(self, container, name):
        old, container.name = container.name, name
        self.tell_of(container, "rename", oldName="/" + old)

    def attach(self, container, name, aliases=None):
        container.networks[name] = {"id": self.networks[name], "aliases": aliases or [container.name], "ip": ""}
        if container.is_up():
            self._give_address(container, name)
        self.tell_of_network("connect", name, container)

    def detach(self, container, name="kind"):
        del container.networks[name]
        self.tell_of_network("disconnect", name, container)

    def _give_address(self, container, name):
        """The lowest that is free, as the real one does it."""
        taken = {other.networks[name]["ip"] for other in self.containers if name in other.networks}
        prefix = "172.17" if name == self.accent.default_network else self.prefix
        if not container.networks[name]["ip"]:
            all_of_them = (f"{prefix}.{n >> 8}.{n & 255}" for n in range(2, 65000))
            container.networks[name]["ip"] = next(address for address in all_of_them if address not in taken)
            container.networks[name]["gateway"] = "127.0.0.1" if prefix.startswith("127.") else "192.0.2.1"

    def find(self, name):
        beginning = name if len(name) >= 12 else " "
        found = (c for c in self.containers if name in (c.name, c.id) or c.id.startswith(beginning))
        return next(found, None)

    def registries(self):
        """All containers that are no nodes."""
        return [container for container in self.containers if not container.is_node]

    # ---- what answers at a container's published ports ----

    def publish(self, container):
        for _, address, port in container.bindings():
            for other in self.containers:
                if other is not container and other.answers and port in other.host_ports():
                    self.refuse_port(container, address, port)
        container.answers = True

    def refuse_port(self, container, address, port):
        container.error = (
            f"driver failed programming external connectivity on endpoint {container.name} ({identity('endpoint')}): "
            f"Error starting userland proxy: listen tcp4 {address}:{port}: bind: address already in use"
        )
        raise Refusal(500, container.error)

    def hush(self, container):
        container.answers = False

    def at_port(self, port):
        """The container that answers at a port of the host, None: nobody does."""
        return next((c for c in self.containers if c.answers and port in c.host_ports()), None)

    def ask_registry(self, container, request):
        """The answer of the registry in a container, None when it stays silent."""
        behaviour = self.images.get(familiar(container.spec["Image"]))
        if behaviour == "silent" or container.state != "running":
            return None
        container.has_answered = True
        environment = dict(variable.split("=", 1) for variable in container.spec.get("Env") or [])
        return self.store_of(container).handle(request, environment, behaviour)

    def store_of(self, container):
        source = storage_of(container) or "/proc/nowhere"
        return self.stores.setdefault(source, Storage(source))

    # ---- requests ----

    def handle(self, request):
        self.tick()
        response = self._answer(request)
        response.headers |= {"Date": email.utils.formatdate(self.clock(), usegmt=True), "Server": self.accent.server}
        return response

    def _answer(self, request):
        path, accent = request.path, self.accent
        version = re.match(r"/v1\.(\d+)(?=/)", path)
        if version is not None:
            number, path = int(version[1]), path[version.end() :]
            if not accent.minimum <= number <= accent.api:
                word, limit = ("new. Maximum", accent.api) if number > accent.api else ("old. Minimum", accent.minimum)
                text = f"client version 1.{number} is too {word} supported API version is 1.{limit}"
                return accent.refusal(400, text)
        if path.endswith(accent.not_served):
            return Response(404, b"Not Found\n", {"Content-Type": "text/plain; charset=utf-8"})
        for methods, pattern, handler in ROUTES:
            match = pattern.fullmatch(path)
            if match is not None and request.method in methods:
                try:
                    return handler(self, request, *match.groups())
                except Refusal as refusal:
                    return accent.refusal(refusal.status, str(refusal))
        self.unexpected.append(str(request))
        return accent.refusal(404, "page not found")

    def _ping(self, _request):
        product, _, version = self.accent.server.partition("/")
        more = {"Libpod-Api-Version": version.partition(" ")[0]} if product == "Libpod" else {}
        return Response(200, b"OK", {"Api-Version": f"1.{self.accent.api}", "Content-Type": "text/plain"} | more)

    def _version(self, _request):
        highest, lowest = f"1.{self.accent.api}", f"1.{self.accent.minimum}"
        return reply({"ApiVersion": highest, "MinAPIVersion": lowest, "Version": self.accent.server})

    def _info(self, _request):
        version = self.accent.server.partition("/")[2].partition(" ")[0]
        info = {"ID": self.identity, "Name": "machine", "OSType": "linux", "OperatingSystem": "Debian GNU/Linux 12"}
        info |= {"ServerVersion": version, "DockerRootDir": self.root}
        return reply(info | {"SecurityOptions": ["name=seccomp,profile=default", *self.security]})

    def _need(self, name):
        container = self.find(name)
        if container is None:
            raise Refusal(404, f"No such container: {name}")
        return container

    def _need_free_name(self, name):
        taken = self.find(name)
        if taken is not None:
            text = f'Conflict. The container name "/{name}" is already in use by container "{taken.id}". '
            raise Refusal(409, f"{text}You have to remove (or rename) that container to be able to reuse that name.")

    def _need_network(self, name):
        for known, identifier in self.networks.items():
            if name in (known, identifier):
                return known
        raise Refusal(404, f"network {name} not found")

    def _list(self, request):
        everything = request.query.get("all") in ("1", "true")
        return reply([self.accent.list_element(c) for c in self.containers if everything or c.state == "running"])

    def _inspect(self, _request, name):
        return reply(self.accent.inspection(self._need(name)))

    def _create(self, request):
        name, spec = request.query["name"], request.json()
        self._need_free_name(name)
        if familiar(spec["Image"]) not in [*self.images, *("sha256:" + identity(image) for image in self.images)]:
            raise Refusal(404, f"No such image: {spec['Image']}")
        container = self.add_container(name, spec, start=False)
        mode = container.host.get("NetworkMode", "default")
        first = self.accent.default_network if mode in ("", "default", "bridge") else self._need_network(mode)
        asked = (spec.get("NetworkingConfig") or {}).get("EndpointsConfig") or {}
        for network in dict.fromkeys([first, *asked]):
            aliases = (asked.get(network) or {}).get("Aliases")
            identifier = self.networks.get(network, identity("network", network))
            aliases = None if network == self.accent.default_network else [*(aliases or []), container.id[:12]]
            container.networks[network] = {"id": identifier, "aliases": aliases, "ip": ""}
        self.tell_of(container, "create")
        return reply({"Id": container.id, "Warnings": []}, 201)

    def _start_or_stop(self, _request, name, action):
        container, starts = self._need(name), action == "start"
        if container.is_up() == starts:
            return reply(None, 304)
        (self.start_container if starts else self.stop_container)(container)
        return reply(None, 204)

    def _wait(self, _request, name):
        container = self._need(name)
        if not container.is_up():
            return reply({"StatusCode": container.exit_code})
        waiter = Stream()
        container.waiters.append(waiter)
        return Response(200, headers={"Content-Type": "application/json"}, chunks=waiter)

    def _logs(self, _request, name):
        return Response(200, self._need(name).log.encode(), {"Content-Type": RAW})

    def _unpause(self, _request, name):
        container = self._need(name)
        if container.state != "paused":
            raise Refusal(500, f"Container {container.id} is not paused")
        container.state = "running"
        self.tell_of(container, "unpause")
        return reply(None, 204)

    def _rename(self, request, name):
        container = self._need(name)
        self._need_free_name(request.query["name"])
        self.rename_container(container, request.query["name"])
        return reply(None, 204)

    def _update(self, request, name):
        self._need(name).spec.setdefault("HostConfig", {}).update(request.json())
        return reply({"Warnings": None})

    def _remove(self, request, name):
        container = self._need(name)
        if container.is_up() and request.query.get("force") not in ("1", "true"):
            raise Refusal(409, f"You cannot remove a running container {container.id}. Stop it, or force remove")
        self.remove_container(container)
        return reply(None, 204)

    def _network(self, _request, name):
        name = self._need_network(name)
        members = {c.id: {"Name": c.name} for c in self.containers if name in c.networks and c.is_up()}
        return reply(self.accent.network | {"Name": name, "Id": self.networks[name], "Containers": members})

    def _connect(self, request, name):
        document, name = request.json(), self._need_network(name)
        container = self._need(document["Container"])
        if name in container.networks:
            raise Refusal(403, f"endpoint with name {container.name} already exists in network {name}")
        aliases = (document.get("EndpointConfig") or {}).get("Aliases") or []
        self.attach(container, name, [*aliases, container.id[:12]])
        return self.accent.done()

    def _disconnect(self, request, name):
        container = self._need(request.json()["Container"])
        known = next((n for n, network in container.networks.items() if name in (n, network["id"])), None)
        if known is None:
            raise Refusal(500, f"container {container.id} is not connected to network {name}")
        self.detach(container, known)
        return self.accent.done()

    def _image(self, _request, name):
        if familiar(name) not in self.images:
            raise Refusal(404, f"No such image: {name}")
        image = {"Id": "sha256:" + identity(familiar(name)), "RepoTags": [self.accent.image_name(familiar(name))]}
        return reply(self.accent.image | image)

    def _pull(self, request):
        name, tag = familiar(request.query["fromImage"]), request.query["tag"]
        reference = f"{name}:{tag}"
        if reference not in self.pullable:
            raise Refusal(404, f"manifest for {reference} not found: manifest unknown: manifest unknown")
        self.images[reference] = self.pullable[reference]
        lines = [{"status": f"Pulling from library/{name}", "id": tag}]
        for layer in ("79e9f2f55bf5", "0d96da54f60b"):
            details = [{"current": current, "total": 1000000} for current in (0, 500000, 1000000)]
            lines.append({"status": "Pulling fs layer", "progressDetail": {}, "id": layer})
            lines += [{"status": "Downloading", "progressDetail": d, "progress": "[>]", "id": layer} for d in details]
            lines.append({"status": "Pull complete", "progressDetail": {}, "id": layer})
        lines.append({"status": f"Status: Downloaded newer image for {reference}"})
        chunks = [(json.dumps(line) + "\r\n").encode() for line in lines]
        return Response(200, headers={"Content-Type": "application/json"}, chunks=chunks)

    # ---- files and commands ----

    def _archive(self, request, name):
        container, path = self._need(name), request.query["path"].rstrip("/") or "/"
        try:  # who plays a user may remove it at any moment
            stat = container.tree.stat(path)
            packed = container.tree.pack(path) if request.method == "GET" else b""
        except KeyError:
            raise Refusal(404, f"Could not find the file {path} in container {name}") from None
        if request.method == "PUT":
            if not stat["mode"] & MODE_DIRECTORY:
                raise Refusal(400, "extraction point is not a directory")
            container.tree.unpack(path, request.body)
            self.tell_of(container, "extract-to-dir", path=path)
            return reply(None)
        stat = base64.b64encode(json.dumps(stat).encode()).decode()
        headers = {"X-Docker-Container-Path-Stat": stat, "Content-Type": "application/x-tar"}
        return Response(200, packed, headers)

    def _exec_create(self, request, name):
        container, document = self._need(name), request.json()
        if container.state != "running":
            raise Refusal(409, f"Container {container.id} is not running")
        self.exec_count += 1
        number = identity("exec", self.exec_count)
        self.execs[number] = [container, document["Cmd"], None, bool(document.get("Tty"))]
        if len(self.execs) > EXECS_MAX:
            del self.execs[next(iter(self.execs))]
        self.tell_of(container, "exec_create: " + " ".join(document["Cmd"]), execID=number)
        return reply({"Id": number}, 201)

    def _need_exec(self, number):
        if number not in self.execs:
            raise Refusal(404, f"No such exec instance: {number}")
        return self.execs[number]

    def _exec_start(self, _request, number):
        container, command, _, tty = self._need_exec(number)
        output, self.execs[number][2] = commands.execute(self, container, command)
        self.tell_of(container, "exec_die", execID=number, exitCode=str(self.execs[number][2]))
        output = output.replace("\n", "\r\n").encode() if tty else output.encode()
        if not tty and output:
            output = bytes([1, 0, 0, 0]) + len(output).to_bytes(4, "big") + output
        return Response(200, output, {"Content-Type": RAW if tty else MULTIPLEXED}, until_close=True)

    def _exec_inspect(self, _request, number):
        return reply({"ID": number, "Running": False, "ExitCode": self._need_exec(number)[2]})


ROUTES = [
    (methods.split(), re.compile(pattern), handler)
    for methods, pattern, handler in [
        ("GET HEAD", "/_ping", Engine._ping),
        ("GET", "/version", Engine._version),
        ("GET", "/info", Engine._info),
        ("GET", "/events", Engine.follow),
        ("GET", "/containers/json", Engine._list),
        ("POST", "/containers/create", Engine._create),
        ("GET", "/containers/([^/]+)/json", Engine._inspect),
        ("POST", "/containers/([^/]+)/(start|stop)", Engine._start_or_stop),
        ("POST", "/containers/([^/]+)/wait", Engine._wait),
        ("GET", "/containers/([^/]+)/logs", Engine._logs),
        ("POST", "/containers/([^/]+)/unpause", Engine._unpause),
        ("POST", "/containers/([^/]+)/rename", Engine._rename),
        ("POST", "/containers/([^/]+)/update", Engine._update),
        ("DELETE", "/containers/([^/]+)", Engine._remove),
        ("GET HEAD PUT", "/containers/([^/]+)/archive", Engine._archive),
        ("POST", "/containers/([^/]+)/exec", Engine._exec_create),
        ("POST", "/exec/([^/]+)/start", Engine._exec_start),
        ("GET", "/exec/([^/]+)/json", Engine._exec_inspect),
        ("GET", "/networks/([^/]+)", Engine._network),
        ("POST", "/networks/([^/]+)/connect", Engine._connect),
        ("POST", "/networks/([^/]+)/disconnect", Engine._disconnect),
        ("GET", "/images/(.+)/json", Engine._image),
        ("POST", "/images/create", Engine._pull),
    ]
]
