"""An HTTP/1.1 server for the fakes: a thread for each connection, keep-alive, every request
recorded, and faults on demand."""

import contextlib
import dataclasses
import json
import os
import queue
import re
import socket
import ssl
import threading
import time
import urllib.parse

HUGE_BYTES = 20 << 20  # above every bound of an answer
HOLD_SECONDS = 60  # the longest that a request is left without an answer


@dataclasses.dataclass
class Request:
    method: str
    target: str
    headers: dict
    body: bytes
    time: float = dataclasses.field(default_factory=time.monotonic)
    status: int = 0  # 0: not answered (yet)

    @property
    def path(self):
        return urllib.parse.unquote(urllib.parse.urlsplit(self.target).path)

    @property
    def query(self):
        pairs = urllib.parse.parse_qsl(urllib.parse.urlsplit(self.target).query, keep_blank_values=True)
        return dict(pairs)

    @property
    def writes(self):
        return self.method not in ("GET", "HEAD")

    def json(self):
        return json.loads(self.body)

    def __str__(self):
        return f"{self.method} {urllib.parse.unquote(self.target)}"


@dataclasses.dataclass
class Response:
    status: int = 200
    body: bytes = b""
    headers: dict = dataclasses.field(default_factory=dict)
    chunks: object = None  # an iterator of bytes in the place of a body
    until_close: bool = False  # no length: the end of the connection ends the body


def reply(document, status=200, **headers):
    body = b"" if document is None else json.dumps(document).encode() + b"\n"
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status, body, {"Content-Type": "application/json"} | names)


class Stream:
    """The chunks of an endless answer: a line for each event that it wants, until it ends."""

    def __init__(self, wants):
        self.wants = wants
        self.lines = queue.SimpleQueue()

    def send(self, event):
        if self.wants(event):
            self.lines.put(json.dumps(event).encode() + b"\n")

    def end(self):
        self.lines.put(None)

    def __iter__(self):
        return iter(self.lines.get, None)


class Fault:
    """What happens to requests that match, `times` of them (None: to all until cleared)."""

    def __init__(self, match, kind, times, options):
        self.match = re.compile(match)
        self.kind = kind
        self.times = times
        self.options = options
        self.hits = 0
        self.released = threading.Event()


class Hangup(Exception):
    """Ends the connection without (the rest of) an answer."""


class Server:
    """Listens at a path (unix) or (host, port); subclasses answer in handle(request)."""

    def __init__(self, address, tls=None, log=None):
        self.address = address
        self.tls = tls
        self.log = log or self  # whose record of requests this server writes, and whose faults it has
        self.lock = threading.RLock()
        self.changed = threading.Condition()
        self.requests = []
        self.unexpected = []  # requests that no fake knows
        self.before = None  # called with each request before it is carried out
        self.faults = []
        self.streams = []
        self.connections = set()
        self.listener = None

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

    def down(self):
        """Nobody listens any more, and connections end."""
        if self.listener is not None:
            with contextlib.suppress(OSError):
                self.listener.shutdown(socket.SHUT_RDWR)
            self.listener.close()
            self.listener = None
            if isinstance(self.address, str):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(self.address)
        self.end_streams()
        with self.changed:
            connections = list(self.connections)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def close(self):
        self.clear_faults()
        self.down()

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

    def answered(self, request, status):
        with self.changed:
            request.status = status
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
        """kind: hang (no answer; released.set() ends the connection), close (before the headers),
        lost (carried out, then closed), partial (closed in the middle of the body), slow (a byte at
        a time), status (code=, body=), garbage, shape (body=), truncated, huge, delay (seconds=), answer (response=)."""
        fault = Fault(match, kind, times, options)
        self.faults.append(fault)
        return fault

    def clear_faults(self):
        for fault in self.faults:
            fault.released.set()
        self.faults = []

    def _take_fault(self, request):
        with self.lock:
            inherited = self.log.faults if self.log is not self else []
            for fault in self.faults + inherited:
                if fault.match.search(str(request)) and fault.times != 0:
                    fault.hits += 1
                    if fault.times is not None:
                        fault.times -= 1
                    return fault
        return None

    def _answer_with_fault(self, request, fault):
        kind, options = fault.kind, fault.options
        if kind == "hang":
            fault.released.wait(HOLD_SECONDS)
            raise Hangup
        if kind == "close":
            raise Hangup
        if kind == "status":
            return reply(options.get("body", {"message": "as told"}), options["code"], **options.get("headers", {}))
        if kind == "answer":
            return options["response"]
        if kind == "garbage":
            return Response(200, b'\x00\xff\xfe{"Id": <html>', {"Content-Type": "application/json"})
        if kind == "shape":
            return reply(options.get("body", 42))
        if kind == "huge":
            return Response(200, chunks=(b" " * (1 << 20) for _ in range(HUGE_BYTES >> 20)))
        if kind == "delay":
            fault.released.wait(options["seconds"])
        response = self._carry_out(request)
        if kind == "lost":
            raise Hangup
        if kind == "truncated":
            response.body = response.body[: len(response.body) // 2]
        return response

    # ---- connections ----

    def handle(self, request):
        raise NotImplementedError

    def _carry_out(self, request):
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
                while self._serve_one(connection, reader):
                    pass
        except (OSError, ssl.SSLError, Hangup):
            pass
        finally:
            with self.changed:
                self.connections.discard(connection)
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def _read(self, connection, reader):
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
        return Request(method, target, headers, body)

    def _serve_one(self, connection, reader):
        request = self._read(connection, reader)
        if request is None:
            return False
        self.log.record(request)
        if self.before is not None:
            self.before(request)
        fault = self._take_fault(request)
        if fault is None:
            response = self._carry_out(request)
        else:
            response = self._answer_with_fault(request, fault)
        self.log.answered(request, response.status)
        return self._send(connection, request, response, fault.kind if fault else "")

    def _send(self, connection, request, response, kind):
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
        if kind == "partial":
            connection.sendall(head + body[: len(body) // 2])
            raise Hangup
        if kind == "slow":
            for byte in head + body:
                connection.sendall(bytes([byte]))
            return not response.until_close
        if response.chunks is None:
            connection.sendall(head + body)
            return not response.until_close
        connection.sendall(head)
        for chunk in response.chunks:
            connection.sendall(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        connection.sendall(b"0\r\n\r\n")
        return True
