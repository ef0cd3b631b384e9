"""Every unit test, and one life of the daemon, under valgrind: what is read before it was written, what leaks,
what is left open. Not found by discovery: it needs a build with symbols and without sanitizers."""

import concurrent.futures
import os
import pathlib
import re
import signal
import subprocess
import unittest

from harness import ALIAS, BINARY, MachineTest, wait_until

VALGRIND = ["valgrind", "--error-exitcode=99", "--leak-check=full", "--track-fds=yes"]
FRACTION = "10"  # of the many random cases of a test: see tests/support/random.h
SECONDS = 600  # bounds every wait: under valgrind, on a busy machine
PROGRAMS = sorted(pathlib.Path(BINARY).parent.glob("tests/unit-*"))


def left_open(output):
    """What a program of valgrind's output, begun with the three standard descriptors, did not close; its children
    end without."""
    tally = re.search(r"^==(\d+)== [\s\S]*^==\1== FILE DESCRIPTORS: (\d+) open \((\d+) std\) at exit", output, re.M)
    return tally is None or tally[2] != tally[3]


def run(program):
    options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    options |= {"text": True, "errors": "replace", "timeout": SECONDS, "check": False}
    return subprocess.run([*VALGRIND, program], env=os.environ | {"TEST_FRACTION": FRACTION}, **options)


class UnitTests(unittest.TestCase):
    def test_each(self):
        self.assertTrue(PROGRAMS)
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            for program, result in zip(PROGRAMS, pool.map(run, PROGRAMS)):
                with self.subTest(program=program.name):
                    self.assertEqual(result.returncode, 0, result.stdout)
                    self.assertFalse(left_open(result.stdout), result.stdout)


class Daemon(MachineTest):
    def test_start_reload_repair_stop(self):
        self.configure(reconcile={"poll": "2s", "timeout": "60s"})
        command = [*VALGRIND[1:], BINARY, "-c", str(self.config_file), "run"]
        environment = {"NOTIFY_SOCKET": self.notify.path}
        daemon = self.start(*command, executable=VALGRIND[0], config=False, environment=environment)
        self.notify.wait("^READY=1", seconds=SECONDS)
        daemon.wait_converged(seconds=SECONDS)

        since = self.notify.mark()
        self.change_port()
        self.configure(nodes={"aliases": [ALIAS]}, ui={"title": "Another"})
        daemon.signal(signal.SIGHUP)
        self.notify.wait("^READY=1", since, seconds=SECONDS)
        wait_until(lambda: self.hosts(self.worker, ALIAS), "the new alias", SECONDS)
        wait_until(lambda: self.bind_of(self.registry()) == str(self.port), "the new port", SECONDS)
        daemon.wait_converged(seconds=SECONDS)

        self.engine.remove_container(self.registry())
        self.kube.remove("services", "registry-api")
        self.worker.tree.remove(f"/etc/containerd/certs.d/{ALIAS}/hosts.toml")
        wait_until(self.engine.registries, "the registry", SECONDS)
        wait_until(lambda: self.kube.get("services", "registry-api"), "the service", SECONDS)
        wait_until(lambda: self.hosts(self.worker, ALIAS), "the file", SECONDS)
        daemon.wait_converged(seconds=SECONDS)
        self.assert_registry()

        daemon.signal(signal.SIGTERM)
        self.assertEqual(daemon.wait(SECONDS), 0, daemon.output)
        self.assertFalse(left_open(daemon.output), daemon.output)
