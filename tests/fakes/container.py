"""A container of the fake engine: what it was made of, its state, its file tree."""

import hashlib

from fakes.files import Tree, timestamp

NEVER = "0001-01-01T00:00:00Z"
LABEL_CLUSTER, LABEL_ROLE = "io.x-k8s.kind.cluster", "io.x-k8s.kind.role"
CONFIG_TOML = """version = 2
[plugins."io.containerd.grpc.v1.cri".registry]
  config_path = "/etc/containerd/certs.d"
"""
CONTAINERD = "containerd github.com/containerd/containerd v1.7.18 ae71819c4f5e67bb4d5ae76a6b735f29cc25774e"


def identity(*words):
    return hashlib.sha256(" ".join(str(word) for word in words).encode()).hexdigest()


class Container:
    def __init__(self, number, name, spec, clock):
        self.clock = clock
        self.id = identity("container", name, number)
        self.name = name
        self.spec = spec
        self.state = "created"
        self.error = ""
        self.exit_code = 0
        self.created = clock()
        self.started = NEVER
        self.finished = NEVER
        self.networks = {}  # name -> {"id", "aliases", "ip", and on a network of both families "ipv6"}
        self.tree = Tree(clock)
        self.tree.write("/etc", None)
        self.answers = False  # at the ports that it publishes
        self.has_answered = False  # since it was started
        self.version = CONTAINERD
        self.pulled = []  # references of images, into a node
        self.hanging = []  # words of commands that do not end
        self.log = ""
        self.waiters = []  # streams to those who wait for its end
        self.comes_back = True  # containerd, with another configuration
        self.restarts = 0  # of containerd

    @property
    def labels(self):
        return self.spec.get("Labels") or {}

    @property
    def host(self):
        return self.spec.get("HostConfig") or {}

    @property
    def binds(self):
        return self.host.get("Binds") or []

    @property
    def cluster(self):
        return self.labels.get(LABEL_CLUSTER)

    @property
    def is_node(self):
        return self.cluster is not None

    def is_up(self):
        return self.state in ("running", "paused", "restarting")

    def bindings(self):
        """Container port, host address, host port of each."""
        for port, bindings in (self.host.get("PortBindings") or {}).items():
            for binding in bindings or []:
                yield int(port.partition("/")[0]), binding["HostIp"], int(binding["HostPort"])

    def host_ports(self):
        return {host_port for _, _, host_port in self.bindings()}

    def publish(self, port, host_port):
        """As `docker create -p` would have done it."""
        binding = [{"HostIp": "127.0.0.1", "HostPort": str(host_port)}]
        self.spec.setdefault("HostConfig", {})["PortBindings"] = {f"{port}/tcp": binding}

    def runs(self, ago=0.0):
        self.state, self.error, self.exit_code, self.has_answered = "running", "", 0, False
        self.started = timestamp(self.clock() - ago)

    def ends(self, exit_code=2):
        self.state, self.exit_code, self.finished = "exited", exit_code, timestamp(self.clock())


MADE_AGO = 3600  # seconds


def node(number, name, cluster, role, clock):
    """A node of a kind cluster, as kind made it some time ago."""
    spec = {"Image": "kindest/node:v1.29.2", "Labels": {LABEL_CLUSTER: cluster, LABEL_ROLE: role}}
    container = Container(number, name, spec, clock)
    container.created -= MADE_AGO
    container.tree.write("/etc/containerd/config.toml", CONFIG_TOML)
    container.tree.write("/etc/kubernetes/kubelet.conf", "")
    return container
