"""What containerd 1.6, 1.7 and 2.1 make of a config.toml, beside what the program says of it: bare nodes, and
pulls through CRI."""

import json
import pathlib
import re
import struct
import subprocess
import sys
import tempfile
import unittest

from machine import MACHINE, ROOT, Kind, Program, push_demo, registry_tags, run, run_pod

CLUSTER, REGISTRY, PORT = "bare", "bare-registry", 5042
NODES = {"1.6": f"{CLUSTER}-control-plane", "1.7": f"{CLUSTER}-worker", "2.1": f"{CLUSTER}-worker2"}
VARIANTS = ROOT / "tests/lab/images/bare"
DIRECTORY = "/etc/containerd"
CONFIG, FORMER = f"{DIRECTORY}/config.toml", f"{DIRECTORY}/config.toml.hostk8s-registryd"
ALIAS = f"localhost:{PORT}"
CRI = '[plugins."io.containerd.grpc.v1.cri".registry'
PATH = f'\n{CRI}]\n  config_path = "/etc/containerd/certs.d"\n'
MIRROR = f'\n{CRI}.mirrors."{ALIAS}"]\n  endpoint = ["http://nowhere:5000"]\n'
TLS = f'\n{CRI}.configs."{ALIAS}".tls]\n  insecure_skip_verify = true\n'
OTHER = f'\n{CRI}]\n  config_path = "/etc/docker/certs.d"\n'
KIND = (VARIANTS / "kind/config.toml").read_text(encoding="utf-8")


def variant(name):
    """The files of a directory of the lab by their names."""
    return {str(p.relative_to(VARIANTS / name)): p.read_text(encoding="utf-8") for p in (VARIANTS / name).rglob("*.toml")}


CONFIGURATIONS = {
    "as kind ships it": variant("kind"),
    "nothing": {"config.toml": "version = 2\n"},
    "config_path": variant("config-path"),
    "config_path, version 3": variant("config-path-v3"),
    "config_path imported": variant("imports"),
    "config_path inline": variant("inline"),
    "config_path of another directory": {"config.toml": KIND + OTHER},
    "mirrors": {"config.toml": KIND + MIRROR},
    "mirrors imported": {"config.toml": 'imports = ["conf.d/*.toml"]\n' + KIND, "conf.d/a.toml": "version = 2\n" + MIRROR},
    "config_path and mirrors": {"config.toml": KIND + PATH + MIRROR},
    "tls": {"config.toml": KIND + TLS},
    "config_path and tls": {"config.toml": KIND + PATH + TLS},
}
# A proxy that reaches nothing, and tells its port.
PROXY = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self):
        self.send_error(502, "no such host")
    do_GET = do_HEAD = do_CONNECT = answer
server = http.server.HTTPServer((sys.argv[1], 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"""
NOT_READ = {("1.7", "config_path, version 3")}  # by this containerd, which then does not start
# What an edit makes good; the others are as they should be, or have it in a file that is imported.
REPAIRABLE = ["as kind ships it", "nothing", "config_path of another directory", "mirrors", "config_path and mirrors"]


def in_node(node, command, check=True):
    return MACHINE.docker("exec", node, "sh", "-c", command, check=check)


def write(node, files):
    """Replaces what is in /etc/containerd but for certs.d, and restarts containerd."""
    with tempfile.TemporaryDirectory() as directory:
        for name, text in files.items():
            path = pathlib.Path(directory, name)
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        in_node(node, f"cd {DIRECTORY} && find . -mindepth 1 -maxdepth 1 ! -name certs.d -exec rm -r {{}} +")
        MACHINE.docker("cp", f"{directory}/.", f"{node}:{DIRECTORY}")
    in_node(node, "systemctl restart containerd")


def message(number, value):
    """A length-delimited field of protobuf."""
    return bytes([number << 3 | 2, len(value)]) + value


def cri_pull(node, image):
    """Asks containerd for the image as kubelet does: "" or what it says. gRPC is HTTP/2 with frames of five bytes."""
    pid = MACHINE.docker("inspect", "-f", "{{.State.Pid}}", node).strip()
    request = message(1, message(1, image.encode()))
    socket = f"/proc/{pid}/root/run/containerd/containerd.sock"
    command = ["curl", "-sS", "--max-time", "30", "--http2-prior-knowledge", "-D", "-", "-o", "/dev/null"]
    command += ["-H", "Content-Type: application/grpc", "-H", "TE: trailers", "--data-binary", "@-"]
    command += ["--unix-socket", socket, "http://localhost/runtime.v1.ImageService/PullImage"]
    answer = subprocess.run(command, input=b"\0" + struct.pack(">I", len(request)) + request, capture_output=True, check=False)
    headers = dict(re.findall(r"(?m)^(grpc-\w+): (.*?)\r?$", answer.stdout.decode()))
    return "" if headers.get("grpc-status") == "0" else headers.get("grpc-message", answer.stderr.decode() or "no answer")


@unittest.skipIf(isinstance(MACHINE, Kind), "kind has no bare nodes")
class Containerd(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.addClassCleanup(MACHINE.cluster_down, CLUSTER)
        for version in NODES:
            run(MACHINE.lab, "bare", "-c", CLUSTER, version, timeout=900)
        MACHINE.wait_ready(CLUSTER)
        for node in NODES.values():
            in_node(node, "mkdir -p /etc/kubernetes && touch /etc/kubernetes/kubelet.conf")
        cls.program = Program(MACHINE)
        cls.addClassCleanup(cls.program.close)
        cls.kubeconfig = cls.program.directory / "kubeconfig"
        cls.kubeconfig.write_text("apiVersion: v1\nkind: Config\n")  # of no cluster: none is waited for
        cls.configure("report")
        cls.addClassCleanup(cls.program, "teardown", "--yes", check=False)
        cls.program("apply", check=False)
        push_demo(PORT)

    @classmethod
    def configure(cls, config_path):
        cls.program.config.write_text(json.dumps({
            "registry": {"name": REGISTRY, "listen": f"127.0.0.1:{PORT}", "storage": str(cls.program.storage)},
            "clusters": [CLUSTER],
            "nodes": {"aliases": ["localhost:5000"], "configPath": config_path},
            "ui": {"enabled": False},
            "docker": {"host": f"unix://{MACHINE.socket}"},
            "kubernetes": {"kubeconfig": str(cls.kubeconfig)},
        }))

    def decision(self, node):
        """What the program says of the node, and what it would do there."""
        found = json.loads(self.program("plan", "--json", check=False).stdout)
        resource = f"node/{node}"
        said = [f"{c['reason']}: {c['message']}" for c in found["blocked"] if c["resource"] == resource]
        planned = [c["action"] for c in found["changes"] if c["resource"] == resource]
        return (said or ["Converged"])[0], planned

    def pull(self, node):
        in_node(node, f"ctr -n k8s.io images rm {ALIAS}/demo:1", check=False)
        return cri_pull(node, f"{ALIAS}/demo:1")

    def test_1_the_registry_is_there(self):
        self.assertEqual(registry_tags(PORT), ["1"])

    def test_2_what_is_decided_is_what_containerd_does(self):
        self.configure("report")
        table = ["containerd | config.toml | CRI pull through hosts.toml | CRI plugin | decided"]
        for name, files in CONFIGURATIONS.items():
            for version, node in NODES.items():
                if (version, name) in NOT_READ:
                    continue
                with self.subTest(containerd=version, config=name):
                    write(node, files)
                    fault = self.pull(node)
                    loaded = not re.search(r"[. ]cri[. ].* error", in_node(node, "ctr plugins ls 2>&1"))
                    said, planned = self.decision(node)
                    row = [version, name, fault[:70] or "works", "ok" if loaded else "error", said[:110]]
                    table.append(" | ".join(row))
                    self.assertEqual(planned, [], said)
                    self.assertEqual(said == "Converged", fault == "", f"{said}\n{fault}")
                    self.assertEqual("loads no CRI plugin" in said, not loaded, said)
        print("\n" + "\n".join(table), flush=True)

    def test_3_repair_and_back(self):
        for name in REPAIRABLE:
            files = CONFIGURATIONS[name]
            for node in NODES.values():
                write(node, files)
            self.configure("repair")
            for version, node in NODES.items():
                with self.subTest(containerd=version, config=name):
                    self.assertEqual(self.decision(node)[1], ["repair"])
            result = self.program("apply", check=False)
            for version, node in NODES.items():
                with self.subTest(containerd=version, config=name):
                    self.assertIn(f"node/{node}: repair", result.stdout)
                    self.assertEqual(self.decision(node), ("Converged", []))
                    self.assertEqual(self.pull(node), "")
                    self.assertEqual(in_node(node, f"cat {FORMER}"), files["config.toml"])
                    dump = in_node(node, "containerd config dump")
                    self.assertRegex(dump, r"config_path = .(/etc/containerd/certs\.d)")
                    self.assertNotIn(".registry.mirrors.", dump)
            teardown = self.program("teardown", "--yes", check=False)
            for version, node in NODES.items():
                with self.subTest(containerd=version, config=name):
                    self.assertIn(f"node/{node}: restore", teardown.stdout)
                    self.assertEqual(in_node(node, f"cat {CONFIG}"), files["config.toml"])
                    self.assertEqual(in_node(node, f"ls {FORMER}* 2>/dev/null", check=False), "")
                    self.assertEqual(in_node(node, "systemctl is-active containerd").strip(), "active")
            self.configure("report")
            self.program("apply", check=False)

    def test_4_what_cannot_be_repaired_stays(self):
        why = "mirrors, or the tls of configs, are set where it was not edited"
        for version, node, name in [
            ("1.6", NODES["1.6"], "tls"),
            ("1.7", NODES["1.7"], "mirrors imported"),
            ("2.1", NODES["2.1"], "mirrors imported"),
        ]:
            with self.subTest(containerd=version, config=name):
                files = CONFIGURATIONS[name]
                write(node, files)
                started = in_node(node, "cat /run/services/containerd")
                self.configure("repair")
                result = self.program("apply", check=False)
                self.assertIn(why, result.stdout)
                self.assertEqual(in_node(node, f"cat {CONFIG}"), files["config.toml"])
                self.assertEqual(in_node(node, "cat /run/services/containerd"), started)  # not restarted
                said, planned = self.decision(node)
                self.assertEqual(planned, [])
                self.assertRegex(said, "^ConfigPathDisabled: .* was edited and is as before again")

    def test_5_containerd_that_does_not_come_back(self):
        """systemctl fails as long as the file is the edited one."""
        node = NODES["2.1"]
        write(node, CONFIGURATIONS["mirrors"])
        in_node(node, "cp -p /usr/bin/systemctl /usr/bin/systemctl.real && printf '%s\\n' '#!/bin/sh' "
                      f"'! grep -q hostk8s-registryd {CONFIG} || {{ echo Job failed; exit 1; }}' "
                      "'exec systemctl.real \"$@\"' >/usr/bin/systemctl")
        self.addCleanup(in_node, node, "mv /usr/bin/systemctl.real /usr/bin/systemctl")
        self.configure("repair")
        result = self.program("apply", check=False)
        self.assertRegex(result.stdout, rf"node/{node}: failed to repair: .*Job failed .*did not come back with it")
        self.assertEqual(in_node(node, f"cat {CONFIG}"), CONFIGURATIONS["mirrors"]["config.toml"])
        self.assertEqual(in_node(node, "systemctl.real is-active containerd").strip(), "active")
        again = self.program("apply", check=False)
        self.assertNotIn("repair:", again.stdout)

    def test_6_proxies(self):
        """ctr pulls by itself, as containerd does, with the variables that it is given."""
        address = MACHINE.docker("network", "inspect", "-f", "{{(index .IPAM.Config 0).Gateway}}", "kind").strip()
        server = subprocess.Popen([*MACHINE.prefix, sys.executable, "-c", PROXY, address], stdout=subprocess.PIPE)
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        self.addCleanup(server.stdout.close)
        proxy = f"http://{address}:{int(server.stdout.readline())}"
        write(NODES["2.1"], CONFIGURATIONS["config_path"])
        for version, node in NODES.items():
            for variables, works in [
                ({}, True),
                ({"HTTP_PROXY": proxy}, False),
                ({"http_proxy": proxy}, False),
                ({"HTTPS_PROXY": proxy}, True),  # skip_verify has it tried first, then `server` by HTTP
                ({"HTTP_PROXY": proxy, "NO_PROXY": f"172.16.0.0/12,.svc,{node}"}, False),
                ({"HTTP_PROXY": proxy, "HTTPS_PROXY": proxy, "NO_PROXY": f".svc,{REGISTRY}"}, True),
                ({"HTTP_PROXY": proxy, "NO_PROXY": f"{REGISTRY}:5000"}, True),
                ({"HTTP_PROXY": proxy, "NO_PROXY": f"{REGISTRY}:80"}, False),
                ({"HTTP_PROXY": proxy, "no_proxy": "*"}, True),
            ]:
                with self.subTest(containerd=version, variables=variables):
                    options = [word for name, value in variables.items() for word in ("-e", f"{name}={value}")]
                    pull = ["ctr", "images", "pull", "--hosts-dir", f"{DIRECTORY}/certs.d", f"{ALIAS}/demo:1"]
                    if version == "2.1":  # where containerd does it else, with its own variables
                        pull.insert(3, "--local")
                    in_node(node, f"ctr images rm {ALIAS}/demo:1", check=False)
                    result = run(MACHINE.lab, "docker", "exec", *options, node, *pull, check=False)
                    self.assertEqual(result.returncode == 0, works, result.stderr)


@unittest.skipIf(isinstance(MACHINE, Kind), "kind's nodes are not made without config_path")
class WholeNode(unittest.TestCase):
    """A node with kubelet and pods: they go on while containerd is restarted."""

    CLUSTER, NODE = "repaired", "repaired-control-plane"

    def kubectl(self, *command):
        return MACHINE.kubectl(*command, cluster=self.CLUSTER)

    def test_pods_go_on(self):
        self.addCleanup(MACHINE.cluster_down, self.CLUSTER)
        run(MACHINE.lab, "up", "-c", self.CLUSTER, "-p", 8090, "--no-config-path", timeout=900)
        run("sh", "-c", f"{MACHINE.lab} docker save {MACHINE.demo_image} | "
            f"{MACHINE.lab} docker exec -i {self.NODE} ctr -n k8s.io images import -")
        self.kubectl("run", "steady", f"--image={MACHINE.demo_image}", "--image-pull-policy=Never", "--", "sleep", "3600")
        self.kubectl("wait", "--for=condition=Ready", "pod/steady", "--timeout=60s")
        running = "jsonpath={.status.containerStatuses[0].state.running.startedAt}"
        started = self.kubectl("get", "pod", "steady", "-o", running)
        program = Program(MACHINE)
        self.addCleanup(program.close)
        program.config.write_text(json.dumps({
            "registry": {"name": REGISTRY, "listen": f"127.0.0.1:{PORT}", "storage": str(program.storage)},
            "clusters": [self.CLUSTER],
            "nodes": {"configPath": "repair"},
            "ui": {"enabled": False},
            "docker": {"host": f"unix://{MACHINE.socket}"},
        }))
        self.addCleanup(program, "teardown", "--yes", check=False)
        self.assertIn(f"node/{self.NODE}: repair", program("apply").stdout)
        push_demo(PORT)
        run_pod(f"{ALIAS}/demo:1", self.NODE, self.CLUSTER)
        self.kubectl("wait", "--for=condition=Ready", f"node/{self.NODE}", "--timeout=60s")
        self.assertEqual(self.kubectl("get", "pod", "steady", "-o", running), started)


if __name__ == "__main__":
    unittest.main()
