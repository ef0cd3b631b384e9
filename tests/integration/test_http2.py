"""The API server over HTTP/2, as real ones speak it: nghttpx stands before the fake, which knows HTTP/1.1 alone."""

import contextlib
import socket
import subprocess
import tempfile
import threading

from harness import DEPLOYMENT, INGRESS, MachineTest, certificates, free_port, wait_until


class Front:
    """nghttpx in the foreground, with the API server's certificate, wanting a client's as that does."""

    def __init__(self, test, backend):
        self.port = free_port()
        self.log = tempfile.NamedTemporaryFile("r", prefix="hk8s-nghttpx-")
        path = certificates().path
        self.process = subprocess.Popen(
            ["nghttpx", "--conf=/dev/null", "--single-process", "--backend-read-timeout=0", "--stream-read-timeout=0"]
            + [f"--frontend=127.0.0.1,{self.port}", f"--backend=127.0.0.1,{backend}", "--errorlog-file=/dev/null"]
            + ["--verify-client", f"--verify-client-cacert={path / 'ca.crt'}"]
            + [f"--accesslog-file={self.log.name}", "--accesslog-format=$alpn $method $path"]
            + [str(path / "server.key"), str(path / "server.crt")],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        test.addCleanup(self.close)

    def ended(self):
        """The protocols of the requests that have ended so far."""
        self.log.seek(0)
        return {line.split()[0] for line in self.log}

    def connections(self):
        """How many are established to it."""
        mark = f":{self.port:04X}"
        with open("/proc/net/tcp", encoding="ascii") as file:
            fields = [line.split() for line in file]
        return sum(1 for field in fields if field[1].endswith(mark) and field[3] == "01")

    def close(self):
        if self.process.returncode is None:
            self.process.kill()
            self.process.wait(60)
            self.log.close()


class Relay:
    """Passes connections on to a port; those that stall are dead without a word."""

    def __init__(self, test, port):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.target = port
        self.sockets = [self.listener]
        self.flowing = []
        threading.Thread(target=self._accept, daemon=True).start()
        test.addCleanup(self.close)

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                near = self.listener.accept()[0]
                far = socket.create_connection(("127.0.0.1", self.target))
                flows = threading.Event()
                flows.set()
                self.flowing.append(flows)
                self.sockets += [near, far]
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=self._pass, args=(source, sink, flows), daemon=True).start()

    @staticmethod
    def _pass(source, sink, flows):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                flows.wait()
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def stall(self):
        for flows in self.flowing:
            flows.clear()

    def close(self):
        for connection in self.sockets:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        for flows in self.flowing:
            flows.set()


class Http2(MachineTest):
    def setUp(self):
        super().setUp()
        self.kube.tls = None
        self.front = self.put_in_front()
        self.configure(reconcile={"timeout": "1s"})

    def put_in_front(self):
        front = Front(self, self.kube.port)
        self.node.publish(6443, front.port)
        return front

    def assert_repairs_ingress(self, daemon):
        since = self.kube.mark()
        self.kube.remove("ingresses", "registry-ui")
        self.kube.wait("PATCH .*/ingresses/registry-ui.*force=true$", since=since)
        daemon.wait_reason(INGRESS, "Converged")

    def test_one_connection_for_all(self):
        daemon = self.daemon()
        daemon.wait_converged()
        wait_until(lambda: len(self.kube.streams) >= 6, "every watch is open")
        self.assert_repairs_ingress(daemon)
        self.assertEqual(self.front.connections(), 1)
        self.assertEqual(self.front.ended(), {"h2"})
        self.assertEqual(daemon.stop(), 0)

    def test_a_connection_that_is_dead_without_a_word_is_left(self):
        relay = Relay(self, self.front.port)
        self.node.publish(6443, relay.port)
        daemon = self.daemon()
        daemon.wait_converged()
        relay.stall()
        self.assert_repairs_ingress(daemon)
        self.assertEqual(daemon.stop(), 0)

    def test_a_server_that_goes(self):
        daemon = self.daemon()
        daemon.wait_converged()
        self.front.close()
        daemon.wait_reason(DEPLOYMENT, "ApiUnreachable")
        self.put_in_front()
        daemon.wait_converged()
        self.assertEqual(daemon.stop(), 0)
