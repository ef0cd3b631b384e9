"""Too few descriptors for a full convergence: from what it needs down to none."""

import collections
import dataclasses
import re

from runner import Watcher
from scenarios import EMPTY, SCENARIOS

ENOUGH = 40  # descriptors for a full convergence
WORDS = r"Too many open files|No file descriptors|cannot open shared object file|cannot start"
SECONDS = "5s"  # that apply tries in vain


@dataclasses.dataclass(frozen=True)
class Case:
    descriptors: int

    part = "descriptors"
    patience = 3
    reference = "apply", SCENARIOS.index(EMPTY)

    def __str__(self):
        return f"{SCENARIOS[self.reference[1]].name} with {self.descriptors} descriptors"

    def run(self, runner, reference):
        machine = runner.machine
        runner.prepare(EMPTY)
        first = Watcher(machine)
        limit = ("prlimit", f"--nofile={self.descriptors}")
        in_vain = () if self.descriptors == ENOUGH else ("--timeout", SECONDS)
        result = machine.run("apply", *in_vain, prefix=limit)
        problems = []
        if result.status not in (0, 1, 127):
            problems.append(f"ended with {result}")
        slow = "timed out" in result.output and "Couldn't connect" not in result.output
        if result.status != 0 and not slow and not re.search(WORDS, result.output):
            problems.append(f"does not say why: {result}")
        if self.descriptors == ENOUGH and result.status != 0:
            problems.append(f"{ENOUGH} are not enough: {result}")
        machine.settle()
        second = Watcher(machine)
        runner.apply(EMPTY)
        return problems + runner.judge(reference, [first, second], collections.Counter())


def cases(_references):
    chosen = [Case(descriptors) for descriptors in range(ENOUGH, -1, -1)]
    return chosen, len(chosen)
