"""Faults on demand: what a server does to a request in the place of answering it."""

import base64
import json
import re
import threading

from http_message import Hangup, Response, Stream, reply

HUGE_BYTES = 100 << 20  # above every bound of an answer
HOLD_SECONDS = 60  # the longest that a request is left without an answer
SLOW_BYTES = 4096  # so many of an answer go one at a time
FILLER = b" " * (1 << 20)  # a header of that size is above every bound, too
GARBAGE = b'\x00\xff\xfe{"Id": <html>'
STAT = "X-Docker-Container-Path-Stat"  # of a HEAD it is the whole answer


class Fault:
    """What happens to requests that match, `times` of them (None: to all until cleared).

    kind: refuse (the connection ends, and for `seconds` nobody listens), hang (no answer;
    released.set() ends the connection), close (before the headers), lost (carried out, then closed),
    partial (closed in the middle of the answer), slow (a byte at a time), status (code=, body=,
    headers=; with carried_out=True after it was carried out), garbage, shape (valid JSON of another
    shape; body=), hollow (of the right shape with nothing in it), truncated, huge, delay (seconds=;
    with carried_out=True it is carried out before the delay), answer (response=)."""

    def __init__(self, match, kind, times=1, **options):
        self.match = re.compile(match)
        self.answer_with = KINDS[kind]
        self.kind = kind
        self.times = times
        self.options = options
        self.hits = 0
        self.released = threading.Event()

    def takes(self, request):
        """Whether it hits the request; that counts."""
        if self.times == 0 or not self.match.search(str(request)):
            return False
        self.hits += 1
        if self.times is not None:
            self.times -= 1
        return True

    def answer(self, server, request):
        """The answer in the place of server.carry_out(request)."""
        return self.answer_with(self, server, request)

    def send(self, connection, response, head, body):
        """Sends in its own way; whether it did."""
        sender = SENDERS.get(self.kind)
        if sender is None:
            return False
        sender(connection, response, head, body)
        return True


# ---- in the place of carrying it out ----


def refuse(fault, server, _request):
    server.refuse(fault.options["seconds"])
    raise Hangup


def hang(fault, _server, _request):
    fault.released.wait(HOLD_SECONDS)
    raise Hangup


def close(_fault, _server, _request):
    raise Hangup


def status(fault, server, request):
    options = fault.options
    if options.get("carried_out"):
        server.carry_out(request)
    body = options.get("body", {"message": "as told"})
    if isinstance(body, bytes):
        return Response(options["code"], body, {"Content-Type": "text/html"} | options.get("headers", {}))
    return reply(body, options["code"], **options.get("headers", {}))


def given(fault, _server, _request):
    return fault.options["response"]


def delay(fault, server, request):
    if fault.options.get("carried_out"):
        response = server.carry_out(request)
        fault.released.wait(fault.options["seconds"])
        return response
    fault.released.wait(fault.options["seconds"])
    return server.carry_out(request)


# ---- the right answer, spoilt ----


def lost(_fault, server, request):
    server.carry_out(request)
    raise Hangup


def other_shape(fault, body):
    if "body" in fault.options:
        return json.dumps(fault.options["body"]).encode()
    return b"{}" if body.lstrip().startswith(b"[") else b"[]"


def hollow(_fault, body):
    return b"[{}]" if body.lstrip().startswith(b"[") else b"{}"


def garbage(_fault, _body):
    return GARBAGE


def truncated(_fault, body):
    return body[: len(body) // 2]


def spoilt(spoil):
    """The kind that changes the body, or what a HEAD has in its place."""

    def answer(fault, server, request):
        response = server.carry_out(request)
        if request.method == "HEAD":
            body = base64.b64decode(response.headers.get(STAT, ""))
            return Response(200, headers={STAT: base64.b64encode(spoil(fault, body)).decode()})
        if isinstance(response.chunks, Stream):
            return Response(response.status, spoil(fault, b'{"type": "BOOKMARK", "Type": "network"}\n'))
        body = response.body if response.chunks is None else b"".join(response.chunks)
        return Response(200, spoil(fault, body), response.headers, until_close=response.until_close)

    return answer


def huge(_fault, server, request):
    headers = server.carry_out(request).headers
    if request.method == "HEAD":  # has no body; one would be taken for the next answer's beginning
        return Response(200, headers={STAT: FILLER.decode()})
    return Response(200, headers=headers, chunks=(FILLER for _ in range(HUGE_BYTES // len(FILLER))))


def unspoilt(_fault, server, request):
    return server.carry_out(request)


KINDS = {
    "refuse": refuse,
    "hang": hang,
    "close": close,
    "lost": lost,
    "partial": unspoilt,
    "slow": unspoilt,
    "status": status,
    "garbage": spoilt(garbage),
    "shape": spoilt(other_shape),
    "hollow": spoilt(hollow),
    "truncated": spoilt(truncated),
    "huge": huge,
    "delay": delay,
    "answer": given,
}

# ---- on the wire ----


def send_part(connection, response, head, body):
    """Half of the body, or where there is none half of the headers."""
    if response.chunks is not None:
        connection.sendall(head + b'40\r\n{"type": ')
    elif body:
        connection.sendall(head + body[: len(body) // 2])
    else:
        connection.sendall(head[: len(head) // 2])
    raise Hangup


def send_slowly(connection, response, head, body):
    def send(data):
        for byte in data[:SLOW_BYTES]:
            connection.sendall(bytes([byte]))
        connection.sendall(data[SLOW_BYTES:])

    send(head + body)
    if response.chunks is not None:
        for chunk in response.chunks:
            send(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        send(b"0\r\n\r\n")


SENDERS = {"partial": send_part, "slow": send_slowly}
