"""Whom the program believes: the API server's certificate by the cluster's own CA, by its name, in time,
and nothing else instead; likewise an engine's over tcp. And of a kubeconfig only what it can honour."""

import socket
import ssl
import subprocess
import threading

from harness import CONTAINER, CONTROL_PLANE, DEPLOYMENT, WORKER, Certificates, EngineServer, MachineTest, certificates

ADMIN_CONF = "/etc/kubernetes/admin.conf"
FILES = {"ca": "ca.crt", "cert": "client.crt", "key": "client.key"}


def files(authority=None, client=None):
    """docker.tls: whom it believes, and whom it shows itself as."""
    paths = {"ca": authority, "cert": client, "key": client}
    return {key: str((paths[key] or certificates()).path / name) for key, name in FILES.items()}


def context_of(path, certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path / certificate, path / "server.key")
    return context


class PlainServer:
    """Answers whatever comes as a web server without TLS does."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.received = b""
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            with connection:
                self.received += connection.recv(65536)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


class ApiServer(MachineTest):
    def assert_refused(self, message):
        daemon = self.daemon()
        daemon.wait_reason(DEPLOYMENT, "ApiUnreachable", message)
        for resource in (CONTAINER, CONTROL_PLANE, WORKER):
            daemon.wait_reason(resource, "Converged")
        self.wait_passes(2)
        self.assertEqual(self.kube.requests, [], "nothing was said to it")
        return daemon

    def test_of_another_authority(self):
        others = Certificates()
        self.kube.tls = context_of(others.path, "server.crt")
        daemon = self.assert_refused("certificate refused: SSL certificate problem: ")
        self.kube.tls = certificates().server_context()
        daemon.wait_converged()

    def test_of_another_name(self):
        others = Certificates(names=["another-control-plane"])
        self.kube.tls = others.server_context()
        self.node.tree.write(ADMIN_CONF, others.kubeconfig("https://hostk8s-control-plane:6443"))
        self.assert_refused("certificate refused: SSL: no alternative certificate subject name matches")

    def test_expired(self):
        others = Certificates()
        for command in (
            "req -new -key server.key -subj /CN=old -out csr",
            "x509 -req -in csr -CA ca.crt -CAkey ca.key -days -1 -out old.crt",
        ):
            subprocess.run(["openssl", *command.split()], cwd=others.path, check=True, capture_output=True, timeout=60)
        self.kube.tls = context_of(others.path, "old.crt")
        self.node.tree.write(ADMIN_CONF, others.kubeconfig("https://hostk8s-control-plane:6443"))
        self.assert_refused("certificate refused: SSL certificate problem: certificate has expired")

    def test_without_tls(self):
        server = PlainServer()
        self.addCleanup(server.close)
        self.node.publish(6443, server.port)
        self.assert_refused("no TLS connection: ")
        self.assertNotIn(b"HTTP/1.1\r\n", server.received)


class EngineOverTcp(MachineTest):
    def setUp(self):
        super().setUp()
        self.remote = EngineServer(("127.0.0.1", 0))
        self.remote.tls = certificates().server_context()
        self.remote.up()
        self.addCleanup(self.remote.close)
        self.remote.add_network()

    def use(self, tls, port=None):
        self.config["docker"] = {"host": f"tcp://127.0.0.1:{port or self.remote.address[1]}", "tls": tls}
        self.configure(clusters=[])

    def test_verified_both_ways(self):
        self.use(files())
        self.daemon().wait_reason(CONTAINER, "Converged")

    def test_refused(self):
        others = Certificates()
        system = {name: path for name, path in files().items() if name != "ca"}
        missing = files() | {"key": str(self.home / "missing.key")}
        for tls, message, reason in (
            (files(authority=others), "certificate refused: ", "EngineUnreachable"),
            (system, "certificate refused: .*; see that the engine listens there with TLS, and", "EngineUnreachable"),
            ({}, "(ended early|is not HTTP|connection).*; see that the engine listens there, and without TLS", "EngineUnreachable"),
            (files(client=others), "unknown ca", "EngineUnreachable"),
            (missing, f"{self.home}/missing.key cannot be read: No such file", "Error"),
        ):
            with self.subTest(tls=tls):
                self.use(tls)
                daemon = self.daemon()
                daemon.wait_reason(CONTAINER, reason, message)
                self.assertEqual(self.remote.requests, [], "nothing was said to it")
                self.assertEqual(daemon.stop(), 0)

    def test_without_tls_there(self):
        server = PlainServer()
        self.addCleanup(server.close)
        self.use(files(), server.port)
        self.daemon().wait_reason(CONTAINER, "EngineUnreachable", "no TLS connection: ")
        self.assertNotIn(b"GET ", server.received)


# What of a kubeconfig is refused: where, what stands there, and what is said of it.
REFUSED = [
    ("user", "exec: {command: touch, args: [PWNED]}", "exec: running a program for credentials is not supported"),
    ("cluster", "insecure-skip-tls-verify: true", "insecure-skip-tls-verify: an unverified server is"),
]
ELSEWHERE = [("cluster", "certificate-authority"), ("user", "client-certificate"), ("user", "client-key")]


class Kubeconfig(MachineTest):
    def with_line(self, text, section, line):
        line = line.replace("PWNED", str(self.home / "PWNED"))
        return text.replace(f"  {section}:\n", f"  {section}:\n    {line}\n")

    def assert_refused(self, message):
        result = self.run_program("plan", status=1)
        self.assertRegex(result.stdout, rf"(?m)^kube/\S+: Error: .*{message}")
        self.assertRegex(result.stdout, rf"(?m)^{CONTAINER}: create$")
        self.assertEqual(self.kube.requests, [])
        self.assertFalse((self.home / "PWNED").exists())

    def test_sections_of_an_admin_conf(self):
        for section, line, message in REFUSED:
            with self.subTest(line=line):
                self.node.tree.write(ADMIN_CONF, self.with_line(self.kube.admin_conf(), section, line))
                self.assert_refused(rf"{section}s?\[kubernetes\]\.{section}\.{message}")

    def test_sections_of_a_file(self):
        kubeconfig = self.use_kubeconfig()
        conf = kubeconfig.read_text()
        for section, line, message in REFUSED:
            with self.subTest(line=line):
                kubeconfig.write_text(self.with_line(conf, section, line))
                self.assert_refused(rf"{kubeconfig}:\d+:\d+: {section}s\[kind-hostk8s\]\.{section}\.{message}")

    def test_files_that_an_admin_conf_names(self):
        """They would be read from this machine, which the node's file knows nothing of."""
        for section, key in ELSEWHERE:
            with self.subTest(key=key):
                lines = self.kube.admin_conf().splitlines(keepends=True)
                text = "".join(line for line in lines if f"{key}-data" not in line)
                self.node.tree.write(ADMIN_CONF, self.with_line(text, section, f"{key}: /etc/passwd"))
                self.assert_refused(rf"{section}\.{key}: a file cannot be read from here")
