"""gc after a random history."""

import json
import os
import random
import unittest

from test_gc import GcTest

from fakes.registry import Storage, parts_of


class RandomHistory(GcTest):
    def test_random_history(self):
        """What is left is what a registry holds that was filled with the kept images alone."""
        seed = int(os.environ.get("SEED", "11"))
        history = History(random.Random(seed), self.store)
        for _ in range(1000):
            history.step()
        kept = Storage(self.home / "kept")
        history.fill(kept)
        self.gc("--yes")
        self.assertEqual(self.store.everything(), kept.everything(), f"SEED={seed}")


class History:
    """Pushes, moves and deletes at random; what each manifest is made of is remembered."""

    def __init__(self, chance, store):
        self.chance = chance
        self.store = store
        self.made = {}  # digest -> how to make it again in another storage
        self.count = 0

    def step(self):
        chance, store = self.chance, self.store
        name = f"team/app{chance.randrange(8)}" if chance.random() < 0.7 else f"app{chance.randrange(8)}"
        tag = [f"v{chance.randrange(6)}"] if chance.random() < 0.6 else []
        revisions = store.revisions(name)
        what = chance.choice(["image", "image", "index", "move", "delete", "refer"])
        if what == "image" or not revisions:
            self.count += 1
            arguments = {"layers": chance.randrange(3), "shared": chance.sample(["a", "b", "c"], 2)}
            self._make("image", name, self.count, *tag, **arguments)
        elif what == "index":
            children = [self._descriptor(digest) for digest in chance.sample(revisions, min(2, len(revisions)))]
            self._make("index", name, children, *tag)
        elif what == "refer":
            self.count += 1
            self._make("image", name, self.count, *tag, subject=self._descriptor(chance.choice(revisions)))
        elif what == "move" and tag:
            digest = chance.choice(revisions)
            store.manifest(name, json.loads(store.read(digest)), *tag)
        else:
            store.delete(name, chance.choice(revisions))

    def _descriptor(self, digest):
        manifest = json.loads(self.store.read(digest))
        return {"mediaType": manifest["mediaType"], "digest": digest, "size": len(self.store.read(digest))}

    def _make(self, method, name, what, *tags, **more):
        made = getattr(self.store, method)(name, what, *tags, **more)
        self.made[made["digest"]] = method, what, more

    def fill(self, kept):
        """With what the tags reach, by what each manifest itself says."""
        for name in self.store.repositories():
            tags, revisions = self.store.tags(name), self.store.revisions(name)
            reached, before = set(tags.values()), None
            while reached != before:
                before = set(reached)
                for digest in before:
                    reached |= set(parts_of(json.loads(self.store.read(digest)))) & set(revisions)
                reached |= {digest for digest in revisions if self.subject_of(digest) in before}
            for digest in reached:
                self._make_again(kept, name, digest, [tag for tag in tags if tags[tag] == digest])

    def subject_of(self, digest):
        return json.loads(self.store.read(digest)).get("subject", {}).get("digest")

    def _make_again(self, kept, name, digest, tags):
        method, what, more = self.made[digest]
        getattr(kept, method)(name, what, *tags, **more)
        for child in what if method == "index" else ():
            kept.blob(name, self.store.read(child["digest"]))  # also of one that was deleted


if __name__ == "__main__":
    unittest.main()
