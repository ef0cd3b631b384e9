"""What happens to a simulated machine: changes that others make, and that all is well again."""

import copy

from fakes.accents import ACCENTS
from world import CERTS, MARKS, MANAGER, is_own

REGISTRY = "hostk8s-registry"
CLUSTER, WORKER, SECOND = "hostk8s", "hostk8s-worker", "second"
BASE = {
    "registry": {"listen": "127.0.0.1:5002", "image": "registry:2"},
    "clusters": ["hostk8s"],
    "docker": {"host": "unix:///sim/docker.sock"},
}
OPTIONS = [  # path, values
    ("registry.listen", ["127.0.0.1:5002", "127.0.0.1:5003"]),
    ("registry.image", ["registry:2", "registry:3", "docker.io/library/registry:2"]),
    ("registry.restart", ["always", "unless-stopped", "no"]),
    ("registry.delete", [True, False]),
    ("registry.environment", [{}, {"REGISTRY_LOG_LEVEL": "debug"}, {"B": "1", "A": "2"}]),
    ("clusters", [["hostk8s"], ["*"], ["hostk8s", "second*"]]),
    ("nodes.aliases", [["localhost:5000"], [], ["localhost:5000", "registry.local:80"]]),
    ("nodes.skipVerify", [True, False]),
    ("ui.enabled", [True, True, False]),
    ("ui.replicas", [1, 2]),
    ("ui.title", ["HostK8s Registry", "Another"]),
    ("ui.path", ["/registry/", "/images/", "/"]),
    ("ui.check", [True, True, False]),
]
WRONG = {"registry": {"image": "registry:crash"}}  # does not come up


def configuration(random, storage, accent):
    """Without what the engine does not serve: it would be told, and stay so."""
    config = copy.deepcopy(BASE)
    config["registry"]["storage"] = str(storage)
    for path, values in OPTIONS:
        if random.random() < 0.3 and not (path == "registry.restart" and "/update" in ACCENTS[accent].not_served):
            *sections, name = path.split(".")
            section = config
            for part in sections:
                section = section.setdefault(part, {})
            section[name] = random.choice(values)
    return config


# ---- changes: each of (world, random) ----


def registry(world):
    return world.engine.find(REGISTRY)


def stop_registry(world, _random):
    if registry(world) and registry(world).is_up():
        world.engine.stop_container(registry(world))


def pause_registry(world, _random):
    if registry(world) and registry(world).state == "running":
        registry(world).state = "paused"  # not told


def remove_registry(world, _random):
    if registry(world):
        world.engine.remove_container(registry(world))


def rename_registry(world, _random):
    if registry(world) and world.engine.find("elsewhere") is None:
        world.engine.rename_container(registry(world), "elsewhere")


def detach_registry(world, _random):
    if registry(world) and "kind" in registry(world).networks:
        world.engine.detach(registry(world))


def renew_network(world, _random):
    world.engine.remove_network()
    world.engine.add_network()


def restart_engine(world, random):
    """Whoever comes up first has the lowest address."""
    engine, up = world.engine, [c for c in world.engine.containers if c.is_up()]
    engine.end_streams()
    for container in up:
        engine.stop_container(container)
    for container in random.sample(up, len(up)):
        start(world, container)


def start(world, container):
    if "kind" in container.networks and container.networks["kind"]["id"] != world.engine.networks.get("kind"):
        world.engine.detach(container)
    if container.is_node and "kind" not in container.networks:
        world.engine.attach(container, "kind")
    if not container.is_up() and world.engine.images.get(container.spec["Image"]) != "exits":
        ports = container.host_ports()
        if not any(ports & c.host_ports() for c in world.engine.containers if c.answers):
            world.engine.start_container(container)


def edit_hosts(world, random):
    node = random.choice(world.nodes())
    directory = CERTS + random.choice(["localhost:5000", "localhost:5002", "elsewhere:5000"])
    if random.random() < 0.5:
        node.tree.remove(directory)
    else:
        node.tree.write(f"{directory}/hosts.toml", random.choice([MARKS[0] + b"\n", b'server = "x"\n']))


def toggle_node(world, random):
    node = random.choice(world.nodes())
    if node.is_up():
        world.engine.stop_container(node)
    else:
        start(world, node)


def toggle_worker(world, random):
    worker = world.engine.find(WORKER)
    if worker:
        world.engine.remove_container(worker)
    else:
        world.add_worker(CLUSTER, WORKER, random.randrange(3))


def toggle_second(world, _random):
    if SECOND in world.clusters:
        world.remove_cluster(SECOND)
    else:
        world.add_cluster(SECOND, 6450)


def renew_cluster(world, random):
    world.remove_cluster(CLUSTER)
    world.add_cluster(CLUSTER, 6443 + random.randrange(2))


def edit_deployment(document, random):
    template = document["spec"]["template"]
    container = template["spec"]["containers"][0]
    random.choice(
        [
            lambda: document["spec"].update(paused=True),
            lambda: document["spec"].update(replicas=7),
            lambda: template["metadata"]["labels"].update(mine="1"),
            lambda: template["spec"].update(enableServiceLinks=True),
            lambda: container.update(image="evil"),
            lambda: container.update(command=["sh"]),
            lambda: container["env"][0].update(value="evil"),
            lambda: container["ports"][0].update(containerPort=81),
            lambda: container["startupProbe"].update(periodSeconds=99),
            lambda: template["spec"]["containers"].append({"name": "sidecar", "image": "envoy:1"}),
        ]
    )()


def edit_service(document, random):
    if random.random() < 0.5:
        document["spec"]["selector"] = {"x": "y"}
    else:
        document["spec"]["ports"][0].update(random.choice([{"port": 99}, {"targetPort": 99}]))


EDITS = {
    "configmaps": lambda document, _random: document["data"].update({"localRegistryHosting.v1": "x"}),
    "deployments": edit_deployment,
    "services": edit_service,
    "endpointslices": lambda document, _random: document["endpoints"].clear(),
    "ingresses": lambda document, _random: document["spec"]["rules"][0].update(host="foo.bar"),
    "namespaces": lambda document, _random: None,
}


def annotate(document):
    document["metadata"].setdefault("annotations", {})["mine"] = "1"


def disown(document):
    document["metadata"].get("labels", {}).pop("app.kubernetes.io/managed-by", None)


def own_objects(kube):
    """Keys of what the program made itself."""
    return [
        key
        for key, document in kube.objects.items()
        if any(entry["manager"] == MANAGER for entry in document["metadata"].get("managedFields", []))
    ]


def edit_objects(world, random):
    kube = random.choice(list(world.clusters.values()))
    for plural, namespace, name in own_objects(kube):
        if plural not in EDITS or random.random() < 0.7:
            continue
        kube.change(plural, name, lambda document, plural=plural: EDITS[plural](document, random), namespace)
        if random.random() < 0.2:
            kube.change(plural, name, annotate, namespace)
        if random.random() < 0.2 and plural != "namespaces":
            kube.change(plural, name, disown, namespace)


def add_objects(world, random):
    """Of somebody else, and some of them where the program wants its own."""
    kube = random.choice(list(world.clusters.values()))
    for plural in ("configmaps", "services", "ingresses"):
        namespace, name = random.choice(["hostk8s", "tools"]), random.choice(["registry-ui", "registry-api", "theirs"])
        if ("namespaces", None, namespace) in kube.objects and kube.get(plural, name, namespace) is None:
            kube.add(plural, namespace, name, {"spec": {}})
    if ("namespaces", None, "hostk8s") in kube.objects and random.random() < 0.3:
        metadata = {"labels": random.choice([{}, {"hostk8s.addon": "registry"}])}
        if random.random() < 0.5:
            subsets = [{"addresses": [{"ip": "192.168.65.254"}], "ports": [{"name": "http", "port": 5002}]}]
            kube.add("endpoints", "hostk8s", "registry-api", {"metadata": metadata, "subsets": subsets})
        else:
            kube.add("ingresses", "hostk8s", "registry-api-ingress", {"metadata": metadata, "spec": {}})


def delete_objects(world, random):
    kube = random.choice(list(world.clusters.values()))
    for plural, namespace, name in own_objects(kube):
        if (plural, namespace, name) in kube.objects and random.random() < 0.2:
            if plural == "namespaces":
                kube.remove_namespace(name)
            else:
                kube.remove(plural, name, namespace)


def expire_watches(world, random):
    kube = random.choice(list(world.clusters.values()))
    random.choice([kube.expire, kube.end_streams, kube.bookmark])()


CHANGES = [stop_registry, pause_registry, remove_registry, rename_registry, detach_registry, renew_network]
CHANGES += [restart_engine, edit_hosts, toggle_node, toggle_worker, toggle_second, renew_cluster, edit_objects]
CHANGES += [add_objects, delete_objects, expire_watches]


def heal(world):
    """What keeps the program from its work is gone: nodes that do not run, others' objects and files of
    wanted names."""
    elsewhere = world.engine.find("elsewhere")
    if elsewhere:
        world.engine.remove_container(elsewhere)
    for node in world.nodes():
        start(world, node)
        if "kind" not in node.networks:
            world.engine.attach(node, "kind")
        for path, content in list(node.tree.files.items()):
            wanted = path.startswith(CERTS) and "registry.example" not in path
            if wanted and content is not None and not content.startswith(MARKS):
                node.tree.remove(path)
    for kube in world.clusters.values():
        for plural, namespace, name in list(kube.objects):
            document = kube.objects.get((plural, namespace, name))
            in_the_way = namespace == "hostk8s" or name == "local-registry-hosting"
            # HostK8s' own Ingress is looked for once over each connection.
            theirs = document is not None and (not is_own(document) or name == "registry-api-ingress")
            if in_the_way and theirs:
                kube.remove(plural, name, namespace)
