"""An HTTP/1.1 server for the fakes: a thread for each connection, keep-alive, every request
recorded, and faults on demand."""

import contextlib
import os
import pickle
import re
import socket
import ssl
import threading

from http_faults import Fault
from http_message import Hangup, Request, Response, Stream, reply

__all__ = ["Request", "Response", "Server", "reply"]


class Server:
    """Listens at a path (unix) or (host, port); subclasses answer in handle(request)."""

    STATE = ()  # the attributes that saved() keeps

    def __init__(self, address, tls=None, log=None):
        self.address = address
        self.tls = tls
        self.log = log or self  # whose record of requests this server writes, and whose faults it has
        self.lock = threading.RLock()
        self.changed = threading.Condition()
        self.requests = []
        self.unexpected = []  # requests that no fake knows
        self.before = None  # called with each request before it is carried out
        self.choose = None  # called with server and request, returns the fault that hits; else self.faults do
        self.faults = []
        self.streams = []
        self.connections = set()
        self.listener = None
        self.closed = False

    # ---- up and down ----

    def bind(self):
        if isinstance(self.address, str):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.address)
            listener = socket.socket(socket.AF_UNIX)
        else:
            listener = socket.socket(socket.AF_INET)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(self.address)
            listener.listen(64)
        except OSError:
            listener.close()
            raise
        return listener

    def up(self):
        self.listener = self.bind()
        if not isinstance(self.address, str):
            self.address = self.listener.getsockname()
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()
        return self

    def _stop_listening(self):
        with self.lock:
            listener, self.listener = self.listener, None
        if listener is not None:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()

    def down(self):
        """Nobody listens any more, and connections end."""
        self._stop_listening()
        if isinstance(self.address, str):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.address)
        self.end_streams()
        with self.changed:
            connections = list(self.connections)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def refuse(self, seconds):
        """For so long nobody listens, though connections stay."""

        def back():
            with self.lock:
                if not self.closed and self.listener is None:
                    self.up()

        self._stop_listening()
        timer = threading.Timer(seconds, back)
        timer.daemon = True
        timer.start()

    def close(self):
        self.closed = True
        self.clear_faults()
        self.down()

    def saved(self):
        """All that is there, for restore()."""
        with self.lock:
            return pickle.dumps([getattr(self, name) for name in self.STATE])

    def restore(self, saved):
        with self.lock:
            for name, value in zip(self.STATE, pickle.loads(saved)):
                setattr(self, name, value)

    # ---- streams ----

    def open_stream(self, wants):
        stream = Stream(wants)
        self.streams.append(stream)
        return stream

    def emit(self, event):
        for stream in self.streams:
            stream.send(event)

    def end_streams(self):
        streams, self.streams = self.streams, []
        for stream in streams:
            stream.end()

    # ---- what was asked ----

    def record(self, request):
        with self.changed:
            self.requests.append(request)
            self.changed.notify_all()

    def answered(self, request, response):
        with self.changed:
            request.response = response
            self.changed.notify_all()

    def mark(self):
        return len(self.requests)

    def since(self, mark, match=""):
        return [request for request in self.requests[mark:] if re.search(match, str(request))]

    def writes(self, mark=0):
        return [request for request in self.requests[mark:] if request.writes]

    def wait(self, match, count=1, since=0, seconds=20, answered=False):
        """Waits for `count` requests that match; returns the last of them."""

        def found():
            requests = self.since(since, match)
            return [r for r in requests if r.status or not answered]

        with self.changed:
            if not self.changed.wait_for(lambda: len(found()) >= count, seconds):
                raise AssertionError(
                    f"{len(found())} of {count} requests {match!r} within {seconds} s; last: "
                    f"{[str(request) for request in self.requests[-8:]]}"
                )
            return found()[count - 1]

    # ---- faults ----

    def fault(self, match, kind, times=1, **options):
        fault = Fault(match, kind, times, **options)
        self.faults.append(fault)
        return fault

    def clear_faults(self):
        for fault in self.faults:
            fault.released.set()
        self.faults = []

    def _take_fault(self, request):
        if self.log.choose is not None:
            return self.log.choose(self, request)
        with self.lock:
            inherited = self.log.faults if self.log is not self else []
            return next((fault for fault in self.faults + inherited if fault.takes(request)), None)

    # ---- connections ----

    def handle(self, request):
        raise NotImplementedError

    def carry_out(self, request):
        with self.lock:
            return self.handle(request)

    def _accept(self, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            if self.tls is not None:
                connection = self.tls.wrap_socket(connection, server_side=True)
            with self.changed:
                self.connections.add(connection)
            if self.listener is None:
                return
            with connection.makefile("rb") as reader:
                fresh = True
                while self._serve_one(connection, reader, fresh):
                    fresh = False
        except (OSError, ssl.SSLError, Hangup):
            pass
        finally:
            with self.changed:
                self.connections.discard(connection)
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def _read(self, connection, reader, fresh):
        line = reader.readline(65536)
        if line.count(b" ") < 2:  # the connection has ended, maybe in the middle of a request
            return None
        method, target, _ = line.decode("latin-1").split(" ", 2)
        headers = {}
        while (line := reader.readline(65536)) not in (b"\r\n", b""):
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.strip().lower()] = value.strip()
        if "100-continue" in headers.get("expect", ""):
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = reader.read(int(headers.get("content-length", "0")))
        return Request(method, target, headers, body, fresh)

    def _serve_one(self, connection, reader, fresh):
        request = self._read(connection, reader, fresh)
        if request is None:
            return False
        self.log.record(request)
        if self.before is not None:
            self.before(request)
        fault = self._take_fault(request)
        response = self.carry_out(request) if fault is None else fault.answer(self, request)
        self.log.answered(request, response)
        return self._send(connection, request, response, fault)

    def _send(self, connection, request, response, fault):
        head = [f"HTTP/1.1 {response.status} Status"]
        head += [f"{name}: {value}" for name, value in response.headers.items()]
        if response.until_close:
            head.append("Connection: close")
        elif response.chunks is not None:
            head.append("Transfer-Encoding: chunked")
        elif response.status not in (204, 304):
            head.append(f"Content-Length: {len(response.body)}")
        head = ("\r\n".join(head) + "\r\n\r\n").encode()
        body = b"" if request.method == "HEAD" else response.body
        if fault is not None and fault.send(connection, response, head, body):
            return not response.until_close
        if response.chunks is None:
            connection.sendall(head + body)
            return not response.until_close
        connection.sendall(head)
        for chunk in response.chunks:
            connection.sendall(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        connection.sendall(b"0\r\n\r\n")
        return True
