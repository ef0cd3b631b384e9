"""The page and the registry's API at ui.url, as this machine gets them: what comes instead, and when it is
asked for. The ingress is the fake cluster's, and serves what its objects say."""

import contextlib
import json
import ssl
import time

from harness import (
    CONTROL_PLANE,
    INGRESS,
    IngressServer,
    MachineTest,
    Response,
    certificates,
    ingress,
    reply,
    wait_until,
)

PAGE, API = "GET /registry/", "GET /v2/"
REGISTRY = {"Docker_Distribution_Api_Version": "registry/2.0"}
AT_ONCE = 50  # seconds: an `apply` that waits in vain does so for two minutes
SLOT_SECONDS = 0.5  # that what follows waits for each of the others
TIMEOUT = 5  # seconds: reconcile.timeout of the tests


def page_of(title, status=200, **headers):
    return ingress.page(f"<html><title>{title}</title></html>".encode(), status, **headers)


# What is asked, what comes instead, what is said of it.
INSTEAD = (
    (PAGE, ingress.error_page(404), 'HTTP 404 of the server "nginx" instead of the UI\'s page; no controller there'),
    (PAGE, page_of("Grafana"), 'another page, "Grafana" instead of the UI\'s page; something else has that address'),
    (PAGE, Response(200, b" " * (1 << 20)), "answer has more bytes than .*; something else has that address"),
    (API, reply({}, 401, **REGISTRY), "another registry, with users"),
)
NO_ANSWER = (
    ("close", "answer ended early; see that the ingress controller runs"),
    ("partial", "answer ended early; see that the ingress controller runs"),
    ("hang", "no answer within 1 s; see that the ingress controller runs"),
)


class RouteTest(MachineTest):
    def setUp(self):
        super().setUp()
        self.serve()

    def serve(self, **options):
        self.page = IngressServer(self.kube, self.engine, **options).up()
        self.addCleanup(self.page.close)
        self.route = f"route/{self.page.url}"
        self.configure(ui={"url": self.page.url, "check": True})

    def converged_daemon(self, *arguments, **options):
        daemon = self.daemon(*arguments, **options)
        daemon.wait_converged(13)
        return daemon

    def asked(self, mark=0):
        return self.page.since(mark, PAGE)

    @contextlib.contextmanager
    def asked_at_most(self, count):
        """The page is asked when all others were done; on a busy machine one that takes long is not waited for."""
        mark, start = self.page.mark(), time.monotonic()
        yield
        late = (time.monotonic() - start) // SLOT_SECONDS
        self.assertIn(len(self.asked(mark)), range(1, int(count + late) + 1))

    @contextlib.contextmanager
    def at_once(self):
        start = time.monotonic()
        yield
        self.assertLess(time.monotonic() - start, AT_ONCE)

    def assert_wrong(self, daemon, message):
        """It is said, and nothing else is wrong; asked again, all is well."""
        daemon.wait_reason(self.route, "Unavailable", message)
        wait_until(lambda: (status := daemon.status())["ready"] == status["total"] - 1, "nothing else is wrong")


class Commands(RouteTest):
    def test_apply(self):
        with self.at_once(), self.asked_at_most(2):
            self.assertIn("13 of 13 ready", self.apply().stdout)
        self.assertEqual(self.page.writes(), [])
        with self.asked_at_most(1):
            self.assertEqual(self.run_program("plan", status=0).stdout, "nothing to do\n")
        mark = self.page.mark()
        self.run_program("teardown", "--yes", status=0)
        self.assertEqual(self.page.mark(), mark, "a teardown asks for no page")

    def test_plan_expects_what_apply_will_bring(self):
        waits = f'HTTP 404 of the server "nginx" instead of the UI\'s page; waits for the changes of other resources'
        result = self.run_program("plan", status=2)
        self.assertRegex(result.stdout, f"(?m)^{self.route}: Converging: GET .*: {waits}$")
        self.assertRegex(result.stdout, r"\n\d+ changes pending, 0 resources blocked\n\Z")
        document = json.loads(self.run_program("plan", "--json", status=2).stdout)
        self.assertIn(self.route, [each["resource"] for each in document["waiting"]])
        self.assertEqual(document["blocked"], [])
        self.page.down()
        result = self.run_program("plan", status=2)
        self.assertRegex(result.stdout, f"{self.route}: Unavailable: nothing listens")
        self.assertIn("1 resource blocked", result.stdout)

    def test_plan_waits_for_no_answer_that_apply_will_bring(self):
        self.apply()
        self.engine.remove_container(self.registry())
        self.page.fault(API, "hang", times=None)
        begin = time.monotonic()
        result = self.run_program("plan", status=2)
        self.assertLess(time.monotonic() - begin, TIMEOUT)
        self.assertRegex(result.stdout, f"{self.route}: Converging: .*: no answer within 1 s; waits for the changes")

    def test_apply_waits_while_it_may_come(self):
        self.page.fault(PAGE, "answer", times=8, response=ingress.error_page(503))
        self.apply()
        self.page.fault(PAGE, "answer", times=None, response=ingress.error_page(503))
        result = self.run_program("apply", "--timeout", "5s", status=1)
        self.assertRegex(result.stdout, f"{self.route}: Unavailable: .*HTTP 503 .*\ntimed out: 12 of 13 ready")

    def test_apply_does_not_wait_where_nothing_listens(self):
        self.page.down()
        with self.at_once():
            result = self.apply(status=1)
        port = self.page.address[1]
        mapping = rf"\[{{containerPort: 80, hostPort: {port}, listenAddress: 127.0.0.1}}\]"
        self.assertRegex(result.stdout, f"{self.route}: Unavailable: nothing listens .*extraPortMappings: {mapping}")
        self.assertIn("not done: 12 of 13 ready", result.stdout)

    def test_apply_does_not_wait_behind_what_is_blocked(self):
        self.kube.remove("ingressclasses", "nginx", None)
        self.page.fault(PAGE, "answer", times=None, response=ingress.error_page(404))
        with self.at_once():
            result = self.apply(status=1)
        self.assertRegex(result.stdout, f"{INGRESS}: IngressClassMissing")
        self.assertRegex(result.stdout, f"{self.route}: Unavailable: .*HTTP 404")


class WhatCameInstead(RouteTest):
    def setUp(self):
        super().setUp()
        self.configure(reconcile={"timeout": "1s"})

    def test_another_answer(self):
        daemon = self.converged_daemon()
        for match, response, message in INSTEAD:
            with self.subTest(message=message):
                self.page.fault(match, "answer", times=None, response=response)
                self.assert_wrong(daemon, f"GET {self.page.url}{match[4:]}: .*{message}")
                self.page.clear_faults()
                daemon.wait_converged(13)

    def test_no_answer(self):
        daemon = self.converged_daemon()
        for kind, message in NO_ANSWER:
            with self.subTest(kind=kind):
                self.page.fault(PAGE, kind, times=None)
                self.assert_wrong(daemon, f"GET {self.page.url}/registry/: {message}")
                self.page.clear_faults()
                daemon.wait_converged(13)

    def test_nothing_listens_while_a_node_is_stopped(self):
        daemon = self.converged_daemon()
        self.page.down()
        self.engine.stop_container(self.node)
        node = "hostk8s-control-plane"
        daemon.wait_reason(self.route, "Unavailable", f"while {node} does not run; start it: `docker start {node}`")
        self.engine.start_container(self.node)
        daemon.wait_reason(self.route, "Unavailable", "extraPortMappings")
        self.page.up()
        daemon.wait_converged(13)

    def test_wrong_certificate(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates().path / "server.crt", certificates().path / "server.key")
        self.serve(tls=context)
        with self.at_once():
            result = self.apply(status=1)
        self.assertRegex(result.stdout, f"{self.route}: .* certificate refused: .*; give the ingress a certificate")


class WhenItIsAsked(RouteTest):
    def test_once_in_a_pass(self):
        self.converged_daemon()
        self.wait_passes(1)
        mark, passes = self.page.mark(), self.engine.mark()
        self.engine.wait("GET .*/containers/json", 4, since=passes)
        begun, asked = len(self.engine.since(passes, "GET .*/containers/json")), len(self.asked(mark))
        self.assertAlmostEqual(asked, begun, delta=1)
        self.assertAlmostEqual(len(self.page.since(mark, API)), asked, delta=1)

    def test_after_a_change_and_not_only_in_a_pass(self):
        self.configure(reconcile={"poll": "1h"})
        daemon = self.converged_daemon()
        self.page.fault(PAGE, "answer", times=None, response=ingress.error_page(404))
        self.kube.remove("ingresses", "registry-ui")
        daemon.wait_reason(self.route, "Unavailable", "HTTP 404")
        self.page.clear_faults()
        daemon.wait_converged(13)

    def test_not_at_all(self):
        daemon = self.converged_daemon()
        self.configure(ui={"check": False})
        self.reload(daemon)
        wait_until(lambda: daemon.condition(self.route) is None, "it is no longer told of")
        mark = self.page.mark()
        self.wait_passes()
        self.assertEqual(self.asked(mark), [])

    def test_not_without_a_cluster(self):
        for node in (self.node, self.worker):
            self.engine.remove_container(node)
        daemon = self.daemon()
        daemon.wait_reason("kube/hostk8s/Namespace/hostk8s", "ClusterNotFound")
        self.wait_passes()
        self.assertEqual(self.asked(), [])
        self.assertIsNone(daemon.condition(self.route))
        self.assertIsNone(daemon.condition(CONTROL_PLANE))
