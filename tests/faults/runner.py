"""Runs the program on a machine of its own, watches what it asks, and judges what came of it."""

import collections
import dataclasses
import hashlib
import re
import threading

from fakes.http_faults import Fault
from harness import wait_until
from kinds import CURL_RETRIES
from machine import OWNER, Machine, difference
from scenarios import NOTHING

VERSION = re.compile(r'"resourceVersion": "\d+"')
SLOW_SECONDS = 0.004  # that a slow server takes for a request


@dataclasses.dataclass(frozen=True)
class Spot:
    """A request of the run without a fault: the `number`th of its name."""

    name: str
    number: int
    writes: bool
    has_body: bool
    answer: str  # digest
    known: bool  # the same with the same answer comes when there is nothing to do

    def __str__(self):
        return self.name + (f" ({self.number})" if self.number > 1 else "")


@dataclasses.dataclass
class Reference:
    """The run without a fault."""

    spots: list
    writes: collections.Counter
    end: dict


class Watcher:
    """Sees each request, names it, and lets a fault hit the one that it is for."""

    def __init__(self, machine, spot=None, fault=None, breaks=False, slow=None, recreates=True):
        self.machine = machine
        self.spot = spot
        self.fault = fault
        self.breaks = breaks
        self.slow = slow
        self.delay = Fault("", "delay", None, seconds=SLOW_SECONDS)
        self.recreates = recreates
        self.lock = threading.Lock()
        self.seen = collections.Counter()
        self.asked = []  # (name, request)
        self.hit = threading.Event()
        self.once_more = False
        self.problems = []
        for server in machine.servers:
            server.choose = self

    def __call__(self, server, request):
        with self.lock:
            name = self.machine.name_of(server, request)
            self.asked.append((name, request))
            self.seen[name] += 1
            if request.method == "DELETE" and name.startswith("engine"):
                self._check_removal(name, request)
            if self.spot is None or name != self.spot.name:
                return self.delay if server is self.slow else None
            if self.seen[name] != self.spot.number and not self.once_more:
                return None
            self.fault.hits += 1
            self.once_more = self.breaks and not request.fresh and self.fault.hits <= CURL_RETRIES
            self.hit.set()
            if name.startswith("registry") and self.fault.options.get("code") == 401:
                server.container.has_answered = True  # of one with users
            return self.fault

    def _check_removal(self, name, request):
        """The old container of a recreate stays until the new one has answered, a volume always."""
        if request.query.get("v") in ("1", "true"):
            self.problems.append(f"{name} removes volumes")
        if not self.recreates:
            return
        engine = self.machine.engine
        own = [container for container in engine.containers if OWNER in container.labels]
        gone = engine.find(request.path.rpartition("/")[2])
        if gone not in own:
            return
        older, newer = own[: own.index(gone)], own[own.index(gone) + 1 :]
        if not older and not any(c.answers and c.has_answered for c in newer):
            self.problems.append(f"{name} removes the old container, and no other has answered")

    def writes(self):
        return collections.Counter(name for name, request in self.asked if request.writes)


class Runner:
    def __init__(self, directory):
        self.machine = Machine(directory)
        self.machine.configure()
        self.machine.restore(self.machine.bare)
        result = self.machine.run("apply")
        assert result.status == 0, result.output
        self.machine.add_residents()
        self.converged = self.machine.saved()
        self.known = None
        self.converge = {"apply": self.apply, "gc": self.apply, "run": self.keep}

    def prepare(self, scenario, *changes):
        """The machine as it is before the scenario; what has to be the same afterwards is kept."""
        machine = self.machine
        machine.restore(machine.bare if scenario.bare else self.converged)
        if not scenario.bare:
            machine.fill_storage()
        scenario.change(machine)
        machine.configure(scenario.config(machine), *changes)
        self.foreign, self.stored = machine.foreign(), machine.stored()

    # ---- the run without a fault ----

    def record(self, scenario, command, slow=None, end=None):
        """With slow, the engine (0) or the cluster (1) is. The daemon has to be told how it ends."""
        if self.known is None:
            self.known = set()
            reference = self.record(NOTHING, "apply")
            self.known = {(spot.name, spot.answer) for spot in reference.spots}
        self.prepare(scenario)
        watcher = Watcher(self.machine, slow=None if slow is None else self.machine.servers[slow])
        self.converge[command](scenario, end)
        self.machine.settle()  # what was under way when the program ended has its answer
        spots, seen = [], collections.Counter()
        for name, request in watcher.asked:
            seen[name] += 1
            if name.startswith("page") and seen[name] > 1:
                continue  # how often it is asked for is by chance
            body = VERSION.sub("", self.machine.body_of(request))
            answer = hashlib.sha256(body.encode()).hexdigest()
            known = (name, answer) in self.known
            spots.append(Spot(name, seen[name], request.writes, bool(body), answer, known))
        return Reference(spots, watcher.writes(), self.machine.state())

    # ---- to the end of a scenario, by the name of the command ----

    def apply(self, scenario, _end=None):
        result = self.machine.run(*scenario.command)
        assert result.status == 0, result.output

    def keep(self, _scenario, end):
        """The daemon, until all is as it has to be and it listens."""
        process = self.machine.start("run")
        try:
            self.machine.wait_state(end, process)
            self.machine.wait_ready(process)
            self.machine.wait_listening()
            assert process.stop() == 0, process.output
            self.machine.check_output(process.output)
        finally:
            process.kill()

    # ---- what has to be so after every case ----

    def judge(self, reference, watchers, excused):
        """What is wrong. The writes may be those of the run without a fault, and those that are excused."""
        self.machine.settle()
        problems = [problem for watcher in watchers for problem in watcher.problems]
        for what, before, after in (
            ("end", reference.end, self.machine.state()),
            ("foreign things", self.foreign, self.machine.foreign()),
            ("storage", self.stored, self.machine.stored()),
        ):
            if before != after:
                problems.append(f"{what}:\n{difference(before, after)}")
        writes = sum((watcher.writes() for watcher in watchers), collections.Counter())
        needless = writes - reference.writes - excused
        if needless:
            problems.append(f"needless writes: {dict(needless)}")
        return problems + self.unknown_requests()

    def unknown_requests(self):
        problems = []
        for server in self.machine.servers:
            if server.unexpected:
                problems.append(f"unknown requests: {server.unexpected}")
                server.unexpected.clear()
        return problems
