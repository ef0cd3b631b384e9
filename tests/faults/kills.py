"""The program killed at a request of a full convergence and of a recreate, and started again."""

import asyncio
import collections
import dataclasses
import signal
import threading

from fakes.message import Hangup
from faults import EXEC, dependent, excused
from harness import SECONDS, wait_until
from runner import Spot, Watcher
from scenarios import ADOPTION, EMPTY, RECREATE, SCENARIOS

COMMANDS = ("apply", "run")


class Death:
    """The fault: the client dies before or after its request is carried out."""

    def __init__(self, carried_out):
        self.carried_out = carried_out
        self.hits = 0
        self.process = None
        self.started = threading.Event()

    def of(self, process):
        self.process = process
        self.started.set()

    async def answer(self, server, request):
        if self.carried_out:
            await server.carry_out(request)
        await asyncio.to_thread(self._kill)
        raise Hangup

    def _kill(self):
        self.started.wait(SECONDS)
        self.process.signal(signal.SIGKILL)
        self.process.process.wait(SECONDS)


@dataclasses.dataclass(frozen=True)
class Case:
    command: str
    scenario: int
    spot: Spot
    carried_out: bool

    part = "kills"
    patience = 1

    def __str__(self):
        when = "after" if self.carried_out else "before"
        return f"{SCENARIOS[self.scenario].name}: {self.command} killed {when} {self.spot}"

    @property
    def reference(self):
        return self.command, self.scenario

    def run(self, runner, reference):
        machine, scenario = runner.machine, SCENARIOS[self.scenario]
        runner.prepare(scenario)
        death = Death(self.carried_out)
        first = Watcher(machine, self.spot, death)
        process = machine.start(self.command)
        try:
            death.of(process)
            wait_until(lambda: first.hit.is_set() or process.process.poll() is not None, "the request")
            problems = [] if first.hit.is_set() else ["the request never came"]
            machine.check_output(process.output)
        finally:
            process.kill()
        machine.settle()
        second = Watcher(machine)
        runner.converge[self.command](scenario, reference.end)
        return problems + runner.judge(reference, [first, second], self._excused(reference))

    def _excused(self, reference):
        """The request itself, and the beginning of every command in a node: it may have been cut off."""
        writes = excused(self.spot, 1)
        cut = {write for name in reference.writes for write in dependent(EXEC, name)}
        return writes | collections.Counter(cut)


def cases(references):
    """For a read before and after are the same, since it leaves nothing behind."""
    chosen = []
    for command, scenario in ((c, SCENARIOS.index(s)) for c in COMMANDS for s in (EMPTY, RECREATE, ADOPTION)):
        if (command, scenario) in references:
            for spot in references[command, scenario].spots:
                moments = (False, True) if spot.writes else (False,)
                chosen += [Case(command, scenario, spot, moment) for moment in moments]
    return chosen, len(chosen)
