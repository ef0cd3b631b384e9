"""Each reason of the contract that comes from the engine or this machine: what causes it, what its
message tells to do, that all else converges meanwhile, and that the resource is ready as soon as the
cause is gone. Those of clusters and nodes are in test_conditions_cluster.py."""

import os
import pathlib
import shutil
import signal
import socket
import unittest

from harness import (
    BINARY,
    CONTAINER,
    CONTROL_PLANE,
    DEPLOYMENT,
    NETWORK,
    REGISTRY,
    WORKER,
    ConditionTest,
    wait_until,
)

NOBODY = 65534
ENGINE_FAULTS = [
    ("close", {}),
    ("partial", {}),
    ("status", {"code": 500, "body": {"message": "no luck today"}}),
    ("status", {"code": 503, "body": "<html>a proxy's page</html>"}),
    ("garbage", {}),
    ("shape", {"body": {"a": 1}}),
    ("shape", {"body": [{"Id": 1, "Names": "x", "Labels": [], "Ports": 7}, None, 3]}),
    ("truncated", {}),
    ("huge", {}),
]


class EngineConditions(ConditionTest):
    def test_engine_unreachable_then_it_appears(self):
        self.engine.down()
        daemon = self.daemon()
        for resource in (CONTAINER, NETWORK):
            self.wait_ready(daemon, resource, "EngineUnreachable", "no such socket; start the Docker Engine", "Unknown")
        self.engine.up()
        daemon.wait_converged()

    def test_engine_goes_away_and_comes_back(self):
        daemon = self.converged_daemon()
        self.engine.down()
        for resource in (CONTAINER, CONTROL_PLANE, WORKER):
            self.wait_ready(daemon, resource, "EngineUnreachable", "docker.host", "Unknown")
        self.assertEqual(daemon.condition(DEPLOYMENT)["reason"], "Converged")
        self.engine.up()
        daemon.wait_converged()

    def test_engine_that_does_not_answer(self):
        self.configure(reconcile={"timeout": "300ms"})
        self.engine.fault("", "hang", times=None)
        daemon = self.daemon()
        self.wait_ready(daemon, CONTAINER, "EngineUnreachable", "no answer within 300 ms", "Unknown")
        self.engine.clear_faults()
        daemon.wait_converged()

    def test_engine_answers_anything(self):
        daemon = self.converged_daemon()
        for match in (r"GET .*/containers/json\?", f"GET .*/{self.registry().id}/json"):
            for kind, options in ENGINE_FAULTS:
                with self.subTest(match=match, kind=kind, options=options):
                    fault = self.engine.fault(match, kind, times=2, **options)
                    daemon.signal(signal.SIGUSR1)
                    wait_until(lambda fault=fault: fault.hits == 2, "the fault was met")
                    self.engine.faults.remove(fault)
                    daemon.wait_converged()
        self.assert_registry()
        self.assertEqual([c.name for c in self.engine.registries()], [REGISTRY])

    def test_engine_answers_slowly(self):
        self.engine.fault(r"GET .*/containers/json\?", "slow", times=2)
        self.engine.fault("GET .*/networks/kind", "slow", times=1)
        self.engine.fault("GET .*/archive", "slow", times=1)
        self.converged_daemon()

    def test_lost_answers_are_no_harm(self):
        for match in ("/create", "/start", "/connect", "PUT .*/archive"):
            self.engine.fault(f"(POST|PUT) .*{match.removeprefix('PUT .*')}", "lost", times=1)
        self.kube.fault("PATCH", "lost", times=3)
        daemon = self.converged_daemon()
        self.assert_registry()
        self.assertEqual(daemon.stop(), 0)

    def test_permission_denied(self):
        if os.geteuid() == 0:
            # Another user, who may read the program and its files but not use the socket.
            self.home.chmod(0o755)
            program = self.home / "program"
            shutil.copy2(BINARY, program)
            for path in (self.runtime, self.config_file):
                os.chown(path, NOBODY, NOBODY)
            os.chmod(self.engine.address, 0o600)
            os.chmod(self.notify.path, 0o777)
            daemon = self.daemon(user=NOBODY, group=NOBODY, extra_groups=[], executable=str(program))
        else:
            os.chmod(self.engine.address, 0)
            daemon = self.daemon()
        text = "add yourself to the group docker and log in again"
        self.wait_ready(daemon, CONTAINER, "PermissionDenied", text, "Unknown")
        os.chmod(self.engine.address, 0o777)
        daemon.wait_reason(CONTROL_PLANE, "Converged")

    def test_engine_forbids(self):
        body = {"message": "authorization denied by plugin"}
        self.engine.fault("POST .*/create", "status", times=None, code=403, body=body)
        daemon = self.daemon()
        self.wait_ready(daemon, CONTAINER, "PermissionDenied", "authorization denied by plugin.*docker.host")
        self.assert_others(daemon, CONTAINER, NETWORK)

    def test_image_pull_failed(self):
        self.engine.pullable.clear()
        daemon = self.daemon()
        self.wait_ready(daemon, CONTAINER, "ImagePullFailed", "manifest unknown.*`docker pull registry:2`")
        self.assert_others(daemon, CONTAINER, NETWORK)
        self.engine.pullable["registry:2"] = "answers"
        daemon.wait_converged()

    def test_pull_that_breaks_off(self):
        self.engine.fault("POST .*/images/create", "partial", times=1)
        self.converged_daemon()

    def test_port_in_use(self):
        with socket.socket() as taken:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.bind(("127.0.0.1", self.port))
            taken.listen()
            daemon = self.daemon()
            text = f"127.0.0.1:{self.port} is taken by another process; change registry.listen or free the port"
            self.wait_ready(daemon, CONTAINER, "PortInUse", text)
            self.assert_others(daemon, CONTAINER, NETWORK)
        daemon.wait_converged()
        self.assert_registry()

    def test_name_conflict(self):
        self.engine.images["redis:7"] = "answers"
        foreign = self.engine.add_container(REGISTRY, {"Image": "redis:7"})
        daemon = self.daemon()
        text = f"another container has the name {REGISTRY}; rename or remove it"
        self.wait_ready(daemon, CONTAINER, "NameConflict", text)
        self.assert_others(daemon, CONTAINER, NETWORK)
        self.wait_passes(2)
        self.assertEqual((foreign.name, foreign.state), (REGISTRY, "running"))
        foreign.name = "redis"
        daemon.wait_converged()
        self.assertEqual(sorted(c.name for c in self.engine.registries()), [REGISTRY, "redis"])

    def test_storage_not_writable(self):
        self.storage.write_text("a file")
        daemon = self.daemon()
        self.wait_ready(daemon, CONTAINER, "StorageNotWritable", f"{self.storage} .*(change|correct) registry.storage")
        self.assert_others(daemon, CONTAINER, NETWORK)
        self.assertEqual(self.storage.read_text(), "a file")
        self.storage.unlink()
        daemon.wait_converged()
        self.assertTrue(self.storage.is_dir())

    def test_storage_cannot_be_made(self):
        pathlib.Path(self.home / "file").write_text("")
        self.configure(registry={"storage": str(self.home / "file/registry")})
        daemon = self.daemon()
        self.wait_ready(daemon, CONTAINER, "StorageNotWritable", "change registry.storage")
        self.assert_others(daemon, CONTAINER, NETWORK)

    def test_network_missing_then_it_appears(self):
        self.engine.networks.clear()
        daemon = self.daemon()
        text = "there is no network kind; kind creates it with the first cluster"
        self.wait_ready(daemon, NETWORK, "NetworkMissing", text)
        self.assert_others(daemon, NETWORK)
        self.assertEqual(self.engine.networks, {})
        self.engine.add_network()
        daemon.wait_converged()
        self.assert_registry()

    def test_network_is_made_again(self):
        daemon = self.converged_daemon()
        with self.engine.lock:  # a network goes when nobody is on it
            self.registry().networks.pop("kind")
            self.engine.networks.clear()
        daemon.wait_reason(NETWORK, "NetworkMissing")
        self.engine.add_network()
        network = self.engine.networks["kind"]
        wait_until(lambda: self.registry().networks.get("kind", {}).get("id") == network, "attached anew")
        daemon.wait_converged()
        address = self.registry().networks["kind"]["ip"]
        wait_until(
            lambda: self.kube.get("endpointslices", "registry-api")["endpoints"][0]["addresses"] == [address],
            "the cluster knows the new address",
        )


if __name__ == "__main__":
    unittest.main()
