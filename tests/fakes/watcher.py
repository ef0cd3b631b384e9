"""What a list or a watch of the fake API server selects, by label, name and namespace, and a watch's stream."""

import functools
import re

from fakes.message import Stream


@functools.lru_cache
def requirements(selector):
    """(label, sign, value) of each part of a label selector; the sign is empty for one that is there."""
    parts = filter(None, selector.split(","))
    return [re.fullmatch("(!?[^!=]+)(!=|==?|)(.*)", part).groups() for part in parts]


def selects(selector, document):
    labels = document["metadata"].get("labels") or {}
    for name, sign, value in requirements(selector):
        if sign == "":
            if (name.lstrip("!") in labels) == name.startswith("!"):
                return False
        elif (labels.get(name) == value) != (sign != "!="):
            return False
    return True


class Watcher:
    def __init__(self, plural, namespace, query):
        self.plural = plural
        self.namespace = namespace
        self.selector = query.get("labelSelector", "")
        self.name = query.get("fieldSelector", "").partition("metadata.name=")[2]
        self.bookmarks = query.get("allowWatchBookmarks") in ("1", "true")
        self.stream = Stream()

    def wants(self, document):
        metadata = document["metadata"] if document is not None else {}
        return (
            document is not None
            and self.namespace in (None, metadata.get("namespace"))
            and self.name in ("", metadata["name"])
            and selects(self.selector, document)
        )

    def tell(self, plural, before, after):
        """Of an object that came, changed or went: for this watch, by what it selects."""
        if plural != self.plural:
            return
        had, has = self.wants(before), self.wants(after)
        if has:
            self.stream.send({"type": "MODIFIED" if had else "ADDED", "object": after})
        elif had:
            self.stream.send({"type": "DELETED", "object": after if after is not None else before})
