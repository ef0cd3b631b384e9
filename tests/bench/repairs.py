"""repairs.py CLUSTER PID: how long the running daemon (PID) takes to repair what is
broken behind its back, and how long a plain client takes for the same calls while the daemon is stopped
in its tracks. One line for each repair: name, median and maximum of the daemon, median of the client, in
milliseconds, and what tells the daemon of it ("event", "poll"), tab-separated. From the answer to the call that breaks it to the first look that finds it
right again; what is right already then took 0. ONLY=PART measures those whose name has it."""

import contextlib
import dataclasses
import io
import json
import os
import pathlib
import signal
import statistics
import sys
import tarfile
import time
import urllib.parse

from client import APPLY, MANAGER, SECONDS, Client, request

FILES = 5  # that the daemon looks at in a node: containerd's configuration, and one for each of its names
REPEATS = 7  # more in a row would be contention
REPEATS_SLOW = 3  # of what waits for a poll
LOOK = 0.005  # between two looks, which cost those who are watched
SETTLE = 0.7  # for what a repair sets off: a daemon in the middle of a pass would be measured otherwise


class Bench(Client):
    def __init__(self, cluster, pid):
        super().__init__()
        self.pid = int(pid)
        self.is_stopped = False
        self.worker = f"{cluster}-worker"
        self.engine_connection = self.engine()
        self.api_connection = self.api()
        self.files = f"/containers/{self.worker}/archive?path=/etc/containerd"
        self.hosts = f"certs.d/localhost:{self.port}/hosts.toml"
        self.find_worker()

    # ---- the daemon ----

    @contextlib.contextmanager
    def stopped(self):
        """What is done meanwhile the daemon finds when it goes on."""
        os.kill(self.pid, signal.SIGSTOP)
        self.is_stopped = True
        try:
            yield
        finally:
            self.is_stopped = False
            os.kill(self.pid, signal.SIGCONT)

    def ready(self):
        status = json.loads((pathlib.Path(os.environ["XDG_RUNTIME_DIR"]) / "hostk8s-registryd/status.json").read_text())
        return status["ready"] == status["total"]

    def settle(self):
        self.wait(self.ready)
        time.sleep(SETTLE)

    # ---- looks ----

    def wait(self, condition):
        """Milliseconds until the condition holds."""
        start = time.monotonic()
        while not condition():
            if time.monotonic() - start > SECONDS:
                sys.exit(f"not repaired within {SECONDS} s")
            time.sleep(LOOK)
        return (time.monotonic() - start) * 1000

    def answers(self):
        # A connection before that would wait for an address that does not answer yet, and all others with it.
        filters = urllib.parse.quote(json.dumps({"name": [f"^/{self.name}$"], "status": ["running"]}))
        if not json.loads(request(self.engine_connection, "GET", f"/containers/json?filters={filters}")[1]):
            return False
        return super().answers()

    def is_attached(self):
        status, content = request(self.engine_connection, "GET", f"/containers/{self.name}/json", good=None)
        networks = json.loads(content)["NetworkSettings"]["Networks"] if status == 200 else {}
        return bool(networks.get("kind", {}).get("IPAddress"))

    def find_worker(self):
        worker = json.loads(request(self.engine_connection, "GET", f"/containers/{self.worker}/json")[1])
        self.hosts_file = pathlib.Path(f"/proc/{worker['State']['Pid']}/root/etc/containerd", self.hosts)

    def has_hosts(self, text):
        """Looks without the engine: the daemon would have to wait for that."""
        try:
            return self.hosts_file.read_bytes() == text
        except OSError:
            self.find_worker()
            return False

    def get(self, path):
        status, content = request(self.api_connection, "GET", path, good=None)
        return json.loads(content) if status == 200 else None

    # ---- what a plain client does ----

    def run(self, command):
        number = json.loads(request(self.engine_connection, "POST", f"/containers/{self.worker}/exec", {"Cmd": command})[1])["Id"]
        request(self.engine_connection, "POST", f"/exec/{number}/start", {"Detach": False})

    def put_hosts(self, tar):
        """As an observation and its repair: a look at each file, the tree, the new content."""
        for _ in range(FILES):
            request(self.engine_connection, "HEAD", f"{self.files}/{self.hosts}")
        request(self.engine_connection, "GET", self.files)
        request(self.engine_connection, "PUT", self.files, tar, "application/x-tar")

    def apply(self, path, document):
        request(self.api_connection, "PATCH", f"{path}?fieldManager={MANAGER}&force=true", document, APPLY)


@dataclasses.dataclass
class Repair:
    name: str
    damage: object
    is_right: object
    plain: object  # the same by a plain client
    plain_needs_damage: bool = True
    told_by: str = "event"

    @property
    def repeats(self):
        return REPEATS if self.told_by == "event" else REPEATS_SLOW


def repairs(bench):
    inspected = json.loads(request(bench.engine_connection, "GET", f"/containers/{bench.name}/json")[1])
    spec = {name: inspected["Config"][name] for name in ("Image", "Env", "Labels", "ExposedPorts")}
    spec["HostConfig"] = {name: inspected["HostConfig"][name] for name in ("Binds", "PortBindings", "RestartPolicy")}
    endpoint = {"Container": bench.name, "EndpointConfig": {"Aliases": [bench.name]}}
    ingress = "/apis/networking.k8s.io/v1/namespaces/hostk8s/ingresses/registry-ui"
    deployment = "/apis/apps/v1/namespaces/hostk8s/deployments/registry-ui"
    tree = request(bench.engine_connection, "GET", bench.files + "/certs.d")[1]
    with tarfile.open(fileobj=io.BytesIO(tree)) as archive:
        good = archive.extractfile(bench.hosts).read()
    edited = good.replace(b"http", b"xxxx")
    edited_tree = tree.replace(good, edited)

    def connect():
        request(bench.engine_connection, "POST", "/networks/kind/connect", endpoint)

    def make_registry():
        request(bench.engine_connection, "POST", f"/containers/create?name={bench.name}", spec)
        request(bench.engine_connection, "POST", f"/containers/{bench.name}/start")
        connect()
        bench.wait(bench.answers)

    def remove_registry():
        request(bench.engine_connection, "DELETE", f"/containers/{bench.name}?force=1")

    def disconnect():
        request(bench.engine_connection, "POST", "/networks/kind/disconnect", {"Container": bench.name})

    def edit_hosts():
        bench.run(["sed", "-i", "s/http/xxxx/", f"/etc/containerd/{bench.hosts}"])

    def edit_hosts_silently():
        bench.find_worker()
        bench.hosts_file.write_bytes(edited)

    def start_worker():
        request(bench.engine_connection, "POST", f"/containers/{bench.worker}/kill")
        request(bench.engine_connection, "POST", f"/containers/{bench.worker}/wait")
        if not bench.is_stopped:
            bench.wait(lambda: not bench.ready())
        request(bench.engine_connection, "PUT", bench.files, edited_tree, "application/x-tar")
        request(bench.engine_connection, "POST", f"/containers/{bench.worker}/start")

    def edit_deployment():  # as `kubectl rollout pause`: nothing that would start pods beside what is measured
        request(bench.api_connection, "PATCH", deployment, {"spec": {"paused": True}}, "application/merge-patch+json")

    def is_edited_back():
        return not bench.get(deployment)["spec"].get("paused")

    declared = {path: bench.declared(bench.api_connection, path) for path in (ingress, deployment)}
    declared[deployment]["spec"]["paused"] = False  # which the API server leaves out of its answers

    def delete_ingress():
        request(bench.api_connection, "DELETE", ingress)

    def put_hosts():
        bench.put_hosts(tree)

    return [
        Repair("registry removed", remove_registry, bench.answers, make_registry),
        Repair("network detached", disconnect, bench.is_attached, connect),
        Repair("Ingress deleted", delete_ingress, lambda: bench.get(ingress), lambda: bench.apply(ingress, declared[ingress])),
        Repair("Deployment edited", edit_deployment, is_edited_back, lambda: bench.apply(deployment, declared[deployment])),
        Repair("hosts.toml edited by docker exec", edit_hosts, lambda: bench.has_hosts(good), put_hosts),
        Repair("worker started, hosts.toml edited meanwhile", start_worker, lambda: bench.has_hosts(good), put_hosts),
        Repair("hosts.toml edited from inside", edit_hosts_silently, lambda: bench.has_hosts(good), put_hosts, False, "poll"),
    ]


def timed(call):
    start = time.monotonic()
    call()
    return (time.monotonic() - start) * 1000


def measure(bench, repair):
    daemon, client = [], []
    for _ in range(repair.repeats):
        bench.settle()
        with bench.stopped():
            if repair.plain_needs_damage:
                repair.damage()
            client.append(timed(repair.plain))
        bench.settle()
        repair.damage()
        daemon.append(bench.wait(repair.is_right))
    numbers = [statistics.median(daemon), max(daemon), statistics.median(client)]
    print("\t".join([repair.name, *(f"{number:.1f}" for number in numbers), repair.told_by]), flush=True)


def main():
    bench = Bench(*sys.argv[1:])
    only = os.environ.get("ONLY", "")
    for repair in repairs(bench):
        if only in repair.name:
            measure(bench, repair)


main()
