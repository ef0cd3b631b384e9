"""The daemon's streams: a fault at the request that opens one, or in one that is open, and then a
change that it would have told of."""

import collections
import dataclasses
import re

from faults import BRISK_SECONDS
from harness import wait_until
from kinds import KINDS
from runner import Spot, Watcher
from scenarios import NOTHING, SCENARIOS

# What each stream tells of: its request, the scenario.
STREAMS = [
    (r"engine GET /events", "container stopped"),
    (r"kube GET .*/namespaces\b", "namespace edited"),
    (r"kube GET .*/configmaps\b", "configmaps/local-registry-hosting deleted"),
    (r"kube GET .*/deployments\b", "deployments/registry-ui edited"),
    (r"kube GET .*/services\b", "services/registry-api deleted"),
    (r"kube GET .*/endpointslices\b", "endpointslices/registry-api edited"),
    (r"kube GET .*/ingresses\b", "ingresses/registry-ui deleted"),
]

GONE = b'{"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}}\n'
# What comes in a stream that is open; None ends it.
LINES = {
    "ends": [None],
    "garbage": [b'\x00\xff{"Type": <html>\n', None],
    "half a line": [b'{"type": "MODIFIED", "obj', None],
    "other shapes": [b"[]\n", b"7\n", b"{}\n", b'{"type": 1, "object": []}\n', b"null\n"],
    "too old": [GONE, None],
    "a line without end": [b" " * (1 << 20)] * 100 + [None],
    "many events": [b'{"type": "BOOKMARK", "Type": "network", "object": {}}\n'] * 1000,
}


def scenario_of(spot):
    name = next(name for pattern, name in STREAMS if re.search(pattern, spot.name))
    return next(scenario for scenario in SCENARIOS if scenario.name == name)


@dataclasses.dataclass(frozen=True)
class Case:
    spot: Spot
    kind: int | None = None  # at the request
    lines: str | None = None  # or in the open stream

    part = "streams"
    patience = 2

    def __str__(self):
        return f"{self.spot}: {self.lines or KINDS[self.kind].name}, then {scenario_of(self.spot).name}"

    @property
    def reference(self):
        return "apply", SCENARIOS.index(scenario_of(self.spot))

    def run(self, runner, reference):
        machine, scenario = runner.machine, scenario_of(self.spot)
        kind = KINDS[self.kind] if self.lines is None else None
        runner.prepare(NOTHING, {"reconcile": {"timeout": f"{BRISK_SECONDS}s"}} if kind and kind.waits else {})
        fault = kind and kind.make(BRISK_SECONDS)
        watcher = Watcher(machine, self.spot if fault else None, fault, bool(kind) and kind.breaks)
        process = machine.start("run")
        try:
            if fault:
                wait_until(watcher.hit.is_set, f"{self.spot} is asked")
            else:
                self._disturb(watcher)
            machine.wait_ready(process)
            scenario.change(machine)
            machine.wait_state(reference.end, process)
            problems = [] if process.stop() == 0 else [f"did not end with 0:\n{process.output}"]
            machine.check_output(process.output)
        finally:
            if fault:
                fault.released.set()
            process.kill()
        return problems + runner.judge(reference, [watcher], collections.Counter())

    def _disturb(self, watcher):
        def stream():
            answers = [request.response for name, request in watcher.asked if name == self.spot.name]
            return answers and answers[0] and answers[0].chunks

        open_stream = wait_until(stream, f"{self.spot} is open")
        for line in LINES[self.lines]:
            open_stream.put(line)


def cases(references):
    chosen = []
    for spot in references["run", SCENARIOS.index(NOTHING)].spots:
        if spot.number == 1 and ("/events" in spot.name or "watch=" in spot.name):
            chosen += [Case(spot, kind) for kind, row in enumerate(KINDS) if row.fits(spot)]
            chosen += [Case(spot, lines=lines) for lines in LINES]
    return chosen, len(chosen)
