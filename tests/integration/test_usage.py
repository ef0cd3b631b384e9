"""usage: sizes by directory, or by the registry's word where that cannot be read."""

import json
import shutil
import unittest

from harness import MachineTest

from fakes.registry import OLD, Storage, parts_of


class Usage(MachineTest):
    def setUp(self):
        super().setUp()
        self.configure(ui={"enabled": False}, clusters=[])
        self.storage.mkdir()
        self.store = Storage(self.storage)

    def usage(self):
        document = json.loads(self.run_program("usage", "--json", status=0).stdout)
        return document, {entry["name"]: entry for entry in document["repositories"]}

    def size_of(self, *digests):
        """With all that they refer to, each blob once."""
        found = set(digests)
        for digest in digests:
            found |= set(parts_of(json.loads(self.store.read(digest))))
        return sum(len(self.store.read(digest)) for digest in found)

    def fill(self):
        children = [self.store.image("app", seed, shared=["base"]) for seed in ("amd64", "arm64")]
        index = self.store.index("app", children, "1", "latest")
        other = self.store.image("team/other", "a", "1", shared=["base"])
        return [index["digest"], *(child["digest"] for child in children)], other["digest"]

    def test_storage(self):
        app, other = self.fill()
        former = self.store.image("app", "former", shared=["base"])["digest"]
        self.store.upload("app", b"x" * 7)
        base = len(b"base" * 50)
        self.assertEqual(self.store.size(), self.size_of(*app, other, former))
        document, found = self.usage()
        self.assertEqual(document["size"], self.store.size())
        self.assertEqual(document["uploads"], 7)
        self.assertEqual(document["storage"], str(self.storage))
        self.assertEqual(document["unreferenced"], self.size_of(former) - base)
        self.assertGreater(document["free"], 0)
        self.assertEqual(list(found), ["app", "team/other"])
        self.assertEqual([tag["name"] for tag in found["app"]["tags"]], ["1", "latest"])
        self.assertEqual(found["app"]["tags"][0]["digest"], app[0])
        self.assertEqual([tag["pushed"] for tag in found["app"]["tags"]], [OLD + 1, OLD + 2])
        self.assertEqual(found["app"]["size"], self.size_of(*app))
        self.assertEqual(found["app"]["shared"], base)
        self.assertEqual(found["app"]["unreferenced"], document["unreferenced"])
        self.assertEqual(found["team/other"]["size"], self.size_of(other))
        self.assertEqual(found["team/other"]["unreferenced"], 0)

    def test_registry(self):
        """The same but for what has no tag, of which a registry says nothing."""
        self.apply()
        self.fill()
        _, known = self.usage()
        self.store.image("app", "former")
        self.configure(registry={"storage": str(self.home / "nowhere")})
        document, found = self.usage()
        for entry in known.values():
            entry["unreferenced"] = None
            for tag in entry["tags"]:
                tag["pushed"] = None
        self.assertEqual(found, known)
        self.assertEqual([document[key] for key in ("storage", "unreferenced", "uploads", "free")], [None] * 4)
        result = self.run_program("usage", status=0)
        self.assertIn("what has no tag is not known: ", result.stderr)
        self.assertRegex(result.stdout, r"app +2 +\S+ kB +200 B +\?")

    def test_engine_that_sees_another_file_system(self):
        self.apply()
        self.fill()
        (self.home / "mounted").mkdir()
        self.configure(registry={"storage": str(self.home / "mounted")})
        result = self.run_program("usage", status=0)
        self.assertRegex(result.stdout, r"app +2 +\S+ kB +200 B +\?")
        self.assertRegex(result.stderr, "not known: .*mounted has no image, though the registry has: its engine sees another file system")

    def test_empty(self):
        self.assertIn("0 B used", self.run_program("usage", status=0).stdout)

    def test_nobody_answers(self):
        self.configure(registry={"storage": str(self.home / "nowhere")})
        result = self.run_program("usage", status=1)
        self.assertRegex(result.stderr, "nowhere cannot be read: No such file or directory; registry: .* refused; `hostk8s-registryd apply`")

    def test_table(self):
        self.fill()
        self.store.image("app", "former")
        lines = self.run_program("usage", status=0).stdout.splitlines()
        self.assertEqual(lines[0].split(), ["REPOSITORY", "TAGS", "SIZE", "SHARED", "UNREFERENCED"])
        self.assertRegex(lines[1], r"^app +2 +\d\.\d kB +200 B +\d.\d kB$")
        self.assertRegex(lines[2], r"^team/other +1 +\d\.\d kB +200 B +0 B$")
        self.assertRegex(lines[3], r"^\d\.\d kB used, \d\.\d kB of it by what no tag reaches .* free$")

    def test_damage(self):
        """Something is missing, and something was cut short."""
        self.apply()
        _, other = self.fill()
        image = self.store.image("broken", "b", "1")
        missing, cut, _ = parts_of(json.loads(self.store.read(image["digest"])))
        shutil.rmtree(self.store.blob_path(missing).parent)
        self.store.blob_path(cut).write_bytes(b"")
        shutil.rmtree(self.store.blob_path(other).parent)
        _, found = self.usage()
        self.assertEqual({name: entry["damaged"] for name, entry in found.items()}, {"app": 0, "broken": 2, "team/other": 1})
        result = self.run_program("usage", status=0)
        self.assertIn("broken: 2 parts of its images are missing or cut short; push these again", result.stdout)
        self.configure(registry={"storage": str(self.home / "nowhere")})
        _, found = self.usage()
        self.assertEqual({name: entry["damaged"] for name, entry in found.items()}, {"app": 0, "broken": 2, "team/other": 1})


if __name__ == "__main__":
    unittest.main()
