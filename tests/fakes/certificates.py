"""What the fakes' TLS is made of: a CA, a server's certificate, a client's."""

import base64
import functools
import pathlib
import ssl
import subprocess
import tempfile


class Certificates:
    """A CA, a server certificate for the node's names and 127.0.0.1, and a client certificate."""

    def __init__(self, names=("hostk8s-control-plane", "other-control-plane")):
        self.directory = tempfile.TemporaryDirectory(prefix="hostk8s-pki-")
        self.path = pathlib.Path(self.directory.name)
        key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        signed = ["-CA", self.path / "ca.crt", "-CAkey", self.path / "ca.key"]
        san = ",".join([f"DNS:{name}" for name in names] + ["IP:127.0.0.1"])
        self._make("ca", "/CN=kubernetes", key)
        self._make("server", "/CN=kube-apiserver", key + signed + ["-addext", f"subjectAltName={san}"])
        self._make("client", "/O=system:masters/CN=kubernetes-admin", key + signed)

    def _make(self, name, subject, options):
        files = ["-keyout", self.path / f"{name}.key", "-out", self.path / f"{name}.crt"]
        command = ["openssl", "req", "-x509", "-days", "2", "-subj", subject, *options, *files]
        subprocess.run(command, check=True, capture_output=True, timeout=60)

    def base64(self, name):
        return base64.b64encode((self.path / name).read_bytes()).decode()

    def server_context(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.path / "server.crt", self.path / "server.key")
        context.load_verify_locations(self.path / "ca.crt")
        context.verify_mode = ssl.CERT_REQUIRED
        return context

    def kubeconfig(self, server, name="kubernetes"):
        data = {file: self.base64(file) for file in ("ca.crt", "client.crt", "client.key")}
        return kubeconfig(server, data, name)


def kubeconfig(server, data, name="kubernetes"):
    return f"""apiVersion: v1
kind: Config
clusters:
- name: {name}
  cluster:
    certificate-authority-data: {data["ca.crt"]}
    server: {server}
contexts:
- name: {name}
  context:
    cluster: {name}
    user: {name}
current-context: {name}
preferences: {{}}
users:
- name: {name}
  user:
    client-certificate-data: {data["client.crt"]}
    client-key-data: {data["client.key"]}
"""


@functools.cache
def certificates():
    return Certificates()
