"""The machine that the end-to-end tests run on: the lab (tests/lab), or with E2E=kind this machine's
own Docker Engine with clusters that the `kind` binary makes. Both give the tests the same calls."""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("HOSTK8S_REGISTRYD", str(ROOT / "build/gcc/hostk8s-registryd"))
REGISTRY = "hostk8s-registry"
CLUSTER = "hostk8s"
IMAGE_NAMES = [
    "localhost:5000/demo:1",
    "localhost:5002/demo:1",
    "127.0.0.1:5002/demo:1",
    "hostk8s-registry:5000/demo:1",
]


def run(*command, check=True, timeout=300, **options):
    """Runs a command; its result, with stdout and stderr as text. Raises with both on failure."""
    result = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, timeout=timeout, **options
    )
    if check and result.returncode != 0:
        raise AssertionError(f"{command} ended with {result.returncode}:\n{result.stdout}{result.stderr}")
    return result


def wait_until(condition, seconds, what):
    """Waits for condition() to be true; returns the seconds it took."""
    start = time.monotonic()
    last = None
    while time.monotonic() - start < seconds:
        try:
            if condition():
                return time.monotonic() - start
        except (AssertionError, subprocess.TimeoutExpired, ValueError, KeyError) as error:
            last = error
        time.sleep(0.1)
    raise AssertionError(f"not within {seconds:.0f} s: {what}; last: {last}")


class Lab:
    lab = os.environ.get("LAB", str(ROOT / "tests/lab/lab"))
    socket = "/run/registry-lab/docker.sock"
    prefix = ["nsenter", "--net=/run/netns/registry-lab"]
    demo_image = "lab/demo:1"

    def inside(self, *command, **options):
        return run(self.lab, "exec", *command, **options)

    def docker(self, *command, **options):
        return run(self.lab, "docker", *command, **options).stdout

    def kubectl(self, *command, cluster=CLUSTER, **options):
        return run(self.lab, "kubectl", "-c", cluster, *command, **options).stdout

    def cluster_up(self, cluster, workers=0, port=8080):
        run(self.lab, "up", "-c", cluster, "-w", workers, "-p", port, timeout=600)

    def cluster_down(self, cluster):
        run(self.lab, "down", "-c", cluster)

    def gateway_up(self, cluster=CLUSTER):
        """Adds the Gateway lab/gateway to a running cluster."""
        run(self.lab, "up", "-c", cluster, "--gateway")

    def worker_up(self, cluster=CLUSTER):
        run(self.lab, "worker", "-c", cluster)

    def wait_ready(self, cluster=CLUSTER):
        run(self.lab, "wait", "-c", cluster)

    def engine_restart(self):
        run(self.lab, "engine-restart")

    def pause_api(self, cluster=CLUSTER):
        run(self.lab, "pause-api", "-c", cluster)

    def resume_api(self, cluster=CLUSTER):
        run(self.lab, "resume-api", "-c", cluster)

    def kubeconfig(self, cluster=CLUSTER):
        return run(self.lab, "kubeconfig", "-c", cluster).stdout

    def chromium(self, url):
        return run(self.lab, "chromium", url)

    def service(self):
        return Workstation(self)


class Kind:
    """E2E=kind: needs kind, docker, kubectl and an ingress controller of class nginx on port 8080."""

    socket = "/var/run/docker.sock"
    prefix = []
    demo_image = "busybox:latest"

    def __init__(self):
        run("docker", "pull", "-q", self.demo_image, timeout=600)

    def inside(self, *command, **options):
        return run(*command, **options)

    def docker(self, *command, **options):
        return run("docker", *command, **options).stdout

    def kubectl(self, *command, cluster=CLUSTER, **options):
        return run("kubectl", "--context", f"kind-{cluster}", *command, **options).stdout

    def cluster_up(self, cluster, workers=0, port=8080):
        nodes = [f"- role: control-plane\n  extraPortMappings: [{{containerPort: 80, hostPort: {port}, listenAddress: 127.0.0.1}}]"]
        nodes += ["- role: worker"] * workers
        text = "kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\nnodes:\n" + "\n".join(nodes) + "\n"
        run("kind", "create", "cluster", "--name", cluster, "--config", "-", input=text, timeout=900)

    def cluster_down(self, cluster):
        run("kind", "delete", "cluster", "--name", cluster)

    def gateway_up(self, cluster=CLUSTER):
        raise unittest.SkipTest("no Gateway controller is known to be there")

    def worker_up(self, cluster=CLUSTER):
        raise NotImplementedError("kind adds no worker to a running cluster")

    def wait_ready(self, cluster=CLUSTER):
        self.kubectl("wait", "--for=condition=Ready", "node", "--all", "--timeout=300s", cluster=cluster)

    def engine_restart(self):
        run("systemctl", "restart", "docker")

    def pause_api(self, cluster=CLUSTER):
        self.docker("exec", f"{cluster}-control-plane", "pkill", "-STOP", "kube-apiserver")

    def resume_api(self, cluster=CLUSTER):
        self.docker("exec", f"{cluster}-control-plane", "pkill", "-CONT", "kube-apiserver")

    def kubeconfig(self, cluster=CLUSTER):
        return run("kind", "get", "kubeconfig", "--name", cluster).stdout

    def chromium(self, url):
        return run(Lab.lab, "chromium", url)

    def service(self):
        return Process(self)


class Program:
    """The program with a configuration and a storage directory of its own."""

    def __init__(self, machine, **overrides):
        self.machine = machine
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="hostk8s-e2e-"))
        self.config = self.directory / "registryd.yaml"
        self.storage = self.directory / "storage"
        self.configure(**overrides)

    def configure(self, text="", **settings):
        self.config.write_text(configuration(self.machine, self.storage, **settings) + text)

    def __call__(self, *command, check=True, **options):
        return self.machine.inside(
            "env", f"XDG_RUNTIME_DIR={self.directory}", BINARY, "-c", self.config, *command,
            check=check, **options,
        )

    def close(self):
        shutil.rmtree(self.directory)


def configuration(machine, storage, port=5002, aliases=("localhost:5000",), ui=True, poll="3s", caches=()):
    document = {
        "registry": {"listen": f"127.0.0.1:{port}", "storage": str(storage)},
        "caches": list(caches),
        "nodes": {"aliases": list(aliases)},
        "ui": ui if isinstance(ui, dict) else {"enabled": ui},
        "docker": {"host": f"unix://{machine.socket}"},
        "reconcile": {"poll": poll, "backoff": {"initial": "500ms", "max": "5s"}},
    }
    return json.dumps(document, indent=2) + "\n"  # JSON is YAML


class Workstation:
    """The daemon as a systemd user service of `dev` on the lab's workstation."""

    home = "/home/dev"
    config = f"{home}/.config/hostk8s/registryd.yaml"
    binary = f"{home}/.local/bin/hostk8s-registryd"

    def __init__(self, lab):
        self.lab = lab
        self.storage = tempfile.mkdtemp(prefix="hostk8s-e2e-service-")
        # The engine runs on this machine, the daemon in the workstation: the path is the same in both.
        run(lab.lab, "workstation", ROOT)
        self.put(BINARY, self.binary)
        self.put(ROOT / "systemd/hostk8s-registryd.service", f"{self.home}/.config/systemd/user/hostk8s-registryd.service")

    def as_dev(self, *command, check=True, **options):
        return run(self.lab.lab, "as-dev", *command, check=check, **options)

    def put(self, source, target):
        with open(source, "rb") as file:
            self.as_dev("mkdir", "-p", os.path.dirname(target))
            subprocess.run([self.lab.lab, "as-dev", "sh", "-c", f"cat > {target}.new && chmod 755 {target}.new && mv {target}.new {target}"],
                           stdin=file, check=True, timeout=60)

    def configure(self, text="", **settings):
        document = configuration(self.lab, self.storage, **settings).replace(self.lab.socket, "/var/run/docker.sock")
        with tempfile.NamedTemporaryFile("w") as file:
            file.write(text or document)
            file.flush()
            self.put(file.name, self.config)

    def start(self):
        self.as_dev("systemctl", "--user", "daemon-reload")
        self.as_dev("systemctl", "--user", "start", "hostk8s-registryd.service")

    def stop(self):
        self.as_dev("systemctl", "--user", "stop", "hostk8s-registryd.service")

    def reload(self, fails=False):
        result = self.as_dev("systemctl", "--user", "reload", "hostk8s-registryd.service", check=False)
        assert (result.returncode != 0) == fails, result

    def show(self, name):
        return self.as_dev("systemctl", "--user", "show", "-P", name, "hostk8s-registryd.service").stdout.strip()

    def program(self, *command, **options):
        return self.as_dev(self.binary, *command, **options)

    def journal(self, *matches):
        text = self.as_dev("journalctl", "--user", "-u", "hostk8s-registryd.service", "-o", "json", *matches).stdout
        return [json.loads(line) for line in text.splitlines() if line.startswith("{")]

    def status(self):
        return json.loads(self.program("status", "--json", check=False).stdout)

    def close(self):
        self.stop()
        self.lab.docker("rm", "-f", "workstation")


class Process:
    """The daemon as a plain process of this machine."""

    def __init__(self, machine):
        self.inner = Program(machine)
        self.storage = self.inner.storage
        self.process = None
        self.log = open(self.inner.directory / "log", "w+", encoding="utf-8")

    def configure(self, text="", **settings):
        if text:
            self.inner.config.write_text(text)
        else:
            self.inner.configure(**settings)

    def start(self):
        environment = {**os.environ, "XDG_RUNTIME_DIR": str(self.inner.directory)}
        command = [*self.inner.machine.prefix, BINARY, "-c", self.inner.config, "run"]
        self.process = subprocess.Popen(command, stderr=self.log, env=environment)

    def stop(self):
        if self.process is not None:
            self.process.terminate()
            self.process.wait(30)
            self.process = None

    def reload(self, fails=False):  # nobody is told
        self.process.send_signal(1)

    def program(self, *command, **options):
        return self.inner(*command, **options)

    def status(self):
        return json.loads(self.program("status", "--json", check=False).stdout)

    def close(self):
        self.stop()
        self.log.close()
        self.inner.close()


MACHINE = Kind() if os.environ.get("E2E") == "kind" else Lab()


def registry_tags(port=5002):
    """The tags of the demo image, as the registry on the host answers."""
    answer = MACHINE.inside("curl", "-sf", "--max-time", "5", f"http://localhost:{port}/v2/demo/tags/list")
    return json.loads(answer.stdout)["tags"]


def push_demo(port=5002):
    MACHINE.docker("tag", MACHINE.demo_image, f"localhost:{port}/demo:1")
    MACHINE.docker("push", f"localhost:{port}/demo:1")


def push_index(port=5002):
    """What today's docker pushes, of the demo image: the OCI index demo:index."""
    MACHINE.inside(ROOT / "tests/lab/push-index", f"localhost:{port}", "demo", "1", "index")


def nodes(cluster=CLUSTER):
    names = MACHINE.docker("ps", "-a", "--filter", f"label=io.x-k8s.kind.cluster={cluster}", "--format", "{{.Names}}")
    return sorted(names.split())


def run_pod(image, node, cluster=CLUSTER):
    """Runs a pod of this image name on this node and waits until it runs; then removes it."""
    name = "pull-" + "".join(c if c.isalnum() else "-" for c in f"{image}-{node}")
    overrides = {"spec": {"nodeName": node, "terminationGracePeriodSeconds": 0,
                          "tolerations": [{"operator": "Exists"}],
                          "containers": [{"name": "demo", "image": image, "imagePullPolicy": "Always",
                                          "command": ["sleep", "3600"]}]}}
    MACHINE.kubectl("run", name, f"--image={image}", "--restart=Never", f"--overrides={json.dumps(overrides)}", cluster=cluster)
    try:
        MACHINE.kubectl("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=60s", cluster=cluster)
    except AssertionError as error:
        raise AssertionError(MACHINE.kubectl("describe", "pod", name, cluster=cluster)) from error
    finally:
        MACHINE.kubectl("delete", "pod", name, "--wait=false", cluster=cluster)
