"""A container of the fake engine: its file tree, its state, and what answers at its port."""

import datetime
import hashlib
import io
import json
import pathlib
import posixpath
import tarfile
import time

from http_message import clone
from http_server import Server, reply

FIXTURES = pathlib.Path(__file__).resolve().parents[1] / "fixtures/engine"
INSPECTED = json.loads((FIXTURES / "registry_running.json").read_text())
LISTED = json.loads((FIXTURES / "containers.json").read_text())[0]
ENDPOINT = LISTED["NetworkSettings"]["Networks"]["kind"]
NEVER = "0001-01-01T00:00:00Z"
MODE_DIRECTORY = 1 << 31


def timestamp(ago=0.0):
    moment = datetime.datetime.fromtimestamp(time.time() - ago, datetime.timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f") + "000Z"


def identity(*words):
    return hashlib.sha256(" ".join(str(word) for word in words).encode()).hexdigest()


class Refusal(Exception):
    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


class Tree:
    """Files by absolute path; None is a directory."""

    def __init__(self, **files):
        self.files = {"/": None}
        self.times = {"/": timestamp()}
        for path, data in files.items():
            self.write(path, data)

    def write(self, path, data):
        parent = posixpath.dirname(path)
        if parent not in self.files:
            self.write(parent, None)
        if self.files.get(path, b"") is None and data is not None:
            raise Refusal(400, f"cannot overwrite directory {path} with a file")
        if path not in self.files:
            self.times[parent] = timestamp()
        if data is not None or path not in self.files:
            self.files[path] = data.encode() if isinstance(data, str) else data
            self.times[path] = timestamp()

    def remove(self, path):
        if self.files.pop(path, b"missing") != b"missing":
            self.times[posixpath.dirname(path)] = timestamp()

    def below(self, path):
        return sorted(name for name in self.files if name == path or name.startswith(path.rstrip("/") + "/"))

    def text(self, path):
        data = self.files.get(path)
        return None if data is None else data.decode()

    def stat(self, path):
        data = self.files[path]
        return {
            "name": posixpath.basename(path),
            "size": 4096 if data is None else len(data),
            "mode": MODE_DIRECTORY | 0o755 if data is None else 0o644,
            "mtime": self.times[path],
            "linkTarget": "",
        }

    def pack(self, path):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as tar:
            for name in self.below(path):
                info = tarfile.TarInfo(posixpath.relpath(name, posixpath.dirname(path)))
                data = self.files[name]
                if data is None:
                    info.type, info.mode = tarfile.DIRTYPE, 0o755
                    tar.addfile(info)
                else:
                    info.size = len(data)
                    tar.addfile(info, io.BytesIO(data))
        return out.getvalue()

    def unpack(self, path, packed):
        with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
            for member in tar:
                data = None if member.isdir() else tar.extractfile(member).read()
                self.write(posixpath.normpath(posixpath.join(path, member.name)), data)


class Registry(Server):
    """What answers at the published port of a registry container."""

    def __init__(self, address, engine):
        super().__init__(address, log=engine)
        self.has_answered = False  # since its container was started

    def handle(self, request):
        self.has_answered = True
        return reply({}, Docker_Distribution_Api_Version="registry/2.0")


class Container:
    count = 0

    def __init__(self, name, spec):
        Container.count += 1
        self.id = identity("container", name, Container.count)
        self.name = name
        self.spec = spec
        self.state = "created"
        self.error = ""
        self.exit_code = 0
        self.started = NEVER
        self.finished = NEVER
        self.networks = {}  # name -> {"id", "aliases", "ip", and on one of both families "ipv6"}
        self.tree = Tree()
        self.ports = []  # published, as the list has them
        self.server = None
        self.version = "containerd github.com/containerd/containerd v1.7.18 ae71819c4f5e67bb4d5ae76a6b735f29cc25774e"

    def __getstate__(self):
        """What is kept of it, which is all but who answers at its port."""
        return self.__dict__ | {"server": None}

    @property
    def labels(self):
        return self.spec.get("Labels") or {}

    @property
    def binds(self):
        return self.spec.get("HostConfig", {}).get("Binds") or []

    def is_up(self):
        return self.state in ("running", "paused", "restarting")

    def endpoints(self):
        return {
            name: ENDPOINT
            | {
                "Aliases": network["aliases"],
                "NetworkID": network["id"],
                "IPAddress": network["ip"] if self.state == "running" else "",
                "GlobalIPv6Address": network.get("ipv6", "") if self.state == "running" else "",
            }
            for name, network in self.networks.items()
        }

    def listed(self):
        """As an element of GET /containers/json."""
        document = clone(LISTED) | {
            "Id": self.id,
            "Names": ["/" + self.name],
            "Image": self.spec["Image"],
            "Labels": self.labels,
            "State": self.state,
            "Ports": self.ports if self.is_up() else [],
        }
        document["NetworkSettings"]["Networks"] = self.endpoints()
        return document

    def mounts(self):
        for bind in self.binds:
            source, target = bind.split(":", 1)
            yield {"Type": "bind", "Source": source, "Destination": target, "Mode": "", "RW": True}

    def inspected(self):
        """As GET /containers/ID/json."""
        image, host = self.spec["Image"], self.spec.get("HostConfig", {})
        document = clone(INSPECTED) | {
            "Id": self.id,
            "Name": "/" + self.name,
            "Image": "sha256:" + identity(image),
            "Mounts": list(self.mounts()),
        }
        document["State"] |= {
            "Status": self.state,
            "Running": self.is_up(),
            "Paused": self.state == "paused",
            "Restarting": self.state == "restarting",
            "ExitCode": self.exit_code,
            "Error": self.error,
            "StartedAt": self.started,
            "FinishedAt": self.finished,
        }
        document["HostConfig"] |= {
            "Binds": self.binds,
            "PortBindings": host.get("PortBindings") or {},
            "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0} | (host.get("RestartPolicy") or {}),
        }
        document["Config"] |= {
            "Image": image,
            "Env": (self.spec.get("Env") or []) + ["PATH=/usr/sbin:/usr/bin"],
            "Labels": self.labels,
        }
        document["NetworkSettings"]["Networks"] = self.endpoints()
        return document
