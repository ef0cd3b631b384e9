"""Engines that do not echo what they were sent: whatever one makes of a declaration, the registry is not
made again and again, and it serves all the time."""

import json
import signal

from harness import CONTAINER, HOSTS, REGISTRY, EngineServer, MachineTest, free_port, wait_until
from fakes.accents import ACCENTS

PASSES = 6  # that are watched, a poll apart: where there is no brake, they make a container each
CREATES_MAX = 2  # in the first minute of a difference that does not go away
# Those with which all that is compared can be told, so that the registry has to be ready.
CLEAR = ("docker-20.10", "docker-28.5", "podman-4.3", "podman-5.4", "shuffled environment")


class Accents(MachineTest):
    def setUp(self):
        super().setUp()
        self.engines, self.daemons, self.ports = {}, {}, {}
        for number, accent in enumerate(ACCENTS):
            engine = self.engines[accent] = EngineServer(str(self.home / f"{number}.sock"), accent).up()
            self.addCleanup(engine.close)
            engine.add_network()
            engine.add_node("hostk8s-control-plane", "hostk8s", running=False)
            self.ports[accent] = free_port()
            config = {
                "registry": {
                    "name": f"{REGISTRY}-{number}",
                    "listen": f"127.0.0.1:{self.ports[accent]}",
                    "storage": str(self.home / f"registry-{number}"),
                    "environment": {"REGISTRY_LOG_LEVEL": "info", "A": "1"},
                },
                "clusters": [],
                "docker": {"host": f"unix://{engine.address}"},
                "reconcile": {"poll": "1s"},  # and the default back-off
            }
            file = self.home / f"{number}.yaml"
            file.write_text(json.dumps(config))
            self.daemons[accent] = self.start("-c", str(file), "run", config=False)

    def serving(self, engine):
        return [container.state for container in engine.registries() if container.answers]

    def test_no_endless_recreates(self):
        for accent, engine in self.engines.items():
            engine.wait(r"GET .*/containers/json\?", count=PASSES, seconds=60)
        for accent, engine in self.engines.items():
            with self.subTest(accent=accent):
                # What is made anew at this moment serves again.
                wait_until(lambda engine=engine: self.serving(engine) == ["running"], "one registry that serves")
                creates = len(engine.since(0, "POST .*/containers/create"))
                self.assertLessEqual(creates, CREATES_MAX, self.daemons[accent].output)
                self.assertLess(len(engine.since(0, "DELETE .*/containers/")), CREATES_MAX)
                self.assertIsNotNone(engine.at_port(self.ports[accent]))

    def test_ready_where_all_can_be_told(self):
        for accent in CLEAR:
            with self.subTest(accent=accent):
                number = list(ACCENTS).index(accent)
                self.daemons[accent].wait_line(f"info: .*{CONTAINER}-{number}.*: (.* -> )?Converged")
                creates = self.engines[accent].since(0, "POST .*/containers/create")
                self.assertEqual(len(creates), 1, self.daemons[accent].output)


class Podman(MachineTest):
    """Its default network has another name, its endpoints tell a network's name as its id, its events are
    other ones, and an update of a container is not to be had."""

    accent = "podman-4.3"

    def setUp(self):
        super().setUp()
        self.engine.close()
        self.engine = EngineServer(self.engine.address, self.accent).up()
        self.addCleanup(self.engine.close)
        self.engine.add_network()
        self.node = self.engine.add_node("hostk8s-control-plane", "hostk8s", api_port=self.kube.port)
        self.node.tree.write("/etc/kubernetes/admin.conf", self.kube.admin_conf())
        self.worker = self.engine.add_node("hostk8s-worker", "hostk8s", role="worker")

    def test_all_is_ready_and_stays_so(self):
        daemon = self.converged_daemon()
        before = self.engine.mark(), self.kube.mark()
        self.wait_passes(2)
        self.assertEqual(self.engine.writes(before[0]) + self.kube.writes(before[1]), [])
        daemon.wait_converged()

    def test_repairs_by_events(self):
        """No poll comes to help."""
        self.configure(reconcile={"poll": "1h"})
        daemon = self.converged_daemon()
        self.engine.wait("GET .*/events", answered=True)
        self.engine.remove_container(self.registry())
        self.engine.wait("POST .*/networks/kind/connect", count=2, answered=True)
        daemon.wait_converged()
        self.engine.detach(self.registry())
        self.engine.wait("POST .*/networks/kind/connect", count=3, answered=True)
        daemon.wait_converged()
        self.engine.stop_container(self.registry())
        self.engine.wait("POST .*/start", count=3, answered=True)
        self.worker.tree.remove(HOSTS)
        self.engine.tell_of(self.worker, "exec_die", execID="1", exitCode="0")  # `podman exec … rm`
        wait_until(lambda: self.worker.tree.text(HOSTS), "the file is back")
        daemon.wait_converged()

    def test_restart_policy(self):
        """It cannot be changed: the registry is made again, once, and with the images."""
        daemon = self.converged_daemon()
        before, old = self.engine.mark(), self.registry()
        self.configure(registry={"restart": "unless-stopped"})
        daemon.signal(signal.SIGHUP)
        self.engine.wait(f"DELETE .*/containers/{old.id}", since=before, answered=True)
        daemon.wait_converged()
        self.assertEqual(self.registry().host["RestartPolicy"]["Name"], "unless-stopped")
        self.wait_passes(2)
        self.assertEqual(len(self.engine.since(before, "POST .*/containers/create")), 1)
        self.assert_registry()

    def test_told_as_what_it_is(self):
        engine = self.converged_daemon().status()["engine"]
        version = self.accent.partition("-")[2]
        self.assertRegex(engine["summary"], rf"; Podman {version}\.\d on ")


class Podman5(Podman):
    accent = "podman-5.4"
