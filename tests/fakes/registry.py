"""registry:2, its storage directory in distribution's own layout and its API, as far as pushes, pulls and what
removes images use them."""

import hashlib
import json
import os
import pathlib
import re
import shutil
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1]))

from fakes.message import Response, reply  # noqa: E402

VERSION = {"Docker_Distribution_Api_Version": "registry/2.0"}
HEADER = {"Docker-Distribution-Api-Version": "registry/2.0"}
OCI = "application/vnd.oci.image"
LAYER, CONFIG = f"{OCI}.layer.v1.tar+gzip", f"{OCI}.config.v1+json"
MANIFEST, INDEX = f"{OCI}.manifest.v1+json", f"{OCI}.index.v1+json"
LAYERS, REVISIONS = "_layers", "_manifests/revisions"  # what a repository has links to
OLD = 1_700_000_000  # when everything was pushed, unless it is said
UPLOAD = "/var/lib/registry/docker/registry/v2/repositories/hostk8s-registryd/probe/_uploads/646911f6"
UPLOAD_FAILURES = {  # of Go's os.PathError, as registry 2.8.2 tells of it
    "full": {"Op": "write", "Path": f"{UPLOAD}/startedat", "Err": 28},
    "denied": {"Op": "mkdir", "Path": "/var/lib/registry/docker", "Err": 13},
}


def digest_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def parts_of(manifest):
    """The digests that it refers to; its subject is none of them."""
    parts = manifest.get("manifests", []) + manifest.get("layers", [])
    return [part["digest"] for part in parts + ([manifest["config"]] if "config" in manifest else [])]


def refusal(status, code, message="", detail=None):
    return reply({"errors": [{"code": code, "message": message, "detail": detail}]}, status, **VERSION)


class Storage:
    def __init__(self, directory, now=OLD):
        self.root = pathlib.Path(directory) / "docker/registry/v2"
        self.now = now  # the time of what is written; it goes on by itself
        self.uploads = {}  # id -> bytes so far
        self.count = 0  # of them

    def _write(self, path, data):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        os.utime(path, (self.now, self.now))

    def blob_path(self, digest):
        hexadecimal = digest.removeprefix("sha256:")
        return self.root / "blobs/sha256" / hexadecimal[:2] / hexadecimal / "data"

    def repository(self, name):
        return self.root / "repositories" / name

    def _link_path(self, name, place, digest):
        return self.repository(name) / place / "sha256" / digest.removeprefix("sha256:") / "link"

    def _keep(self, digest, data):
        if not self.blob_path(digest).exists():
            self._write(self.blob_path(digest), data)

    def _link(self, name, place, digest):
        self._write(self._link_path(name, place, digest), digest.encode())

    # ---- what a push does ----

    def blob(self, name, data, media_type=LAYER):
        """Returns its descriptor."""
        digest = digest_of(data)
        self._keep(digest, data)
        self._link(name, LAYERS, digest)
        return {"mediaType": media_type, "digest": digest, "size": len(data)}

    def manifest(self, name, manifest, *tags):
        data = manifest if isinstance(manifest, bytes) else json.dumps(manifest).encode()
        digest = digest_of(data)
        self._keep(digest, data)
        self._link(name, REVISIONS, digest)
        for tag in tags:
            self.now += 1
            self._link(name, f"_manifests/tags/{tag}/index", digest)
            self._write(self.repository(name) / "_manifests/tags" / tag / "current/link", digest.encode())
        return {"mediaType": json.loads(data)["mediaType"], "digest": digest, "size": len(data)}

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

    def has(self, name, digest, place=LAYERS):
        return self._link_path(name, place, digest).exists() and self.blob_path(digest).exists()

    def size(self):
        return sum(self.blob_path(digest).stat().st_size for digest in self.blobs())

    def everything(self):
        """All that a client can ask for, to be compared."""
        return {name: (self.tags(name), self.revisions(name)) for name in self.repositories()}, self.blobs()

    # ---- what others do ----

    def delete(self, name, digest):
        """As the API does it: the manifest's link goes, and every tag that points to it."""
        self._link_path(name, REVISIONS, digest).unlink(missing_ok=True)
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

    def untag(self, name, tag):
        """As rm -r of a tag's directory, and with the last one of the whole repository."""
        shutil.rmtree(self.repository(name) / "_manifests/tags" / tag, ignore_errors=True)
        if not self.tags(name):
            shutil.rmtree(self.repository(name), ignore_errors=True)
            self.uploads.clear()

    # ---- requests ----

    def handle(self, request, environment, behaviour="answers"):
        """behaviour: of those that Engine.images has of one that answers."""
        reads, uploads = request.method in ("GET", "HEAD"), "/blobs/uploads/" in request.path
        deletes = request.method == "DELETE" and not uploads
        refused = not reads and "REGISTRY_PROXY_REMOTEURL" in environment
        refused |= deletes and environment.get("REGISTRY_STORAGE_DELETE_ENABLED") != "true"
        if behaviour in UPLOAD_FAILURES and uploads and not reads:
            detail = {"DriverName": "filesystem", "Enclosed": UPLOAD_FAILURES[behaviour]}
            return refusal(500, "UNKNOWN", "unknown error", detail)
        if (behaviour == "read-only" or "REGISTRY_STORAGE_MAINTENANCE_READONLY" in environment) and not reads:
            return Response(405, b"Method not allowed\n", {"Allow": "GET, HEAD"} | HEADER)
        for methods, pattern, handler in ROUTES:
            match = pattern.fullmatch(request.path)
            if match is not None and request.method in methods:
                if refused:
                    return refusal(405, "UNSUPPORTED", "The operation is unsupported.")
                return handler(self, request, *match.groups())
        return refusal(404, "NAME_UNKNOWN", "repository name not known to registry")

    def _root(self, _request):
        return reply({}, **VERSION)

    def _catalog(self, _request):
        return reply({"repositories": self.repositories()}, **VERSION)

    def _list(self, _request, name):
        if name not in self.repositories():
            return refusal(404, "NAME_UNKNOWN", "repository name not known to registry", {"name": name})
        return reply({"name": name, "tags": list(self.tags(name)) or None}, **VERSION)

    def _begin(self, request, name):
        self.count += 1
        number = f"{self.count:08x}-0000-4000-8000-000000000000"
        self.uploads[number] = b""
        return self._accepted(request, name, number)

    def _accepted(self, request, name, number):
        """The registry tells the client to come back where it came from."""
        host = request.headers.get("host")
        base = f"http://{host}" if host else ""
        location = f"{base}/v2/{name}/blobs/uploads/{number}?_state={len(self.uploads[number])}%3D"
        end = max(len(self.uploads[number]) - 1, 0)
        return reply(None, 202, Location=location, Docker_Upload_UUID=number, Range=f"0-{end}", **VERSION)

    def _upload(self, request, name, number):
        if number not in self.uploads:
            return refusal(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry")
        if request.method == "GET":
            return reply(None, 204, Range=f"0-{len(self.uploads[number])}", **VERSION)
        if request.method == "DELETE":
            del self.uploads[number]
            return reply(None, 204, **VERSION)
        if request.query.get("_state") != f"{len(self.uploads[number])}=":
            return refusal(400, "BLOB_UPLOAD_INVALID", "blob upload invalid")
        self.uploads[number] += request.body
        if request.method == "PATCH":
            return self._accepted(request, name, number)
        digest = digest_of(self.uploads[number])
        if request.query.get("digest") != digest:
            return refusal(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
        self.blob(name, self.uploads.pop(number))
        return reply(None, 201, Docker_Content_Digest=digest, **VERSION)

    def _blob(self, _request, name, digest):
        if not self.has(name, digest):
            return refusal(404, "BLOB_UNKNOWN", "blob unknown to registry", digest)
        headers = {"Content-Type": "application/octet-stream", "Docker-Content-Digest": digest}
        return Response(200, self.read(digest), headers)

    def _put(self, request, name, reference):
        document = request.json()
        parts = [document["config"], *document["layers"]] if "layers" in document else []
        for part in parts:
            if len(self.read(part["digest"]) or b"") != part["size"]:
                return refusal(400, "MANIFEST_BLOB_UNKNOWN", "blob unknown to registry", part["digest"])
        made = self.manifest(name, request.body, *([] if reference.startswith("sha256:") else [reference]))
        return reply(None, 201, Docker_Content_Digest=made["digest"], **VERSION)

    def _manifest(self, request, name, reference):
        digest = self.tags(name).get(reference, reference)
        if not self.has(name, digest, REVISIONS):
            return refusal(404, "MANIFEST_UNKNOWN", "manifest unknown", {"Tag": reference})
        data = self.read(digest)
        media_type = json.loads(data)["mediaType"]
        if media_type not in request.headers.get("accept", ""):
            kind = "OCI index" if media_type == INDEX else "OCI manifest"
            return refusal(404, "MANIFEST_UNKNOWN", f"{kind} found, but accept header does not support {kind}s")
        return Response(200, data, {"Content-Type": media_type, "Docker-Content-Digest": digest} | HEADER)

    def _delete(self, _request, name, digest):
        if not self.has(name, digest, REVISIONS):
            return refusal(404, "MANIFEST_UNKNOWN", "manifest unknown")
        self.delete(name, digest)
        return reply(None, 202, **VERSION)


ROUTES = [
    (methods.split(), re.compile(pattern), handler)
    for methods, pattern, handler in [
        ("GET HEAD", "/v2/", Storage._root),
        ("GET", "/v2/_catalog", Storage._catalog),
        ("GET", "/v2/(.+)/tags/list", Storage._list),
        ("POST", "/v2/(.+)/blobs/uploads/", Storage._begin),
        ("GET PATCH PUT DELETE", "/v2/(.+)/blobs/uploads/([0-9a-f-]+)", Storage._upload),
        ("GET HEAD", "/v2/(.+)/blobs/([^/]+)", Storage._blob),
        ("PUT", "/v2/(.+)/manifests/([^/]+)", Storage._put),
        ("GET HEAD", "/v2/(.+)/manifests/([^/]+)", Storage._manifest),
        ("DELETE", "/v2/(.+)/manifests/([^/]+)", Storage._delete),
    ]
]

if __name__ == "__main__":  # as the registry's own program: registry.py garbage-collect CONFIG
    if sys.argv[1] != "garbage-collect":
        sys.exit(f"unknown command {sys.argv[1]}")
    Storage(os.environ["FAKE_STORAGE"]).collect()
