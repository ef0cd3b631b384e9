"""Which engine is meant where docker.host does not say it, and that who asks is told."""

import hashlib
import json
import os

from harness import CONTAINER, MachineTest


class Find(MachineTest):
    """No configuration of the engine at all; its socket is below the home directory."""

    def setUp(self):
        super().setUp()
        self.configure(docker={"host": ""})
        self.default = "/var/run/docker.sock"

    def move_engine(self, path):
        self.engine.down()
        path.parent.mkdir(parents=True, exist_ok=True)
        self.engine.address = str(path)
        self.engine.up()
        return f"unix://{path}"

    def write_context(self, name, host):
        directory = self.home / ".docker/contexts/meta" / hashlib.sha256(name.encode()).hexdigest()
        directory.mkdir(parents=True)
        meta = {"Name": name, "Metadata": {}, "Endpoints": {"docker": {"Host": host, "SkipTLSVerify": False}}}
        (directory / "meta.json").write_text(json.dumps(meta))
        (self.home / ".docker/config.json").write_text(json.dumps({"auths": {}, "currentContext": name}))

    def assert_found(self, text, **environment):
        result = self.run_program("plan", status=2, environment=environment)
        self.assertEqual(result.stdout.splitlines()[0], f"engine: {text}")
        document = json.loads(self.run_program("plan", "--json", status=2, environment=environment).stdout)
        self.assertEqual(document["engine"], text)

    def test_docker_host(self):
        host = f"unix://{self.engine.address}"
        self.assert_found(f"{host}, named by DOCKER_HOST", DOCKER_HOST=host, DOCKER_CONTEXT="of no use")

    def test_context(self):
        """As colima, lima, Docker Desktop and rootless Docker set it."""
        host = self.move_engine(self.home / ".colima/default/docker.sock")
        self.write_context("colima", host)
        config = self.home / ".docker/config.json"
        self.assert_found(f"{host}, the context colima of {config}")
        config.write_text("{}")
        looked = f"; looked at {config} (names no context)"
        self.assert_found(f"{host}, the context colima of DOCKER_CONTEXT", DOCKER_CONTEXT="colima")
        if not os.path.exists(self.default):
            result = self.run_program("plan", status=1)
            self.assertIn(f"unix://{self.default}, the default, since no socket was found{looked}", result.stdout)

    def test_context_behind_ssh(self):
        self.write_context("far", "ssh://me@far")
        result = self.run_program("plan", status=1)
        self.assertRegex(
            result.stdout,
            f"(?m)^{CONTAINER}: Error: engine: the context far is ssh://me@far: an engine behind ssh cannot be "
            "watched; forward its socket .* and set docker.host to unix:///tmp/engine.sock, or run this program on "
            "that machine$",
        )
        self.run_program("check", status=0)  # nothing of the file is wrong

    def test_sockets(self):
        """Of rootless Docker, and of Podman where there is none."""
        if os.path.exists(self.default):
            self.skipTest(f"{self.default} is there")
        looked = f"{self.home}/.docker/config.json (not there), {self.default} (not there)"
        podman = self.move_engine(self.runtime / "podman/podman.sock")
        docker = self.runtime / "docker.sock"
        self.assert_found(f"{podman}, the first socket that is there; looked at {looked}, {docker} (not there)")
        docker = self.move_engine(docker)
        self.assert_found(f"{docker}, the first socket that is there; looked at {looked}")
        # The daemon finds it when it comes.
        self.engine.down()
        daemon = self.daemon()
        daemon.wait_reason(
            CONTAINER,
            "EngineUnreachable",
            rf"cannot connect to {self.default}: no such socket; it is unix://{self.default}, the default, since no "
            rf"socket was found; looked at .*/docker.sock \(not there\).*; start the Docker Engine or change docker.host$",
        )
        self.engine.up()
        daemon.wait_converged()
        engine = daemon.status()["engine"]
        self.assertEqual((engine["host"], engine["product"], engine["declared"]), (docker, "Docker", False))
        first = self.table(status=0).splitlines()[0]
        self.assertEqual(first, f"engine: {engine['summary']}")
        self.assertIn(f"{docker}, the first socket that is there; looked at ", first)

    def test_two_daemons_of_one_engine(self):
        """The claim is by the engine that is found, however it is named."""
        host = f"unix://{self.engine.address}"
        self.converged_daemon(environment={"DOCKER_HOST": host})
        other = self.home / "other.yaml"
        other.write_text(json.dumps(self.config | {"docker": {"host": host}}))
        self.write_context("colima", host)
        for environment in ({}, {"DOCKER_CONTEXT": "colima"}):
            result = self.run_program("-c", str(other), "run", status=1, config=False, environment=environment)
            self.assertIn("and keeps registry.name hostk8s-registry already", result.stderr)
            other.write_text(json.dumps(self.config))
