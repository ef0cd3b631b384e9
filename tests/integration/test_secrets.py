"""No secret reaches a log at any level, status.json, or what a command prints."""

import signal
import unittest

from fake_kube import certificates
from harness import CONTAINER, DEPLOYMENT, DEPLOYMENT_LIST, MachineTest

SECRET = "hunter2-of-the-registry"
NEW_SECRET = "swordfish-of-the-registry"
UI_SECRET = "hunter3-of-the-ui"
NEW_UI_SECRET = "swordfish-of-the-ui"
TOKEN = "eyJhbGciOiJSUzI1NiJ9.token-of-the-kubeconfig"


class Secrets(MachineTest):
    def setUp(self):
        super().setUp()
        self.texts = []
        self.declare(SECRET, UI_SECRET)

    def declare(self, secret, ui_secret):
        self.configure(
            registry={"environment": {"REGISTRY_HTTP_SECRET": secret}},
            ui={"environment": {"NGINX_PROXY_HEADER_Authorization": ui_secret}},
        )

    def tearDown(self):
        super().tearDown()
        key = certificates().path / "client.key"
        secrets = [SECRET, NEW_SECRET, UI_SECRET, NEW_UI_SECRET, TOKEN, certificates().base64("client.key")[:60]]
        secrets += [line for line in key.read_text().splitlines() if "-----" not in line]
        for text in self.texts:
            for secret in secrets:
                self.assertNotIn(secret, text)

    def run_program(self, *arguments, **options):
        result = super().run_program(*arguments, **options)
        self.texts += [result.stdout, result.stderr]
        return result

    def watch(self, daemon):
        """What the daemon has said so far."""
        self.texts += [daemon.output, self.status_file.read_text(), *self.notify.messages]

    def test_commands(self):
        self.run_program("-l", "debug", "plan", status=2)
        self.run_program("-l", "debug", "apply", status=0)
        self.assertIn(f"REGISTRY_HTTP_SECRET={SECRET}", self.registry().spec["Env"])
        self.declare(NEW_SECRET, NEW_UI_SECRET)
        result = self.run_program("-l", "debug", "plan", status=2)
        self.assertIn("environment.REGISTRY_HTTP_SECRET: (hidden) -> (hidden)", result.stdout)
        self.assertIn("(hidden)", result.stdout.split(DEPLOYMENT)[1])
        self.run_program("plan", "--json", status=2)
        self.run_program("-l", "debug", "apply", status=0)
        self.assertIn(f"REGISTRY_HTTP_SECRET={NEW_SECRET}", self.registry().spec["Env"])
        self.run_program("-l", "debug", "teardown", input="n\n", status=1)
        self.run_program("-l", "debug", "teardown", "--yes", status=0)

    def test_daemon(self):
        daemon = self.converged_daemon("-l", "debug")
        self.declare(NEW_SECRET, NEW_UI_SECRET)
        mark = self.engine.mark()
        daemon.signal(signal.SIGHUP)
        self.engine.wait("DELETE .*/containers/", since=mark, answered=True)
        daemon.wait_converged()
        self.run_program("status", status=0)
        self.run_program("status", "--json", status=0)
        self.watch(daemon)

    def test_errors_that_echo_the_request(self):
        """The first sentence of a long answer is all that is repeated of it."""
        daemon = self.converged_daemon("-l", "debug")
        self.engine.fault("GET .*/containers/json", "shape", times=2, body={"Env": [f"REGISTRY_HTTP_SECRET={SECRET}"]})
        self.engine.fault(f"GET .*/containers/{self.registry().id}/json", "garbage", times=2)
        self.kube.fault(DEPLOYMENT_LIST, "truncated", times=2)
        self.wait_passes(3)
        daemon.wait_converged()
        self.watch(daemon)

    def test_wrong_configuration(self):
        text = self.config_file.read_text()
        for wrong in (f'["{SECRET}"]', f'"{SECRET}', f"&{SECRET} a", f"*{SECRET}", f'"\\q{SECRET}"'):
            self.config_file.write_text(text.replace(f'"{SECRET}"', wrong))
            self.run_program("check", status=78)
        self.configure(registry={"environment": {"REGISTRY_HTTP_ADDR": SECRET}}, ui={"environment": {"URL": UI_SECRET}})
        self.run_program("check", status=78)

    def test_kubeconfig_with_a_token(self):
        kubeconfig = self.home / "kubeconfig"
        conf = certificates().kubeconfig(f"https://127.0.0.1:{self.kube.port}", name="kind-hostk8s")
        kubeconfig.write_text(conf + f"    token: {TOKEN}\n")
        self.configure(kubernetes={"kubeconfig": str(kubeconfig)})
        self.kube.fault(DEPLOYMENT_LIST, "status", times=1, code=401)
        daemon = self.converged_daemon("-l", "debug")
        sent = {request.headers.get("authorization") for request in self.kube.requests}
        self.assertEqual(sent, {f"Bearer {TOKEN}"})
        self.watch(daemon)

    def test_broken_kubeconfig(self):
        key = certificates().base64("client.key")
        for wrong in (key[:-8], "!!!" + key, key.replace("\n", "")[:80]):
            with self.subTest(wrong=wrong[:8]):
                self.node.tree.write("/etc/kubernetes/admin.conf", self.kube.admin_conf().replace(key, wrong))
                result = self.run_program("-l", "debug", "plan")
                self.assertIn(result.returncode, (1, 2))
                self.assertRegex(result.stdout, rf"(?m)^{DEPLOYMENT}: ")
                self.assertRegex(result.stdout, rf"(?m)^{CONTAINER}: ")


if __name__ == "__main__":
    unittest.main()
