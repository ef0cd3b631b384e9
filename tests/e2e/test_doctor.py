"""doctor on a real engine and cluster: all of it proved, then each cause made by hand and told from the others,
and nothing left behind. The nodes of the lab have no crictl, so that containerd's own ctr pulls there."""

import contextlib
import json
import os
import signal
import subprocess
import time
import unittest

from machine import BINARY, CLUSTER, MACHINE, REGISTRY, Program, nodes, push_demo, run, wait_until

CERTS = "/etc/containerd/certs.d"
FOREIGN = 'server = "https://hostk8s-registry:5000"\n[host."https://hostk8s-registry:5000"]\n'
GREEN_SECONDS = 15
WORKER = f"{CLUSTER}-worker"
STORAGE, STORAGE_KIB = "/var/lib/registry", 64


class Doctor(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        for node in nodes():  # Engine 20.10 answers no query while it reaches no name server, and a pull has 15 s
            MACHINE.docker("exec", node, "sh", "-c", "echo options timeout:1 attempts:1 >>/etc/resolv.conf")
        cls.program = Program(MACHINE)
        cls.program("apply")

    @classmethod
    def tearDownClass(cls):
        cls.program("teardown", "--yes", check=False)
        cls.program.close()

    def doctor(self, status, program=None):
        result = (program or self.program)("doctor", "--json", check=False)
        self.assertEqual(result.returncode, status, result.stdout + result.stderr)
        return json.loads(result.stdout)["stations"]

    def assert_cause(self, station, cause, cure, subject=None, program=None):
        """The station fails with this cause, as a person reads it."""
        stations = self.doctor(1, program)
        faults = [fault for s in stations if s["station"] == station and subject in (None, s["subject"]) for fault in s["faults"]]
        text = json.dumps(stations, indent=1)
        self.assertTrue(any(cause in fault["cause"] and cure in fault["cure"] for fault in faults), text)
        self.assert_nothing_left()
        return stations

    def assert_nothing_left(self):
        for node in nodes():
            self.assertNotIn("hostk8s-registryd/doctor", MACHINE.docker("exec", node, "ctr", "-n", "k8s.io", "images", "ls", "-q", check=False), node)
        catalog = MACHINE.inside("curl", "-s", "--max-time", "5", "http://127.0.0.1:5002/v2/_catalog", check=False).stdout
        self.assertNotIn("hostk8s-registryd", catalog)

    def exec(self, node, script):
        return MACHINE.docker("exec", node, "sh", "-c", script)

    @contextlib.contextmanager
    def undone(self):
        """What is done meanwhile is repaired."""
        try:
            yield
        finally:
            self.program("apply")

    @contextlib.contextmanager
    def declared(self, **registry):
        """Another configuration, applied; the former one comes back."""
        program, before = self.program, self.program.config.read_text()
        document = json.loads(before)
        document["registry"] |= registry
        program.config.write_text(json.dumps(document))
        try:
            program("apply", check=False)  # it may well say that this one is of no use
            yield
        finally:
            program.config.write_text(before)
            program("apply")

    @contextlib.contextmanager
    def background(self, *command):
        process = subprocess.Popen([*MACHINE.prefix, *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    # ----

    def test_green(self):
        push_demo()
        start = time.monotonic()
        stations = self.doctor(0)
        self.assertLess(time.monotonic() - start, GREEN_SECONDS)
        self.assertEqual({s["result"] for s in stations}, {"proved"}, stations)
        self.assertEqual(sum(s["station"] == "pull" for s in stations), len(nodes()))
        self.assert_nothing_left()
        self.assertIn("demo", MACHINE.inside("curl", "-s", "http://127.0.0.1:5002/v2/_catalog").stdout)

    def test_name_missing_from_the_network(self):
        with self.undone():
            MACHINE.docker("network", "disconnect", "kind", REGISTRY)
            stations = self.assert_cause("name", "the registry is not on the network kind", "docker network connect")
            self.assertIn("the node knows no host", str([s for s in stations if s["station"] == "pull"]))

    def test_proxy(self):
        name = f"{CLUSTER}-worker9"
        image = MACHINE.docker("inspect", "-f", "{{.Config.Image}}", WORKER).strip()
        label = "io.x-k8s.kind."
        try:
            MACHINE.docker(
                "run", "-d", "-t", "--name", name, "--hostname", name, "--network", "kind",
                "--label", f"{label}cluster={CLUSTER}", "--label", f"{label}role=worker", "-e", "LAB_ROLE=none",
                "-e", "HTTP_PROXY=http://127.0.0.1:9", "-e", "NO_PROXY=10.96.0.0/12", "--entrypoint", "containerd", image,
            )  # fmt: skip
            self.program("apply", check=False)
            self.assert_cause("pull", "ProxyInTheWay", f"NO_PROXY=$NO_PROXY,{REGISTRY}", subject=name)
        finally:
            MACHINE.docker("rm", "-fv", name)

    def test_port_refused(self):
        pid = MACHINE.docker("inspect", "-f", "{{.State.Pid}}", REGISTRY).strip()
        address = MACHINE.docker("inspect", "-f", "{{.NetworkSettings.Networks.kind.IPAddress}}", WORKER).strip()
        rule = ["INPUT", "-s", address, "-p", "tcp", "--dport", "5000", "-j", "REJECT", "--reject-with", "tcp-reset"]
        MACHINE.inside("nsenter", "-t", pid, "-n", "iptables", "-I", *rule)
        try:
            self.assert_cause("pull", "nobody listens", "REGISTRY_HTTP_ADDR", subject=WORKER)
        finally:
            MACHINE.inside("nsenter", "-t", pid, "-n", "iptables", "-D", *rule)

    def test_https_asked_of_plain_http(self):
        with self.undone():
            self.exec(WORKER, f"rm -r {CERTS}/{REGISTRY}:5000")
            self.assert_cause("pull", f"containerd asks {REGISTRY}:5000 by HTTPS", "certs.d", subject=WORKER)

    def test_hosts_toml_missing(self):
        with self.undone():
            self.exec(WORKER, f"rm -r {CERTS}/localhost:5002")
            self.assert_cause("pull", "containerd asks localhost:5002 within the node", "certs.d", subject=WORKER)

    def test_config_path_off(self):
        self.with_config_toml("s,^\\( *config_path\\).*,\\1 = \"\",", "ConfigPathDisabled", "containerdConfigPatches")

    def test_mirrors_in_the_way(self):
        mirrors = '[plugins."io.containerd.grpc.v1.cri".registry.mirrors."localhost:5000"]'
        script = f"s,^\\( *\\)config_path.*,{mirrors}\\n  endpoint = [\"http://x:5000\"],"
        self.with_config_toml(script, "mirrors", "no mirrors")

    def with_config_toml(self, script, cause, cure):
        self.exec(WORKER, "cp /etc/containerd/config.toml /etc/containerd/config.kept")
        try:
            self.exec(WORKER, f"sed -i '{script}' /etc/containerd/config.toml")
            self.assert_cause("containerd", cause, cure, subject=WORKER)
        finally:
            self.exec(WORKER, "mv /etc/containerd/config.kept /etc/containerd/config.toml")

    def test_foreign_file(self):
        with self.undone():
            self.exec(WORKER, f"printf '%s' '{FOREIGN}' > {CERTS}/localhost:5002/hosts.toml")
            self.assert_cause("containerd", f"ForeignFile: {CERTS}/localhost:5002/hosts.toml", "remove it", subject=WORKER)
            self.assert_cause("pull", "localhost:5002", "", subject=WORKER)
            self.exec(WORKER, f"rm {CERTS}/localhost:5002/hosts.toml")

    def test_shadowing_directory(self):
        try:
            self.exec(WORKER, f"mkdir {CERTS}/localhost_5002_")
            self.assert_cause("containerd", f"ForeignFile: {CERTS}/localhost_5002_", "remove it", subject=WORKER)
            self.assert_cause("pull", f"ForeignFile: {CERTS}/localhost_5002_", "remove it", subject=WORKER)
        finally:
            self.exec(WORKER, f"rmdir {CERTS}/localhost_5002_")

    def test_default_directory(self):
        text = 'server = "http://elsewhere:5000"\n[host."http://elsewhere:5000"]\n'
        with self.undone():
            try:
                self.exec(WORKER, f"mkdir {CERTS}/_default; printf '%s' '{text}' > {CERTS}/_default/hosts.toml; rm -r {CERTS}/localhost:5002")
                self.assert_cause("pull", "containerd asks elsewhere:5000 for images of localhost:5002", "certs.d", subject=WORKER)
            finally:
                self.exec(WORKER, f"rm -r {CERTS}/_default")

    def test_read_only(self):
        with self.declared(environment={"REGISTRY_STORAGE_MAINTENANCE_READONLY": '{"enabled": true}'}):
            self.assert_cause("push", "takes no pushes: it is read-only", "MAINTENANCE_READONLY")

    def test_full_disk(self):
        pid = MACHINE.docker("inspect", "-f", "{{.State.Pid}}", REGISTRY).strip()
        run("mount", "-N", pid, "-t", "tmpfs", "-o", f"size={STORAGE_KIB}k", "none", STORAGE)
        try:
            with open(f"/proc/{pid}/root{STORAGE}/filler", "wb", buffering=0) as filler, contextlib.suppress(OSError):
                while True:
                    filler.write(bytes(1024))
            self.assert_cause("push", "the disk of ", "hostk8s-registryd gc")
        finally:
            MACHINE.docker("restart", REGISTRY)  # without that mount
            self.program("apply")

    def test_404_of_the_ingress(self):
        with self.undone():
            MACHINE.kubectl("-n", "hostk8s", "delete", "ingress", "--all")
            wait_until(lambda: "404" in MACHINE.inside("curl", "-sI", "http://localhost:8080/registry/").stdout, 60, "the route is gone")
            self.assert_cause("page", "HTTP 404", "ui.ingressClass")

    def test_body_limit_of_the_ingress(self):
        with self.undone():
            annotation = "nginx.ingress.kubernetes.io/proxy-body-size=1m"
            MACHINE.kubectl("-n", "hostk8s", "annotate", "--overwrite", "ingress", "--all", annotation)

            def limited():
                command = "head -c 1500000 /dev/zero | curl -s -o /dev/null -w '%{http_code}' -X PATCH --data-binary @- http://localhost:8080/v2/x/blobs/uploads/x"
                return MACHINE.inside("sh", "-c", command).stdout == "413"

            wait_until(limited, 60, "the limit is in force")
            self.assert_cause("upload", "takes no body of that size (HTTP 413)", "proxy-body-size")

    def test_nothing_at_the_url(self):
        document = json.loads(self.program.config.read_text())
        other = Program(MACHINE)
        other.config.write_text(json.dumps(document | {"ui": {"url": "http://localhost:8099"}}))
        try:
            stations = self.assert_cause("page", "nothing listens at http://localhost:8099", "extraPortMappings", program=other)
            self.assertEqual([s["result"] for s in stations if s["station"] in ("redirect", "api", "upload")], ["skipped"] * 3)
        finally:
            other.close()

    def test_ui_of_another_registry(self):
        MACHINE.docker("run", "-d", "--name", "another", "--network", "kind", "registry:2")
        try:
            with self.undone():
                address = MACHINE.docker("inspect", "-f", "{{.NetworkSettings.Networks.kind.IPAddress}}", "another").strip()
                kind = "endpointslice" if "endpointslices" in MACHINE.kubectl("get", "endpointslices", "-n", "hostk8s", "-o", "name", check=False) else "endpoints"
                path = "/endpoints/0/addresses/0" if kind == "endpointslice" else "/subsets/0/addresses/0/ip"
                patch = json.dumps([{"op": "replace", "path": path, "value": address}])
                names = MACHINE.kubectl("-n", "hostk8s", "get", kind, "-o", "name").split()
                for name in (name for name in names if "registry-api" in name):
                    MACHINE.kubectl("-n", "hostk8s", "patch", name, "--type=json", "-p", patch)
                push_demo()
                wait_until(lambda: "demo" not in MACHINE.inside("curl", "-s", "http://localhost:8080/v2/_catalog").stdout, 60, "the other one answers")
                self.assert_cause("api", "http://localhost:8080 is answered by another registry", "ui.url")
        finally:
            MACHINE.docker("rm", "-fv", "another")

    def test_localhost_of_somebody_else(self):
        with self.background("python3", "-m", "http.server", "5002", "--bind", "::1"):
            wait_until(lambda: MACHINE.inside("curl", "-s", "http://[::1]:5002/", check=False).returncode == 0, 20, "it listens")
            self.assert_cause("localhost", "[::1]:5002 is answered by somebody else", "registry.listen")

    def test_interrupted(self):
        environment = {**os.environ, "XDG_RUNTIME_DIR": str(self.program.directory)}
        for station in ("push", "name", "pull", "upload"):
            with self.subTest(station=station):
                command = [*MACHINE.prefix, BINARY, "-c", self.program.config, "doctor"]
                process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)
                for line in process.stdout:
                    if f" ms  {station} " in line or f" ms  {station}:" in line:
                        process.send_signal(signal.SIGINT)
                        break
                output = process.communicate(timeout=60)[0]
                self.assertEqual(process.returncode, 1, output)
                self.assertIn("interrupted: ", output)
                self.assert_nothing_left()


if __name__ == "__main__":
    unittest.main()
