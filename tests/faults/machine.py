"""A machine that is put back for each case: home directory, fake engine, fake cluster, the program,
and beside what the program makes things that are not its own."""

import base64
import dataclasses
import json
import pathlib
import re
import shutil
import subprocess
import tempfile
import time

from fakes import hostk8s
from fakes.http_faults import STAT
from fakes.kube import MANAGER
from harness import (
    BINARY,
    REGISTRY,
    RESOURCES,
    SANITIZER,
    EngineServer,
    IngressServer,
    KubeServer,
    Process,
    certificates,
    environment_of,
    free_port,
    merged,
    wait_until,
)

OWNER = "io.hostk8s.registryd.owner"
DIGEST = "io.hostk8s.registryd.spec"
MENDS = "io.hostk8s.registryd.mends"  # what a container was made anew for
MANAGED_BY = "app.kubernetes.io/managed-by"
SECRET = "hunter2-of-the-registry"  # an environment value
CERTS = "/etc/containerd/certs.d"
FOREIGN_HOSTS = 'server = "https://registry.example"\n'
NAMESPACE = "namespaces", None, "hostk8s"  # is the program's until it gives it up
MARKER = "docker/registry/v2/repositories/demo/_layers"
VERSION = re.compile(r"^(\w+) /v1\.\d+(?=/)")
OPTIONS = re.compile(
    r"[?&](labelSelector|fieldManager|force|noOverwriteDirNonDir|all|v|since|filters|resourceVersion"
    r"|allowWatchBookmarks|timeoutSeconds)=[^&]*"
)
IDENTITY = re.compile(r"\b[0-9a-f]{64}\b")
LINES_SHOWN = 60  # of an output
RUN_SECONDS = 90  # bounds every run of the program


@dataclasses.dataclass
class Result:
    status: int
    output: str

    def __str__(self):
        """How it ended, and the end of what it said."""
        return f"{self.status}:\n" + "\n".join(self.output.splitlines()[-LINES_SHOWN:])


class Machine:
    def __init__(self, directory):
        self.home = pathlib.Path(tempfile.mkdtemp(dir=directory))
        self.storage = self.home / "registry"
        self.config_file = self.home / "registryd.yaml"
        self._options = ["-c", str(self.config_file), "-l", "debug"]
        self.port, self.other_port = free_port(), free_port()
        self.kube = KubeServer().up()
        self.engine = EngineServer(str(self.home / "docker.sock")).up()
        self.page = IngressServer(self.kube, self.engine).up()
        self.servers = (self.engine, self.kube, self.page)
        (self.home / "run").mkdir(mode=0o700)
        self.status_file = self.home / "run/hostk8s-registryd/status.json"
        self.environment = environment_of(self.home)
        self.config = {
            "registry": {
                "listen": f"127.0.0.1:{self.port}",
                "storage": str(self.storage),
                "environment": {"REGISTRY_HTTP_SECRET": SECRET},
            },
            "nodes": {"aliases": ["localhost:5000", "old.example:5000"]},
            "docker": {"host": f"unix://{self.engine.address}"},
            "ui": {"url": self.page.url},
            "reconcile": {"poll": "1s", "timeout": "10s", "backoff": {"initial": "10ms", "max": "80ms"}},
        }
        self.secrets = [SECRET] + [
            line
            for name in ("client.key", "client.crt")
            for line in (certificates().path / name).read_text().splitlines()
            if "-----" not in line
        ]
        self.secrets += [certificates().base64(name)[:60] for name in ("client.key", "client.crt")]
        self._populate()
        self.bare = self.saved()

    # ---- what is there at the beginning, and put back ----

    def _populate(self):
        engine, kube = self.engine, self.kube
        engine.add_network()
        node = engine.add_node("hostk8s-control-plane", "hostk8s", api_port=kube.port)
        node.tree.write("/etc/kubernetes/admin.conf", kube.admin_conf())
        worker = engine.add_node("hostk8s-worker", "hostk8s", role="worker")
        worker.tree.write(f"{CERTS}/registry.example/hosts.toml", FOREIGN_HOSTS)
        redis = engine.add_container("redis", {"Image": "redis:7", "Labels": {}})
        engine.attach(redis, "kind")
        binds = {"Binds": ["/srv/other:/var/lib/registry"]}
        engine.add_container("other-registry", {"Image": "registry:2", "HostConfig": binds}, start=False)
        engine.images["redis:7"] = "answers"
        for plural, name in (("deployments", "registry-ui"), ("services", "registry-api")):
            kube.add(plural, "default", name, {"spec": {"replicas": 1}})
        kube.add("configmaps", "kube-public", "cluster-info", {"data": {"kubeconfig": "..."}})

    def add_residents(self):
        """What somebody else put into the program's namespace."""
        self.kube.add("configmaps", "hostk8s", "notes", {"data": {"a": "b"}})
        self.kube.add("secrets", "hostk8s", "token", {"data": {"a": "Yg=="}})

    def saved(self):
        return [server.saved() for server in self.servers]

    def restore(self, saved):
        self.settle()
        for server, state in zip(self.servers, saved):
            server.restore(state)
            server.requests.clear()
        self.ids = {}
        self.engine.clock = time.time
        shutil.rmtree(self.storage, ignore_errors=True)

    def fill_storage(self):
        (self.storage / MARKER).parent.mkdir(parents=True)
        (self.storage / MARKER).write_text("an image")

    def settle(self):
        """Faults are over, and so is every request."""
        for server in self.servers:
            server.choose = server.before = None
            server.clear_faults()
        wait_until(self._is_quiet, "all connections end, and nothing is under way")
        wait_until(lambda: all(server.listener for server in self.servers), "both listen")

    def _is_quiet(self):
        for server in self.servers:
            server.end_streams()  # one may have been asked for just now
        registries = [server for servers in self.engine.ports.values() for server in servers]
        return not self.kube.timers and not any(server.connections for server in [*self.servers, *registries])

    # ---- the program ----

    def configure(self, *changes):
        config = self.config
        for change in changes:
            config = merged(config, change)
        self.config_file.write_text(json.dumps(config, indent=1))

    def start(self, *arguments):
        """The program in the background."""
        return Process(self, [*self._options, *arguments], self.environment)

    def wait_ready(self, process):
        def ready():
            status = process.status()
            return status.get("pid") == process.pid and status["ready"] == status["total"] >= RESOURCES

        wait_until(ready, f"all is ready:\n{process.output}")

    def wait_state(self, end, process):
        try:
            wait_until(lambda: self.state() == end, "the end")
        except AssertionError as error:
            raise AssertionError(f"{error}:\n{difference(end, self.state())}\n{process.output}") from None

    def wait_listening(self):
        """The streams are open: the engine's, and the cluster's, which are opened together."""
        self.engine.wait("GET .*/events", answered=True)
        self.kube.wait("GET .*/ingresses.*watch=", answered=True)

    def run(self, *arguments, prefix=()):
        """Runs the program to its end."""
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        options = {"env": self.environment, "text": True, "errors": "replace", "timeout": RUN_SECONDS}
        command = [*prefix, BINARY, *self._options, *arguments]
        result = subprocess.run(command, check=False, **pipes, **options)
        self.check_output(result.stdout)
        return Result(result.returncode, result.stdout)

    def check_output(self, output):
        assert not SANITIZER.search(output), output
        told = [secret for secret in self.secrets if secret in output]
        assert not told, f"secrets {told} in the output:\n{output}"

    # ---- what is asked ----

    def name_of(self, server, request):
        """What a request is on every machine: without ids and ports."""
        place = {self.engine: "engine", self.kube: "kube", self.page: "page"}.get(server, "registry")
        text = OPTIONS.sub("", VERSION.sub(r"\1 ", request.text))
        text = IDENTITY.sub(lambda match: self._container_name(match[0]), text)
        return f"{place} {self._without_ports(text)}"

    def _without_ports(self, text):
        text = text.replace(str(self.port), "PORT").replace(str(self.other_port), "OTHER")
        return text.replace(str(self.page.address[1]), "PAGE")

    @staticmethod
    def body_of(request):
        """What the answer told, of a HEAD what its header did."""
        response = request.response
        if request.method == "HEAD":
            return base64.b64decode(response.headers.get(STAT, "")).decode()
        if response.chunks is not None:
            return "stream"
        return response.body.decode("latin-1")

    def _container_name(self, identity):
        if identity not in self.ids:
            for container in self.engine.containers:
                if container.id not in self.ids:
                    count = sum(name.split("#")[0] == container.name for name in self.ids.values())
                    self.ids[container.id] = container.name + (f"#{count + 1}" if count else "")
            for number, (container, command, *_) in self.engine.execs.items():
                self.ids[number] = f"{command[0]} in {container.name}"
        return self.ids.get(identity, "nobody")

    # ---- what is there ----

    def state(self):
        """All that the program makes, as far as it is the same on every machine and every time."""
        with self.engine.lock, self.kube.lock:
            state = {"images": sorted(self.engine.images), "storage": self.storage.is_dir()}
            registry = self.engine.find(REGISTRY)
            address = registry and registry.networks.get("kind", {}).get("ip")
            for container in self.engine.containers:
                if "io.x-k8s.kind.cluster" in container.labels:
                    for path, content in container.tree.files.items():
                        state[f"{container.name}:{path}"] = None if content is None else content.decode()
                elif OWNER in container.labels:
                    labels = {name: name == DIGEST or value for name, value in container.labels.items() if name != MENDS}
                    state[f"container {container.name}"] = {
                        "spec": container.spec | {"Labels": labels},
                        "state": container.state,
                        "networks": {
                            name: sorted(set(network["aliases"] or []) - {container.id[:12]})
                            for name, network in container.networks.items()
                        },
                        "answers": container.answers,
                    }
            for key, document in self.kube.objects.items():
                if key == NAMESPACE and not self._is_own(document):
                    state["namespace"] = "given up"
                elif self._is_own(document) and "ownerReferences" not in document["metadata"]:
                    state["object " + "/".join(str(part) for part in key)] = self._lasting(document, address)
        text = self._without_ports(json.dumps(state))
        return json.loads(text.replace(str(self.home), "HOME"))

    @staticmethod
    def _lasting(document, address):
        """An object without what the API server counts and numbers; the registry's address has no value."""
        text = json.dumps(document)
        document = json.loads(text.replace(f'"{address}"', '"ADDRESS"') if address else text)
        for varying in ("uid", "resourceVersion", "creationTimestamp", "generation"):
            document["metadata"].pop(varying, None)
        for entry in document["metadata"].get("managedFields", []):
            entry.pop("time")
        document.get("status", {}).pop("observedGeneration", None)
        return document

    @staticmethod
    def _is_own(document):
        return (document["metadata"].get("labels") or {}).get(MANAGED_BY) == MANAGER

    def foreign(self):
        """All that is not the program's, to the last field."""
        with self.engine.lock, self.kube.lock:
            things = {}
            for container in self.engine.containers:
                # One of the registry's name is adopted.
                if OWNER not in container.labels and container.name not in (REGISTRY, f"{REGISTRY}-previous"):
                    things[container.id] = repr(vars(container) | {"tree": None, "clock": None})
                for path, content in container.tree.files.items():
                    own = path.startswith(CERTS) and (content is None or b"hostk8s-registryd" in content[:80])
                    if content is not None and not own:
                        things[f"{container.name}:{path}"] = (content, container.tree.times[path])
            for key, document in self.kube.objects.items():
                if not self._is_own(document) and not hostk8s.is_made_by(document) and key != NAMESPACE:
                    things[key] = repr(document)
            things["networks"] = repr(self.engine.networks)
            return things

    def stored(self):
        """What lies in the storage directory."""
        return {str(path): path.read_text() for path in self.storage.rglob("*") if path.is_file()}


def difference(expected, found):
    """The entries that differ, one a line."""
    lines = []
    for key in sorted(set(expected) | set(found), key=str):
        if expected.get(key) != found.get(key):
            lines.append(f"  {key}:\n    expected {expected.get(key)}\n    found    {found.get(key)}")
    return "\n".join(lines)
