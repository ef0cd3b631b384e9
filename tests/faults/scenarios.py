"""What is to be converged, one a row: a full convergence, and each repair."""

import dataclasses
import shutil
from collections.abc import Callable

from fakes import hostk8s
from fakes.registry import Storage
from harness import REGISTRY
from machine import CERTS


@dataclasses.dataclass(frozen=True)
class Scenario:
    name: str
    change: Callable = lambda machine: None  # what somebody did to the converged machine
    config: Callable = lambda machine: {}  # what changed in the configuration
    command: tuple = ("apply",)
    bare: bool = False  # nothing is there yet


def registry(machine):
    return machine.engine.find(REGISTRY)


def rename(machine):
    registry(machine).name = "mine"


def disown(machine):
    registry(machine).spec["Labels"] = {}


def pause(machine):
    registry(machine).state = "paused"


def change_restart_policy(machine):
    registry(machine).spec["HostConfig"]["RestartPolicy"] = {"Name": "no"}


def remove_with_image(machine):
    machine.engine.remove_container(registry(machine))
    del machine.engine.images["registry:2"]


def offer_another_image(machine):
    machine.engine.pullable["registry:3"] = "answers"


def detach(machine):
    del registry(machine).networks["kind"]


def readdress(machine):
    registry(machine).networks["kind"]["ip"] = "172.18.0.77"


def hosts(machine):
    return machine.engine.find("hostk8s-worker").tree, f"{CERTS}/localhost:5000/hosts.toml"


def delete_file(machine):
    tree, path = hosts(machine)
    tree.remove(path)


def edit_file(machine):
    tree, path = hosts(machine)
    tree.write(path, tree.text(path).replace("pull", "push"))


def remove_directory(machine):
    tree, path = hosts(machine)
    tree.remove(path)
    tree.remove(path.rpartition("/")[0])


def delete_namespace(machine):
    machine.kube.remove_namespace("hostk8s")


def make_hostk8s(machine):
    """As if HostK8s had been there before, but for the namespace."""
    home = machine.kube.get("namespaces", "hostk8s")
    delete_namespace(machine)
    machine.kube.remove("configmaps", "local-registry-hosting", "kube-public")
    machine.kube.add("namespaces", None, "hostk8s", home)
    hostk8s.apply(machine.kube)


def push(store):
    """What the tags of a storage reach, and gc leaves."""
    children = [store.image("app", seed) for seed in ("amd64", "arm64")]
    image = store.index("app", children, "1")
    store.image("app", "signature", subject=image)
    store.image("app", "latest", "latest", shared=["base"])
    store.image("team/app", "a", "1", shared=["base"])


def push_more(machine):
    """And what gc frees."""
    shutil.rmtree(machine.storage)
    store = Storage(machine.storage)
    push(store)
    store.image("app", "former", shared=["base"])


def relabel(document):
    document["metadata"]["labels"]["app.kubernetes.io/part-of"] = "something"


OBJECTS = [  # plural, namespace, name, how somebody edits it
    ("configmaps", "kube-public", "local-registry-hosting", lambda document: document["data"].clear()),
    ("deployments", "hostk8s", "registry-ui", lambda document: document["spec"].update(replicas=3)),
    ("services", "hostk8s", "registry-ui", lambda document: document["spec"]["ports"][0].update(targetPort=81)),
    ("services", "hostk8s", "registry-api", relabel),
    ("endpointslices", "hostk8s", "registry-api", lambda document: document["ports"][0].update(name="web")),
    ("ingresses", "hostk8s", "registry-ui", lambda document: document["spec"].update(ingressClassName="other")),
    ("configmaps", "hostk8s", "registry-ui", lambda document: document["data"].clear()),
]


def of_object(plural, namespace, name, edit):
    title = f"{plural}/{name}"
    yield Scenario(f"{title} deleted", lambda machine: machine.kube.remove(plural, name, namespace))
    yield Scenario(f"{title} edited", lambda machine: machine.kube.change(plural, name, edit, namespace))


EMPTY = Scenario("empty machine", bare=True)
NOTHING = Scenario("nothing to do")
RECREATE = Scenario(
    "port changed", config=lambda machine: {"registry": {"listen": f"127.0.0.1:{machine.other_port}"}}
)
ADOPTION = Scenario("port changed of an adopted one", disown, RECREATE.config)
GC = Scenario("gc", push_more, command=("gc", "--yes"))

SCENARIOS = [
    EMPTY,
    NOTHING,
    RECREATE,
    ADOPTION,
    Scenario("image changed", offer_another_image, lambda machine: {"registry": {"image": "registry:3"}}),
    Scenario("container and image removed", remove_with_image),
    Scenario("container stopped", lambda machine: machine.engine.stop_container(registry(machine))),
    Scenario("container removed", lambda machine: machine.engine.remove_container(registry(machine))),
    Scenario("container renamed away", rename),
    Scenario("container paused", pause),
    Scenario("restart policy changed", change_restart_policy),
    Scenario("network detached", detach),
    Scenario("address changed", readdress),
    Scenario("hosts.toml deleted", delete_file),
    Scenario("hosts.toml edited", edit_file),
    Scenario("directory removed", remove_directory),
    Scenario("alias dropped", config=lambda machine: {"nodes": {"aliases": ["localhost:5000"]}}),
    Scenario("namespace deleted", delete_namespace),
    Scenario("namespace edited", lambda machine: machine.kube.change("namespaces", "hostk8s", relabel)),
    *(scenario for row in OBJECTS for scenario in of_object(*row)),
    Scenario("objects of HostK8s", make_hostk8s),
    Scenario("UI disabled", config=lambda machine: {"ui": {"enabled": False}}),
    Scenario("teardown", command=("teardown", "--yes")),
    GC,
]
