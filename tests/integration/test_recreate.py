"""Recreating the registry's container: nothing is lost, whatever goes wrong. Where it is interrupted, see
test_midway.py and tests/faults/kills.py."""

import signal

from harness import CONTAINER, REGISTRY, MachineTest, free_port, wait_until

PREVIOUS = f"{REGISTRY}-previous"
OWNER = "io.hostk8s.registryd.owner"


class RecreateTest(MachineTest):
    def found(self, name=REGISTRY, binds=(), storage=None, start=True):
        """A registry container that somebody has made by hand."""
        self.storage.mkdir()
        self.engine.images["registry:2"] = "answers"
        binding = [{"HostIp": "127.0.0.1", "HostPort": str(self.port)}]
        spec = {
            "Image": "registry:2",
            "Env": ["REGISTRY_STORAGE_DELETE_ENABLED=true"],
            "Labels": {},
            "HostConfig": {
                "Binds": [f"{storage or self.storage}:/var/lib/registry", *binds],
                "PortBindings": {"5000/tcp": binding},
                "RestartPolicy": {"Name": "always"},
            },
        }
        container = self.engine.add_container(name, spec, start)
        container.state = container.state if start else "exited"
        return container

    def assert_left_alone(self, found, name=REGISTRY):
        self.assertIs(self.engine.find(name), found)
        self.assertEqual(found.state, "running")


class DoesNotComeUp(RecreateTest):
    def assert_put_back(self, image, reason, message, refused=None):
        """The daemon tries the image once, puts the old container back and says why. With `refused`,
        the engine refuses the request that matches."""
        daemon = self.converged_daemon()
        old = self.registry()
        if refused is not None:
            body = {"message": message}
            self.engine.fault(refused, "status", times=1, code=400, body=body)
        before = self.engine.mark()
        self.configure(registry={"image": image})
        daemon.signal(signal.SIGHUP)
        daemon.wait_reason(CONTAINER, reason, message)
        wait_until(lambda: self.engine.find(REGISTRY) is old and old.state == "running", "the old one is back")
        self.engine.wait(r"^GET /v2/$", since=before)
        creates = self.engine.since(before, "POST .*/containers/create")
        self.assertEqual(len(creates), 1)
        self.wait_passes(3)
        self.assertEqual(len(self.engine.since(before, "POST .*/containers/create")), 1, "not tried again and again")
        self.assertEqual([container.name for container in self.engine.registries()], [REGISTRY])
        self.assertEqual(daemon.condition(CONTAINER)["ready"], "False")
        self.assertIn("kind", old.networks)
        self.assertTrue(old.answers, "the registry answers again")
        return daemon

    def test_ends_at_once(self):
        self.engine.pullable["broken:1"] = "exits"
        self.assert_put_back("broken:1", "Unavailable", "the new container ended with exit code 1")

    def test_does_not_answer(self):
        self.engine.pullable["mute:1"] = "silent"
        self.assert_put_back("mute:1", "Unavailable", "the new container runs but does not answer")

    def test_cannot_be_created(self):
        self.engine.pullable["bad:1"] = "answers"
        self.assert_put_back("bad:1", "Error", "invalid spec", "POST .*/containers/create")

    def test_cannot_be_started(self):
        self.engine.pullable["bad:1"] = "unstartable"
        self.assert_put_back("bad:1", "Error", "exec format error")

    def test_image_that_cannot_be_pulled_touches_nothing(self):
        daemon = self.converged_daemon()
        old = self.registry()
        before = self.engine.mark()
        self.configure(registry={"image": "nowhere:1"})
        daemon.signal(signal.SIGHUP)
        daemon.wait_reason(CONTAINER, "ImagePullFailed")
        self.assertIs(self.registry(), old)
        self.assertEqual(old.state, "running")
        for request in self.engine.writes(before):
            self.assertRegex(str(request), r"POST .*/images/create|PUT .*/archive")

    def test_reload_and_sigusr1_try_again(self):
        self.engine.pullable["mended:1"] = "exits"
        daemon = self.assert_put_back("mended:1", "Unavailable", "exit code 1")
        self.engine.images["mended:1"] = "answers"
        daemon.signal(signal.SIGUSR1)
        daemon.wait_converged()
        self.assertEqual(self.registry().spec["Image"], "mended:1")
        self.assert_registry()

    def test_former_configuration_is_converged_again(self):
        self.engine.pullable["broken:1"] = "exits"
        daemon = self.assert_put_back("broken:1", "Unavailable", "exit code 1")
        self.configure(registry={"image": "registry:2"})
        daemon.signal(signal.SIGHUP)
        daemon.wait_converged()

    def test_port_of_the_new_one_is_taken(self):
        daemon = self.converged_daemon()
        old, old_port = self.registry(), self.port
        self.engine.images["redis:7"] = "answers"
        other = free_port()
        binding = {"5000/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(other)}]}
        self.engine.add_container("other", {"Image": "redis:7", "HostConfig": {"PortBindings": binding}})
        self.configure(registry={"listen": f"127.0.0.1:{other}"})
        daemon.signal(signal.SIGHUP)
        daemon.wait_reason(CONTAINER, "PortInUse", f"127.0.0.1:{other} is taken by container other;")
        wait_until(lambda: self.engine.find(REGISTRY) is old and old.state == "running", "the old one is back")
        self.assertEqual(self.bind_of(old), str(old_port))
        self.assertIsNone(self.engine.find(PREVIOUS))

    def test_apply_says_so(self):
        self.apply()
        old = self.registry()
        self.engine.pullable["broken:1"] = "exits"
        self.configure(registry={"image": "broken:1"})
        result = self.apply(status=1)
        self.assertRegex(result.stdout, rf"(?m)^{CONTAINER}: Unavailable: the new container ended with exit code 1")
        self.assertIs(self.registry(), old)
        self.assertEqual(old.state, "running")


class Adoption(RecreateTest):
    def test_as_declared_it_stays_as_it_is(self):
        found = self.found()
        self.apply()
        self.assert_left_alone(found)
        self.assertEqual(self.engine.since(0, "POST .*/(create|stop|rename)"), [])
        self.assertIn("kind", found.networks)
        self.run_program("teardown", "--yes", status=0)
        self.assert_left_alone(found)

    def test_with_another_port_it_is_recreated_with_its_storage(self):
        found = self.found()
        self.change_port()
        self.apply()
        self.assertIsNot(self.registry(), found)
        self.assert_registry()
        self.assertEqual(self.registry().labels[OWNER], REGISTRY)

    def test_what_is_somebody_elses_is_left_alone(self):
        for options, reason, message in (
            ({"storage": "/elsewhere"}, "NameConflict", ""),
            ({"binds": ["/srv/auth:/auth"]}, "NameConflict", "a mount at /auth"),
            ({"name": "other"}, "PortInUse", "is taken by container other;"),
        ):
            with self.subTest(options=options):
                found = self.found(**options)
                daemon = self.daemon()
                daemon.wait_reason(CONTAINER, reason, message)
                self.assert_left_alone(found, options.get("name", REGISTRY))
            self.fresh()

    def test_copy_with_the_labels_of_an_image_is_left_alone(self):
        self.engine.images["copy"] = "answers"
        daemon = self.converged_daemon()
        copy = self.engine.add_container("copy", {"Image": "copy", "Labels": self.registry().labels})
        self.wait_passes(2)
        daemon.wait_converged()
        self.assert_left_alone(copy, "copy")
