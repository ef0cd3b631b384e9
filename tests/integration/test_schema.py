"""`check --schema`: an editor judges a file by it as `check` does, but for what follows from more than one value
or from the machine."""

import json
import re
import unittest

import jsonschema
import yaml
from harness import ROOT, MachineTest

FILES = ROOT / "tests/unit/config"
EXAMPLE = ROOT / "config/registryd.yaml"

LINES = r"""
{}
registry:
registry: {name: registry.example, image: "registry:2"}
registry: {name: r2}
registry: {image: ghcr.io/Owner/app} # BAD
registry: {image: "ghcr.io:443/owner/app:v1.2@sha256:0123456789abcdef0123456789abcdef"}
registry: {image: ""} # BAD
registry: {listen: "[::1]:5002"}
registry: {listen: 127.0.0.2:65535}
registry: {listen: 127.0.0.1:65536} # BAD
registry: {listen: 127.0.0.1:0} # BAD
registry: {listen: 127.0.0.256:1} # BAD
registry: {listen: localhost:5002} # BAD
registry: {listen: "::1:5002"} # BAD
registry: {listen: 5002} # BAD
registry: {listen: 0.0.0.0:5002, allowRemote: true}
registry: {allowRemote: "true"} # BAD
registry: {allowRemote: yes} # BAD
registry: {delete: ~}
registry: {delete: 1} # BAD
registry: {storage: relative/directory}
registry: {storage: ~/images}
registry: {storage: $HOME/images}
registry: {storage: "${HOME}/$$"}
registry: {storage: "${HOME/images"} # BAD
registry: {storage: ~other/images} # BAD
registry: {storage: ""} # BAD
registry: {storage: /} # BAD
registry: {storage: "/a:b"} # BAD
registry: {storage: [/srv/images]} # BAD
registry: {storage: 5} # BAD
registry: {storage: "5"}
registry: {restart: no}
registry: {restart: "on-failure"}
registry: {restart: false} # BAD
registry: {restart: Always} # BAD
registry: {environment: {REGISTRY_LOG_LEVEL: debug, A: 1, B: true, C: 1.5, D: ""}}
registry: {environment: {A: }} # BAD
registry: {environment: {A: {}}} # BAD
registry: {environment: {1A: x}} # BAD
registry: {environment: {A-B: x}} # BAD
registry: {environment: []} # BAD
registry: {port: 5002} # BAD
registry: [] # BAD
caches: [docker.io, "Registry.Example:5000", "[fd00::1]:5000", {upstream: ghcr.io}]
caches: [{upstream: ghcr.io, url: "https://ghcr.io/", username: me, passwordFile: ~/password}]
caches: [{upstream: ghcr.io, url: "", username: "", passwordFile: ""}]
caches: []
caches: docker.io # BAD
caches: [~] # BAD
caches: [[docker.io]] # BAD
caches: [5] # BAD
caches: [quay] # BAD
caches: [https://quay.io] # BAD
caches: [quay.io/org] # BAD
caches: [index.docker.io] # BAD
caches: [{url: "https://quay.io"}] # BAD
caches: [{upstream: }] # BAD
caches: [{upstream: quay.io, password: x}] # BAD
caches: [{upstream: quay.io, url: quay.io}] # BAD
caches: [{upstream: quay.io, url: "http://127.0.0.1:5000"}] # BAD
nodes: {configPath: repair}
nodes: {configPath: mend} # BAD
ui: {gateway: lab/gateway.internal}
ui: {gateway: ""}
ui: {gateway: gateway} # BAD
network: my_net.1-x
network: -net # BAD
network: "kind " # BAD
network: 1e3 # BAD
network: "1e3"
network: "1000"
clusters: ["*", "a?b", kind]
clusters: []
clusters: kind # BAD
clusters: [Kind] # BAD
clusters: [""] # BAD
clusters: [~] # BAD
clusters: [1] # BAD
clusters: {a: b} # BAD
nodes: {aliases: [registry.example:443, "[fd00::1]:5000", 10.0.0.1:5000, Example.COM:80]}
nodes: {aliases: [registry.example]} # BAD
nodes: {aliases: [a..b:80]} # BAD
nodes: {aliases: [a.1:80]} # BAD
nodes: {aliases: [-a:80]} # BAD
nodes: {aliases: ["a:80", ""]} # BAD
nodes: {aliases: [a:99999]} # BAD
nodes: {skipVerify: false}
nodes: {skipverify: false} # BAD
ui: {enabled: false, replicas: 10, title: "a: b ü"}
ui: {replicas: 0} # BAD
ui: {replicas: 11} # BAD
ui: {replicas: "2"} # BAD
ui: {replicas: 1.5} # BAD
ui: {replicas: -1} # BAD
ui: {title: 5} # BAD
ui: {title: ""}
ui: {title: "a\tb"} # BAD
ui: {namespace: a-b}
ui: {namespace: a.b} # BAD
ui: {namespace: A} # BAD
ui: {ingressClass: traefik.io}
ui: {ingressClass: ""} # BAD
ui: {url: "https://registry.example"}
ui: {url: "http://[::1]:80/"}
ui: {url: "http://10.1.2.3:8080"}
ui: {url: "ftp://localhost"} # BAD
ui: {url: "http://localhost/registry"} # BAD
ui: {url: "http://user@localhost"} # BAD
ui: {url: "http://localhost:port"} # BAD
ui: {url: "http://localhost?q"} # BAD
ui: {url: "http://"} # BAD
ui: {path: /a/b_c-d}
ui: {path: /v2ray/}
ui: {path: /v2} # BAD
ui: {path: /v2/x} # BAD
ui: {path: registry/} # BAD
ui: {path: /a//b} # BAD
ui: {path: /}
ui: {check: false}
docker: {host: "unix:///run/user/1000/docker.sock"}
docker: {host: "tcp://[::1]:2375"}
docker: {host: "tcp://engine.example:2376", tls: {ca: /ca.pem}}
docker: {host: "unix://docker.sock"} # BAD
docker: {host: "tcp://engine.example"} # BAD
docker: {host: "ssh://engine.example:22"} # BAD
docker: {tls: {password: x}} # BAD
kubernetes: {kubeconfig: ~/.kube/config}
kubernetes: {kubeconfig: ""}
reconcile: {poll: 1s, timeout: 100ms, backoff: {initial: 10ms, max: 1h}}
reconcile: {poll: 3600s}
reconcile: {poll: 060m}
reconcile: {poll: 3600000ms}
reconcile: {poll: 3601s} # BAD
reconcile: {poll: 61m} # BAD
reconcile: {poll: 2h} # BAD
reconcile: {poll: 999ms} # BAD
reconcile: {poll: 1001ms}
reconcile: {poll: 0s} # BAD
reconcile: {poll: 10} # BAD
reconcile: {poll: "10"} # BAD
reconcile: {poll: 1.5s} # BAD
reconcile: {poll: 10 s} # BAD
reconcile: {poll: 10S} # BAD
reconcile: {timeout: 600s}
reconcile: {timeout: 601s} # BAD
reconcile: {timeout: 99ms} # BAD
reconcile: {backoff: {initial: 60001ms}} # BAD
reconcile: {backoff: 1s} # BAD
log: {level: debug}
log: {level: verbose} # BAD
log: {level: [debug]} # BAD
log: debug # BAD
[] # BAD
text # BAD
"""

# What `check` alone refuses, and why no schema of a single value can.
CHECK_ALONE = {
    "another value": r"""
registry: {listen: 0.0.0.0:5002}
reconcile: {backoff: {initial: 1m, max: 1s}}
docker: {tls: {ca: /ca.pem}}
docker: {host: "tcp://engine.example:2376", tls: {cert: /cert.pem}}
registry: {environment: {REGISTRY_HTTP_ADDR: ":80"}}
caches: [docker.io, Docker.io]
caches: [localhost:5000]
caches: [10.0.0.1]
caches: [{upstream: quay.io, username: me}]
registry: {environment: {REGISTRY_STORAGE_DELETE_ENABLED: "false"}}
ui: {environment: {REGISTRY_URL: "http://localhost"}}
""",
    "the machine": r"""
registry: {storage: $NOT_SET/images}
registry: {storage: /etc/images}
registry: {storage: ~/images/..}
""",
    "how the value is written": r"""
registry: {delete: True}
ui: {replicas: 0x2}
ui: {replicas: 02}
ui: {replicas: 1.0}
ui: {title: "ééééééééééééééééééééééééééééééééééééééééééééééééééé"}
network: !!str kind
network: &name kind
""",
    "addresses of IPv6": r"""
registry: {listen: "[:1]:5002"}
""",
}
FILES_CHECK_ALONE = """
aliases_many docker_tls_half docker_tls_no_key docker_tls_unix listen_remote
storage storage_root storage_root_dots storage_root_empty storage_root_prefix storage_variable
""".split()
MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000}


class Loader(yaml.SafeLoader):
    """As editors read: YAML 1.2's core schema, and no key twice."""

    yaml_implicit_resolvers = {}

    def construct_mapping(self, node, deep=False):
        keys = [key.value for key, _ in node.value]
        if len(keys) != len(set(keys)):
            raise yaml.YAMLError("a key stands there twice")
        return super().construct_mapping(node, deep)


for tag, pattern, first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)", list("-+.0123456789")),
):
    Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(f"^(?:{pattern})$"), first)


class Schema(MachineTest):
    def setUp(self):
        super().setUp()
        self.schema = json.loads(self.run_program("check", "--schema", status=0, config=False).stdout)
        self.validator = jsonschema.Draft202012Validator(self.schema)

    def by_schema(self, text):
        try:
            document = yaml.load(text, Loader)
        except yaml.YAMLError:
            return False
        return self.validator.is_valid(document)

    def by_check(self, text):
        self.config_file.write_text(text)
        return self.run_program("check").returncode == 0

    def test_it_is_a_schema(self):
        jsonschema.Draft202012Validator.check_schema(self.schema)

    def test_lines_are_judged_alike(self):
        lines = LINES.strip().split("\n")
        self.assertGreater(len(lines), 100)
        for line in lines:
            with self.subTest(line=line):
                good = not line.endswith("# BAD")
                self.assertEqual((self.by_check(line), self.by_schema(line)), (good, good))

    def test_files_are_judged_alike(self):
        """Those with good values, and those whose names say what of them is bad."""
        alone = set()
        files = [EXAMPLE, FILES / "defaults.yaml", FILES / "everything.yaml", *sorted((FILES / "bad").glob("*.yaml"))]
        for file in files:
            with self.subTest(file=file.name):
                text = file.read_text(encoding="utf-8")
                if file.parent.name != "bad":
                    self.assertTrue(self.by_schema(text))
                elif self.by_schema(text):
                    alone.add(file.stem)
        self.assertEqual(alone, set(FILES_CHECK_ALONE))

    def test_what_check_alone_can_tell(self):
        for reason, lines in CHECK_ALONE.items():
            for line in lines.strip().split("\n"):
                with self.subTest(reason=reason, line=line):
                    self.assertEqual((self.by_check(line), self.by_schema(line)), (False, True))

    def test_durations_are_bounded(self):
        """poll is 1s to 1h; the numbers are those of a pattern that is made of both."""
        (pattern,) = self.schema["properties"]["reconcile"]["properties"]["poll"]["allOf"]
        good = re.compile(pattern["pattern"])
        for unit, ms in MS.items():
            for number in [*range(4000), *range(9980, 3_700_000, 97), *range(3_599_990, 3_600_010)]:
                bounded = 1000 <= number * ms <= 3_600_000
                self.assertEqual(good.search(f"{number}{unit}") is not None, bounded, f"{number}{unit}")

    def test_the_example_names_it(self):
        first = EXAMPLE.read_text(encoding="utf-8").splitlines()[0]
        self.assertRegex(first, r"\A# yaml-language-server: \$schema=/\S+/hostk8s-registryd/registryd\.schema\.json\Z")


if __name__ == "__main__":
    unittest.main()
