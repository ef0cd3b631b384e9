"""The kinds of fault, one a row."""

import dataclasses

from fakes.http_faults import Fault

HTML = b"<html><body><h1>500 Internal Server Error</h1></body></html>"
REFUSED_SECONDS = 0.02  # so long nobody listens: less than a teardown tries
RETRY_AFTER = "1"
REASONS = {400: "BadRequest", 401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 409: "Conflict"}
REASONS |= {410: "Expired", 429: "TooManyRequests", 503: "ServiceUnavailable"}
CURL_RETRIES = 5  # of a request on a connection that was used before


@dataclasses.dataclass(frozen=True)
class Kind:
    name: str
    fault: str  # of fakes/http_faults.py
    options: dict = dataclasses.field(default_factory=dict)
    passes: bool = True  # the run that meets it converges; else it may end with 1, and the next one converges
    again: bool = False  # what it leaves behind shows after the run, so that there is always a next one
    only_writes: bool = False
    only_bodies: bool = False  # an answer without a body is the same as without the fault
    waits: bool = False  # the program waits for reconcile.timeout
    breaks: bool = False  # the connection before any answer: curl asks once more if it was an old one

    def make(self, timeout):
        options = dict(self.options)
        if self.fault == "delay":
            options["seconds"] = 1.5 * timeout
        return Fault("", self.fault, **options)

    def fits(self, spot):
        return (spot.writes or not self.only_writes) and (spot.has_body or not self.only_bodies)


def status(code, passes=True, again=False, **options):
    document = {"kind": "Status", "message": f"refused with {code}", "reason": REASONS[code], "code": code}
    return Kind(str(code), "status", {"code": code, "body": document} | options, passes, again)


KINDS = [
    Kind("refused", "refuse", {"seconds": REFUSED_SECONDS}),
    Kind("no answer", "hang", waits=True),
    Kind("late", "delay", waits=True, again=True),
    Kind("late answer", "delay", {"carried_out": True}, only_writes=True, waits=True),
    Kind("closed", "close", breaks=True),
    Kind("lost", "lost", only_writes=True, breaks=True),
    Kind("partial", "partial"),
    Kind("bytewise", "slow"),
    status(400, passes=False),
    status(401, passes=False),
    status(403, passes=False),
    status(404, again=True),  # it is believed
    status(409),
    status(410),
    status(429, headers={"Retry_After": RETRY_AFTER}),
    Kind("500", "status", {"code": 500, "body": HTML}),
    Kind("500 done", "status", {"code": 500, "body": HTML, "carried_out": True}, only_writes=True),
    status(503),
    Kind("garbage", "garbage"),
    Kind("shape", "shape"),
    Kind("hollow", "hollow", only_bodies=True),
    Kind("truncated", "truncated", only_bodies=True),
    Kind("huge", "huge"),
]
