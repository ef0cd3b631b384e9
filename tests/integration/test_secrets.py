"""No secret reaches a log at any level, status.json, the name of a file, or what a command prints. What
others repeat of them is in test_secrets_repeated.py. Only `check --print` shows the environments: it
is the configuration file in another form, for the one who may read that."""

import json
import signal
import unittest

from fake_kube import certificates
from harness import CONTAINER, DEPLOYMENT, DEPLOYMENT_LIST, MachineTest, merged

SECRET = "hunter2-of-the-registry"
NEW_SECRET = "swordfish-of-the-registry"
UI_SECRET = "hunter3-of-the-ui"
NEW_UI_SECRET = "swordfish-of-the-ui"
TOKEN = "eyJhbGciOiJSUzI1NiJ9.token-of-the-kubeconfig"


class SecretsTest(MachineTest):
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
        self.assertNotEqual(self.texts, [])
        beginnings = {secret[:10] for secret in secrets}  # also of one that was cut
        for text in self.texts + [str(path) for path in self.home.rglob("*")]:
            found = [line[:1000] for line in text.splitlines() for secret in beginnings if secret in line]
            self.assertEqual(found, [])

    def run_program(self, *arguments, **options):
        result = super().run_program(*arguments, **options)
        self.texts += [result.stdout, result.stderr]
        return result

    def watch(self, daemon):
        """What the daemon has said so far."""
        self.texts += [daemon.output, self.status_file.read_text(), *self.notify.messages]


class Secrets(SecretsTest):
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
        self.run_program("status")  # ready or not: the new address is on its way through the cluster
        self.run_program("status", "--json")
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

    def test_wrong_configuration_at_a_reload(self):
        daemon = self.converged_daemon("-l", "debug")
        text = self.config_file.read_text()
        for wrong in (f'["{SECRET}"]', f'"{SECRET}', f"*{SECRET}"):
            self.config_file.write_text(text.replace(f'"{SECRET}"', wrong))
            since = self.notify.mark()
            daemon.signal(signal.SIGHUP)
            self.notify.wait("^STATUS=reload failed: ", since)
        self.watch(daemon)

    def test_credentials_in_addresses(self):
        """They are refused where they could be put, and the refusal does not repeat them."""
        for change in (
            {"docker": {"host": f"tcp://user:{SECRET}@127.0.0.1:2375"}},
            {"ui": {"url": f"http://user:{SECRET}@localhost:8080"}},
            {"registry": {"image": f"user:{SECRET}@registry:2"}},
            {"nodes": {"aliases": [f"user:{SECRET}@localhost:5000"]}},
        ):
            text = self.config_file.read_text()
            self.config_file.write_text(json.dumps(merged(self.config, change)))
            for command in ("check", "apply", "run"):
                self.run_program(command, status=78)
            self.config_file.write_text(text)
        self.config["docker"].pop("host")
        self.configure()
        environment = {"DOCKER_HOST": f"tcp://user:{SECRET}@127.0.0.1:2375"}
        self.run_program("plan", status=78, environment=environment)

    def test_proxies(self):
        """Those of the program's own environment are not used; those of the registry are its secret."""
        proxy = f"http://user:{SECRET}@127.0.0.1:9"
        self.environment |= {"http_proxy": proxy, "HTTPS_PROXY": proxy, "ALL_PROXY": proxy}
        self.configure(registry={"environment": {"HTTP_PROXY": proxy}})
        self.run_program("-l", "debug", "apply", status=0)
        self.configure(registry={"environment": {"HTTP_PROXY": f"{proxy}9"}})
        self.run_program("-l", "debug", "plan", status=2)

    def test_printed_configuration_has_the_environments(self):
        result = MachineTest.run_program(self, "check", "--print", status=0)
        self.assertIn(f"REGISTRY_HTTP_SECRET: {SECRET}\n", result.stdout)
        self.texts.append(result.stderr)

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
