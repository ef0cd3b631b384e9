"""gc: what no tag reaches goes, everything else stays, wherever it is interrupted."""

import json
import signal
import time
import unittest

from harness import CONTAINER, NETWORK, REGISTRY, MachineTest, wait_until

from fakes.server import EngineServer
from fakes.registry import Storage, parts_of

GC = f"{REGISTRY}-gc"
PROBE = "/v2/hostk8s-registryd/probe/"  # whether a registry that was started takes a push
LATE = 61  # seconds after which what a gc has left is nobody's any more


class GcTest(MachineTest):
    def setUp(self):
        super().setUp()
        self.configure(ui={"enabled": False}, clusters=[])
        self.apply()
        self.store = Storage(self.storage)

    def gc(self, *arguments, status=0, **options):
        return self.run_program("gc", *arguments, status=status, **options)

    def assert_gc(self, *kept, arguments=("--yes",)):
        """It frees something, and these manifests are left, with all that they refer to."""
        self.gc(*arguments)
        left = [digest for name in self.store.repositories() for digest in self.store.revisions(name)]
        self.assertEqual(sorted(left), sorted(image["digest"] for image in kept))
        for image in kept:
            self.assert_whole(image["digest"])
        self.assert_back()

    def assert_whole(self, digest):
        data = self.store.read(digest)
        self.assertIsNotNone(data, digest)
        parts = json.loads(data)
        for part in parts.get("layers", []) + [parts["config"]] if "config" in parts else parts["manifests"]:
            self.assertIsNotNone(self.store.read(part["digest"]), part)

    def layers_of(self, image):
        return [digest.removeprefix("sha256:") for digest in parts_of(json.loads(self.store.read(image["digest"])))]

    def assert_back(self):
        """The registry runs, alone."""
        self.assertEqual([(c.name, c.state) for c in self.engine.registries()], [(REGISTRY, "running")])


class What(GcTest):
    def test_former_image(self):
        self.store.image("app", "a", "1", shared=["base"])
        latest = self.store.image("app", "b", "1", shared=["base"])
        self.store.image("other", "c", "1", shared=["base"])
        other = self.store.tags("other")["1"]
        self.assert_gc(latest, {"digest": other})

    def test_index(self):
        """Its children have no tag, nor has what is attested of them."""
        attested = [self.store.image("app", seed) for seed in ("amd64", "arm64", "attestation")]
        index = self.store.index("app", attested, "1")
        nested = self.store.index("app", [index], "all")
        self.store.image("app", "gone")
        self.assert_gc(*attested, index, nested)

    def test_child_of_a_former_index(self):
        child = self.store.image("app", "amd64", "amd64")
        self.store.index("app", [child, self.store.image("app", "arm64")], "1")
        latest = self.store.index("app", [child], "1")
        self.assert_gc(child, latest)

    def test_referrers(self):
        image = self.store.image("app", "a", "1")
        signature = self.store.image("app", "signature", subject=image)
        of_it = self.store.image("app", "signature of it", subject=signature)
        former = self.store.image("app", "b")
        self.store.image("app", "former signature", subject=former)
        self.assert_gc(image, signature, of_it)

    def test_deleted(self):
        """The API takes away the manifest alone, and leaves a directory where its link was."""
        image = self.store.image("app", "a", "1")
        deleted = self.store.image("app", "b", "2")
        self.store.delete("app", deleted["digest"])
        self.assert_gc(image)
        left = [path.name for path in self.store.repository("app").glob("_*/**/*") if len(path.name) == 64]
        self.assertEqual(sorted(left), sorted([image["digest"][7:]] * 2 + self.layers_of(image)))

    def test_repository_without_anything(self):
        self.store.image("team/app", "a")
        image = self.store.image("team", "b", "1")
        self.assert_gc(image)
        self.assertEqual(self.store.repositories(), ["team"])

    def test_what_is_not_understood_stays(self):
        image, former = self.store.image("app", "a", "1"), self.store.image("app", "b")
        odd = self.store.repository("app") / "_manifests/revisions/sha512/0"
        odd.mkdir(parents=True)
        gone = self.store.image("other", "c", "1"), self.store.image("other", "d", "1")
        self.assert_gc(image, former, gone[1])

    def test_keep(self):
        images = [self.store.image("app", seed, f"v{seed}") for seed in range(5)]
        self.store.image("app", 5, f"sha256-{images[0]['digest'][7:]}.sig")
        signature = self.store.image("app", 6, f"sha256-{images[4]['digest'][7:]}.sig")
        other = [self.store.image("other", f"o{seed}", f"v{seed}") for seed in range(3)]
        self.assert_gc(*images[3:], signature, *other, arguments=("--yes", "--keep", "2", "app"))
        self.assertEqual(list(self.store.tags("app")), [f"sha256-{images[4]['digest'][7:]}.sig", "v3", "v4"])
        self.assert_gc(images[4], signature, other[2], arguments=("--yes", "--keep", "1", "--all"))

    def test_delete_off(self):
        self.configure(registry={"delete": False})
        self.store.image("app", "a")
        self.assert_gc()

    def test_full_disk(self):
        """A registry that takes no push still frees."""
        self.engine.images["registry:2"] = "full"
        self.store.image("app", "a", "1")
        self.assert_gc(self.store.image("app", "b", "1"))

    def test_root_directory(self):
        self.configure(registry={"environment": {"REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY": "/var/lib/registry/r"}})
        (self.storage / "r").mkdir()
        store = Storage(self.storage / "r")
        store.image("app", "a")
        result = self.gc(status=1, input="n\n")
        self.assertIn("1 manifest that no tag reaches", result.stdout)

    def test_other_engines(self):
        for accent in "docker-28.5", "podman-4.3":
            with self.subTest(accent):
                self.engine.close()
                self.engine = EngineServer(self.engine.address, accent).up()
                self.addCleanup(self.engine.close)
                self.engine.add_network()
                self.apply()
                self.store.image("app", f"{accent} a", "1")
                self.assert_gc(self.store.image("app", f"{accent} b", "1"))


class Whether(GcTest):
    """It asks, and does nothing where there is nothing to do or where it must not."""

    def setUp(self):
        super().setUp()
        self.image = self.store.image("app", "a", "1")
        self.former = self.store.image("app", "b")

    def assert_refused(self, message, *arguments, status=1, **options):
        before, mark = self.store.everything(), self.engine.mark()
        result = self.gc(*(arguments or ["--yes"]), status=status, **options)
        writes = [request for request in self.engine.writes(mark) if not request.path.startswith(PROBE)]
        self.assertEqual([str(request) for request in writes], [])
        self.assertIn(message, result.stdout + result.stderr)
        self.assertEqual(self.store.everything(), before)

    def test_asks(self):
        self.assert_refused("app: 1 manifest that no tag reaches, ", "--dry-run", status=0)
        self.assert_refused("nothing was removed", "-l", "info", input="n\n")
        self.assert_refused("nothing was removed", "-l", "info") # nobody there to say yes
        self.gc(input="y\n")
        self.assertEqual(self.store.revisions("app"), [self.image["digest"]])
        self.assert_refused("nothing to free", "--yes", status=0)

    def test_refuses(self):
        self.assert_refused("the registry has no repository nobody", "--yes", "--keep", "1", "nobody")
        for environment, message in {
            "REGISTRY_STORAGE_S3_BUCKET": "keeps its images in no directory, by its variable REGISTRY_STORAGE_S3_BUCKET",
            "REGISTRY_PROXY_REMOTEURL": "is a cache",
        }.items():
            with self.subTest(environment):
                self.configure(registry={"environment": {environment: "https://there"}})
                self.assert_refused(message)
                del self.config["registry"]["environment"]
        self.configure(registry={"storage": str(self.home / "nowhere")})
        self.assert_refused("nowhere cannot be read: No such file or directory")

    def test_usage(self):
        for words, message in {
            ("--keep", "1"): "--keep wants the names of repositories, or --all",
            ("--keep", "1", "--all", "app"): "--keep wants the names of repositories, or --all",
            ("--keep", "none", "app"): "`none' is no number of tags",
            ("app",): "go with --keep",
        }.items():
            self.assert_refused(message, *words, status=64)

    def test_another_registry(self):
        """Over the same storage, made by somebody."""
        bind = f"{self.storage}:/var/lib/registry"
        self.engine.add_container("mine", {"Image": "registry:2", "HostConfig": {"Binds": [bind]}})
        self.assert_refused("container mine runs over the same storage; stop it first")

    def test_blocked(self):
        """A registry that cannot run is not stopped for it."""
        self.engine.remove_container(self.registry())
        self.engine.add_container(REGISTRY, {"Image": "other:1"})
        self.assert_refused(f"{CONTAINER}: NameConflict: another container has the name")

    def test_push_in_flight(self):
        """It is waited for."""
        self.store.now = time.time()
        self.store.upload("app")
        process = self.start("gc", "--yes")
        process.wait_line("app was pushed to a moment ago")
        self.assert_back()
        self.store.now -= LATE
        self.store.upload("app")
        self.assertEqual(process.wait(), 0)
        self.assertEqual(self.store.revisions("app"), [self.image["digest"]])

    def meanwhile(self, function):
        """Calls it when the registry is about to be stopped."""

        def before(request):
            if str(request).endswith("/stop?t=10"):
                function()

        self.engine.before = before

    def test_push_meanwhile(self):
        """The layers are there already, the manifest would come next: the registry has them still."""

        def push():
            self.store.now = time.time()
            self.store.blob("app", b"of a new image")

        before = self.store.everything()
        self.meanwhile(push)
        result = self.gc("--yes", status=1)
        self.assertIn("was pushed to meanwhile; nothing was removed", result.stderr)
        self.assertEqual(self.store.everything()[0], before[0])
        self.assert_back()

    def test_tag_meanwhile(self):
        """What was to go has a tag again, and a tag that stays has become another image's."""
        other = self.store.image("app", "c")
        self.meanwhile(lambda: [self.store.manifest("app", json.loads(self.store.read(i["digest"])), tag)
                                for i, tag in ((self.former, "2"), (other, "1"))])
        self.gc("--yes")
        self.assertEqual(self.store.tags("app"), {"1": other["digest"], "2": self.former["digest"]})
        # it has come loose after it was listed
        self.assertIn(self.image["digest"], self.store.revisions("app"))
        self.assert_back()

    def test_tag_of_many_meanwhile(self):
        """One that was to go is pushed again, so that it is the newest."""
        for seed in range(3):
            self.store.image("app", seed, f"v{seed}")
        again = self.store.image("app", "again")
        self.meanwhile(lambda: self.store.manifest("app", json.loads(self.store.read(again["digest"])), "v0"))
        self.gc("--yes", "--keep", "2", "app")
        self.assertEqual(list(self.store.tags("app")), ["v0", "v1", "v2"])

    def test_engine_down(self):
        """It is waited for, which is told."""
        self.engine.down()
        process = self.start("gc", "--yes")
        process.wait_line(f"^waits for {CONTAINER}: EngineUnreachable: ")
        self.engine.up()
        self.assertEqual(process.wait(), 0)
        self.assertEqual(process.output.count(f"waits for {CONTAINER}: EngineUnreachable: "), 1)

    def test_parts_are_not_told(self):
        """Of what is done to a registry, as `apply` tells of it."""
        self.registry().labels["io.hostk8s.registryd.spec"] = "another"
        told = self.gc("--yes").stdout
        self.assertIn(f"{CONTAINER}: recreate", told)
        self.assertNotIn(f"{CONTAINER}: stop\n", told)

    def test_collect_fails(self):
        self.engine.program = ["sh", "-c", "echo no space left; exit 3", "sh"]
        result = self.gc("--yes", status=1)
        self.assertIn("garbage-collect has failed: no space left", result.stderr)
        self.assert_back()

    def test_lost(self):
        """A registry that has lost a tag's blob is no success."""
        layer = self.store.blob_path(parts_of(json.loads(self.store.read(self.image["digest"])))[0])
        self.engine.program = ["rm", "-f", str(layer)]
        result = self.gc("--yes", status=1)
        self.assertIn("app lacks parts of its images; push these again", result.stderr)

    def test_asked_again(self):
        """A registry that goes while it is asked, as when the next gc stops it, is waited for; not for ever."""
        for times, status in ((1, 0), (None, 1)):
            with self.subTest(times=times):
                self.engine.fault("GET /v2/_catalog", "partial", times)
                result = self.gc("--yes", status=status)
                self.assertEqual(", all there\n" in result.stdout, status == 0)
                self.assertEqual("answer ended early" in result.stderr, status == 1)
                self.assert_back()
                self.store.image("app", "another")

    def test_login(self):
        self.engine.fault("GET /v2/_catalog", "status", code=401)
        self.assertIn("the registry wants a login", self.gc("--yes").stdout)


class Interrupted(GcTest):
    """No tag is lost, and the registry comes back."""

    def setUp(self):
        super().setUp()
        self.children = [self.store.image("app", seed) for seed in ("amd64", "arm64")]
        self.store.index("app", self.children, "1")
        self.store.image("app", "latest", "latest", shared=["base"])
        self.store.image("app", "former", shared=["base"])
        self.tags = self.store.tags("app")

    def assert_tags(self):
        self.assertEqual(self.store.tags("app"), self.tags)
        for digest in [*self.tags.values(), *(child["digest"] for child in self.children)]:
            self.assert_whole(digest)

    def wait_late(self):
        """By the engine's clock."""
        self.engine.clock = lambda: time.time() + LATE

    def held(self):
        """A gc whose container runs until run_script."""
        self.engine.holds_scripts = True
        since = self.engine.mark()
        process = self.start("gc", "--yes")
        self.engine.wait("/wait", since=since)
        return process, self.engine.find(GC)

    def test_nohup(self):
        """What is ignored stays ignored."""
        self.engine.holds_scripts = True
        process = self.start("gc", "--yes", preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
        container = wait_until(lambda: self.engine.find(GC), "gc's container")
        self.engine.wait("/wait")
        process.signal(signal.SIGHUP)
        self.engine.run_script(container)
        self.assertEqual(process.wait(), 0)
        self.assert_back()

    def test_engine_that_loses_the_question_for_the_end(self):
        self.engine.fault("POST .*/wait", "hang")
        process, container = self.held()
        self.engine.wait("/wait", since=self.engine.mark())
        self.engine.run_script(container)
        self.assertEqual(process.wait(), 0)
        self.assert_back()

    def test_daemon(self):
        """It leaves the registry alone, whatever becomes of gc, and takes up what that has left."""
        daemon = self.daemon()
        daemon.wait_reason(CONTAINER, "Converged")
        process, container = self.held()
        for resource in CONTAINER, NETWORK:
            daemon.wait_reason(resource, "Maintenance", f"gc is at work in container {GC}")
        with self.untouched():
            self.wait_passes()
        process.kill()
        with self.untouched():
            self.wait_passes()
        self.engine.run_script(container)
        wait_until(lambda: not container.is_up(), "the script's end")
        self.assertEqual(self.registry().state, "exited")
        self.wait_late()
        daemon.wait_reason(CONTAINER, "Converged")
        self.assert_tags()
        self.assert_back()

    def test_daemon_stays_out_of_it(self):
        daemon = self.daemon()
        daemon.wait_reason(CONTAINER, "Converged")
        self.gc("--yes")
        daemon.wait_reason(CONTAINER, "Converged")
        self.assert_tags()
        self.assert_back()
        self.assertEqual(len(self.engine.since(0, "DELETE /.*/containers/")), 1)

    def test_own_container_of_a_lost_answer(self):
        """It goes at once, rather than when it is old enough to be nobody's."""
        for request, kind, times, status in (
            ("POST .*/containers/create", "lost", 1, 1),
            ("POST .*/containers/create", "hollow", 1, 1),
            ("DELETE ", "close", 3, 0),
        ):
            with self.subTest(f"{request}: {kind}"):
                self.engine.clear_faults()
                self.engine.fault(request, kind, times)
                self.assertNotIn("Maintenance", self.gc("--yes", status=status).stdout)
                self.assert_tags()
                self.assert_back()

    def test_registry_is_refused_its_start(self):
        """Once: what gc has stopped it does not give up as soon as `apply` does."""
        self.engine.fault(f"POST .*/{self.registry().id}/start", "status", code=403)
        self.gc("--yes")
        self.assert_tags()
        self.assert_back()

    def test_interrupted(self):
        for number in signal.SIGINT, signal.SIGTERM, signal.SIGHUP:
            with self.subTest(signal=number):
                process, _ = self.held()
                process.signal(number)
                self.assertEqual(process.wait(), 1)
                self.assertIn("interrupted", process.output)
                self.assertIsNone(self.engine.find(GC))
                self.assert_tags()
                self.assert_back()

    def test_twice(self):
        process, _ = self.held()
        self.engine.fault("DELETE .*/containers/", "hang")
        process.signal(signal.SIGINT)
        self.engine.wait("DELETE .*/containers/")
        since = self.engine.mark()
        process.signal(signal.SIGINT)
        self.assertEqual(process.wait(), 1)
        self.assertRegex(process.output, "interrupted; run `hostk8s-registryd apply` to have the registry back$")
        self.assertEqual([str(request) for request in self.engine.requests[since:]], [])
        self.engine.clear_faults()
        self.engine.run_script(self.engine.find(GC))
        self.wait_late()
        self.apply()
        self.assert_tags()
        self.assert_back()

    def test_engine_restarts(self):
        """What it ran is over; the registry starts with it, by its policy."""
        process, container = self.held()
        self.engine.down()
        self.engine.end_container(container, 137)
        self.engine.start_container(self.registry())
        self.engine.up()
        self.wait_late()
        self.assertEqual(process.wait(), 1)
        self.apply()
        self.assert_tags()
        self.assert_back()

    def test_another_gc(self):
        """It waits for its turn."""
        first, container = self.held()
        second = self.start("gc", "--yes")
        second.wait_line("can be freed")
        with self.untouched():
            self.wait_passes()
        self.engine.holds_scripts = False
        self.engine.run_script(container)
        self.assertEqual((first.wait(), second.wait()), (0, 0), f"{first.output}\n{second.output}")
        self.assert_tags()
        self.assert_back()

    def test_teardown(self):
        """It takes gc's container with it."""
        process, _ = self.held()
        process.kill()
        container = self.engine.find(GC)
        self.engine.run_script(container)
        wait_until(lambda: not container.is_up(), "the script's end")
        self.wait_late()
        self.run_program("teardown", "--yes", status=0)
        self.assertEqual(self.engine.registries(), [])
        self.assert_tags()


if __name__ == "__main__":
    unittest.main()
