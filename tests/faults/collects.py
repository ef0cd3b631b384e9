"""gc with a fault at a request, or killed there: no tag is lost, and the registry serves again; gc's own container
goes with it, or with whoever comes next."""

import dataclasses
import itertools
import json
import re
import tempfile
import time
import urllib.request

from fakes.registry import INDEX, MANIFEST, Storage, parts_of
from faults import BRISK_SECONDS, choose
from harness import REGISTRY, wait_until
from kills import Death
from kinds import KINDS
from machine import difference
from runner import Spot, Watcher
from scenarios import GC, SCENARIOS, push

REPAIRS = ("gc", "run", "apply")
LATE = 61  # seconds after which what a gc has left is nobody's any more
ANSWER_SECONDS = 10  # that the registry may take
SOON_SECONDS = 50  # a gc that waits until its own container is old takes longer


def late():
    return time.time() + LATE


@dataclasses.dataclass(frozen=True)
class Case:
    spot: Spot
    repair: str
    kind: int | None = None  # None: gc is killed
    carried_out: bool = False  # before that

    part = "gc"
    reference = "gc", SCENARIOS.index(GC)
    patience = 3

    def __str__(self):
        death = f"killed {'after' if self.carried_out else 'before'} it"
        return f"gc: {self.spot}: {death if self.kind is None else KINDS[self.kind].name}, then {self.repair}"

    def run(self, runner, reference):
        machine = runner.machine
        waits = self.kind is not None and KINDS[self.kind].waits
        runner.prepare(GC, {"reconcile": {"timeout": f"{BRISK_SECONDS}s"}} if waits else {})
        watcher, problems, again, ended = self._kill(runner) if self.kind is None else self._spoil(machine)
        self._wait_for_script(machine.engine)
        if not again:
            problems += self._judge(runner, reference, freed=ended)
        machine.engine.clock = late
        if self.repair == "run":
            runner.keep(GC, reference.end)
        else:
            result = machine.run(*(GC.command if self.repair == "gc" else ["apply"]))
            if result.status != 0:
                problems.append(f"{self.repair} ended with {result}")
        return problems + watcher.problems + self._judge(runner, reference, freed=ended or self.repair == "gc")

    def _spoil(self, machine):
        kind = KINDS[self.kind]
        fault = kind.make(BRISK_SECONDS)
        watcher, begin = Watcher(machine, self.spot, fault, kind.breaks), time.monotonic()
        result = machine.run(*GC.command)
        seconds = time.monotonic() - begin
        fault.released.set()
        problems = [] if fault.hits > 0 else ["the request never came"]
        told = re.search("(?m)^hostk8s-registryd: .", result.output)
        if result.status != 0 and not (result.status == 1 and told):
            problems.append(f"ended with {result}")
        if seconds > SOON_SECONDS and kind.fault != "hang":
            problems.append(f"took {seconds:.0f} s: {result}")
        return watcher, problems, kind.again, result.status == 0

    def _kill(self, runner):
        machine, death = runner.machine, Death(self.carried_out)
        watcher = Watcher(machine, self.spot, death)
        process = machine.start(*GC.command)
        try:
            death.of(process)
            wait_until(lambda: process.process.poll() is not None, "the kill")
            machine.check_output(process.output)
        finally:
            process.kill()
        return watcher, [] if watcher.hit.is_set() else ["the request never came"], True, False

    @staticmethod
    def _wait_for_script(engine):
        wait_until(lambda: not [c for c in engine.containers if c.name == f"{REGISTRY}-gc" and c.is_up()], "its end")

    @staticmethod
    def _judge(runner, reference, freed=False):
        """The registry serves everything that has a tag, and nothing else of ours is there."""
        machine = runner.machine
        machine.settle()
        problems = runner.unknown_requests()
        for what, before, after in (
            ("end", reference.end, machine.state()),
            ("foreign things", runner.foreign, machine.foreign()),
        ):
            if before != after:
                problems.append(f"{what}:\n{difference(before, after)}")
        with tempfile.TemporaryDirectory() as directory:
            kept = Storage(directory)
            push(kept)
            for name in kept.repositories():
                problems += ask_for_all(machine, kept, name)
            if freed and Storage(machine.storage).everything() != kept.everything():
                problems.append("what no tag reaches was not freed")
        return problems


def ask(machine, path, method="GET"):
    """What the registry answers; None for an error."""
    headers = {"Accept": f"{INDEX}, {MANIFEST}"}
    request = urllib.request.Request(f"http://127.0.0.1:{machine.port}{path}", headers=headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as response:
            return response.read()
    except OSError:
        return None


def ask_for_all(machine, kept, name):
    """Each tag's manifest, each manifest and each blob, one by one."""
    problems = []
    for tag, digest in kept.tags(name).items():
        if ask(machine, f"/v2/{name}/manifests/{tag}") != kept.read(digest):
            problems.append(f"{name}:{tag} is not what it was")
    for digest in kept.revisions(name):
        if ask(machine, f"/v2/{name}/manifests/{digest}") is None:
            problems.append(f"{name} lacks the manifest {digest}")
        for part in parts_of(json.loads(kept.read(digest))):
            if kept.has(name, part) and ask(machine, f"/v2/{name}/blobs/{part}", "HEAD") is None:
                problems.append(f"{name} lacks the blob {part}")
    return problems


def cases(references):
    spots = references[Case.reference].spots
    pairs, whole = choose(spots)
    kills = [(spot, moment) for spot in spots for moment in ((False, True) if spot.writes else (False,))]
    repairs = itertools.cycle(REPAIRS)
    chosen = [Case(spot, next(repairs), kind) for spot, kind in pairs]
    chosen += [Case(spot, next(repairs), carried_out=moment) for spot, moment in kills]
    return chosen, whole + len(kills)
