"""Recreating the registry's container: nothing is lost, whatever goes wrong and wherever it stops."""

import os
import signal
import threading
import unittest

from fake_container import timestamp
from harness import CONTAINER, REGISTRY, RESOURCES, MachineTest, free_port, wait_until

PREVIOUS = f"{REGISTRY}-previous"
OWNER = "io.hostk8s.registryd.owner"


class RecreateTest(MachineTest):
    def registry_spec(self, **changes):
        """A registry container as somebody would have made it by hand."""
        self.storage.mkdir()
        binding = [{"HostIp": "127.0.0.1", "HostPort": str(self.port)}]
        spec = {
            "Image": "registry:2",
            "Env": ["REGISTRY_STORAGE_DELETE_ENABLED=true"],
            "Labels": {},
            "HostConfig": {
                "Binds": [f"{self.storage}:/var/lib/registry"],
                "PortBindings": {"5000/tcp": binding},
                "RestartPolicy": {"Name": "always"},
            },
        }
        return spec | changes

    def change_port(self):
        self.port = free_port()
        self.configure(registry={"listen": f"127.0.0.1:{self.port}"})


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
        self.assertIsNotNone(old.server, "the registry answers again")
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
        daemon.wait_reason(CONTAINER, "PortInUse", f"127.0.0.1:{other} is taken by another process")
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
        self.engine.images["registry:2"] = "answers"
        found = self.engine.add_container(REGISTRY, self.registry_spec())
        self.converged_daemon()
        self.assertIs(self.registry(), found)
        self.assertEqual(self.engine.since(0, "POST .*/(create|stop|rename)"), [])
        self.assertIn("kind", found.networks)

    def test_with_another_port_it_is_recreated_with_its_storage(self):
        self.engine.images["registry:2"] = "answers"
        found = self.engine.add_container(REGISTRY, self.registry_spec())
        self.change_port()
        self.converged_daemon()
        self.assertIsNot(self.registry(), found)
        self.assert_registry()
        self.assertEqual(self.registry().labels[OWNER], REGISTRY)

    def test_with_other_storage_it_is_left_alone(self):
        self.engine.images["registry:2"] = "answers"
        spec = self.registry_spec(HostConfig={"Binds": ["/elsewhere:/var/lib/registry"]})
        found = self.engine.add_container(REGISTRY, spec)
        daemon = self.daemon()
        daemon.wait_reason(CONTAINER, "NameConflict")
        self.assertIs(self.registry(), found)
        self.assertEqual(found.state, "running")

    def test_backup_of_the_name_of_a_recreate_is_left_alone(self):
        daemon = self.converged_daemon()
        spec = {key: value for key, value in self.registry().spec.items() if key != "Labels"}
        backup = self.engine.add_container(PREVIOUS, spec, start=False)
        backup.state = "exited"
        self.wait_passes(2)
        self.assertIs(self.engine.find(PREVIOUS), backup)
        self.change_port()
        daemon.signal(signal.SIGHUP)
        daemon.wait_reason(CONTAINER, "NameConflict", f"needs the name {PREVIOUS}")
        self.assertIs(self.engine.find(PREVIOUS), backup)

    def test_copy_with_the_labels_of_an_image_is_left_alone(self):
        self.engine.images["copy"] = "answers"
        daemon = self.converged_daemon()
        copy = self.engine.add_container("copy", {"Image": "copy", "Labels": self.registry().labels})
        self.wait_passes(2)
        daemon.wait_converged()
        self.assertIs(self.engine.find("copy"), copy)
        self.assertEqual(copy.state, "running")

    def test_with_another_mount_it_is_left_alone(self):
        self.engine.images["registry:2"] = "answers"
        spec = self.registry_spec()
        spec["HostConfig"]["Binds"].append("/srv/auth:/auth")
        found = self.engine.add_container(REGISTRY, spec)
        daemon = self.daemon()
        daemon.wait_reason(CONTAINER, "NameConflict", "a mount at /auth")
        self.assertIs(self.registry(), found)

    def test_port_of_another_container_is_told(self):
        self.engine.images["registry:2"] = "answers"
        other = self.engine.add_container("other", self.registry_spec())
        other.ports = [{"IP": "127.0.0.1", "PrivatePort": 5000, "PublicPort": self.port, "Type": "tcp"}]
        daemon = self.daemon()
        daemon.wait_reason(CONTAINER, "PortInUse", "is taken by container other;")

    def test_stopped_one_is_started(self):
        self.engine.images["registry:2"] = "answers"
        found = self.engine.add_container(REGISTRY, self.registry_spec(), start=False)
        found.state = "exited"
        self.converged_daemon()
        self.assertIs(self.registry(), found)
        self.assertEqual(found.state, "running")

    def test_teardown_leaves_an_adopted_one(self):
        self.engine.images["registry:2"] = "answers"
        found = self.engine.add_container(REGISTRY, self.registry_spec())
        self.apply()
        self.run_program("teardown", "--yes", status=0)
        self.assertIs(self.registry(), found)
        self.assertEqual(found.state, "running")


class DamagedContainer(RecreateTest):
    def test_stopped_paused_and_removed_ones_come_back(self):
        daemon = self.converged_daemon()
        container = self.registry()

        with self.engine.lock:
            container.server.close()
            container.server, container.state = None, "exited"
        self.engine.wait("POST .*/containers/.*/start$", count=2, answered=True)
        daemon.wait_converged()
        self.assertEqual(container.state, "running")

        container.state = "paused"
        self.engine.wait("POST .*/unpause", answered=True)
        daemon.wait_converged()

        with self.engine.lock:
            container.server.close()
            self.engine.containers.remove(container)
        self.engine.wait("POST .*/networks/kind/connect", count=2, answered=True)
        daemon.wait_converged()
        self.assert_registry()


class Interruption(RecreateTest):
    """SIGKILL at each writing request of a recreate, before or after the engine carries it out."""

    def kill_at(self, number, carried_out):
        """Applies until the `number`th writing request to the engine; whether it came so far."""
        killed = threading.Event()
        seen = []
        process = None

        def on_request(request):
            if not (request.writes and "/exec" not in request.path and "/archive" not in request.path):
                return
            seen.append(request)
            if len(seen) == number:
                if carried_out:
                    with self.engine.lock:
                        self.engine.handle(request)
                os.kill(process.pid, signal.SIGKILL)
                process.process.wait()
                killed.set()
                raise ConnectionError("its client is dead")
            if len(seen) > number:
                raise ConnectionError("its client is dead")

        started = threading.Event()
        self.engine.before = lambda request: started.wait() and on_request(request)
        process = self.start("apply")
        started.set()
        status = process.wait()
        self.engine.before = None
        self.assertEqual(status, -signal.SIGKILL if killed.is_set() else 0, process.output)
        return killed.is_set()

    def assert_every_interruption_heals(self, carried_out, change):
        self.apply()
        number, interrupted = 1, True
        while interrupted:
            self.assertLess(number, 20)
            change(number)
            with self.subTest(request=number, carried_out=carried_out):
                before = self.engine.mark()
                interrupted = self.kill_at(number, carried_out)
                names = [container.name for container in self.engine.registries()]
                self.assertTrue({REGISTRY, PREVIOUS} & set(names), f"never without a container: {names}")
                result = self.apply()
                self.assertIn(f"converged: {RESOURCES} of {RESOURCES} ready", result.stdout)
                self.assert_registry()
                volumes = [r.query.get("v") for r in self.engine.since(before, "DELETE .*/containers/")]
                self.assertEqual(volumes, ["0"] * len(volumes))
            number += 1
        self.assertGreater(number, 5, "a recreate has several requests")

    def test_before_each_request(self):
        self.assert_every_interruption_heals(False, lambda number: self.change_port())

    def test_after_each_request(self):
        self.assert_every_interruption_heals(True, lambda number: self.change_port())

    def test_adoption_after_each_request(self):
        def change(number):
            self.registry().spec["Labels"] = {}  # as if somebody had made it
            self.change_port()

        self.assert_every_interruption_heals(True, change)

    def test_environment_after_each_request(self):
        def change(number):
            self.configure(registry={"environment": {"REGISTRY_LOG_LEVEL": f"level{number}"}})

        self.assert_every_interruption_heals(True, change)
        self.assertIn("REGISTRY_LOG_LEVEL", str(self.registry().spec["Env"]))

    def test_configuration_goes_back_in_the_middle(self):
        """Killed in a recreate, and started again with the configuration of before. A new container that
        was started is not given time to come up: it would have an hour."""
        self.apply()
        first = self.port
        for number in range(1, 5):
            with self.subTest(request=number):
                self.change_port()
                self.assertTrue(self.kill_at(number, True))
                for container in self.engine.registries():
                    container.started = timestamp(-3600)
                self.port = first
                self.configure(registry={"listen": f"127.0.0.1:{first}"})
                self.apply()
                self.assert_registry(first)


if __name__ == "__main__":
    unittest.main()
