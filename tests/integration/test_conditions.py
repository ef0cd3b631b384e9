"""Each reason of the contract that comes from the engine or this machine: what causes it, what its
message tells to do, that all else converges meanwhile, and that the resource is ready as soon as the
cause is gone. Those of clusters and nodes are in test_conditions_cluster.py."""

import os
import shutil
import signal
import socket

from harness import (
    BINARY,
    CONTAINER,
    CONTROL_PLANE,
    DEPLOYMENT,
    HOSTING,
    NETWORK,
    NOBODY,
    REGISTRY,
    WORKER,
    ConditionTest,
    condition,
    wait_until,
)

FAULTS = [(kind, {}) for kind in ("close", "partial", "garbage", "truncated", "huge")]
FAULTS += [("status", {"code": 500, "body": {"message": "no luck today"}}), ("shape", {"body": {"a": 1}})]
FAULTS += [("status", {"code": 503, "body": "<html>a proxy's page</html>"})]
FAULTS += [("shape", {"body": [{"Id": 1, "Names": "x", "Labels": [], "Ports": 7}, None, 3]})]
HANGS = "no answer within 2 s"


class EngineConditions(ConditionTest):
    @condition(CONTAINER, NETWORK, ready="Unknown", others=(CONTROL_PLANE, WORKER, DEPLOYMENT, HOSTING))
    def test_engine_unreachable_then_it_appears(self):
        self.engine.down()
        yield "EngineUnreachable", "no such socket; it is unix://.*, named by docker.host; start the Docker Engine"
        self.engine.up()

    def test_engine_goes_away_and_comes_back(self):
        daemon = self.converged_daemon()
        self.engine.down()
        for resource in (CONTAINER, CONTROL_PLANE, WORKER):
            self.wait_ready(daemon, resource, "EngineUnreachable", "docker.host", "Unknown")
        daemon.wait_reason(DEPLOYMENT, "Converged")
        self.engine.up()
        daemon.wait_converged()

    @condition(CONTAINER, NETWORK, ready="Unknown", others=(CONTROL_PLANE, WORKER, DEPLOYMENT, HOSTING))
    def test_engine_that_does_not_answer(self):
        self.configure(reconcile={"timeout": "2s"})
        self.engine.fault("", "hang", times=None)
        yield "EngineUnreachable", HANGS
        self.engine.clear_faults()

    def test_engine_answers_anything(self):
        daemon = self.converged_daemon()
        for match in (r"GET .*/containers/json\?", f"GET .*/{self.registry().id}/json"):
            for kind, options in FAULTS:
                with self.subTest(match=match, kind=kind, options=options):
                    fault = self.engine.fault(match, kind, times=2, **options)
                    daemon.signal(signal.SIGUSR1)
                    wait_until(lambda fault=fault: fault.hits == 2, "the fault was met")
                    daemon.wait_converged()
        self.assert_registry()

    def test_permission_denied(self):
        options = {}
        if os.geteuid() == 0:
            # Another user, who may read the program and its files but not use the socket.
            self.home.chmod(0o755)
            program = self.home / "program"
            shutil.copy2(BINARY, program)
            for path in (self.runtime, self.config_file):
                os.chown(path, NOBODY, NOBODY)
            os.chmod(self.notify.path, 0o777)
            options = {"user": NOBODY, "group": NOBODY, "extra_groups": [], "executable": str(program)}
        os.chmod(self.engine.address, 0o600 if options else 0)
        daemon = self.daemon(**options)
        text = "no permission to use .*docker.sock; it is .*'s alone: run an engine as .* \\(rootless\\)"
        self.wait_ready(daemon, CONTAINER, "PermissionDenied", text, "Unknown")
        os.chmod(self.engine.address, 0o777)
        daemon.wait_reason(CONTROL_PLANE, "Converged")

    @condition(CONTAINER, others=[NETWORK])
    def test_engine_forbids(self):
        body = {"message": "authorization denied by plugin"}
        self.engine.fault("POST .*/create", "status", times=None, code=403, body=body)
        yield "PermissionDenied", "authorization denied by plugin.*docker.host"
        self.engine.clear_faults()

    @condition(CONTAINER, others=[NETWORK])
    def test_image_pull_failed(self):
        self.engine.pullable.clear()
        yield "ImagePullFailed", "manifest unknown.*`docker pull registry:2`"
        self.engine.pullable["registry:2"] = "answers"

    @condition(CONTAINER, others=[NETWORK])
    def test_port_in_use(self):
        with socket.socket() as taken:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.bind(("127.0.0.1", self.port))
            taken.listen()
            where = f"127.0.0.1:{self.port}"
            yield "PortInUse", f"{where} is taken by another process; change registry.listen or free the port"

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

    @condition(CONTAINER, others=[NETWORK])
    def test_storage_not_writable(self):
        self.storage.write_text("a file")
        yield "StorageNotWritable", f"{self.storage} .*(change|correct) registry.storage"
        self.assertEqual(self.storage.read_text(), "a file")
        self.storage.unlink()

    @condition(CONTAINER, others=[NETWORK])
    def test_storage_cannot_be_made(self):
        (self.home / "file").write_text("")
        self.configure(registry={"storage": str(self.home / "file/registry")})
        yield "StorageNotWritable", "change registry.storage"
        (self.home / "file").unlink()

    @condition(NETWORK)
    def test_network_missing_then_it_appears(self):
        self.engine.remove_network()
        yield "NetworkMissing", "there is no network kind; kind creates it with the first cluster"
        self.assertEqual(self.engine.networks, {})
        self.engine.add_network()

    def test_network_is_made_again(self):
        daemon = self.converged_daemon()
        self.engine.remove_network()
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
