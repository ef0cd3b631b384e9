"""No secret reaches a log at any level, status.json, the name of a file, or what a command prints. Only
`check --print` shows the environments: it is the configuration file in another form, for the one who may
read that. See also test_said.py."""

import json
import signal

from harness import CONTAINER, DEPLOYMENT, DEPLOYMENT_LIST, INGRESS, MachineTest, certificates, merged

SECRET = "hunter2-of-the-registry"
NEW_SECRET = "swordfish-of-the-registry"
UI_SECRET = "hunter3-of-the-ui"
NEW_UI_SECRET = "swordfish-of-the-ui"
TOKEN = "eyJhbGciOiJSUzI1NiJ9.token-of-the-kubeconfig"
HIDDEN = r"\*\*\*"


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
        daemon = self.converged_daemon("-l", "debug")
        text = self.config_file.read_text()
        for wrong in (f'["{SECRET}"]', f'"{SECRET}', f"&{SECRET} a", f"*{SECRET}", f'"\\q{SECRET}"'):
            self.config_file.write_text(text.replace(f'"{SECRET}"', wrong))
            self.run_program("check", status=78)
            self.reload(daemon, "^STATUS=reload failed: ")
        self.configure(registry={"environment": {"REGISTRY_HTTP_ADDR": SECRET}}, ui={"environment": {"URL": UI_SECRET}})
        self.run_program("check", status=78)
        self.watch(daemon)

    def test_credentials_in_addresses(self):
        """They are refused where they could be put, and the refusal does not repeat them."""
        for change in (
            {"docker": {"host": f"tcp://user:{SECRET}@127.0.0.1:2375"}},
            {"ui": {"url": f"http://user:{SECRET}@localhost:8080"}},
            {"registry": {"image": f"user:{SECRET}@registry:2"}},
            {"nodes": {"aliases": [f"user:{SECRET}@localhost:5000"]}},
        ):
            self.config_file.write_text(json.dumps(merged(self.config, change)))
            for command in ("check", "apply", "run"):
                self.run_program(command, status=78)
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
        self.use_kubeconfig(f"    token: {TOKEN}\n")
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
                self.assertRegex(result.stdout, r"(?m)^kube/\S+: \w+: ")
                self.assertRegex(result.stdout, rf"(?m)^{CONTAINER}: ")


class Repeated(SecretsTest):
    def assert_hidden(self, daemon, resource, reason, message):
        """The resource has that message, with the secret hidden, wherever it is shown."""
        daemon.wait_reason(resource, reason, message)
        self.watch(daemon)
        self.assertRegex(self.table(status=1), message)
        self.assertRegex(self.run_program("status", "--json", status=1).stdout, message)

    def test_by_an_apply(self):
        body = {"message": f'invalid environment variable: "REGISTRY_HTTP_SECRET={SECRET}"'}
        self.engine.fault("POST .*/containers/create", "status", times=None, code=400, body=body)
        result = self.run_program("-l", "debug", "apply", status=1)
        self.assertRegex(result.stdout, rf"(?m)^{CONTAINER}: failed to create: .*{HIDDEN}")
        self.assertRegex(result.stdout, rf"(?m)^{CONTAINER}: Error: .*{HIDDEN}")

    def test_where_a_long_message_is_cut(self):
        """No part of a secret is left before the end, wherever it lies there."""
        self.apply()
        listing, ingress_class = "GET .*/containers/json", "GET .*/ingressclasses/nginx"
        cases = [
            (self.engine, listing, CONTAINER, lambda said: {"message": said}, 512 - len("engine: list containers: ")),
            (self.engine, listing, CONTAINER, str, 128),
            (self.kube, ingress_class, INGRESS, lambda said: {"message": said}, 320),
            (self.kube, ingress_class, INGRESS, str, 128),
        ]
        for server, match, resource, body, cut in cases:
            for before in range(0, 60, 4):
                said = "x" * (cut - before) + SECRET + UI_SECRET + SECRET
                server.fault(match, "status", times=None, code=500, body=body(said))
                result = self.run_program("-l", "debug", "plan")
                self.assertIn(result.returncode, (1, 2))
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

    def test_by_what_stands_before_the_api_server(self):
        """It repeats the request's headers."""
        self.use_kubeconfig(f"    token: {TOKEN}\n")
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
                stream.put(b'{"type": "ERROR", "object": %s}\n' % status.encode())
        daemon.wait_line(rf"no longer watched: kube: GET .*: cannot watch: {HIDDEN}")
        self.watch(daemon)
