"""What `containerd config dump` prints in a node: the whole configuration in containerd's own form, of the
version that the node has, with imports resolved. Recorded with containerd 1.6.20 and 2.1.9."""

import fnmatch
import json
import pathlib
import posixpath
import re
import tomllib

CONFIG = "/etc/containerd/config.toml"
FORMER = CONFIG + ".hostk8s-registryd"
STAGED = FORMER + ".new"
FIXTURES = pathlib.Path(__file__).resolve().parents[1] / "fixtures/containerd"
DUMPS = {major: (FIXTURES / f"dump-{name}.toml").read_text() for major, name in ((1, "1.6.20"), (2, "2.1.9"))}
SECTION = re.compile(r"(?m)^    \[plugins\.\S+\.registry\]\n(?:      .*\n|\n)*")
OLD, NEW = "io.containerd.grpc.v1.cri", "io.containerd.cri.v1.images"
TLS = {"ca_file": "", "cert_file": "", "insecure_skip_verify": False, "key_file": ""}
DEFAULT_2_2 = "/etc/containerd/certs.d:/etc/docker/certs.d"  # of 2.2.0 and 2.2.1; later ones set it elsewhere


class Broken(Exception):
    """What containerd says of a file that it cannot read, and ends."""


def version_of(text):
    return tuple(int(number) for number in re.search(r"v?(\d+)\.(\d+)\.(\d+)", text).groups())


def plugins_of(document, major):
    """The plugins' tables by the names that this version of containerd has for them."""
    plugins = document.get("plugins", {})
    if document.get("version", 1) == 1:
        return {OLD: plugins["cri"]} if major == 1 and "cri" in plugins else {}
    if major == 1:
        return plugins
    return {NEW if name == OLD else name: table for name, table in plugins.items()}


def merge(into, table):
    for name, value in table.items():
        if isinstance(value, dict) and isinstance(into.get(name), dict):
            merge(into[name], value)
        else:
            into[name] = value


def load(tree, path, major):
    """The plugins' tables of a file and of all that it imports; and the files."""
    try:
        document = tomllib.loads(tree.text(path))
    except tomllib.TOMLDecodeError as error:
        raise Broken(f"containerd: failed to load TOML: {path}: {error}") from None
    plugins, files = plugins_of(document, major), [path]
    for pattern in document.get("imports", []):
        pattern = posixpath.join(posixpath.dirname(path), pattern)
        for name in sorted(fnmatch.filter(list(tree.files), pattern)):
            if name != path and tree.files[name] is not None:
                imported, others = load(tree, name, major)
                if major == 1:  # an imported file's table takes the place of the whole plugin's
                    plugins |= imported
                else:
                    merge(plugins, imported)
                files += others
    return plugins, files


def quoted(value, major):
    if isinstance(value, list):
        return f"[{', '.join(quoted(v, major) for v in value)}]"
    if not isinstance(value, str) or major == 1 or "'" in value:
        return json.dumps(value)
    return f"'{value}'"


def table(prefix, name, value, depth, major):
    """A table and those below it, as containerd indents them."""
    path = f"{prefix}.{name if re.fullmatch('[a-z_]+', name) else quoted(name, major)}"
    pad = "  " * depth
    text = f"{pad}[{path}]\n"
    plain = {key: child for key, child in value.items() if not isinstance(child, dict)}
    text += "".join(f"{pad}  {key} = {quoted(child, major)}\n" for key, child in plain.items())
    for key, child in value.items():
        if isinstance(child, dict):
            blank = major == 1 or plain or text.count("\n") > 1
            text += ("\n" if blank else "") + table(path, key, child, depth + 1, major)
    return text


def dump(tree, version, path=CONFIG):
    """The output for the file; raises Broken."""
    number = version_of(version)
    major = min(number[0], 2)
    if tree.text(path) is None and major == 1:
        raise Broken(f"containerd: failed to load TOML: {path}: open {path}: no such file or directory")
    plugins, files = load(tree, path, major) if tree.text(path) is not None else ({}, [])
    plugin = OLD if major == 1 else NEW
    registry = {"config_path": DEFAULT_2_2 if (2, 2, 0) <= number < (2, 2, 2) else ""}
    if major == 1:
        registry |= {name: {} for name in ("auths", "configs", "headers", "mirrors")}
    registry |= plugins.get(plugin, {}).get("registry", {})
    for config in registry.get("configs", {}).values():
        if major > 1:  # which has no such thing, and says so beside
            config.pop("tls", None)
        elif "tls" in config:
            config["tls"] = dict(sorted((TLS | config["tls"]).items()))
    section = table(f"plugins.{quoted(plugin, major)}", "registry", registry, 2, major)
    text = SECTION.sub(lambda _: section + "\n", DUMPS[major])
    return re.sub(r"(?m)^imports = .*", f"imports = {quoted(files, major)}", text) if major == 1 else text


def repair(node):
    """The command that puts an edited config.toml in place: its output and exit status."""
    tree = node.tree
    try:
        text = dump(tree, node.version, STAGED)
        if ".registry.mirrors." in text or re.search(r"\.registry\.configs\..*\.tls]", text):
            raise Broken("mirrors, or the tls of configs, are set where it was not edited")
    except Broken as broken:
        tree.remove(STAGED)
        return f"{broken}\n", 1
    tree.write(CONFIG, tree.text(STAGED))
    tree.remove(STAGED)
    node.restarts += 1
    if node.comes_back:
        return "", 0
    tree.write(CONFIG, tree.text(FORMER))
    node.restarts += 1
    return "containerd did not come back with it; the former file is in its place again\n", 1


def restore(node):
    """The command that puts the former config.toml in place again."""
    tree = node.tree
    if tree.text(FORMER) != tree.text(CONFIG):
        tree.write(CONFIG, tree.text(FORMER))
        node.restarts += 1
    for path in (FORMER, STAGED):
        if path in tree.files:
            tree.remove(path)
    return "", 0
