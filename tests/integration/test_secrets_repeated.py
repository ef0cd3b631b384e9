"""What an engine, an API server, a pod or a command repeats of a secret is hidden in its message."""

import signal
import unittest

from fake_kube import certificates
from harness import CONTAINER, DEPLOYMENT, WORKER
from test_secrets import NEW_SECRET, NEW_UI_SECRET, SECRET, TOKEN, UI_SECRET, SecretsTest

HIDDEN = r"\*\*\*"


class Repeated(SecretsTest):
    def assert_hidden(self, daemon, resource, reason, message):
        """The resource has that message, with the secret hidden, wherever it is shown."""
        daemon.wait_reason(resource, reason, message)
        self.assertRegex(message, r"\*")
        self.watch(daemon)
        self.assertRegex(self.run_program("status", status=1).stdout, message)
        self.assertRegex(self.run_program("status", "--json", status=1).stdout, message)

    def test_by_the_engine(self):
        for said in ("invalid environment variable: REGISTRY_HTTP_SECRET={}", 'invalid value "{}"', "{}"):
            with self.subTest(said=said):
                body = {"message": said.format(SECRET)}
                self.engine.fault("POST .*/containers/create", "status", times=None, code=400, body=body)
                result = self.run_program("-l", "debug", "apply", status=1)
                self.assertRegex(result.stdout, rf"(?m)^{CONTAINER}: failed to create: .*{HIDDEN}")
                self.assertRegex(result.stdout, rf"(?m)^{CONTAINER}: Error: .*{HIDDEN}")
                self.engine.clear_faults()

    def test_where_a_long_message_is_cut(self):
        """No part of a secret is left before the end, wherever it lies there."""
        self.apply()
        listing, ingress_class = "GET .*/containers/json", "GET .*/ingressclasses/nginx"
        cases = [
            (self.engine, listing, CONTAINER, lambda said: {"message": said}, 512 - len("engine: list containers: ")),
            (self.engine, listing, CONTAINER, str, 128),
            (self.kube, ingress_class, DEPLOYMENT, lambda said: {"message": said}, 320),
            (self.kube, ingress_class, DEPLOYMENT, str, 128),
        ]
        for server, match, resource, body, cut in cases:
            for before in range(0, 60, 4):
                said = "x" * (cut - before) + SECRET + UI_SECRET + SECRET
                server.fault(match, "status", times=None, code=500, body=body(said))
                result = self.run_program("-l", "debug", "plan", status=1)
                self.assertRegex(result.stdout, rf"(?m)^{resource}: Error: .*xxx")
                server.clear_faults()
        self.assertIn("***", "".join(self.texts))

    def test_by_a_container_that_does_not_start(self):
        """Also what was secret before a change: the old container may be the one that it is about."""
        daemon = self.converged_daemon("-l", "debug")
        self.engine.images["bad:1"] = "unstartable"
        self.engine.start_error = f"runc: REGISTRY_HTTP_SECRET={NEW_SECRET}, was {SECRET}: permission denied"
        self.declare(NEW_SECRET, NEW_UI_SECRET)
        self.configure(registry={"image": "bad:1"})
        daemon.signal(signal.SIGHUP)
        message = rf"runc: REGISTRY_HTTP_SECRET={HIDDEN}, was {HIDDEN}: permission denied"
        self.assert_hidden(daemon, CONTAINER, "Error", message)

    def test_by_a_pull(self):
        body = {"message": f"Get https://user:{SECRET}@registry.example/v2/: unauthorized"}
        self.engine.fault("POST .*/images/create", "status", times=None, code=500, body=body)
        daemon = self.daemon("-l", "debug")
        self.assert_hidden(daemon, CONTAINER, "ImagePullFailed", f"user:{HIDDEN}@registry.example")

    def test_by_the_stream_of_a_pull(self):
        body = {"errorDetail": {"message": f"denied: {SECRET}"}, "error": "denied"}
        self.engine.fault("POST .*/images/create", "status", times=None, code=200, body=body)
        daemon = self.daemon("-l", "debug")
        self.assert_hidden(daemon, CONTAINER, "ImagePullFailed", f"denied: {HIDDEN}")

    def test_by_the_api_server(self):
        said = f'spec.template.spec.containers[0].env[7].value: Invalid value: "{UI_SECRET}"'
        body = {"kind": "Status", "message": said, "reason": UI_SECRET, "code": 422}
        self.kube.fault("PATCH .*/deployments/", "status", times=None, code=422, body=body)
        daemon = self.daemon("-l", "debug")
        self.assert_hidden(daemon, DEPLOYMENT, "Error", f"Invalid value: .*{HIDDEN}")

    def test_by_what_stands_before_the_api_server(self):
        """It repeats the request's headers."""
        kubeconfig = self.home / "kubeconfig"
        conf = certificates().kubeconfig(f"https://127.0.0.1:{self.kube.port}", name="kind-hostk8s")
        kubeconfig.write_text(conf + f"    token: {TOKEN}\n")
        self.configure(kubernetes={"kubeconfig": str(kubeconfig)})
        for body in (f"<h1>Authorization: Bearer {TOKEN}</h1>", {"message": f"invalid bearer token: {TOKEN}"}):
            with self.subTest(body=body):
                self.kube.fault("", "status", times=None, code=403, body=body)
                daemon = self.daemon("-l", "debug")
                self.assert_hidden(daemon, DEPLOYMENT, "Forbidden", f"earer.* {HIDDEN}")
                self.assertEqual(daemon.stop(), 0)
                self.kube.clear_faults()

    def test_by_a_watch(self):
        daemon = self.converged_daemon("-l", "debug")
        self.kube.wait(r"GET /apis/apps/v1/deployments\?.*watch=1", answered=True)
        status = '{"kind": "Status", "code": 500, "message": "cannot watch: %s"}' % UI_SECRET
        with self.kube.lock:
            for stream in self.kube.streams:
                stream.lines.put(b'{"type": "ERROR", "object": %s}\n' % status.encode())
        daemon.wait_line(rf"no longer listening: kube: watch: cannot watch: {HIDDEN}")
        self.watch(daemon)

    def test_by_a_pod(self):
        self.kube.ready = False
        waiting = {"reason": "CreateContainerError", "message": f"env THEME={UI_SECRET} is refused"}
        status = {"containerStatuses": [{"ready": False, "state": {"waiting": waiting}}]}
        labels = {"app.kubernetes.io/managed-by": "hostk8s-registryd"}
        pod = {"apiVersion": "v1", "metadata": {"labels": labels}, "status": status}
        self.kube.add("pods", "hostk8s", "registry-ui-1", pod)
        daemon = self.daemon("-l", "debug")
        self.assert_hidden(daemon, DEPLOYMENT, "Unavailable", f"CreateContainerError: env THEME={HIDDEN} is refused")

    def test_by_a_command_in_a_node(self):
        daemon = self.converged_daemon("-l", "debug")
        self.engine.refused_commands["find"] = f"find: {SECRET}: I/O error"
        self.configure(nodes={"aliases": ["registry.example:80"]})
        daemon.signal(signal.SIGHUP)
        self.assert_hidden(daemon, WORKER, "Error", f"find: {HIDDEN}: I/O error")


if __name__ == "__main__":
    unittest.main()
