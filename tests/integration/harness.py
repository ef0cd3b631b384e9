"""A machine for one test: a home directory, the fake engine, one fake cluster, and the program."""

import contextlib
import copy
import fcntl
import functools
import json
import os
import pathlib
import pty
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from fakes import ingress  # noqa: E402
from fakes.certificates import Certificates, certificates  # noqa: E402
from fakes.files import timestamp  # noqa: E402
from fakes.message import Response, Stream, reply  # noqa: E402
from fakes.ports import free_port, loopback_prefix  # noqa: E402
from fakes.registry import Storage  # noqa: E402
from fakes.server import EngineServer, IngressServer, KubeServer, Server  # noqa: E402

# For the tests:
__all__ = ["Certificates", "IngressServer", "Response", "Server", "Stream", "certificates", "free_port"]
__all__ += ["Storage", "ingress", "loopback_prefix", "reply", "timestamp"]
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # below nohup(1) the program would leave it ignored

BINARY = os.environ.get("HOSTK8S_REGISTRYD", str(ROOT / "build/gcc/hostk8s-registryd"))
REGISTRY = "hostk8s-registry"
CONTAINER = f"container/{REGISTRY}"
NETWORK = f"network/kind/{REGISTRY}"
CONTROL_PLANE = "node/hostk8s-control-plane"
WORKER = "node/hostk8s-worker"
DEPLOYMENT = "kube/hostk8s/Deployment/hostk8s/registry-ui"
INGRESS = "kube/hostk8s/Ingress/hostk8s/registry-ui"
HOSTING = "kube/hostk8s/ConfigMap/kube-public/local-registry-hosting"
HOSTS = "/etc/containerd/certs.d/localhost:5000/hosts.toml"
ALIAS = "registry.example:80"  # another one than is declared
DEPLOYMENT_LIST = r"GET /apis/apps/v1/deployments\?[^&]*$"  # and no watch
RESOURCES = 12  # of a machine as setUp makes it
SECONDS = 30  # bounds every wait: generous, since the machine may be busy
STEP = 0.01  # between two looks at a file
HELD = 60  # seconds, longer than any wait
NOBODY = 65534
SANITIZER = re.compile(r"AddressSanitizer|LeakSanitizer|runtime error:|Assertion .* failed")


def wait_until(condition, what, seconds=SECONDS):
    """Waits for condition() to be true and returns it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(STEP)
    raise AssertionError(f"not within {seconds} s: {what}")


def environment_of(home):
    words = {"PATH": os.environ["PATH"], "HOME": str(home), "XDG_RUNTIME_DIR": str(home / "run"), "NO_COLOR": "1"}
    return words | {name: value for name, value in os.environ.items() if name.endswith("SAN_OPTIONS")}


def merged(base, changes):
    result = copy.deepcopy(base)
    for key, value in changes.items():
        nested = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merged(result[key], value) if nested else copy.deepcopy(value)
    return result


class NotifySocket:
    """What systemd would be told."""

    def __init__(self, path):
        self.path = str(path)
        self.messages = []
        self.changed = threading.Condition()
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        threading.Thread(target=self._receive, daemon=True).start()

    def _receive(self):
        while True:
            try:
                data = self.socket.recv(65536)
            except OSError:
                return
            if not data:
                return
            with self.changed:
                self.messages.append(data.decode())
                self.changed.notify_all()

    def mark(self):
        return len(self.messages)

    def wait(self, match, since=0, count=1, seconds=SECONDS):
        """Waits for a message that matches; returns the `count`th."""

        def found():
            return [message for message in self.messages[since:] if re.search(match, message, re.MULTILINE)]

        with self.changed:
            if not self.changed.wait_for(lambda: len(found()) >= count, seconds):
                raise AssertionError(f"no message {match!r} within {seconds} s, but {self.messages[-10:]}")
            return found()[count - 1]

    def close(self):
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


class Process:
    """The program in the background; its output is collected as it comes."""

    def __init__(self, machine, arguments, environment, **options):
        self.machine = machine
        self.lines = []
        self.changed = threading.Condition()
        self.process = subprocess.Popen(
            [options.pop("executable", BINARY), *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            **options,
        )
        self.pid = self.process.pid
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            with self.changed:
                self.lines.append(line.rstrip("\n"))
                self.changed.notify_all()

    @property
    def output(self):
        return "\n".join(self.lines)

    def wait_line(self, match, since=0, seconds=SECONDS):
        def found():
            return next((line for line in self.lines[since:] if re.search(match, line)), None)

        with self.changed:
            if not self.changed.wait_for(found, seconds):
                raise AssertionError(f"no line {match!r} within {seconds} s, but:\n{self.output}")
            return found()

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, seconds=SECONDS):
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still runs after {seconds} s:\n{self.output}") from None
        self.reader.join(SECONDS)
        self.process.stdout.close()
        if SANITIZER.search(self.output):
            raise AssertionError(self.output)
        return status

    def stop(self):
        self.signal(signal.SIGTERM)
        return self.wait()

    @contextlib.contextmanager
    def frozen(self):
        """It stands still meanwhile, with no status half written."""

        def stands():
            self.signal(signal.SIGSTOP)
            os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
            if not list(self.machine.status_file.parent.glob("*.new")):
                return True
            self.signal(signal.SIGCONT)
            return False

        wait_until(stands, "no status half written")
        try:
            yield
        finally:
            self.signal(signal.SIGCONT)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(SECONDS)
            self.reader.join(SECONDS)
            self.process.stdout.close()

    # ---- the daemon's view ----

    def status(self):
        """status.json, or {} before it is there, and while it is the FIFO that hung its writer."""
        try:
            with open(os.open(self.machine.status_file, os.O_RDONLY | os.O_NONBLOCK)) as file:
                return json.loads(file.read() or "{}")
        except FileNotFoundError:
            return {}

    def condition(self, resource):
        found = [entry for entry in self.status().get("resources", []) if entry["resource"] == resource]
        return found[0] if found else None

    def _until(self, condition, what, seconds):
        try:
            return wait_until(condition, what, seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}: {json.dumps(self.status(), indent=1)}\n{self.output}") from None

    def wait_reason(self, resource, reason, message="", seconds=SECONDS):
        """Waits until the resource has the reason; returns its condition."""

        def found():
            condition = self.condition(resource)
            good = condition is not None and condition["reason"] == reason
            return condition if good and re.search(message, condition["message"]) else None

        return self._until(found, f"{resource} {reason} {message!r}", seconds)

    def wait_converged(self, total=RESOURCES, seconds=SECONDS):
        def converged():
            status = self.status()
            return status.get("total") == total and status["ready"] == total

        self._until(converged, f"{total}/{total} ready", seconds)


class Terminal:
    """A program on a terminal of 80 columns and 24 rows; what it shows is collected as it comes."""

    def __init__(self, test, command, environment):
        self.shown = ""
        self.changed = threading.Condition()
        self.fd, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))
        self.process = subprocess.Popen(
            command, env=environment, stdin=slave, stdout=slave, stderr=slave, start_new_session=True
        )
        os.close(slave)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        test.addCleanup(self.close)

    def _read(self):
        with contextlib.suppress(OSError):  # EIO: nobody has the other end any more
            while data := os.read(self.fd, 65536):
                with self.changed:
                    self.shown += data.decode(errors="replace")
                    self.changed.notify_all()

    def type(self, text):
        os.write(self.fd, text.encode())

    def wait(self, match, since=0, seconds=SECONDS):
        """Waits until it shows what matches; returns the match."""
        with self.changed:
            if not self.changed.wait_for(lambda: re.search(match, self.shown[since:]), seconds):
                raise AssertionError(f"no {match!r} within {seconds} s, but {self.shown!r}")
            return re.search(match, self.shown[since:])

    def close(self):
        self.process.kill()
        self.process.wait(SECONDS)
        self.reader.join(SECONDS)
        os.close(self.fd)


class MachineTest(unittest.TestCase):
    """Gives a test the machine; what the program asked for and nobody knows fails the test."""

    def setUp(self):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="hk8s-"))
        self.addCleanup(shutil.rmtree, self.home, ignore_errors=True)
        self.runtime = self.home / "run"
        self.runtime.mkdir(mode=0o700)
        self.storage = self.home / "registry"
        self.config_file = self.home / "registryd.yaml"
        self.status_file = self.runtime / "hostk8s-registryd/status.json"
        self.port = free_port()
        self.kube = KubeServer().up()
        self.addCleanup(self.kube.close)
        self.engine = EngineServer(str(self.home / "docker.sock")).up()
        self.addCleanup(self.engine.close)
        self.engine.add_network()
        self.node = self.engine.add_node("hostk8s-control-plane", "hostk8s", api_port=self.kube.port)
        self.node.tree.write("/etc/kubernetes/admin.conf", self.kube.admin_conf())
        self.worker = self.engine.add_node("hostk8s-worker", "hostk8s", role="worker")
        self.notify = NotifySocket(self.home / "notify.sock")
        self.addCleanup(self.notify.close)
        self.environment = environment_of(self.home)
        self.config = {
            "registry": {"listen": f"127.0.0.1:{self.port}", "storage": str(self.storage)},
            "docker": {"host": f"unix://{self.engine.address}"},
            "ui": {"check": False},  # nothing serves the page but in test_route.py
            "reconcile": {"poll": "1s", "timeout": "5s", "backoff": {"initial": "20ms", "max": "200ms"}},
        }
        self.configure()

    def tearDown(self):
        self.assertEqual(self.engine.unexpected + self.kube.unexpected, [])
        for request in self.engine.requests:
            self.assertNotIn(request.query.get("v"), ("1", "true"), f"{request} removes volumes")

    def fresh(self):
        """The machine as it was, for the next subtest."""
        self.tearDown()
        self.doCleanups()
        self.setUp()

    def configure(self, **changes):
        """Writes the configuration, with the changes kept; JSON is YAML."""
        self.config = merged(self.config, changes)
        self.config_file.write_text(json.dumps(self.config, indent=2))

    def change_port(self):
        self.port = free_port()
        self.configure(registry={"listen": f"127.0.0.1:{self.port}"})

    def use_kubeconfig(self, more=""):
        """A file of the user's in the place of the clusters' own."""
        kubeconfig = self.home / "kubeconfig"
        conf = certificates().kubeconfig(f"https://127.0.0.1:{self.kube.port}", name="kind-hostk8s")
        kubeconfig.write_text(conf + more)
        self.configure(kubernetes={"kubeconfig": str(kubeconfig)})
        return kubeconfig

    def run_program(self, *arguments, status=None, seconds=60, environment=None, config=True, **options):
        """Runs the program to its end; with status given, it must end so."""
        command = [BINARY] + (["-c", str(self.config_file)] if config else []) + list(arguments)
        environment = self.environment | (environment or {})
        if "input" not in options:
            options["stdin"] = subprocess.DEVNULL
        options = {"stdout": subprocess.PIPE} | options
        options |= {"stderr": subprocess.PIPE, "text": True, "timeout": seconds, "check": False}
        result = subprocess.run(command, env=environment, **options)
        text = f"{arguments} ended with {result.returncode}:\n{result.stdout}{result.stderr}"
        self.assertIsNone(SANITIZER.search(text), text)
        if status is not None:
            self.assertEqual(result.returncode, status, text)
        return result

    def table(self, status):
        """What `status` prints, each message in one line."""
        return re.sub(r"\n +", " ", self.run_program("status", status=status).stdout)

    def terminal(self, *arguments):
        """Starts the program on a terminal."""
        command = [BINARY, "-c", str(self.config_file), *arguments]
        return Terminal(self, command, self.environment | {"NO_COLOR": ""})

    def apply(self, status=0, **options):
        return self.run_program("apply", status=status, **options)

    def start(self, *arguments, environment=None, config=True, **options):
        """Starts the program in the background; it is killed at the end of the test at the latest."""
        words = (["-c", str(self.config_file)] if config else []) + list(arguments)
        process = Process(self, words, self.environment | (environment or {}), **options)
        self.addCleanup(process.kill)
        return process

    def daemon(self, *arguments, environment=None, **options):
        """Starts the daemon and waits until it is ready."""
        since = self.notify.mark()
        environment = {"NOTIFY_SOCKET": self.notify.path} | (environment or {})
        process = self.start(*arguments, "run", environment=environment, **options)
        self.notify.wait("^READY=1", since)
        return process

    def converged_daemon(self, *arguments, **options):
        process = self.daemon(*arguments, **options)
        process.wait_converged()
        return process

    def reload(self, daemon, expect="^READY=1"):
        """Waits for the end of it, or what else is expected to be told; returns what is told."""
        since, begins = self.notify.mark(), "^RELOADING=1"
        daemon.signal(signal.SIGHUP)
        self.notify.wait(begins, since)
        while not re.search(begins, self.notify.messages[since], re.MULTILINE):
            since += 1  # the READY=1 of what was before
        return self.notify.wait(expect, since)

    def wait_passes(self, count=2):
        """Waits for full passes that begin from now on, and the end of all but the last of them."""
        self.engine.wait("GET .*/containers/json", count + 1, since=self.engine.mark(), answered=True)

    # ---- what is there ----

    def registry(self):
        container = self.engine.find(REGISTRY)
        self.assertIsNotNone(container, "no registry container")
        return container

    def hosts(self, node, alias):
        return node.tree.text(f"/etc/containerd/certs.d/{alias}/hosts.toml")

    def wait_alias(self, alias=ALIAS):
        wait_until(lambda: self.hosts(self.worker, alias), f"the alias {alias}")

    def assert_repairs(self):
        """A file that somebody deletes comes back."""
        self.worker.tree.remove(HOSTS)
        wait_until(lambda: self.worker.tree.text(HOSTS), "the file is back")

    @contextlib.contextmanager
    def untouched(self):
        """Nothing is written meanwhile."""
        before = self.engine.mark(), self.kube.mark()
        yield
        writes = self.engine.writes(before[0]) + self.kube.writes(before[1])
        self.assertEqual([str(request) for request in writes], [])

    def bind_of(self, container):
        return container.spec["HostConfig"]["PortBindings"]["5000/tcp"][0]["HostPort"]

    def assert_registry(self, port=None):
        """One registry container, ours, running, on its network, with the storage mounted."""
        registries = self.engine.registries()
        self.assertEqual([container.name for container in registries], [REGISTRY])
        self.assertEqual(registries[0].state, "running")
        self.assertEqual(registries[0].binds, [f"{self.storage}:/var/lib/registry"])
        self.assertIn("kind", registries[0].networks)
        self.assertEqual(self.bind_of(registries[0]), str(port or self.port))


class ConditionTest(MachineTest):
    """One resource is not ready for a reason, and all the others are."""

    def assert_others(self, daemon, *resources):
        """All but the given ones are converged."""
        for resource in (CONTAINER, NETWORK, CONTROL_PLANE, WORKER, DEPLOYMENT, HOSTING):
            if resource not in resources:
                daemon.wait_reason(resource, "Converged")

    def wait_ready(self, daemon, resource, reason, message, ready="False"):
        condition = daemon.wait_reason(resource, reason, message)
        self.assertEqual(condition["ready"], ready)
        daemon.wait_line(rf"warning: (.*{re.escape(resource)}.*|\d+ resources.*): .*{reason}: ")
        return condition


def condition(*resources, ready="False", others=()):
    """Makes a test of a generator: what it does causes a condition of the resources, and beside them of the
    others; it yields reason and message; what it does then takes the cause away."""

    def decorate(cause):
        @functools.wraps(cause)
        def test(self):
            steps = cause(self)
            reason, message = next(steps)
            daemon = self.daemon()
            for resource in resources:
                self.wait_ready(daemon, resource, reason, message, ready)
            self.assert_others(daemon, *resources, *others)
            next(steps, None)
            daemon.wait_converged()

        return test

    return decorate
