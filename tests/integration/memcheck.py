"""Every unit test, and one life of the daemon, under valgrind: what is read before it was written, what leaks,
what is left open. The unit tests with an allocator of their own (tests/interpose) look at all that themselves.
Not found by discovery: it needs a build with symbols and without sanitizers."""

import concurrent.futures
import os
import pathlib
import re
import signal
import subprocess
import unittest

from harness import BINARY, MachineTest, free_port, wait_until

VALGRIND = ["valgrind", "--error-exitcode=99", "--leak-check=full", "--track-fds=yes"]
FRACTION = "10"  # of the many random cases of a test: see tests/support/repeat.h
SECONDS = 600  # bounds every wait: under valgrind, on a busy machine
PROGRAMS = sorted(pathlib.Path(BINARY).parent.glob("tests/unit-*"))


def left_open(output):
    """What a program of valgrind's output, begun with the three standard descriptors, did not close."""
    tally = re.search(r"FILE DESCRIPTORS: (\d+) open \((\d+) std\) at exit", output)
    return tally is None or tally[1] != tally[2]


class UnitTests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        pool = concurrent.futures.ThreadPoolExecutor(os.cpu_count())
        cls.addClassCleanup(pool.shutdown, cancel_futures=True)
        cls.results = {program: pool.submit(cls.run_program, program) for program in PROGRAMS}

    @staticmethod
    def run_program(program):
        return subprocess.run(
            [*VALGRIND, program],
            env=os.environ | {"TEST_FRACTION": FRACTION},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=SECONDS,
            check=False,
        )

    def check(self, program):
        result = self.results[program].result()
        self.assertEqual(result.returncode, 0, result.stdout)
        self.assertFalse(left_open(result.stdout), result.stdout)


for path in PROGRAMS:
    setattr(UnitTests, "test_" + path.name.replace("-", "_"), lambda self, path=path: self.check(path))


class Daemon(MachineTest):
    def test_start_reload_repair_stop(self):
        self.assertTrue(PROGRAMS)  # else this would be all that is tested
        self.configure(reconcile={"poll": "2s", "timeout": "60s"})
        daemon = self.start(
            *VALGRIND[1:],
            BINARY,
            "-c",
            str(self.config_file),
            "run",
            executable=VALGRIND[0],
            config=False,
            environment={"NOTIFY_SOCKET": self.notify.path},
        )
        self.notify.wait("^READY=1", seconds=SECONDS)
        daemon.wait_converged(seconds=SECONDS)

        since = self.notify.mark()
        self.port = free_port()
        self.configure(
            registry={"listen": f"127.0.0.1:{self.port}"},
            nodes={"aliases": ["registry.example:80"]},
            ui={"title": "Another"},
        )
        daemon.signal(signal.SIGHUP)
        self.notify.wait("^READY=1", since, seconds=SECONDS)
        wait_until(lambda: self.hosts(self.worker, "registry.example:80"), "the new alias", SECONDS)
        wait_until(lambda: self.bind_of(self.registry()) == str(self.port), "the new port", SECONDS)
        daemon.wait_converged(seconds=SECONDS)

        self.engine.remove_container(self.registry())
        self.kube.remove("services", "registry-api")
        self.worker.tree.remove("/etc/containerd/certs.d/registry.example:80/hosts.toml")
        wait_until(self.engine.registries, "the registry", SECONDS)
        wait_until(lambda: self.kube.get("services", "registry-api"), "the service", SECONDS)
        wait_until(lambda: self.hosts(self.worker, "registry.example:80"), "the file", SECONDS)
        daemon.wait_converged(seconds=SECONDS)
        self.assert_registry()

        daemon.signal(signal.SIGTERM)
        self.assertEqual(daemon.wait(SECONDS), 0, daemon.output)
        self.assertFalse(left_open(daemon.output), daemon.output)


if __name__ == "__main__":
    unittest.main()
