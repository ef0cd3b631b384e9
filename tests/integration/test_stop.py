"""SIGTERM and SIGINT: an observation ends at once, an action in flight is finished, and what was made
stays. How long a stop takes is not measured: where it would have to wait, the program says so."""

import signal
import unittest

from harness import DEPLOYMENT_LIST, REGISTRY, MachineTest

HELD = 60  # seconds, longer than any wait
CUT_SHORT = "stopping without the answer to the request in flight"
WITHOUT_CONFIG_PATH = "version = 2\n"  # containerd's version then has to be asked for

# A request of each kind that only looks, by its server, and the image pull, which leaves nothing half done.
LOOKS = [
    ("engine", "GET /_ping"),
    ("engine", r"GET .*/containers/json\?"),
    ("engine", "GET .*/containers/[0-9a-f]+/json"),
    ("engine", "GET .*/networks/kind"),
    ("engine", "GET .*/images/"),
    ("engine", "^GET /v2/$"),  # the registry's own
    ("engine", "HEAD .*/archive"),
    ("engine", "GET .*/archive.*admin.conf"),
    ("engine", "GET .*/archive.*/etc/containerd$"),
    ("engine", "POST .*/containers/.*/exec$"),
    ("engine", "POST .*/exec/.*/start"),
    ("engine", "GET .*/exec/.*/json"),
    ("engine", "POST .*/images/create"),
    ("kube", "GET /apis$"),
    ("kube", DEPLOYMENT_LIST),
    ("kube", "GET .*/ingressclasses/nginx"),
    ("kube", "GET .*/deployments/registry-ui$"),
]
# One that changes something, of each way to do so, and what would follow its answer.
CHANGES = [
    ("engine", "POST .*/containers/create", "POST .*/containers/.*/start$"),
    ("engine", "POST .*/networks/kind/connect", r"GET .*/containers/json\?"),
    ("engine", "PUT .*/hostk8s-worker/archive", "HEAD .*/WORKER/archive"),
    ("kube", "PATCH .*/deployments/", "PATCH "),
]


class StopTest(MachineTest):
    def setUp(self):
        super().setUp()
        self.configure(reconcile={"timeout": f"{HELD}s"})
        self.worker.tree.write("/etc/containerd/config.toml", WITHOUT_CONFIG_PATH)

    def fresh(self):
        """The machine as it was, for the next subtest."""
        self.tearDown()
        self.doCleanups()
        self.setUp()

    def mark(self, server, request):
        return getattr(self, server).requests.index(request) + 1

    def caught(self, server, match, kind, command="run"):
        """A process that waits for the answer to a request that matches, the request, and the fault."""
        server = getattr(self, server)
        fault = server.fault(match, kind, times=None, seconds=HELD)
        process = self.daemon() if command == "run" else self.start(command)
        return process, server.wait(match), fault


class Daemon(StopTest):
    def test_converged_one_leaves_everything_as_it_is(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(signal=number):
                daemon = self.daemon()
                daemon.wait_reason(f"container/{REGISTRY}", "Converged")
                before = self.engine.mark(), self.kube.mark()
                daemon.signal(number)
                self.assertEqual(daemon.wait(), 0)
                self.assertFalse(self.status_file.exists())
                for request in self.engine.writes(before[0]) + self.kube.writes(before[1]):
                    self.assertNotIn("/containers/create", str(request))
        self.assert_registry()

    def test_observation_ends_at_once(self):
        for server, match in LOOKS:
            with self.subTest(match=match):
                daemon, _, _ = self.caught(server, match, "hang")
                daemon.signal(signal.SIGTERM)
                self.notify.wait("^STOPPING=1")
                self.assertEqual(daemon.wait(), 0)
                self.assertNotIn(CUT_SHORT, daemon.output)
            self.fresh()

    def test_action_is_finished_and_nothing_begun_after_it(self):
        for server, match, next_one in CHANGES:
            with self.subTest(match=match):
                daemon, request, fault = self.caught(server, match, "delay")
                daemon.signal(signal.SIGTERM)
                self.notify.wait("^STOPPING=1")
                since = getattr(self, server).mark()
                self.assertEqual(request.status, 0)
                fault.released.set()
                self.assertEqual(daemon.wait(), 0)
                self.assertIn(request.status, (200, 201))
                next_one = next_one.replace("WORKER", self.worker.id)
                self.assertEqual(getattr(self, server).since(since, next_one), [])
                self.assertNotIn(CUT_SHORT, daemon.output)
            self.fresh()

    def test_second_signal_does_not_wait_for_it(self):
        for server, match, _ in CHANGES:
            with self.subTest(match=match):
                daemon, request, _ = self.caught(server, match, "hang")
                daemon.signal(signal.SIGTERM)
                self.notify.wait("^STOPPING=1")
                daemon.signal(signal.SIGTERM)
                self.assertEqual(daemon.wait(), 0)
                self.assertIn(f"told to stop again: {CUT_SHORT}", daemon.output)
                self.assertEqual(request.status, 0)
            self.fresh()

    def test_action_without_an_answer_is_given_up(self):
        daemon, _, _ = self.caught("engine", "POST .*/containers/create", "hang")
        daemon.signal(signal.SIGTERM)
        self.assertEqual(daemon.wait(), 0)
        self.assertIn(f"no answer for too long: {CUT_SHORT}", daemon.output)

    def test_reload_ends_an_observation_too(self):
        """The new configuration may name an engine that does answer."""
        working, self.config["docker"]["host"] = self.config["docker"]["host"], f"unix://{self.home}/mute.sock"
        self.configure()
        mute = type(self.engine)(f"{self.home}/mute.sock").up()
        self.addCleanup(mute.close)
        mute.fault("", "hang", times=None)
        daemon = self.daemon()
        mute.wait("GET /_ping")
        self.configure(docker={"host": working})
        daemon.signal(signal.SIGHUP)
        daemon.wait_reason(f"container/{REGISTRY}", "Converged")


    def test_reload_ends_a_pull_too(self):
        """The new configuration may name an image that is to be had."""
        self.engine.pullable["registry:3"] = "answers"
        daemon, _, _ = self.caught("engine", "POST .*/images/create.*tag=2", "hang")
        self.configure(registry={"image": "registry:3"})
        daemon.signal(signal.SIGHUP)
        daemon.wait_reason(f"container/{REGISTRY}", "Converged")
        self.assertEqual(self.registry().spec["Image"], "registry:3")


class Apply(StopTest):
    def test_observation_ends_at_once(self):
        process, _, _ = self.caught("engine", r"GET .*/containers/json\?", "hang", "apply")
        process.signal(signal.SIGINT)
        self.assertEqual(process.wait(), 1)
        self.assertRegex(process.output, r"(?m)^not done: ")
        self.assertNotIn(CUT_SHORT, process.output)

    def test_action_is_finished(self):
        process, request, fault = self.caught("engine", "POST .*/containers/create", "delay", "apply")
        process.signal(signal.SIGINT)
        process.wait_line("^stopping after the request in flight")
        fault.released.set()
        self.assertEqual(process.wait(), 1)
        self.assertEqual(request.status, 201)
        self.assertEqual(self.engine.since(0, "POST .*/containers/.*/start$"), [])

    def test_second_signal_does_not_wait_for_it(self):
        process, request, _ = self.caught("engine", "POST .*/containers/create", "hang", "apply")
        process.signal(signal.SIGINT)
        process.wait_line("once more stops at once$")
        process.signal(signal.SIGTERM)
        self.assertEqual(process.wait(), 1)
        self.assertIn(CUT_SHORT, process.output)
        self.assertEqual(request.status, 0)


if __name__ == "__main__":
    unittest.main()
