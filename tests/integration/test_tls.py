"""Whom the program believes: the API server's certificate by the cluster's own CA, by its name, in time,
and nothing else instead; likewise an engine's over tcp. And of a kubeconfig only what it can honour."""

import pathlib
import socket
import ssl
import subprocess
import tempfile
import threading
import unittest
import warnings

from fake_engine import Engine
from fake_kube import Certificates, certificates
from harness import CONTAINER, CONTROL_PLANE, DEPLOYMENT, WORKER, MachineTest

CA_CONF = """[ca]
default_ca = it
[it]
database = index.txt
new_certs_dir = .
rand_serial = yes
default_md = sha256
copy_extensions = copy
policy = any
[any]
commonName = supplied
"""


def expired_context():
    """Of a server whose certificate is right but for its time."""
    with tempfile.TemporaryDirectory(prefix="hostk8s-pki-") as name:
        path, real = pathlib.Path(name), certificates().path
        (path / "ca.conf").write_text(CA_CONF)
        (path / "index.txt").write_text("")
        names = "subjectAltName=DNS:hostk8s-control-plane,IP:127.0.0.1"
        request = ["openssl", "req", "-new", "-key", real / "server.key", "-subj", "/CN=old", "-addext", names]
        sign = ["openssl", "ca", "-batch", "-notext", "-config", "ca.conf", "-cert", real / "ca.crt"]
        sign += ["-keyfile", real / "ca.key", "-startdate", "20200101000000Z", "-enddate", "20200201000000Z"]
        for command in ([*request, "-out", "csr"], [*sign, "-in", "csr", "-out", "crt"]):
            subprocess.run(command, cwd=path, check=True, capture_output=True, timeout=60)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path / "crt", real / "server.key")
        return context


def old_protocol_context():
    context = certificates().server_context()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
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
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(others.path / "server.crt", others.path / "server.key")
        self.kube.tls = context
        daemon = self.assert_refused("certificate refused: SSL certificate problem: ")
        self.kube.tls = certificates().server_context()
        daemon.wait_converged()

    def test_of_another_name(self):
        others = Certificates(names=["another-control-plane"])
        self.kube.tls = others.server_context()
        self.node.tree.write("/etc/kubernetes/admin.conf", others.kubeconfig("https://hostk8s-control-plane:6443"))
        self.assert_refused("certificate refused: SSL: no alternative certificate subject name matches")

    def test_expired(self):
        self.kube.tls = expired_context()
        self.assert_refused("certificate refused: SSL certificate problem: certificate has expired")

    def test_old_protocol(self):
        self.kube.tls = old_protocol_context()
        self.assert_refused("no TLS connection: ")

    def test_without_tls(self):
        server = PlainServer()
        self.addCleanup(server.close)
        self.node.ports[0]["PublicPort"] = server.port
        self.assert_refused("no TLS connection: ")
        self.assertNotIn(b"HTTP/1.1\r\n", server.received)
        self.assertNotIn(b"GET ", server.received)


class EngineOverTcp(MachineTest):
    def setUp(self):
        super().setUp()
        self.remote = Engine(("127.0.0.1", 0))
        self.remote.tls = certificates().server_context()
        self.remote.up()
        self.addCleanup(self.remote.close)
        self.remote.add_network()
        names = {"ca": "ca.crt", "cert": "client.crt", "key": "client.key"}
        self.files = {key: str(certificates().path / name) for key, name in names.items()}
        self.use(self.files)

    def use(self, tls):
        self.config["docker"] = {"host": f"tcp://127.0.0.1:{self.remote.address[1]}"} | ({"tls": tls} if tls else {})
        self.config["clusters"] = []
        self.configure()

    def assert_refused(self, message, reason="EngineUnreachable"):
        daemon = self.daemon()
        daemon.wait_reason(CONTAINER, reason, message)
        self.assertEqual(self.remote.requests, [], "nothing was said to it")
        self.assertEqual(daemon.stop(), 0)

    def test_verified_both_ways(self):
        self.daemon().wait_reason(CONTAINER, "Converged")

    def test_of_another_authority(self):
        others = Certificates()
        self.use(self.files | {"ca": str(others.path / "ca.crt")})
        self.assert_refused("certificate refused: ")

    def test_without_an_authority_the_system_is_asked(self):
        self.use({name: self.files[name] for name in ("cert", "key")})
        self.assert_refused("certificate refused: ")

    def test_without_tls_there(self):
        self.remote.tls = None
        server = PlainServer()
        self.addCleanup(server.close)
        self.config["docker"]["host"] = f"tcp://127.0.0.1:{server.port}"
        self.configure()
        self.assert_refused("no TLS connection: ")
        self.assertNotIn(b"GET ", server.received)

    def test_without_tls_here(self):
        self.use(None)
        self.assert_refused("answer ended early|answer is not HTTP|connection")

    def test_client_that_the_engine_does_not_know(self):
        others = Certificates()
        self.use(self.files | {"cert": str(others.path / "client.crt"), "key": str(others.path / "client.key")})
        self.assert_refused("alert unknown ca|unknown ca")

    def test_files_that_are_not_there(self):
        self.use(self.files | {"key": str(self.home / "missing.key")})
        self.assert_refused(f"cannot read {self.home}/missing.key", "Error")


# What of a kubeconfig is refused: where, what stands there, and what is said of it.
REFUSED = [
    ("user", "exec: {command: touch, args: [PWNED]}", "exec: running a program for credentials is not supported"),
    ("user", "auth-provider: {name: oidc}", "auth-provider: auth providers are not supported"),
    ("user", "username: admin", "username: basic authentication is not supported"),
    ("user", "as: someone", "as: impersonation is not supported"),
    ("cluster", "insecure-skip-tls-verify: true", "insecure-skip-tls-verify: an unverified server is"),
    ("cluster", "proxy-url: http://127.0.0.1:9", "proxy-url: proxies are not supported"),
]
ELSEWHERE = [
    ("cluster", "certificate-authority", "certificate-authority-data"),
    ("user", "client-certificate", "client-certificate-data"),
    ("user", "client-key", "client-key-data"),
]


class Kubeconfig(MachineTest):
    def with_line(self, text, section, line):
        return text.replace(f"  {section}:\n", f"  {section}:\n    {line}\n")

    def assert_refused(self, message):
        result = self.run_program("plan", status=1)
        self.assertRegex(result.stdout, rf"(?m)^{DEPLOYMENT}: Error: .*{message}")
        self.assertRegex(result.stdout, rf"(?m)^{CONTAINER}: create$")
        self.assertEqual(self.kube.requests, [])
        self.assertFalse((self.home / "PWNED").exists())

    def test_sections_of_an_admin_conf(self):
        for section, line, message in REFUSED:
            with self.subTest(line=line):
                text = self.with_line(self.kube.admin_conf(), section, line.replace("PWNED", str(self.home / "PWNED")))
                self.node.tree.write("/etc/kubernetes/admin.conf", text)
                self.assert_refused(rf"{section}s?\[kubernetes\]\.{section}\.{message}")

    def test_sections_of_a_file(self):
        kubeconfig = self.home / "kubeconfig"
        self.configure(kubernetes={"kubeconfig": str(kubeconfig)})
        conf = certificates().kubeconfig(f"https://127.0.0.1:{self.kube.port}", name="kind-hostk8s")
        for section, line, message in REFUSED:
            with self.subTest(line=line):
                kubeconfig.write_text(self.with_line(conf, section, line.replace("PWNED", str(self.home / "PWNED"))))
                self.assert_refused(rf"{kubeconfig}:\d+:\d+: {section}s\[kind-hostk8s\]\.{section}\.{message}")

    def test_files_that_an_admin_conf_names(self):
        """They would be read from this machine, which the node's file knows nothing of."""
        for section, key, data in ELSEWHERE:
            with self.subTest(key=key):
                lines = self.kube.admin_conf().splitlines(keepends=True)
                text = "".join(line for line in lines if data not in line)
                self.node.tree.write("/etc/kubernetes/admin.conf", self.with_line(text, section, f"{key}: /etc/passwd"))
                self.assert_refused(rf"{section}\.{key}: a file cannot be read from here")

    def test_server_without_tls(self):
        text = self.kube.admin_conf().replace("https://", "http://")
        self.node.tree.write("/etc/kubernetes/admin.conf", text)
        self.assert_refused("cluster.server: an http:// server is refused; use https://")


if __name__ == "__main__":
    unittest.main()
