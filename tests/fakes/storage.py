"""A registry's storage directory in distribution's own layout, as far as a registry that holds images fills it:
pushes, deletes, garbage-collect, and what the API answers."""

import hashlib
import json
import os
import pathlib
import re
import shutil
import sys

OCI = "application/vnd.oci.image"
LAYER, CONFIG, MANIFEST, INDEX = f"{OCI}.layer.v1.tar+gzip", f"{OCI}.config.v1+json", f"{OCI}.manifest.v1+json", f"{OCI}.index.v1+json"
OLD = 1_700_000_000  # when everything was pushed, unless it is said


def digest_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def parts_of(manifest):
    """The digests that it refers to; its subject is none of them."""
    parts = manifest.get("manifests", []) + manifest.get("layers", [])
    return [part["digest"] for part in parts + ([manifest["config"]] if "config" in manifest else [])]


class Storage:
    def __init__(self, directory, now=OLD):
        self.root = pathlib.Path(directory) / "docker/registry/v2"
        self.now = now  # the time of what is written; it goes on by itself

    # ---- what a push does ----

    def _write(self, path, data):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        os.utime(path, (self.now, self.now))

    def blob_path(self, digest):
        hexadecimal = digest.removeprefix("sha256:")
        return self.root / "blobs/sha256" / hexadecimal[:2] / hexadecimal / "data"

    def repository(self, name):
        return self.root / "repositories" / name

    def _link(self, path, digest):
        self._write(path / digest.removeprefix("sha256:") / "link", digest.encode())

    def blob(self, name, data, media_type=LAYER):
        """Returns its descriptor."""
        digest = digest_of(data)
        if not self.blob_path(digest).exists():
            self._write(self.blob_path(digest), data)
        self._link(self.repository(name) / "_layers/sha256", digest)
        return {"mediaType": media_type, "digest": digest, "size": len(data)}

    def manifest(self, name, manifest, *tags):
        data = json.dumps(manifest).encode()
        digest = digest_of(data)
        if not self.blob_path(digest).exists():
            self._write(self.blob_path(digest), data)
        manifests = self.repository(name) / "_manifests"
        self._link(manifests / "revisions/sha256", digest)
        for tag in tags:
            self.now += 1
            self._link(manifests / "tags" / tag / "index/sha256", digest)
            self._write(manifests / "tags" / tag / "current/link", digest.encode())
        return {"mediaType": manifest["mediaType"], "digest": digest, "size": len(data)}

    def image(self, name, seed, *tags, layers=2, shared=(), **more):
        """An image of layers of its own and of those that it shares with others."""
        parts = [self.blob(name, f"{seed} {i}".encode() * 50) for i in range(layers)]
        parts += [self.blob(name, layer.encode() * 50) for layer in shared]
        config = self.blob(name, json.dumps({"image": seed}).encode(), CONFIG)
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": parts} | more
        return self.manifest(name, manifest, *tags)

    def index(self, name, children, *tags, **more):
        return self.manifest(name, {"schemaVersion": 2, "mediaType": INDEX, "manifests": children} | more, *tags)

    def upload(self, name, data=b"x" * 100):
        """One that somebody has begun."""
        self._write(self.repository(name) / "_uploads/0/data", data)

    # ---- what is there ----

    def repositories(self):
        found = sorted(path.parent for path in self.root.glob("repositories/**/_layers"))
        return [str(path.relative_to(self.root / "repositories")) for path in found]

    def tags(self, name):
        links = sorted(self.repository(name).glob("_manifests/tags/*/current/link"))
        return {link.parts[-3]: link.read_text() for link in links}

    def revisions(self, name):
        links = self.repository(name).glob("_manifests/revisions/sha256/*/link")
        return sorted(f"sha256:{link.parts[-2]}" for link in links)

    def blobs(self):
        return sorted(f"sha256:{path.parts[-2]}" for path in self.root.glob("blobs/sha256/*/*/data"))

    def read(self, digest):
        path = self.blob_path(digest)
        return path.read_bytes() if path.exists() else None

    def has(self, name, digest, place="_layers"):
        link = self.repository(name) / place / "sha256" / digest.removeprefix("sha256:") / "link"
        return link.exists() and self.blob_path(digest).exists()

    def size(self):
        return sum(self.blob_path(digest).stat().st_size for digest in self.blobs())

    def everything(self):
        """All that a client can ask for, to be compared."""
        return {name: (self.tags(name), self.revisions(name)) for name in self.repositories()}, self.blobs()

    # ---- what others do ----

    def delete(self, name, digest):
        """As the API does it: the manifest's link goes, and every tag that points to it."""
        link = self.repository(name) / "_manifests/revisions/sha256" / digest.removeprefix("sha256:") / "link"
        link.unlink(missing_ok=True)
        for tag, current in self.tags(name).items():
            if current == digest:
                shutil.rmtree(self.repository(name) / "_manifests/tags" / tag)

    def collect(self):
        """registry garbage-collect: blobs that no manifest of any repository refers to go; their links stay."""
        marked = set()
        for name in self.repositories():
            for digest in self.revisions(name):
                if self.read(digest) is not None:
                    marked |= {digest, *parts_of(json.loads(self.read(digest)))}
        for digest in self.blobs():
            if digest not in marked:
                shutil.rmtree(self.blob_path(digest).parent)

    # ---- the API ----

    def answer(self, method, path, accept=""):
        """Status, headers and body of an answer to GET or HEAD; None for what this does not know."""
        if path == "/v2/_catalog":
            return 200, {}, json.dumps({"repositories": self.repositories()}).encode()
        match = re.fullmatch(r"/v2/(.+)/(tags|manifests|blobs)/([^/]+)", path)
        if match is None or method not in ("GET", "HEAD"):
            return None
        name, kind, reference = match.groups()
        if kind == "tags":
            return 200, {}, json.dumps({"name": name, "tags": list(self.tags(name)) or None}).encode()
        digest = self.tags(name).get(reference, reference) if kind == "manifests" else reference
        place = "_manifests/revisions" if kind == "manifests" else "_layers"
        if not self.has(name, digest, place):
            return 404, {}, json.dumps({"errors": [{"code": f"{kind[:-1].upper()}_UNKNOWN"}]}).encode()
        data = self.read(digest)
        media_type = json.loads(data)["mediaType"] if kind == "manifests" else "application/octet-stream"
        if kind == "manifests" and media_type not in accept:
            return 404, {}, b'{"errors":[{"code":"MANIFEST_UNKNOWN","message":"accept header does not support it"}]}'
        return 200, {"Docker-Content-Digest": digest, "Content-Type": media_type}, data


if __name__ == "__main__":  # as the registry's own program: storage.py garbage-collect CONFIG
    if sys.argv[1] != "garbage-collect":
        sys.exit(f"unknown command {sys.argv[1]}")
    Storage(os.environ["FAKE_STORAGE"]).collect()
