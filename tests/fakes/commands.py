"""Commands in a container, as the program runs them: files, containerd's own, and as doctor does names, and pulls by
the node's containerd with its own words (containerd 1.7, crictl 1.29), from whom its hosts.toml files send it to."""

import re
import tomllib

from fakes import containerd

REMOVAL = "-maxdepth 1 ( -type f -name hosts.toml -o -type d -empty ) -delete".split()
CERTS = "/etc/containerd/certs.d"
MIRRORS = (
    'invalid plugin config: `mirrors` cannot be set when `config_path` is provided" error="rpc error: code = '
    "Unimplemented desc = unknown service runtime.v1.ImageService"
)


def addresses(engine, node, name):
    """What the engine's DNS answers in the node."""
    for network in node.networks:
        for other in engine.containers:
            if other.is_up() and network in other.networks and other.networks[network]["ip"]:
                if name in (other.name, *other.networks[network]["aliases"]):
                    return [other.networks[network]["ip"]]
    return []


def getent(engine, node, name):
    found = addresses(engine, node, name)
    lines = [f"{address} {kind} {name}\n" for address in found for kind in ("STREAM", "DGRAM ", "RAW   ")]
    return "".join(lines), 0 if found else 2


def registry_settings(node):
    """Whether hosts.toml files are read; None: the CRI plugin is not loaded."""
    dump = containerd.dump(node.tree, node.version)
    section = re.search(r"(?s)\[plugins\.\S+\.registry\]\n(.*?)(?=\n    \[|\Z)", dump)
    number = containerd.version_of(node.version)
    path = re.search(r"""config_path = ["']([^"']*)["']""", section[0])
    path = path[1] if path else ""
    mirrors = ".mirrors." in dump
    if mirrors and path:
        return None
    return CERTS in path.split(":") or (not path and not mirrors and number >= (2, 2, 2))


def hosts_of(node, alias):
    """URLs that containerd asks one after the other for an image of this host."""
    host, _, port = alias.rpartition(":")
    if registry_settings(node):
        for directory in (f"{host}_{port}_", alias, "_default"):
            if f"{CERTS}/{directory}" in node.tree.files:
                text = node.tree.text(f"{CERTS}/{directory}/hosts.toml") or ""
                document = tomllib.loads(text)
                return [*document.get("host", {}), *([document["server"]] if "server" in document else [])] or [None]
    return [None]


def fault(engine, node, alias, url, image):
    """What containerd says of one that it has asked; None: it has the image."""
    repository, _, tag = image.rpartition(":")
    if url is None:
        local = alias.startswith(("localhost:", "127."))
        head = f'failed to do request: Head "https://{alias}/v2/{repository}/manifests/{tag}": '
        port = alias.rpartition(":")[2]
        address = "[::1]" if alias.startswith("localhost") else "127.0.0.1"
        refused = f"dial tcp {address}:{port}: connect: connection refused"
        if not local and not addresses(engine, node, alias.rpartition(":")[0]):
            return head + f"dial tcp: lookup {alias.rpartition(':')[0]} on 172.18.0.1:53: no such host"
        return head + (refused if local else "http: server gave HTTP response to HTTPS client")
    host = url.partition("://")[2]
    name, _, port = host.rpartition(":")
    head = f'failed to do request: Head "https://{host}/v2/{repository}/manifests/{tag}": '
    proxies = {value.partition("=")[0]: value.partition("=")[2] for value in node.spec.get("Env") or []}
    if proxies.get("HTTP_PROXY") and name not in proxies.get("NO_PROXY", "").split(","):
        proxy = proxies["HTTP_PROXY"].partition("://")[2]
        return head + f"proxyconnect tcp: dial tcp {proxy}: connect: connection refused"
    found = addresses(engine, node, name)
    if not found:
        return head + f"dial tcp: lookup {name} on 172.18.0.1:53: no such host"
    answerer = next(c for c in engine.containers if any(n["ip"] == found[0] for n in c.networks.values()))
    if port != "5000" or not answerer.answers:
        return head + f"dial tcp {found[0]}:{port}: connect: connection refused"
    return None if tag in engine.store_of(answerer).tags(repository) else "not found"


def pull(engine, node, reference):
    """crictl pull: what it prints, and its exit status."""
    alias, _, image = reference.partition("/")
    if registry_settings(node) is None:
        return f'time="2026-11-30T10:00:00Z" level=fatal msg="pulling image: {MIRRORS}"\n', 1
    said = None
    for url in hosts_of(node, alias):
        said = fault(engine, node, alias, url, image)
        if said is None:
            node.pulled.append(reference)
            return f"Image is up to date for sha256:{'0' * 64}\n", 0
    said = f"{reference}: not found" if said == "not found" else said
    code = "NotFound" if said.endswith(": not found") else "Unknown"
    words = f'failed to pull and unpack image "{reference}": failed to resolve reference "{reference}": {said}'
    words = f"rpc error: code = {code} desc = {words}"
    escaped = words.replace('"', '\\"')
    return (
        f'E1130 10:00:00.000000     911 remote_image.go:180] "PullImage from image service failed" err="{escaped}" '
        f'image="{reference}"\nFATA[0000] pulling image: {words} \n'
    ), 1


def ask(engine, container, script, words):
    """One of doctor's; None: it is none of these."""
    if any(word in script for word in container.hanging):
        return "", 124  # as timeout(1) ends it
    if "curl" in script:
        found = addresses(engine, container, words[0])
        answers = any(n["ip"] in found and c.state == "running" for c in engine.containers for n in c.networks.values())
        return ("", 0) if answers else ("", 2) if not found else ("curl: (7) Failed to connect\n", 7)
    if "getent ahosts" in script:
        return getent(engine, container, words[0])
    if "crictl pull" in script:
        return pull(engine, container, words[0])
    if "crictl rmi" in script:
        container.pulled = [reference for reference in container.pulled if reference not in words[1:]]
        return "", int(any(reference.endswith(words[0]) for reference in container.pulled))
    if "docker/registry/v2/repositories" in script:
        engine.store_of(container).untag("hostk8s-registryd/doctor", words[0])
        return "", 0
    return None


def execute(engine, container, command):
    """The output, and the exit status."""
    if command[0] in engine.refused_commands:
        return engine.refused_commands[command[0]] + "\n", 1
    if command == ["containerd", "--version"]:
        return container.version + "\n", 0
    if command == ["containerd", "config", "dump"]:
        try:
            return containerd.dump(container.tree, container.version), 0
        except containerd.Broken as broken:
            return f"{broken}\n", 1
    if command[:2] == ["sh", "-c"]:
        script, *words = command[2:]
        asked = ask(engine, container, script, words)
        if asked is not None:
            return asked
        if "systemctl restart containerd" in script:
            return (containerd.repair if "config dump" in script else containerd.restore)(container)
        output, status = "", 0
        for single in script.replace(" 2>/dev/null", "").split(" && "):  # each if the one before it has succeeded
            if status == 0:
                said, status = execute(engine, container, single.split())
                output += said
        return output, status
    if command[0] == "find" and command[-len(REMOVAL) :] == REMOVAL:
        for directory in command[1 : -len(REMOVAL)]:
            container.tree.remove(f"{directory}/hosts.toml")
            if container.tree.below(directory) == [directory]:
                container.tree.remove(directory)
        return "", 0
    return f"{command[0]}: not found\n", 127
