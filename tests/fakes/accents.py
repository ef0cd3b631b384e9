"""How engines speak: the answers of each begin as a recorded one of it and differ from what was sent
where it differs. The last ones are none that is known: each does one thing that an engine may do."""

import dataclasses
import datetime
import json
import pathlib
from collections.abc import Callable

from fakes.container import NEVER, identity
from fakes.files import timestamp
from fakes.message import Response, reply

FIXTURES = pathlib.Path(__file__).resolve().parents[1] / "fixtures"
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def recorded(name):
    return json.loads((FIXTURES / name).read_text())


def same(value):
    return value


def normalized(image):
    """As podman stores an image's name."""
    first, slash, _ = image.partition("/")
    if not slash:
        return f"docker.io/library/{image}"
    return image if "." in first or ":" in first or first == "localhost" else f"docker.io/{image}"


def familiar(image):
    """The same name for all spellings of it."""
    return image.removeprefix("docker.io/").removeprefix("library/")


def docker_event(event, _container):
    actor = event["Actor"]
    if event["Type"] == "container":
        event |= {"status": event["Action"], "id": actor["ID"], "from": actor["Attributes"]["image"]}
    return event


PODMAN_ACTIONS = {"destroy": "remove", "die": "died", "exec_die": "exec_died"}


def podman_event(event, container):
    """None where it says nothing. Of a network it names the container alone."""
    if container is None or event["Action"] == "extract-to-dir":
        return None
    attributes = {"containerExitCode": "0", "image": normalized(container.spec["Image"]), "podId": ""}
    if event["Type"] == "network":
        attributes |= {"image": "", "name": container.name}
    else:
        attributes = event["Actor"]["Attributes"] | attributes
    action = PODMAN_ACTIONS.get(event["Action"], event["Action"])
    actor = {"ID": container.id, "Attributes": attributes}
    whence = {"from": attributes["image"]} if event["Type"] == "container" else {}
    return event | {"Action": action, "status": action, "id": container.id, "Actor": actor} | whence


def podman_5_event(event, container):
    """It names the network beside the container (libpod/events.go, newNetworkEvent)."""
    network = event["Actor"]["Attributes"]["name"]
    told = podman_event(event, container)
    if told is not None and told["Type"] == "network":
        told["Actor"]["Attributes"]["network"] = network
    return told


def docker_refusal(status, message):
    return reply({"message": message}, status)


def podman_refusal(status, message):
    return reply({"cause": message.rpartition(": ")[2], "message": message, "response": status}, status)


def docker_environment(environment):
    return environment + ([] if any(entry.startswith("PATH=") for entry in environment) else [PATH])


def podman_environment(environment):
    return [PATH, "TERM=xterm", "container=podman", *environment]


def podman_bind(bind):
    source, target, *options = bind.split(":")
    access = "ro" if "ro" in "".join(options).split(",") else "rw"
    return f"{source}:{target}:{access},rprivate,rbind"


# ---- what no engine is known to do ----


def move_source(document):
    for mount in document["Mounts"]:
        mount["Source"] = "/host_mnt" + mount["Source"]
    if "Binds" in document["HostConfig"]:
        document["HostConfig"]["Binds"] = ["/host_mnt" + bind for bind in document["HostConfig"]["Binds"] or []]


def drop_labels(document):
    if "io.x-k8s.kind.cluster" not in (document.get("Labels") or {}):
        document["Labels"] = {}
        if "Config" in document:
            document["Config"]["Labels"] = {}


def move_host_ip(document):
    bindings = document["HostConfig"].get("PortBindings") or {}
    document["HostConfig"]["PortBindings"] = {
        port: [binding | {"HostIp": "0.0.0.0"} for binding in list_] for port, list_ in bindings.items()
    }


def nulls(document):
    for part, names in {
        "HostConfig": ("Binds", "PortBindings", "RestartPolicy"),
        "Config": ("Env", "ExposedPorts", "Volumes"),
        "NetworkSettings": ("Ports",),
    }.items():
        for name in names:
            if name in document.get(part, {}):
                document[part][name] = None
    document["Mounts"] = None


@dataclasses.dataclass(frozen=True)
class Accent:
    inspect: dict
    listed: dict
    image: dict
    network: dict
    server: str = "Docker/20.10.24 (linux)"
    api: int = 41  # the highest version, 1.41
    minimum: int = 12
    default_network: str = "bridge"
    zone: int = 0  # hours, of the times that it tells
    image_name: Callable = same  # in inspect and list
    bind: Callable = same  # in HostConfig.Binds
    environment: Callable = docker_environment
    event: Callable = docker_event
    refusal: Callable = docker_refusal
    not_served: tuple = ()  # the ends of paths
    done: Callable = lambda: reply(None)  # the answer to connect and disconnect
    network_id: Callable = lambda name, identifier: identifier  # of an endpoint
    lists_aliases: bool = False
    ports_of_stopped: bool = False
    change: Callable = lambda document: None  # of inspect and of an element of the list

    # ---- what is said of a container ----

    def shows_ports(self, container):
        return container.is_up() or self.ports_of_stopped

    def endpoints(self, container, with_aliases):
        template = self.listed["NetworkSettings"]["Networks"]
        template = next(iter(template.values()))
        up = container.state in ("running", "paused")
        return {
            name: template
            | {
                "Aliases": network["aliases"] if with_aliases else None,
                "NetworkID": self.network_id(name, network["id"]),
                "EndpointID": identity("endpoint", container.id, name) if up else "",
                "IPAddress": network["ip"] if up else "",
                "Gateway": network.get("gateway", "") if up else "",
                "GlobalIPv6Address": network.get("ipv6", "") if up else "",
            }
            for name, network in container.networks.items()
        }

    def mounts(self, container):
        for bind in container.binds:
            source, target, *options = bind.split(":")
            mode = "".join(options)
            yield self._mount(source, target) | {"Mode": mode, "RW": "ro" not in mode.split(",")}
        for mount in container.host.get("Mounts") or []:
            yield self._mount(mount["Source"], mount["Target"]) | {"RW": not mount.get("ReadOnly", False)}

    @staticmethod
    def _mount(source, target):
        return {"Type": "bind", "Source": source, "Destination": target, "Mode": "", "Propagation": "rprivate"}

    def list_element(self, container):
        document = self.listed | {
            "Id": container.id,
            "Names": ["/" + container.name],
            "Image": self.image_name(container.spec["Image"]),
            "ImageID": "sha256:" + identity(familiar(container.spec["Image"])),
            "Created": int(container.created),
            "Labels": dict(container.labels),
            "State": container.state,
            "Mounts": list(self.mounts(container)),
            "HostConfig": {"NetworkMode": container.host.get("NetworkMode", "default")},
            "NetworkSettings": {"Networks": self.endpoints(container, self.lists_aliases)},
            "Ports": [
                {"IP": address or "0.0.0.0", "PrivatePort": port, "PublicPort": host_port, "Type": "tcp"}
                for port, address, host_port in container.bindings()
                if self.shows_ports(container)
            ],
        }
        self.change(document)
        return document

    def inspection(self, container):
        template, host, spec = self.inspect, container.host, container.spec
        policy = {"Name": "no", "MaximumRetryCount": 0} | (host.get("RestartPolicy") or {})
        document = template | {
            "Id": container.id,
            "Name": "/" + container.name,
            "Created": timestamp(container.created, self.zone),
            "Image": "sha256:" + identity(familiar(spec["Image"])),
            "Mounts": list(self.mounts(container)),
        }
        document["State"] = template["State"] | {
            "Status": container.state,
            "Running": container.is_up(),
            "Paused": container.state == "paused",
            "Restarting": container.state == "restarting",
            "ExitCode": container.exit_code,
            "Error": container.error,
            "StartedAt": self.moved(container.started),
            "FinishedAt": self.moved(container.finished),
        }
        document["HostConfig"] = template["HostConfig"] | {
            "Binds": [self.bind(bind) for bind in container.binds],
            "Mounts": host.get("Mounts") or [],
            "NetworkMode": host.get("NetworkMode", template["HostConfig"]["NetworkMode"]),
            "PortBindings": host.get("PortBindings") or {},
            "RestartPolicy": policy,
        }
        document["Config"] = template["Config"] | {
            "Hostname": container.id[:12],
            "Image": self.image_name(spec["Image"]),
            "Env": self.environment(spec.get("Env") or []),
            "Labels": dict(container.labels),
        }
        document["NetworkSettings"] = template["NetworkSettings"] | {
            "Ports": (host.get("PortBindings") or {}) if self.shows_ports(container) else {},
            "Networks": self.endpoints(container, True),
        }
        self.change(document)
        return document

    def moved(self, time):
        """The same time in the engine's zone."""
        if time == NEVER or not self.zone:
            return time
        zone = datetime.timezone(datetime.timedelta(hours=self.zone))
        moment = datetime.datetime.fromisoformat(time[:19] + "+00:00").astimezone(zone).isoformat()
        return moment[:19] + time[19:-1] + moment[19:]


def podman_done():
    return Response(200, b"OK\n", {"Content-Type": "text/plain; charset=utf-8"})


DOCKER_20 = Accent(
    inspect=recorded("engine/registry_running.json"),
    listed=recorded("engine/containers.json")[0],
    image=recorded("engine/image_registry.json"),
    network=recorded("engine/network_kind.json"),
)
DOCKER_28 = dataclasses.replace(
    DOCKER_20,
    inspect=recorded("engine-28.5.2/inspect.json"),
    listed=recorded("engine-28.5.2/list.json")[0],
    image=recorded("engine-28.5.2/image.json"),
    server="Docker/28.5.2 (linux)",
    api=51,
    minimum=24,
)
PODMAN_4 = Accent(
    inspect=recorded("podman-4.3.1/inspect.json"),
    listed=recorded("podman-4.3.1/list.json")[0],
    image=recorded("podman-4.3.1/image.json"),
    network=recorded("podman-4.3.1/network.json"),
    server="Libpod/4.3.1 (linux)",
    minimum=24,
    default_network="podman",
    zone=1,
    image_name=normalized,
    bind=podman_bind,
    environment=podman_environment,
    event=podman_event,
    refusal=podman_refusal,
    not_served=("/update",),
    done=podman_done,
    network_id=lambda name, _identifier: name,
    lists_aliases=True,
    ports_of_stopped=True,
)
PODMAN_5 = dataclasses.replace(PODMAN_4, server="Libpod/5.4.2 (linux)", event=podman_5_event)
ACCENTS = {
    "docker-20.10": DOCKER_20,
    "docker-28.5": DOCKER_28,
    "podman-4.3": PODMAN_4,
    "podman-5.4": PODMAN_5,
    "moved source": dataclasses.replace(DOCKER_28, change=move_source),
    "no labels": dataclasses.replace(DOCKER_28, change=drop_labels),
    "other host address": dataclasses.replace(DOCKER_28, change=move_host_ip),
    "shuffled environment": dataclasses.replace(DOCKER_28, environment=lambda e: docker_environment(e)[::-1]),
    "nulls": dataclasses.replace(DOCKER_28, change=nulls),
}
