"""Faults on demand: what a server does to a request in the place of answering it."""

import asyncio
import base64
import concurrent.futures
import json
import re

from fakes.message import Hangup, Response, Stream, reply

HUGE_BYTES = 100 << 20  # above every bound of an answer
HOLD_SECONDS = 300  # the longest that a request is left without an answer
SLOW_BYTES = 4096  # so many of an answer go one at a time
FILLER = b" " * (1 << 20)  # a header of that size is above every bound, too
GARBAGE = b'\x00\xff\xfe{"Id": <html>'
STAT = "X-Docker-Container-Path-Stat"  # of a HEAD it is the whole answer


class Gate:
    """Opened by any thread, once; awaited by the servers."""

    def __init__(self):
        self.future = concurrent.futures.Future()

    def set(self):
        if not self.future.done():
            self.future.set_result(None)

    async def wait(self, seconds):
        await asyncio.wait([asyncio.wrap_future(self.future)], timeout=seconds)


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
        self.released = Gate()

    def takes(self, request):
        """Whether it hits the request; that counts."""
        if self.times == 0 or not self.match.search(str(request)):
            return False
        self.hits += 1
        if self.times is not None:
            self.times -= 1
        return True

    async def answer(self, server, request):
        """The answer in the place of server.carry_out(request)."""
        return await self.answer_with(self, server, request)

    async def send(self, writer, response, head, body):
        """Sends all but chunks, in its own way."""
        await SENDERS.get(self.kind, send_at_once)(writer, response, head, body)


# ---- in the place of carrying it out ----


async def refuse(fault, server, _request):
    server.refuse(fault.options["seconds"])
    raise Hangup


async def hang(fault, _server, _request):
    await fault.released.wait(HOLD_SECONDS)
    raise Hangup


async def close(_fault, _server, _request):
    raise Hangup


async def lost(_fault, server, request):
    await server.carry_out(request)
    raise Hangup


async def status(fault, server, request):
    options = fault.options
    if options.get("carried_out"):
        await server.carry_out(request)
    body = options.get("body", {"message": "as told"})
    if isinstance(body, bytes):
        return Response(options["code"], body, {"Content-Type": "text/html"} | options.get("headers", {}))
    return reply(body, options["code"], **options.get("headers", {}))


async def given(fault, _server, _request):
    return fault.options["response"]


async def delay(fault, server, request):
    response = await server.carry_out(request) if fault.options.get("carried_out") else None
    await fault.released.wait(fault.options["seconds"])
    return response or await server.carry_out(request)


async def unspoilt(_fault, server, request):
    return await server.carry_out(request)


# ---- the right answer, spoilt ----


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

    async def answer(fault, server, request):
        response = await server.carry_out(request)
        if request.method == "HEAD":
            body = base64.b64decode(response.headers.get(STAT, ""))
            return Response(200, headers={STAT: base64.b64encode(spoil(fault, body)).decode()})
        if isinstance(response.chunks, Stream):
            return Response(response.status, spoil(fault, b'{"type": "BOOKMARK", "Type": "network"}\n'))
        body = response.body if response.chunks is None else b"".join(response.chunks)
        return Response(200, spoil(fault, body), response.headers, until_close=response.until_close)

    return answer


async def huge(_fault, server, request):
    headers = (await server.carry_out(request)).headers
    if request.method == "HEAD":  # has no body; one would be taken for the next answer's beginning
        return Response(200, headers={STAT: FILLER.decode()})
    return Response(200, headers=headers, chunks=(FILLER for _ in range(HUGE_BYTES // len(FILLER))))


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


async def send_at_once(writer, _response, head, body):
    writer.write(head + body)


async def send_part(writer, response, head, body):
    """Half of the body, or where there is none half of the headers."""
    if response.chunks is not None:
        writer.write(head + b'40\r\n{"type": ')
    elif body:
        writer.write(head + body[: len(body) // 2])
    else:
        writer.write(head[: len(head) // 2])
    raise Hangup


async def send_slowly(writer, _response, head, body):
    data = head + body
    for byte in data[:SLOW_BYTES]:
        writer.write(bytes([byte]))
        await asyncio.sleep(0)
    writer.write(data[SLOW_BYTES:])


SENDERS = {"partial": send_part, "slow": send_slowly}
