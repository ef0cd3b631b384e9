"""A plain client of the engine, a cluster's API server and the registry, which does what the daemon's log at level
debug shows and nothing else: the yardstick of tests/bench/run. Prints microseconds.

  client.py again LOG     median of the requests of one pass over connections that are there
  client.py fresh LOG     the same with connections of their own, as a process has that just began
  client.py keep LOG      keeps in writes.pickle, beside the configuration, what the writes of a first convergence were
  client.py write         makes those writes, and waits until the registry answers
  client.py await SINCE   how long since that time (Unix, microseconds) it took until the daemon waits for the
                          UI's pod alone: all else is ready

BENCH_CONFIG, KUBECONFIG and DOCKER_HOST say where. Requests that do not depend on each other go side by side:
the engine's list, then what it lists; the files of a node one after the other, as the engine takes them; the
API's groups, then its lists, then the dry runs."""

import base64
import concurrent.futures
import contextlib
import http.client
import json
import os
import pathlib
import pickle
import re
import socket
import ssl
import statistics
import sys
import tempfile
import time
import urllib.parse

REPEATS = 15
SECONDS = 60  # bounds every wait
LOOK = 0.002  # between two looks at what is waited for
APPLY = "application/apply-patch+yaml"
MANAGER = "hostk8s-registryd"
LINE = re.compile(r"debug: http: (\w+) (\S+): (\d+) ")
ADMIN_CONF = "admin.conf"


def managed(value, fields):
    """What of a value a FieldsV1 names: "f:" a member, "k:" an element by its keys; nothing below, all of it."""
    below = {name: child for name, child in fields.items() if name != "."}
    if not below:
        return value
    if isinstance(value, dict):
        return {name[2:]: managed(value[name[2:]], child) for name, child in below.items() if name[2:] in value}
    result = []
    for keys, child in ((json.loads(name[2:]), child) for name, child in below.items()):
        element = next(item for item in value if keys.items() <= item.items())
        result.append(managed(element, child) | keys)
    return result


class Unix(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=SECONDS)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def request(connection, method, path, body=None, content_type="application/json", good=range(200, 300)):
    """The status and the body; a status that is not good is the end."""
    data = json.dumps(body).encode() if isinstance(body, (dict, list)) else body
    connection.request(method, path, data, {"Content-Type": content_type} if data else {})
    answer = connection.getresponse()
    content = answer.read()
    if good is not None and answer.status not in good:
        sys.exit(f"{method} {path}: {answer.status} {content[:300]!r}")
    return answer.status, content


class Client:
    def __init__(self):
        self.config = json.loads(pathlib.Path(os.environ["BENCH_CONFIG"]).read_text())
        self.name = self.config["registry"]["name"]
        self.port = int(self.config["registry"]["listen"].rpartition(":")[2])
        self.credentials = pathlib.Path(os.environ["KUBECONFIG"]).read_text()
        self.pool = concurrent.futures.ThreadPoolExecutor(32)

    def engine(self):
        return Unix(os.environ["DOCKER_HOST"].removeprefix("unix://"))

    def registry(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)

    def api(self):
        def field(name):
            return re.search(rf"{name}: *(\S+)", self.credentials)[1]

        with tempfile.NamedTemporaryFile("wb") as pair:
            pair.write(base64.b64decode(field("client-certificate-data")))
            pair.write(base64.b64decode(field("client-key-data")))
            pair.flush()
            context = ssl.create_default_context(cadata=base64.b64decode(field("certificate-authority-data")).decode())
            context.load_cert_chain(pair.name)
        server = urllib.parse.urlsplit(field("server"))
        return http.client.HTTPSConnection(server.hostname, server.port, context=context, timeout=SECONDS)

    def declared(self, connection, path):
        """The object as the daemon applies it: a client that applied more would leave something to mend."""
        document = json.loads(request(connection, "GET", path)[1])
        fields = next(
            entry["fieldsV1"]
            for entry in document["metadata"]["managedFields"]
            if (entry["manager"], entry["operation"]) == (MANAGER, "Apply")
        )
        result = managed(document, fields)
        names = {name: document["metadata"][name] for name in ("name", "namespace") if name in document["metadata"]}
        return result | {"apiVersion": document["apiVersion"], "kind": document["kind"], "metadata": result.get("metadata", {}) | names}

    def answers(self):
        with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(self.registry()) as connection:
            return request(connection, "GET", "/v2/", good=None)[0] == 200
        return False


# ---- looks ----


class Looks:
    """What a log has between two moments, as chains of requests."""

    def __init__(self, client, log):
        self.client = client
        self.bodies = {}
        found = [(method, path) for method, path, _ in LINE.findall(pathlib.Path(log).read_text())]
        engine = [(method, path) for method, path in found if path.startswith(("/v1.", "/_ping"))]
        api = [(method, path) for method, path in found if path.startswith("/api")]
        files = [look for look in engine if "/archive" in look[1] and ADMIN_CONF not in look[1]]
        self.first = [look for look in engine if look[1].startswith("/_ping") or "/containers/json" in look[1]]
        listed = [look for look in engine if look not in self.first and "/archive" not in look[1]]
        self.listed = [("engine", [look]) for look in listed] + [
            ("registry", [look for look in found if look[0] in ("GET", "POST") and look[1].startswith("/v2/")])
        ]
        nodes = dict.fromkeys(path.partition("/archive")[0] for _, path in files)
        self.nodes = [("engine", [look for look in files if look[1].startswith(node)]) for node in nodes]
        self.admin_conf = [look for look in engine if ADMIN_CONF in look[1]]
        self.groups = [look for look in api if look[1] == "/apis"]
        self.lists = [("api", [look]) for look in api if look[0] == "GET" and look not in self.groups]
        self.dry_runs = [("api", [look]) for look in api if look[0] == "PATCH"]
        connection = client.api()
        for _, [(_, path)] in self.dry_runs:
            self.bodies[path] = client.declared(connection, path.partition("?")[0])
        self.connections = {}

    def _run(self, key, host, chain):
        """A chain over a connection of its own, which is the same for the same key."""
        if key not in self.connections:
            self.connections[key] = getattr(self.client, host)()
        for method, path in chain:
            if method == "POST":
                self._upload(self.connections[key], path)
            else:
                request(self.connections[key], method, path, self.bodies.get(path), APPLY, good=None)  # 404 is an answer

    @staticmethod
    def _upload(connection, path):
        """As the daemon tries a push out: begun, a byte, given up. Each answer says where it goes on."""
        for method, body in (("POST", None), ("PATCH", b"."), ("DELETE", None)):
            connection.request(method, path, body, {"Content-Type": "application/octet-stream"} if body else {})
            answer = connection.getresponse()
            answer.read()
            path = answer.headers["Location"]

    def _beside(self, name, chains):
        return [self.client.pool.submit(self._run, (name, i), *chain) for i, chain in enumerate(chains)]

    def run(self):
        self._run(("listed", 0), "engine", self.first)
        wait(self._beside("listed", self.listed))
        nodes = self._beside("nodes", self.nodes)
        self._run("admin.conf", "engine", self.admin_conf)
        self._run(("api", 0), "api", self.groups)
        wait(self._beside("api", self.lists))
        wait(self._beside("api", self.dry_runs))
        wait(nodes)


def wait(futures):
    for future in futures:
        future.result()


def timed(call):
    start = time.monotonic()
    call()
    return (time.monotonic() - start) * 1e6


def measure_looks(log, fresh):
    looks = Looks(Client(), log)
    looks.run()
    times = []
    for _ in range(REPEATS):
        if fresh:
            looks.connections = {}
        times.append(timed(looks.run))
    return statistics.median(times)


# ---- writes ----


class Writes:
    def __init__(self, client, log):
        engine, api = client.engine(), client.api()
        found = LINE.findall(pathlib.Path(log).read_text())
        inspected = json.loads(request(engine, "GET", f"/containers/{client.name}/json")[1])
        self.spec = {name: inspected["Config"][name] for name in ("Image", "Env", "Labels", "ExposedPorts")}
        self.spec["HostConfig"] = {name: inspected["HostConfig"][name] for name in ("Binds", "PortBindings", "RestartPolicy")}
        self.trees = []
        for path in [path for method, path, _ in found if method == "PUT" and "/archive" in path]:
            where = path.partition("?")[0]
            content = request(engine, "GET", where + "?path=/etc/containerd/certs.d")[1]
            self.trees.append((where + "?path=/etc/containerd", content))
        paths = [path.partition("?")[0] for method, path, _ in found if method == "PATCH" and path.startswith("/api") and "dryRun" not in path]
        self.objects = [(path, client.declared(api, path)) for path in sorted(set(paths), key=len)]  # the namespace first

    def run(self, client):
        registry = client.pool.submit(self._make_registry, client)
        nodes = [client.pool.submit(self._put, client, *tree) for tree in self.trees]
        (namespace, *others) = self.objects
        self._apply(client, *namespace)
        pending = [client.pool.submit(self._apply, client, *other) for other in others]
        wait([registry, *nodes, *pending])

    @staticmethod
    def _put(client, path, tree):
        request(client.engine(), "PUT", path, tree, "application/x-tar")

    @staticmethod
    def _apply(client, path, document):
        request(client.api(), "PATCH", f"{path}?fieldManager={MANAGER}&force=true", document, APPLY)

    def _make_registry(self, client):
        connection = client.engine()
        request(connection, "POST", f"/containers/create?name={client.name}", self.spec)
        request(connection, "POST", f"/containers/{client.name}/start")
        endpoint = {"Container": client.name, "EndpointConfig": {"Aliases": [client.name]}}
        request(connection, "POST", "/networks/kind/connect", endpoint)
        end = time.monotonic() + SECONDS
        while not client.answers():
            assert time.monotonic() < end, "the registry does not answer"
            time.sleep(LOOK)


def await_all_but_the_pod(since):
    status_file = pathlib.Path(os.environ["XDG_RUNTIME_DIR"]) / "hostk8s-registryd/status.json"
    end = time.monotonic() + SECONDS
    while True:
        assert time.monotonic() < end, status_file.read_text()
        with contextlib.suppress(OSError):
            resources = json.loads(status_file.read_text())["resources"]
            waiting = {entry["resource"].split("/")[-3:][0] for entry in resources if entry["ready"] != "True"}
            if len(resources) > len(waiting) + 2 and waiting <= {"Deployment", "route"}:
                return time.time() * 1e6 - since
        time.sleep(LOOK)


def main():
    kept = pathlib.Path(os.environ["BENCH_CONFIG"]).parent / "writes.pickle"
    match sys.argv[1:]:
        case ["again" | "fresh" as which, log]:
            print(f"{measure_looks(log, which == 'fresh'):.0f}")
        case ["keep", log]:
            kept.write_bytes(pickle.dumps(Writes(Client(), log)))
        case ["await", since]:
            print(f"{await_all_but_the_pod(int(since)):.0f}")
        case ["write"]:
            writes, client = pickle.loads(kept.read_bytes()), Client()
            print(f"{timed(lambda: writes.run(client)):.0f}")


if __name__ == "__main__":
    main()
