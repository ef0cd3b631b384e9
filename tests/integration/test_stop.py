"""SIGTERM and SIGINT: an observation ends at once, an action in flight is finished, and what was made
stays. How long a stop takes is not measured: where it would have to wait, the program says so."""

import signal

from harness import CONTAINER, DEPLOYMENT_LIST, HELD, MachineTest

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
CREATE = "engine", "POST .*/containers/create", "POST .*/containers/.*/start$"
# One that changes something, of each way to do so, and what would follow its answer.
CHANGES = [
    CREATE,
    ("engine", "POST .*/networks/kind/connect", r"GET .*/containers/json\?"),
    ("engine", "PUT .*/WORKER/archive", "HEAD .*/WORKER/archive"),
    ("kube", "PATCH .*/deployments/.*force=true$", "PATCH .*/deployments/"),
]


class StopTest(MachineTest):
    def setUp(self):
        super().setUp()
        self.configure(reconcile={"timeout": f"{HELD}s"})
        self.worker.tree.write("/etc/containerd/config.toml", WITHOUT_CONFIG_PATH)

    def caught(self, server, match, kind, command="run"):
        """A process that waits for the answer to a request that matches, the request, and the fault."""
        server = getattr(self, server)
        fault = server.fault(match, kind, times=None, seconds=HELD)
        process = self.daemon() if command == "run" else self.start(command)
        return process, server.wait(match), fault

    def for_each(self, rows, check):
        """check(*row), on a machine of its own."""
        for row in rows:
            with self.subTest(row=row):
                check(*(word.replace("WORKER", self.worker.id) for word in row))
            self.fresh()

    def stop(self, daemon):
        daemon.signal(signal.SIGTERM)
        self.notify.wait("^STOPPING=1")


class Daemon(StopTest):
    def test_converged_one_leaves_everything_as_it_is(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(signal=number):
                daemon = self.daemon()
                daemon.wait_reason(CONTAINER, "Converged")
                before = self.engine.mark()
                daemon.signal(number)
                self.assertEqual(daemon.wait(), 0)
                self.assertFalse(self.status_file.exists())
                self.assertEqual(self.engine.since(before, "/containers/create"), [])
        self.assert_registry()

    def test_observation_ends_at_once(self):
        def check(server, match):
            if "networks" in match:  # asked for where no node tells of it
                for node in (self.node, self.worker):
                    self.engine.detach(node)
            daemon, _, _ = self.caught(server, match, "hang")
            self.stop(daemon)
            self.assertEqual(daemon.wait(), 0)
            self.assertNotIn(CUT_SHORT, daemon.output)

        self.for_each(LOOKS, check)

    def test_action_is_finished_and_nothing_begun_after_it(self):
        def check(server, match, next_one):
            daemon, request, fault = self.caught(server, match, "delay")
            self.stop(daemon)
            since = getattr(self, server).mark()
            self.assertEqual(request.status, 0)
            fault.released.set()
            self.assertEqual(daemon.wait(), 0)
            self.assertIn(request.status, (200, 201))
            self.assertEqual(getattr(self, server).since(since, next_one), [])
            self.assertNotIn(CUT_SHORT, daemon.output)

        self.for_each(CHANGES, check)

    def test_second_signal_does_not_wait_for_it(self):
        def check(server, match, _):
            daemon, request, _ = self.caught(server, match, "hang")
            self.stop(daemon)
            daemon.signal(signal.SIGTERM)
            self.assertEqual(daemon.wait(), 0)
            self.assertIn(f"told to stop again: {CUT_SHORT}", daemon.output)
            self.assertEqual(request.status, 0)

        self.for_each(CHANGES, check)

    def test_action_without_an_answer_is_given_up(self):
        daemon, _, _ = self.caught(*CREATE[:2], "hang")
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
        daemon.wait_reason(CONTAINER, "Converged")

    def test_reload_ends_a_pull_too(self):
        """The new configuration may name an image that is to be had."""
        self.engine.pullable["registry:3"] = "answers"
        daemon, _, _ = self.caught("engine", "POST .*/images/create.*tag=2", "hang")
        self.configure(registry={"image": "registry:3"})
        daemon.signal(signal.SIGHUP)
        daemon.wait_reason(CONTAINER, "Converged")
        self.assertEqual(self.registry().spec["Image"], "registry:3")


class Apply(StopTest):
    def test_observation_ends_at_once(self):
        process, _, _ = self.caught("engine", r"GET .*/containers/json\?", "hang", "apply")
        process.signal(signal.SIGINT)
        self.assertEqual(process.wait(), 1)
        self.assertRegex(process.output, r"(?m)^not done: ")
        self.assertNotIn(CUT_SHORT, process.output)

    def test_action_is_finished(self):
        process, request, fault = self.caught(*CREATE[:2], "delay", "apply")
        process.signal(signal.SIGINT)
        process.wait_line("^stopping after the request in flight")
        fault.released.set()
        self.assertEqual(process.wait(), 1)
        self.assertEqual(request.status, 201)
        self.assertEqual(self.engine.since(0, CREATE[2]), [])

    def test_second_signal_does_not_wait_for_it(self):
        process, request, _ = self.caught(*CREATE[:2], "hang", "apply")
        process.signal(signal.SIGINT)
        process.wait_line("once more stops at once$")
        process.signal(signal.SIGTERM)
        self.assertEqual(process.wait(), 1)
        self.assertIn(CUT_SHORT, process.output)
        self.assertEqual(request.status, 0)
