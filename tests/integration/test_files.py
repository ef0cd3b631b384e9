"""Files that are none, and file systems that hang: what the program reads of its user's holds up nothing
but what it is for."""

import ctypes
import fcntl
import os
import pathlib
import signal

from harness import CONTAINER, DEPLOYMENT, HOSTING, NETWORK, ConditionTest, certificates, condition

CONFIGURATION_STATUS = 78
WATCHED = {"WATCHDOG_USEC": "200000"}
CLONE_NEWNS, CLONE_NEWUSER = 0x20000, 0x10000000  # linux/sched.h
MS_REC, MS_PRIVATE = 0x4000, 0x40000  # linux/mount.h


class Fifos(ConditionTest):
    """In the place of a file: opening one waits for a writer."""

    def setUp(self):
        super().setUp()
        self.fifo = self.home / "fifo"
        os.mkfifo(self.fifo)

    def test_configuration(self):
        self.config_file.unlink()
        os.mkfifo(self.config_file)
        for command in ("check", "plan", "apply", "run", "teardown"):
            with self.subTest(command=command):
                result = self.run_program(command, status=CONFIGURATION_STATUS)
                self.assertIn(str(self.config_file), result.stderr)

    def test_configuration_at_a_reload(self):
        daemon = self.converged_daemon()
        self.config_file.unlink()
        os.mkfifo(self.config_file)
        self.reload(daemon, "^STATUS=reload failed: ")
        self.assert_repairs()
        self.assertEqual(daemon.stop(), 0)

    def test_kubeconfig(self):
        self.configure(kubernetes={"kubeconfig": str(self.fifo)})
        daemon = self.daemon()
        self.assert_others(daemon, DEPLOYMENT, HOSTING)
        daemon.wait_reason(DEPLOYMENT, "Error", str(self.fifo))
        self.assertEqual(daemon.stop(), 0)

    def test_files_that_a_kubeconfig_names(self):
        kubeconfig = self.use_kubeconfig()
        conf = kubeconfig.read_text()
        for section, key, data in (
            ("cluster", "certificate-authority", "certificate-authority-data"),
            ("user", "client-certificate", "client-certificate-data"),
            ("user", "client-key", "client-key-data"),
            ("user", "tokenFile", None),
        ):
            with self.subTest(key=key):
                lines = [line for line in conf.splitlines() if data is None or data not in line]
                text = "\n".join(lines).replace(f"  {section}:\n", f"  {section}:\n    {key}: {self.fifo}\n")
                kubeconfig.write_text(text + "\n")
                result = self.run_program("plan", status=1)
                self.assertRegex(result.stdout, rf"(?m)^{CONTAINER}: create$")
                self.assertRegex(result.stdout, rf"(?m)^kube/\S+: \w+: .*{key}")

    def test_files_of_the_engine(self):
        files = {"ca": "ca.crt", "cert": "client.crt", "key": "client.key"}
        self.config["docker"] = {"host": "tcp://127.0.0.1:1"}
        for key in files:
            with self.subTest(key=key):
                tls = {name: str(certificates().path / file) for name, file in files.items()}
                self.configure(docker={"tls": tls | {key: str(self.fifo)}})
                result = self.run_program("plan", status=1)
                self.assertRegex(result.stdout, rf"(?m)^{CONTAINER}: \w+: .*{self.fifo}")


class Storage(ConditionTest):
    """A link to what is not there: a disk that is not mounted."""

    def unmount(self):
        self.storage.rename(self.home / "disk")
        self.storage.symlink_to(self.home / "nowhere/registry")

    @condition(CONTAINER, others=[NETWORK])
    def test_from_the_start(self):
        self.storage.mkdir()
        self.unmount()
        yield "StorageNotWritable", "registry.storage"
        self.assertEqual(self.engine.since(0, "POST .*/containers/"), [])
        self.storage.unlink()
        (self.home / "disk").rename(self.storage)

    def test_under_a_registry_that_runs(self):
        """It is told, and the registry is not stopped and started for it."""
        daemon = self.converged_daemon()
        registry = self.registry()
        before = self.engine.mark()
        with daemon.frozen():
            self.unmount()
        self.wait_ready(daemon, CONTAINER, "StorageNotWritable", "registry.storage")
        self.wait_passes(3)
        self.assertEqual(self.engine.since(before, "(POST|DELETE) .*/containers/[^/]+(/(stop|start))?$"), [])
        self.assertEqual((self.registry(), registry.state), (registry, "running"))
        self.assertTrue(self.storage.is_symlink())


class Hung(ConditionTest):
    def hold(self, path, more=""):
        """With more to it the file is replaced by one for which until the test's end who opens it waits: it has a
        lease, which need not be given back before /proc/sys/fs/lease-break-time."""
        signal.signal(signal.SIGIO, signal.SIG_IGN)  # by which the kernel asks for it
        new = path.with_suffix(".new")
        new.write_text(path.read_text() + more)
        descriptor = os.open(new, os.O_RDWR)
        self.addCleanup(os.close, descriptor)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        new.rename(path)

    def mounted(self, path):
        """Options of a process for which the path is a FUSE file system that nobody answers for."""
        device = os.open("/dev/fuse", os.O_RDWR)
        self.addCleanup(os.close, device)
        libc = ctypes.CDLL(None, use_errno=True)
        user = os.geteuid()

        def before_the_program():
            spaces = CLONE_NEWNS if user == 0 else CLONE_NEWNS | CLONE_NEWUSER
            failed = libc.unshare(spaces)
            if user != 0:
                pathlib.Path("/proc/self/uid_map").write_text(f"0 {user} 1")
            failed |= libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None)
            options = f"fd={device},rootmode=40000,user_id=0,group_id=0".encode()
            failed |= libc.mount(b"hung", str(path).encode(), b"fuse", 0, options)
            if failed:
                raise OSError(ctypes.get_errno(), "no mount")

        return {"preexec_fn": before_the_program, "pass_fds": (device,)}

    def assert_alive(self, daemon):
        """The loop turns, nodes are repaired, the end comes when it is asked for."""
        self.notify.wait("^WATCHDOG=1", self.notify.mark(), count=5)
        self.assert_repairs()
        self.assertEqual(daemon.stop(), 0)

    def test_kubeconfig(self):
        kubeconfig = self.use_kubeconfig()
        self.configure(reconcile={"timeout": "1s"})
        daemon = self.converged_daemon(environment=WATCHED)
        self.hold(kubeconfig, "# so that it is read again\n")
        before = self.engine.mark()
        daemon.signal(signal.SIGUSR1)
        self.engine.wait(r"GET .*/containers/json\?", since=before)
        self.assert_alive(daemon)

    def test_storage(self):
        self.storage.mkdir()
        self.configure(reconcile={"timeout": "1s"})
        # A search for leaks would wait for the thread that hangs there.
        environment = WATCHED | {"ASAN_OPTIONS": "detect_leaks=0"}
        daemon = self.daemon(environment=environment, **self.mounted(self.storage))
        self.assert_others(daemon, CONTAINER, NETWORK)
        daemon.wait_reason(CONTAINER, "StorageNotWritable")
        self.assert_alive(daemon)

    def test_configuration_at_a_reload(self):
        daemon = self.converged_daemon(environment=WATCHED)
        self.hold(self.config_file)
        self.reload(daemon, "^RELOADING=1")
        self.assert_alive(daemon)
