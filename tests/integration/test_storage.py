"""Ready is honest: whether the registry can take a push, and what its storage has left. The registry's own
words are those of 2.8.2."""

import signal

from harness import CONTAINER, REGISTRY, RESOURCES, ConditionTest, MachineTest, wait_until

UPLOADS = r" /v2/hostk8s-registryd/probe/blobs/uploads/"


class Pushes(ConditionTest):
    def mend(self):
        """Whoever has mended it starts the registry again, or waits for a minute."""
        self.engine.images["registry:2"] = "answers"
        self.engine.stop_container(self.registry())

    def assert_told(self, behaviour, reason, message):
        self.engine.pullable["registry:2"] = behaviour
        daemon = self.daemon()
        self.wait_ready(daemon, CONTAINER, reason, message)
        self.assert_others(daemon, CONTAINER)
        summary = f"{RESOURCES - 1}/{RESOURCES} ready: {CONTAINER} {reason}"
        wait_until(lambda: daemon.status()["summary"] == summary, summary)
        self.mend()
        daemon.wait_converged()

    def test_disk_is_full(self):
        self.assert_told(
            "full",
            "StorageFull",
            r"^it answers, but cannot store a push: write /var/lib/registry/\S+/startedat: No space left on device; free "
            rf"space on the file system of {self.storage} ",
        )

    DENIED = "^it answers, but cannot store a push: mkdir /var/lib/registry/docker: Permission denied; "

    def test_nobody_knows_why(self):
        text = "make the directory writable or change registry.storage$"
        self.assert_told("denied", "StorageNotWritable", self.DENIED + text)

    def test_selinux(self):
        self.engine.security = ["name=selinux"]
        text = f"SELinux .*: `sudo chcon -R -t container_file_t {self.storage}`, or change registry.storage$"
        self.assert_told("denied", "StorageNotWritable", self.DENIED + text)
        self.assertEqual(self.registry().binds, [f"{self.storage}:/var/lib/registry:z"])

    def test_engine_that_does_not_say_it_again(self):
        """It is unknown then, and nothing is made again for that."""
        self.engine.security = ["name=selinux"]
        self.assertEqual(self.converged_daemon().stop(), 0)
        self.engine.fault("GET .*/info$", "status", times=None, code=500, body={"message": "not now"})
        self.converged_daemon()
        self.wait_passes(1)
        self.assertEqual(len(self.engine.since(0, "POST .*/containers/create")), 1)

    def test_read_only(self):
        text = "^it answers, but takes no push .HTTP 405.: it is read-only, or a pull-through cache; see registry.env"
        self.assert_told("read-only", "StorageNotWritable", text)

    def test_apply(self):
        self.engine.pullable["registry:2"] = "full"
        self.assertRegex(self.apply(status=1).stdout, f"(?m)^{CONTAINER}: StorageFull: it answers, but cannot store")

    def test_without_an_answer(self):
        """It may be busy, and may take the next one."""
        self.configure(reconcile={"timeout": "1s"})
        self.engine.fault(f"PATCH{UPLOADS}", "hang")
        daemon = self.daemon()
        daemon.wait_reason(CONTAINER, "Unavailable", f"^it answers, but not to a push: no answer within 1 s; .*{self.storage}")
        self.mend()
        daemon.wait_converged()

    def test_once_for_each_start(self):
        daemon = self.converged_daemon()
        self.assertEqual(len(self.engine.since(0, f"POST{UPLOADS}$")), 1)
        begun = self.engine.since(0, UPLOADS)
        self.assertEqual([request.method for request in begun], ["POST", "PATCH", "DELETE"])
        with self.untouched():
            self.wait_passes(2)
            self.run_program("plan", status=0)
        self.engine.stop_container(self.registry())
        self.engine.wait(f"DELETE{UPLOADS}", count=2, answered=True)
        daemon.wait_converged()


class Space(MachineTest):
    def test_what_is_left(self):
        daemon = self.converged_daemon()
        storage = daemon.status()["storage"]
        self.assertEqual([entry["resource"] for entry in storage], [CONTAINER])
        self.assertEqual(storage[0]["path"], str(self.storage))
        self.assertGreater(storage[0]["totalBytes"], storage[0]["freeBytes"])


class Images(MachineTest):
    """Registry 3 over what registry 2 has stored, and back."""

    def test_there_and_back(self):
        self.engine.pullable["registry:3"] = "answers"
        daemon = self.converged_daemon()
        (self.storage / "image").write_text("precious")
        for image in ("registry:3", "registry:2"):
            before, old = self.engine.mark(), self.registry()
            self.configure(registry={"image": image})
            daemon.signal(signal.SIGHUP)
            self.engine.wait(f"DELETE .*/containers/{old.id}", since=before, answered=True)
            daemon.wait_converged()
            creates = self.engine.since(before, "POST .*/containers/create")
            self.assertEqual(len(creates), 1)
            renames = [request.query["name"] for request in self.engine.since(before, "POST .*/rename")]
            self.assertEqual(renames, [f"{REGISTRY}-previous"])
            spec = creates[0].json()
            self.assertIn("OTEL_TRACES_EXPORTER=none", spec["Env"])
            self.assertEqual(list(spec["ExposedPorts"]), ["5000/tcp"])  # and not 3's 5001, for debugging
            self.assertEqual(list(spec["HostConfig"]["PortBindings"]), ["5000/tcp"])
            self.assertEqual(spec["HostConfig"]["Binds"], [f"{self.storage}:/var/lib/registry"])
            self.assert_registry()
        self.assertEqual((self.storage / "image").read_text(), "precious")


class Script(MachineTest):
    """HostK8s' setup-registry.py: `docker run -d --restart=always -p 127.0.0.1:5002:5000 -v
    DATA/registry:/var/lib/registry -v DATA/registry-config.yml:/etc/docker/registry/config.yml --name
    hostk8s-registry registry:2`, then `docker network connect kind hostk8s-registry`."""

    def made(self):
        self.storage = self.home / "hostk8s/data/registry"
        (self.storage / "docker/registry/v2").mkdir(parents=True)
        (self.storage / "docker/registry/v2/image").write_text("precious")
        config = self.storage.parent / "registry-config.yml"
        config.write_text("version: 0.1\n")
        self.engine.images["registry:2"] = "answers"
        spec = {
            "Image": "registry:2",
            "Env": [],
            "Labels": {},
            "HostConfig": {
                "Binds": [f"{self.storage}:/var/lib/registry", f"{config}:/etc/docker/registry/config.yml"],
                "NetworkMode": "default",
                "PortBindings": {"5000/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(self.port)}]},
                "RestartPolicy": {"Name": "always", "MaximumRetryCount": 0},
            },
        }
        container = self.engine.add_container(REGISTRY, spec)
        self.engine.attach(container, "kind", [container.id[:12]])
        return container

    def test_taken_over_by_one_apply(self):
        old = self.made()
        # Nothing is touched while the storage is declared elsewhere; it says where the images are.
        result = self.run_program("plan", status=2)
        self.assertIn(f"set registry.storage: {self.storage} to take it over", result.stdout)
        self.configure(registry={"storage": str(self.storage)})
        self.assertRegex(self.run_program("plan", status=2).stdout, rf"(?m)^{CONTAINER}: recreate \(destructive\)$")
        self.apply()
        self.assert_registry()
        self.assertIsNot(self.registry(), old)
        self.assertEqual((self.storage / "docker/registry/v2/image").read_text(), "precious")
        self.assertEqual(self.run_program("plan", status=0).stdout, "nothing to do\n")
        creates = self.engine.since(0, "POST .*/containers/create")
        self.assertEqual(len(creates), 1)

    def test_put_back_where_the_new_one_does_not_come_up(self):
        old = self.made()
        self.engine.pullable["broken:1"] = "exits"
        self.configure(registry={"storage": str(self.storage), "image": "broken:1"})
        self.apply(status=1)
        self.assertIs(self.registry(), old)
        self.assertTrue(old.answers)
