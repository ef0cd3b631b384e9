"""The fakes behind real sockets: HTTP/1.1 with keep-alive on unix sockets and TCP, with TLS or without;
every request recorded, and faults on demand. All servers of a process share one event loop, in a
thread of its own."""

import asyncio
import asyncio.sslproto
import contextlib
import functools
import logging
import os
import pickle
import re
import socket
import ssl
import threading
import time

from fakes import ingress
from fakes.certificates import certificates
from fakes.engine import Engine
from fakes.http_faults import Fault, send_at_once
from fakes.kube import Kube
from fakes.message import Hangup, Request, Stream
from fakes.ports import free_port
from fakes.script import run_script

BACKLOG = 1024
TICK_SECONDS = 0.001  # a timer is looked at a little later than it is due
LOCK_SECONDS = 0.0005  # between two looks at a lock that somebody holds
RUN_SECONDS = 60  # bounds what is waited for in the loop
WAIT_SECONDS = 30  # bounds a wait for requests
HEAD_MAX = 1 << 20
logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # clients that are killed are no news
_loops = {}  # by process: after a fork the parent's is of no use


def loop():
    pid = os.getpid()
    if pid not in _loops:
        _loops[pid] = asyncio.new_event_loop()
        _loops[pid].set_exception_handler(lambda *_: None)
        threading.Thread(target=_loops[pid].run_forever, daemon=True, name=f"fakes-{pid}").start()
    return _loops[pid]


def in_loop(call):
    """Runs call() in the loop and waits for its end; from within it at once."""
    try:
        if asyncio.get_running_loop() is loop():
            return call()
    except RuntimeError:
        pass

    async def run():
        return call()

    return asyncio.run_coroutine_threadsafe(run(), loop()).result(RUN_SECONDS)


class AlertingProtocol(asyncio.sslproto.SSLProtocol):
    """asyncio keeps to itself why a handshake failed; a real server says it to the client."""

    def _on_handshake_complete(self, error):
        if error is not None:
            self._process_outgoing()
        super()._on_handshake_complete(error)


asyncio.sslproto.SSLProtocol = AlertingProtocol


class Server:
    """Listens at a path (unix) or (host, port), of which 0 is a free one; subclasses answer in handle(request)."""

    STATE = ()  # the attributes that saved() keeps

    def __init__(self, address, tls=None, log=None):
        self.address = address
        self.tls = tls
        self.log = log or self  # whose record of requests this server writes, and whose faults it has
        self.lock = threading.RLock()
        self.changed = threading.Condition()
        self.requests = []
        self.asked = 0  # requests, and connections so far
        self.accepted = 0
        self.before = None  # called with each request before it is carried out
        self.choose = None  # called with server and request, returns the fault that hits; else self.faults do
        self.faults = []
        self.connections = set()
        self.downs = 0  # how often it went down
        self.listener = None
        self.closed = False

    # ---- up and down ----

    def up(self):
        unix = isinstance(self.address, str)
        if unix:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.address)
        elif self.address[1] == 0:
            self.address = (self.address[0], free_port())
        family = socket.AF_UNIX if unix else socket.AF_INET6 if ":" in self.address[0] else socket.AF_INET
        listener = socket.socket(family)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(self.address)
            listener.listen(BACKLOG)
        except OSError:
            listener.close()
            raise
        listener.setblocking(False)
        self.listener = listener
        in_loop(lambda: loop().add_reader(listener, self._accept, listener))
        return self

    def _stop_listening(self):
        listener, self.listener = self.listener, None
        if listener is not None:
            loop().remove_reader(listener)
            listener.close()

    def _down(self):
        self.downs += 1
        self._stop_listening()
        self.end_streams()
        for writer in list(self.connections):
            writer.transport.abort()

    def down(self):
        """Nobody listens any more, and connections end."""
        in_loop(self._down)
        if isinstance(self.address, str):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.address)

    def refuse(self, seconds):
        """For so long nobody listens, though connections stay."""

        def back():
            if not self.closed and self.listener is None:
                self.up()

        self._stop_listening()
        loop().call_later(seconds, back)

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

    def wait(self, match, count=1, since=0, seconds=WAIT_SECONDS, answered=False):
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
        inherited = self.log.faults if self.log is not self else []
        return next((fault for fault in self.faults + inherited if fault.takes(request)), None)

    # ---- connections ----

    def handle(self, request):
        """The response, None for none: the connection ends."""
        raise NotImplementedError

    async def carry_out(self, request):
        """A test that holds the lock may wait for the loop: that does not wait for the lock."""
        while not self.lock.acquire(blocking=False):
            await asyncio.sleep(LOCK_SECONDS)
        try:
            response = self.handle(request)
        finally:
            self.lock.release()
        if response is None:
            raise Hangup
        return response

    def _accept(self, listener):
        with contextlib.suppress(BlockingIOError):
            connection, _ = listener.accept()
            connection.setblocking(False)
            if connection.family != socket.AF_UNIX:  # asyncio forgets it here: an answer would wait 40 ms for an ACK
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.accepted += 1
            reader = asyncio.StreamReader(limit=HEAD_MAX)
            protocol = asyncio.StreamReaderProtocol(reader, functools.partial(self._serve, self.downs))
            loop().create_task(self._connect(protocol, connection))

    async def _connect(self, protocol, connection):
        with contextlib.suppress(OSError):
            await loop().connect_accepted_socket(lambda: protocol, connection, ssl=self.tls)

    async def _serve(self, downs, reader, writer):
        """downs: as of when it was accepted; going down ends it, also while it only comes about."""
        self.connections.add(writer)
        try:
            fresh = True
            while downs == self.downs:
                if not await self._serve_one(reader, writer, fresh):
                    break
                fresh = False
        except (OSError, ssl.SSLError, Hangup, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()
            with contextlib.suppress(OSError, ssl.SSLError):
                await writer.wait_closed()
            self.connections.discard(writer)

    async def _read(self, reader, writer, fresh):
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head[:-4].split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if "100-continue" in headers.get("expect", ""):
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        method, target, _ = first.split(" ", 2)
        return Request(method, target, headers, body, fresh)

    async def _serve_one(self, reader, writer, fresh):
        request = await self._read(reader, writer, fresh)
        self.asked += 1
        self.log.record(request)
        if self.before is not None:
            self.before(request)
        fault = self._take_fault(request)
        response = await (self.carry_out(request) if fault is None else fault.answer(self, request))
        self.log.answered(request, response)
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
        await (send_at_once if fault is None else fault.send)(writer, response, head, body)
        if response.chunks is not None:
            chunks = response.chunks
            async for chunk in self._live(chunks, reader) if isinstance(chunks, Stream) else self._each(chunks):
                writer.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
                await writer.drain()
            writer.write(b"0\r\n\r\n")
        await writer.drain()
        return not response.until_close

    @staticmethod
    async def _each(chunks):
        for chunk in chunks:
            yield chunk

    @staticmethod
    async def _live(stream, reader):
        """The chunks of a stream until it ends, or the client does: it sends nothing meanwhile."""
        queue = asyncio.Queue()
        gone = loop().create_task(reader.read(1))
        gone.add_done_callback(lambda _: queue.put_nowait(None))
        stream.attach(lambda data: loop().call_soon_threadsafe(queue.put_nowait, data))
        try:
            while (chunk := await queue.get()) is not None:
                yield chunk
        finally:
            gone.cancel()
        if gone.done():
            raise Hangup


class Served(Server):
    """A fake behind a socket. What a test does to it is done between two requests."""

    OTHERS = ()  # the methods that tests call

    def __init_subclass__(cls):
        for name in cls.OTHERS:
            setattr(cls, name, cls._locked(getattr(cls, name)))

    @staticmethod
    def _locked(method):
        @functools.wraps(method)
        def call(self, *arguments, **options):
            with self.lock:
                return method(self, *arguments, **options)

        return call

    def later(self, seconds, method, *arguments):
        super().later(seconds, method, *arguments)
        loop().call_soon_threadsafe(loop().call_later, seconds + TICK_SECONDS, self._tick)

    def _tick(self):
        if not self.lock.acquire(blocking=False):
            loop().call_later(LOCK_SECONDS, self._tick)
            return
        try:
            self.tick()
        finally:
            self.lock.release()


class Registry(Server):
    """What answers at the published port of a registry's container."""

    def __init__(self, address, engine, container):
        super().__init__(address, log=engine)
        self.container = container

    def end_streams(self):
        """It has none."""

    def handle(self, request):
        return self.log.ask_registry(self.container, request)


class EngineServer(Served, Engine):
    STATE = Engine.STATE
    OTHERS = ("add_network", "remove_network", "add_node", "add_container", "start_container", "stop_container")
    OTHERS += ("remove_container", "rename_container", "attach", "detach", "tell_of", "hush", "end_streams")
    OTHERS += ("begin_removal", "end_script", "end_container")

    def __init__(self, address, accent="docker-20.10", tls=None):
        Server.__init__(self, address, tls)
        Engine.__init__(self, time.time, accent)
        self.identity = str(address)
        self.ports = {}  # container's id -> servers

    handle = Engine.handle

    def run_script(self, container):
        """Takes its time."""

        def run():
            ended = run_script(container, self.program)
            self.end_script(container, *ended)

        threading.Thread(target=run, daemon=True).start()

    def publish(self, container):
        """Real ports, which anybody may have taken."""
        servers = self.ports.setdefault(container.id, [])
        for _, address, port in container.bindings():
            try:
                servers.append(Registry((address or "0.0.0.0", port), self, container).up())
            except OSError:
                self.hush(container)
                self.refuse_port(container, address, port)
        container.answers = bool(servers)

    def _give_address(self, container, name):
        """On this machine's own network whoever has one answers there."""
        super()._give_address(container, name)
        network = container.networks[name]
        if network["gateway"] == "127.0.0.1" and not container.is_node:
            servers = self.ports.setdefault(container.id, [])
            servers.append(Registry((network["ip"], 5000), self, container).up())

    def hush(self, container):
        container.answers = False
        for server in self.ports.pop(container.id, []):
            server.close()

    def close(self):
        super().close()
        for container in self.containers:
            self.hush(container)

    def restore(self, saved):
        """What answered then answers again."""
        with self.lock:
            for container in self.containers:
                self.hush(container)
            super().restore(saved)
            for container in self.containers:
                if container.answers:
                    self.publish(container)


class KubeServer(Served, Kube):
    """Over TLS, and it wants a client certificate."""

    STATE = Kube.STATE
    OTHERS = ("add", "apply", "change", "remove", "remove_namespace", "add_pods", "bring_up", "expire", "bookmark")
    OTHERS += ("end_streams", "remove_group")

    def __init__(self, node="hostk8s-control-plane", version="1.29"):
        Server.__init__(self, ("127.0.0.1", 0), certificates().server_context())
        Kube.__init__(self, time.time, version)
        self.node = node

    handle = Kube.handle

    @property
    def port(self):
        return self.address[1]

    def admin_conf(self):
        return certificates().kubeconfig(f"https://{self.node}:6443")

    def restore(self, saved):
        super().restore(saved)
        self.cache = {}


class IngressServer(Server):
    """Where the ingress of a fake cluster is published."""

    unexpected = ()  # it knows them all

    def __init__(self, kube, engine, address=("127.0.0.1", 0), tls=None):
        super().__init__(address, tls)
        self.kube = kube
        self.engine = engine

    def end_streams(self):
        """It has none."""

    def handle(self, request):
        return ingress.answer(self.kube, self.engine, request)

    @property
    def url(self):
        return f"http{'s' if self.tls else ''}://localhost:{self.address[1]}"
