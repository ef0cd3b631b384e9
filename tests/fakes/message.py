"""What the fakes, their server and the simulation have in common: requests, answers, streams."""

import dataclasses
import functools
import json
import marshal
import threading
import urllib.parse


@dataclasses.dataclass
class Response:
    status: int = 200
    body: bytes = b""
    headers: dict = dataclasses.field(default_factory=dict)
    chunks: object = None  # an iterable of bytes, or a Stream, in the place of a body
    until_close: bool = False  # no length: the end of the connection ends the body


@dataclasses.dataclass
class Request:
    method: str
    target: str
    headers: dict  # by names in lower case
    body: bytes
    fresh: bool = True  # the first one on its connection
    response: Response | None = None  # None: not answered (yet)

    @property
    def status(self):
        return 0 if self.response is None else self.response.status

    @functools.cached_property
    def path(self):
        return urllib.parse.unquote(self.target.partition("?")[0])

    @functools.cached_property
    def query(self):
        return dict(urllib.parse.parse_qsl(self.target.partition("?")[2], keep_blank_values=True))

    @property
    def writes(self):
        """Not what only asks: what would become of an object, and whether a registry takes an upload."""
        asks = "dryRun" in self.query or self.path.startswith("/v2/hostk8s-registryd/probe/")
        return self.method not in ("GET", "HEAD") and not asks

    def json(self):
        return json.loads(self.body)

    @functools.cached_property
    def text(self):
        return f"{self.method} {urllib.parse.unquote(self.target)}"

    def __str__(self):
        return self.text


def clone(document):
    """A copy of what JSON can express."""
    return marshal.loads(marshal.dumps(document))


def reply(document, status=200, **headers):
    body = b"" if document is None else json.dumps(document).encode() + b"\n"
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status, body, {"Content-Type": "application/json"} | names)


class Hangup(Exception):
    """Ends the connection without (the rest of) an answer."""


class Stream:
    """An endless answer, a line for each event. What is put before somebody is attached waits."""

    lock = threading.Lock()  # of them all: who puts is not who attaches

    def __init__(self, about=None):
        self.about = about  # what it tells of: the fake's own
        self.waiting = []
        self.sink = None

    def send(self, event):
        self.put(json.dumps(event).encode() + b"\n")

    def put(self, data):
        """Bytes, or None: the end."""
        with self.lock:
            if self.sink is None:
                self.waiting.append(data)
            else:
                self.sink(data)

    def attach(self, sink):
        with self.lock:
            self.sink = sink
            waiting, self.waiting = self.waiting, []
            for data in waiting:
                sink(data)


class Timers:
    """What a fake does by itself after a time, by the clock that it was given."""

    def __init__(self, clock):
        self.clock = clock
        self.timers = []  # (time, method, arguments)

    def later(self, seconds, method, *arguments):
        self.timers.append((self.clock() + seconds, method, arguments))
        self.timers.sort(key=lambda timer: timer[0])

    def next_due(self):
        """The time of the next one, None when there is none."""
        return self.timers[0][0] if self.timers else None

    def tick(self):
        """Does what is due."""
        while self.timers and self.timers[0][0] <= self.clock():
            _, method, arguments = self.timers.pop(0)
            getattr(self, method)(*arguments)
