"""A fault at one request of a scenario: which cases there are, and what has to come of each."""

import collections
import dataclasses
import itertools
import re

from kinds import KINDS
from runner import Spot, Watcher
from scenarios import NOTHING, SCENARIOS

BRISK_SECONDS = 3  # reconcile.timeout of a case that waits for it
GIVE_UP = ("--timeout", "5s")  # of an apply whose pull has no answer: that has 15 minutes

# Runs that may end with 1 although the kind passes: request, kinds, the reason that is told.
ENDS = [
    # An engine that cannot reach the image's registry answers with the same statuses.
    (r"POST /images/create", r"404|409|410|429|500|500 done|503|huge", "ImagePullFailed"),
    (r"POST /images/create", r"no answer", "timed out"),
    (r"GET /networks/kind", r"404", "NetworkMissing"),
    (r"/ingressclasses/nginx", r"404", "IngressClassMissing"),
    # It is believed, and then what was deleted, or made anew, is there.
    (r"DELETE |GET /containers/hostk8s-registry/json", r"404", "Contended"),
    (r"(GET|DELETE) .*/deployments/", r"404", "field is immutable"),
    # Not what it should be, and it may be the last time that it is asked for.
    (r"page ", r"refused|garbage|shape|hollow|truncated|huge", "Unavailable"),
]

TURNS = itertools.count(1)  # so that reads that come again meet one kind after the other

# What a 404 is believed of, and what then is made again: request, writes.
BELIEVED = [
    (r"engine GET /containers/hostk8s-registry\S*/json", ["engine POST /containers/create?name=hostk8s-registry"]),
    (r"engine GET /images/registry:(\d)/json", [r"engine POST /images/create?fromImage=registry&tag=\1"]),
    (  # the port is free, and the address another one, once it is seen again and given up
        r"engine GET /containers/mine/json",
        [
            "engine POST /containers/create?name=hostk8s-registry",
            *2 * ["engine POST /containers/hostk8s-registry/start"],
            "engine POST /containers/mine/stop?t=10",
            "engine DELETE /containers/mine",
            "engine POST /networks/kind/connect",
            "kube PATCH /apis/discovery.k8s.io/v1/namespaces/hostk8s/endpointslices/registry-api",
        ],
    ),
    (
        r"engine GET /containers/(\S+)/archive\?path=/etc/containerd",
        [
            r"engine PUT /containers/\1/archive?path=/etc/containerd",
            r"engine POST /containers/\1/exec",
            r"engine POST /exec/sh in \1/start",
        ],
    ),
    (  # an engine may serve no update
        r"engine POST /containers/hostk8s-registry/update",
        [
            "engine POST /containers/hostk8s-registry/rename?name=hostk8s-registry-previous",
            "engine POST /containers/create?name=hostk8s-registry",
            "engine POST /containers/hostk8s-registry/stop?t=10",
            "engine POST /containers/hostk8s-registry#2/start",
            "engine POST /networks/kind/connect",
            "engine DELETE /containers/hostk8s-registry",
        ],
    ),
    (r"kube (?:GET|DELETE) (\S+)", [r"kube PATCH \1"]),  # of an object that is made anew
]

# No API server denies a kind that its discovery names.
NOT_MET = [(r"kube GET .*/(endpointslices|ingresses)$", "404")]

# What an answer with nothing in it differs from.
HOLLOW = [(r"(kube PATCH \S+)&dryRun=All", [r"\1"])]

# What a late write undoes when it comes after its own repetition, and what then is made again.
UNDONE = [
    (
        r"engine POST /containers/hostk8s-registry/rename\?name=hostk8s-registry-previous",
        ["engine POST /containers/hostk8s-registry/rename?name=hostk8s-registry"],
    ),
]

# What the engine refuses as a spec has the old container put back, and what the next run then does again.
PUT_BACK = [
    (
        r"engine POST /containers/create\?name=hostk8s-registry",
        [
            "engine POST /containers/hostk8s-registry/rename?name=hostk8s-registry-previous",
            "engine POST /containers/hostk8s-registry/rename?name=hostk8s-registry",
        ],
    ),
]

# Nobody gets a connection then: a command in another node may be between two of its requests.
BETWEEN = [
    (
        r"engine .*",
        ["engine POST /containers/hostk8s-control-plane/exec", "engine POST /containers/hostk8s-worker/exec"],
    ),
]

EXCUSES = {  # by kind
    "refused": [BETWEEN],
    "400": [PUT_BACK],
    "401": [PUT_BACK],
    "403": [PUT_BACK],
    "404": [BELIEVED],
    "late": [UNDONE],
    "hollow": [HOLLOW],
}

# A command in a node is several requests: one that fails makes those before it come again.
EXEC = [
    (r"engine POST /exec/\w+ in (\S+)/start", [r"engine POST /containers/\1/exec"]),
    (
        r"engine GET /exec/(\w+) in (\S+)/json",
        [r"engine POST /containers/\2/exec", r"engine POST /exec/\1 in \2/start"],
    ),
]


def dependent(table, name):
    """The writes of the rows that match the request."""
    return [
        match.expand(write)
        for pattern, writes in table
        if (match := re.fullmatch(pattern, name))
        for write in writes
    ]


def excused(spot, times, *tables):
    """The writes that may come once more when the request failed so many times."""
    writes = collections.Counter({spot.name: times} if spot.writes else {})
    for table in (EXEC, *tables):
        writes.update(dependent(table, spot.name))
    return writes


def resource_of(name):
    """What the message about a failed request names."""
    node = re.search(r"(?:/containers/| in )(hostk8s-(?:control-plane|worker))/", name)
    if name.startswith("page"):
        return r"route/\S+"
    if name.startswith("kube") or "admin.conf" in name:
        return r"kube/hostk8s/\S+"
    return f"node/{node[1]}" if node else r"(container|network)/\S+"


@dataclasses.dataclass(frozen=True)
class Case:
    scenario: int
    spot: Spot
    kind: int

    part = "faults"

    def __str__(self):
        return f"{SCENARIOS[self.scenario].name}: {self.spot}: {KINDS[self.kind].name}"

    @property
    def reference(self):
        return "apply", self.scenario

    @property
    def patience(self):
        """Roughly the seconds that it waits."""
        if not KINDS[self.kind].waits:
            return 0
        return 20 if re.search("/images/create|/stop|/exec/.*/start", self.spot.name) else BRISK_SECONDS

    def run(self, runner, reference):
        scenario, kind = SCENARIOS[self.scenario], KINDS[self.kind]
        changes = [{"reconcile": {"timeout": f"{BRISK_SECONDS}s"}}] if kind.waits else []
        runner.prepare(scenario, *changes)
        fault = kind.make(BRISK_SECONDS)
        recreates = scenario.command[0] == "apply"
        first = Watcher(runner.machine, self.spot, fault, kind.breaks, recreates=recreates)
        hopeless = kind.fault == "hang" and "/images/create" in self.spot.name
        result = runner.machine.run(*scenario.command, *(GIVE_UP if hopeless else ()))
        fault.released.set()
        watchers, problems = [first], self._judge_end(kind, result)
        if fault.hits == 0:
            problems.append("the request never came")
        if result.status != 0 or kind.again:
            runner.machine.settle()
            watchers.append(Watcher(runner.machine, recreates=recreates))
            again = runner.machine.run(*scenario.command)
            if again.status != 0:
                problems.append(f"the next run ended with {again}")
        tables = EXCUSES.get(kind.name, [])
        return problems + runner.judge(reference, watchers, excused(self.spot, fault.hits, *tables))

    def _judge_end(self, kind, result):
        if result.status == 0:
            return []
        allowed = [
            reason
            for request, kinds, reason in ENDS
            if re.search(request, self.spot.name) and re.fullmatch(kinds, kind.name)
        ]
        problems = []
        if result.status != 1 or (kind.passes and not allowed):
            problems.append(f"ended with {result}")
        elif allowed and not any(reason in result.output for reason in allowed):
            problems.append(f"no word of {' or '.join(allowed)}: {result}")
        if not re.search(rf"(?m)^{resource_of(self.spot.name)}: [A-Z]\w+: ", result.output):
            problems.append(f"no resource is named: {result}")
        return problems


def is_in(table, spot, kind):
    return any(re.match(pattern, spot.name) and kind.name == name for pattern, name in table)


def choose(spots, repeats=False):
    """Pairs of a request and a kind, and how many there would be if nothing were left out. A read is met by
    every kind the first time that it gets an answer, which for most is with nothing to do, and by one kind
    where it comes with the same answer again; every write is met by every kind."""
    chosen, whole, seen = [], 0, set()
    for spot in spots:
        kinds = [kind for kind, row in enumerate(KINDS) if row.fits(spot) and not is_in(NOT_MET, spot, row)]
        whole += len(kinds)
        known = (spot.known and not repeats) or (spot.name, spot.answer) in seen
        seen.add((spot.name, spot.answer))
        if known and not spot.writes:
            kinds = [kinds[next(TURNS) % len(kinds)]]
        chosen += [(spot, kind) for kind in kinds]
    return chosen, whole


def cases(references):
    chosen, all_of_them = [], 0
    for number, scenario in enumerate(SCENARIOS):
        if ("apply", number) in references:
            pairs, whole = choose(references["apply", number].spots, repeats=scenario is NOTHING)
            all_of_them += whole
            chosen += [Case(number, spot, kind) for spot, kind in pairs]
    return chosen, all_of_them
