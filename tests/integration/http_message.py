"""What the fakes and their faults have in common: requests, answers, streams."""

import dataclasses
import functools
import json
import marshal
import queue
import time
import urllib.parse


@dataclasses.dataclass
class Response:
    status: int = 200
    body: bytes = b""
    headers: dict = dataclasses.field(default_factory=dict)
    chunks: object = None  # an iterator of bytes in the place of a body
    until_close: bool = False  # no length: the end of the connection ends the body


@dataclasses.dataclass
class Request:
    method: str
    target: str
    headers: dict
    body: bytes
    fresh: bool = True  # the first one on its connection
    time: float = dataclasses.field(default_factory=time.monotonic)
    response: Response | None = None  # None: not answered (yet)

    @property
    def status(self):
        return 0 if self.response is None else self.response.status

    @functools.cached_property
    def path(self):
        return urllib.parse.unquote(urllib.parse.urlsplit(self.target).path)

    @functools.cached_property
    def query(self):
        pairs = urllib.parse.parse_qsl(urllib.parse.urlsplit(self.target).query, keep_blank_values=True)
        return dict(pairs)

    @property
    def writes(self):
        return self.method not in ("GET", "HEAD")

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


class Hangup(Exception):
    """Ends the connection without (the rest of) an answer."""
