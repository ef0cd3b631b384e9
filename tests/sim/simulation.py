"""The program over a simulated machine: time, the ways between them, faults on these ways, and what has to
be so whatever happens."""

import errno
import heapq
import itertools
import json

import chaos
from fakes.http_faults import GARBAGE
from fakes.message import Response, Stream
from program import APPLY, NEVER, PLAN, RUN, TEARDOWN, Program
from world import World

START_MS = 100_000  # some time after boot
START_S = 1_800_000_000
POLL_MS = 10_000  # the default, and a pass of the simulation
CALM_MS = 1_200_000  # the longest until all is ready: a pull without an answer has 15 minutes
EVENTS_MAX = 50_000  # between two moments: else there is no end to it
MINUTE_MS = 60_000
CREATES_MAX = 2  # containers in the first minute of a difference that does not go away
LATENCY_MS = 3
CALLS_MAX = 12  # of a cluster: its watches, and what an observation asks at once
CLIENTS_MAX = 4  # of the engine, the registry, the page
TRACE_MAX = 200
MATCHES = ["GET /", "HEAD /", "POST /", "PUT /", "PATCH /", "DELETE /", "/v2/", "/_ping", "/containers/", "/networks/"]
MATCHES += ["/images", "/archive", "/exec", "/events", "watch=1", "/apis", "labelSelector=", "/start", "/create"]
STATUSES = [400, 401, 403, 404, 409, 410, 429, 500, 503]
PAGE = b"<html><body>a page of a proxy</body></html>"
SHAPELESS = b'[[], {"Id": 1, "items": {}}]'
# Engines with which the registry may not become ready.
ODD_ACCENTS = ("moved source", "no labels", "other host address", "nulls")


class Simulation:
    def __init__(self, library, random, accent, version, storage):
        self.random = random
        self.accent = accent
        self.now_ms = START_MS
        self.world = World(lambda: START_S + self.now_ms / 1000, accent, version)
        self.storage = storage
        self.config = self.configuration()
        self.queue = []  # (time, number, method, arguments)
        self.numbers = itertools.count()
        self.faults = []  # [part of the request, kind, how many]
        self.down = set()  # endpoints where nobody listens
        self.trace = []
        self.disturbed_ms = self.now_ms
        self.creates = []  # when, since the last disturbance
        self.requests = self.writes = 0
        self.library = library
        self.program = None
        self.start(RUN)

    def start(self, mode):
        """Another process, in the place of the one that was."""
        if self.program is not None:
            self.program.close()
            self.queue = [entry for entry in self.queue if entry[2].__self__ is not self.program]
            heapq.heapify(self.queue)
        self.program = Program(self.library, mode, json.dumps(self.config), self.now_ms, self.now_s)

    @property
    def now_s(self):
        return START_S + self.now_ms // 1000

    def configuration(self):
        return chaos.configuration(self.random, self.storage, self.accent)

    def disturb(self):
        self.disturbed_ms, self.creates = self.now_ms, []

    # ---- time ----

    def later(self, delay_ms, method, *arguments):
        heapq.heappush(self.queue, (self.now_ms + int(delay_ms), next(self.numbers), method, arguments))

    def run(self, ms):
        """Does all that there is to do in so long a time: answers first, then the program, then the world."""
        end_ms, events = self.now_ms + ms, 0
        while True:
            self.collect()
            queued = self.queue[0][0] if self.queue else NEVER
            program = self.program.next_due()
            due = max(min(queued, program, self.world_due()), self.now_ms)
            if due > end_ms:
                break
            events = 0 if due > self.now_ms else events + 1
            assert events < EVENTS_MAX, "there is no end to what is done at this moment"
            self.now_ms = due
            if queued <= due:
                _, _, method, arguments = heapq.heappop(self.queue)
                method(*arguments)
            elif program <= due:
                self.program.step(self.now_ms, self.now_s)
            else:
                for timer in self.world.timers():
                    timer.tick()
        self.now_ms = end_ms

    def world_due(self):
        times = [timer.next_due() for timer in self.world.timers() if timer.timers]
        return int((min(times) - START_S) * 1000) + 1 if times else NEVER

    def latency(self):
        return self.random.random() * LATENCY_MS if self.random.random() < 0.98 else self.random.random() * 500

    def collect(self):
        for call in self.program.calls():
            self.requests += 1
            self.later(self.latency(), self.arrive, call)

    # ---- a request arrives, its answer goes back ----

    def take_fault(self, call):
        for fault in self.faults:
            if fault[0] in call.request.text:
                fault[2] -= 1
                if fault[2] == 0:
                    self.faults.remove(fault)
                self.disturb()
                return fault[1]
        return None

    def arrive(self, call):
        handle = self.world.server_at(call.endpoint) if call.endpoint not in self.down else None
        if handle is None:
            self.back(self.program.end, call, errno.ENOENT if call.endpoint[0] == "/" else errno.ECONNREFUSED)
            return
        fault = self.take_fault(call)
        if fault == "refused":
            self.back(self.program.end, call, errno.ECONNREFUSED)
        elif fault == "silent":
            self.later(call.timeout_ms or MINUTE_MS, self.program.end, call, errno.ETIMEDOUT)
        elif isinstance(fault, int):
            self.reply(call, Response(fault, PAGE))
        elif fault in ("garbage", "shapeless"):
            self.reply(call, Response(200, GARBAGE if fault == "garbage" else SHAPELESS))
        else:
            self.carry_out(handle, call, fault)

    def carry_out(self, handle, call, fault):
        request = call.request
        response = self.world.carry_out(handle, request)
        if request.writes and "/exec" not in request.path and "dryRun" not in request.target:
            self.writes += 1
            self.trace.append((self.now_ms, request.text, response.status if response else 0))
        if "/containers/create" in request.path and response.status == 201:
            self.note_create()
        if response is None or fault == "lost":
            self.back(self.program.end, call, errno.ECONNRESET)
        elif isinstance(response.chunks, Stream):
            response.chunks.attach(lambda data: self.back(self.stream, call, data))
        else:
            self.reply(call, response)

    def back(self, method, *arguments):
        self.later(self.latency(), method, *arguments)

    def stream(self, call, data):
        if data is None:
            self.program.end(call)
        else:
            self.program.chunk(call, data)

    def reply(self, call, response):
        body = response.body if response.chunks is None else b"".join(response.chunks)
        self.back(self.program.answer, call, response, b"" if call.request.method == "HEAD" else body)

    # ---- what happens ----

    def change(self):
        self.random.choice(chaos.CHANGES)(self.world, self.random)
        self.disturb()

    def break_something(self):
        kind = self.random.randrange(10)
        if kind == 9:
            self.break_storage()
        elif kind == 0:
            self.down.add("/sim/docker.sock")
            self.world.engine.end_streams()
        elif kind == 1:
            name = self.random.choice(list(self.world.clusters))
            self.down.add(f"https://127.0.0.1:{self.world.clusters[name].port}")
            self.world.clusters[name].end_streams()
        else:
            kinds = ["refused", "silent", "lost", "garbage", "shapeless", self.random.choice(STATUSES)]
            fault = [self.random.choice(MATCHES), self.random.choice(kinds), self.random.randrange(1, 5)]
            self.faults.append(fault)
        self.disturb()

    def break_storage(self):
        """A file in its place, or a link to what is not there."""
        if self.storage.is_dir() and not self.storage.is_symlink():
            self.storage.rmdir()
            if self.random.random() < 0.5:
                self.storage.write_text("a file")
            else:
                self.storage.symlink_to("/sim/nowhere")

    def mend_storage(self):
        if self.storage.is_symlink() or self.storage.is_file():
            assert self.storage.is_symlink() or self.storage.read_text() == "a file"
            self.storage.unlink()
            self.storage.mkdir()

    def reload(self, config):
        self.config = config
        self.program.reload(json.dumps(config))
        self.disturb()

    def heal(self):
        self.faults, self.down = [], set()
        self.mend_storage()
        if self.config["registry"]["image"] == "registry:crash":
            self.reload(self.configuration())
        chaos.heal(self.world)
        self.disturb()

    # ---- what has to be so ----

    def note_create(self):
        self.creates.append(self.now_ms)
        first = [time for time in self.creates if time - self.disturbed_ms <= MINUTE_MS]
        last = [time for time in self.creates if self.now_ms - time <= MINUTE_MS]
        assert len(first) <= CREATES_MAX, f"{len(first)} containers created in a minute in which nothing changed"
        assert len(last) <= CREATES_MAX, f"{len(last)} containers created in a minute, long after anything changed"

    def not_ready(self):
        """The resources that are not, but for those that need not be with this engine."""
        entries = [entry for entry in self.program.status()["resources"] if entry["ready"] != "True"]
        if self.accent in ODD_ACCENTS:
            entries = [e for e in entries if not e["resource"].startswith(("container/", "network/", "kube/", "route/"))]
        return [f"{entry['resource']} {entry['reason']}: {entry['message']}" for entry in entries]

    def calm(self):
        """All is well, and soon all is ready; then nothing is left to do. Returns the passes that it took."""
        self.heal()
        start_ms = self.now_ms
        while self.now_ms - start_ms < CALM_MS:
            self.run(POLL_MS)
            if not self.not_ready():
                break
        assert not self.not_ready(), "not ready:\n  " + "\n  ".join(self.not_ready())
        self.run(2 * MINUTE_MS)  # what others made of the last changes, and what was to be asked again
        before, writes = self.writes, len(self.trace)
        self.run(2 * POLL_MS)
        if self.accent not in ODD_ACCENTS:
            done = [text for _, text, _ in self.trace[writes:]]
            assert self.writes == before, f"writes with nothing to do: {done}"
        counts, clusters = self.program.counts(), len(self.world.clusters)
        assert counts.calls <= 1 + CALLS_MAX * clusters, f"{counts.calls} requests are under way"
        assert counts.clients <= CLIENTS_MAX + clusters, f"{counts.clients} clients"
        del self.trace[:-TRACE_MAX]
        return (self.now_ms - start_ms) // POLL_MS

    def command(self, mode):
        """Another process with a command, to its end; the machine is healed and nothing happens to it."""
        self.start(mode)
        self.disturb()
        start_ms = self.now_ms
        while not self.program.is_done():
            assert self.now_ms - start_ms < CALM_MS, f"command {mode} has no end: {self.not_ready()}"
            self.run(POLL_MS)

    def commands(self):
        """The end of a life: plan and apply find nothing to do, teardown leaves nothing."""
        writes = self.writes
        if self.accent not in ODD_ACCENTS:
            for mode in (PLAN, APPLY):
                self.command(mode)
                assert self.writes == writes, f"command {mode} has changed something"
        self.command(TEARDOWN)
        if self.accent not in ODD_ACCENTS:
            left = self.world.own(self.config["clusters"])
            assert not left, f"left by a teardown: {left}"
        self.program.close()
