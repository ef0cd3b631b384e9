"""A registry's store and its API, as far as a push and its removal use them: registry:2 with the storage of
one container, which outlives that."""

import hashlib
import json
import re

from fakes.message import Response, reply

VERSION = {"Docker_Distribution_Api_Version": "registry/2.0"}
HEADER = {"Docker-Distribution-Api-Version": "registry/2.0"}
INDEX_TYPE = "application/vnd.oci.image.index.v1+json"


def digest_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def refusal(status, code, message="", detail=None):
    return reply({"errors": [{"code": code, "message": message, "detail": detail}]}, status, **VERSION)


class Store:
    def __init__(self):
        self.blobs = {}  # digest -> bytes
        self.uploads = {}  # id -> bytes so far
        self.manifests = {}  # repository -> digest -> (media type, bytes)
        self.tags = {}  # repository -> tag -> digest
        self.count = 0

    def repositories(self):
        return sorted(set(self.manifests) | set(self.tags))

    def forget(self, repository):
        """As rm -r of its directory."""
        self.manifests.pop(repository, None)
        self.tags.pop(repository, None)

    # ---- requests ----

    def handle(self, request, environment):
        for methods, pattern, handler in ROUTES:
            match = pattern.fullmatch(request.path)
            if match is not None and request.method in methods:
                if request.method not in ("GET", "HEAD") and not self._allows(request, environment):
                    return refusal(405, "UNSUPPORTED", "The operation is unsupported.")
                return handler(self, request, *match.groups())
        return refusal(404, "NAME_UNKNOWN", "repository name not known to registry")

    @staticmethod
    def _allows(request, environment):
        if "REGISTRY_PROXY_REMOTEURL" in environment:
            return False
        if request.method == "DELETE" and "/uploads/" not in request.path:
            return environment.get("REGISTRY_STORAGE_DELETE_ENABLED") == "true"
        return "REGISTRY_STORAGE_MAINTENANCE_READONLY" not in environment

    def _root(self, _request):
        return reply({}, **VERSION)

    def _catalog(self, _request):
        return reply({"repositories": self.repositories()}, **VERSION)

    def _list(self, _request, repository):
        if repository not in self.repositories():
            return refusal(404, "NAME_UNKNOWN", "repository name not known to registry", {"name": repository})
        return reply({"name": repository, "tags": sorted(self.tags.get(repository, {})) or None}, **VERSION)

    def _begin(self, request, repository):
        self.count += 1
        number = f"{self.count:08x}-0000-4000-8000-000000000000"
        self.uploads[number] = b""
        return self._accepted(request, repository, number)

    def _accepted(self, request, repository, number):
        """The registry tells the client to come back where it came from."""
        host = request.headers.get("host")
        base = f"http://{host}" if host else ""
        location = f"{base}/v2/{repository}/blobs/uploads/{number}?_state={len(self.uploads[number])}%3D"
        end = max(len(self.uploads[number]) - 1, 0)
        return reply(None, 202, Location=location, Docker_Upload_UUID=number, Range=f"0-{end}", **VERSION)

    def _upload(self, request, repository, number):
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
            return self._accepted(request, repository, number)
        digest = digest_of(self.uploads[number])
        if request.query.get("digest") != digest:
            return refusal(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
        self.blobs[digest] = self.uploads.pop(number)
        return reply(None, 201, Docker_Content_Digest=digest, **VERSION)

    def _blob(self, _request, _repository, digest):
        if digest not in self.blobs:
            return refusal(404, "BLOB_UNKNOWN", "blob unknown to registry", digest)
        return Response(200, self.blobs[digest], {"Docker-Content-Digest": digest})

    def _put(self, request, repository, reference):
        document, digest = request.json(), digest_of(request.body)
        parts = [document["config"], *document["layers"]] if "layers" in document else []
        for part in parts:
            if len(self.blobs.get(part["digest"], b"")) != part["size"]:
                return refusal(400, "MANIFEST_BLOB_UNKNOWN", "blob unknown to registry", part["digest"])
        self.manifests.setdefault(repository, {})[digest] = (request.headers["content-type"], request.body)
        if not reference.startswith("sha256:"):
            self.tags.setdefault(repository, {})[reference] = digest
        return reply(None, 201, Docker_Content_Digest=digest, **VERSION)

    def _manifest(self, request, repository, reference):
        digest = self.tags.get(repository, {}).get(reference, reference)
        media_type, text = self.manifests.get(repository, {}).get(digest, (None, b""))
        if media_type is None:
            return refusal(404, "MANIFEST_UNKNOWN", "manifest unknown", {"Tag": reference})
        if media_type == INDEX_TYPE and media_type not in request.headers.get("accept", ""):
            return refusal(404, "MANIFEST_UNKNOWN", "OCI index found, but accept header does not support OCI indexes")
        return Response(200, text, {"Content-Type": media_type, "Docker-Content-Digest": digest} | HEADER)

    def _delete(self, _request, repository, digest):
        if self.manifests.get(repository, {}).pop(digest, None) is None:
            return refusal(404, "MANIFEST_UNKNOWN", "manifest unknown")
        tags = self.tags.get(repository, {})
        self.tags[repository] = {tag: target for tag, target in tags.items() if target != digest}
        return reply(None, 202, **VERSION)

    # ---- what others do ----

    def push(self, repository, tag, layers=(b"layer",)):
        """An image, as docker would push it; returns its digest."""
        blobs = [json.dumps({"layers": len(layers)}).encode(), *layers]
        parts = [{"digest": digest_of(blob), "size": len(blob)} for blob in blobs]
        self.blobs |= {part["digest"]: blob for part, blob in zip(parts, blobs)}
        text = json.dumps({"schemaVersion": 2, "config": parts[0], "layers": parts[1:]}).encode()
        digest = digest_of(text)
        self.manifests.setdefault(repository, {})[digest] = ("application/vnd.oci.image.manifest.v1+json", text)
        self.tags.setdefault(repository, {})[tag] = digest
        return digest


ROUTES = [
    (methods.split(), re.compile(pattern), handler)
    for methods, pattern, handler in [
        ("GET HEAD", "/v2/", Store._root),
        ("GET", "/v2/_catalog", Store._catalog),
        ("GET", "/v2/(.+)/tags/list", Store._list),
        ("POST", "/v2/(.+)/blobs/uploads/", Store._begin),
        ("GET PATCH PUT DELETE", "/v2/(.+)/blobs/uploads/([0-9a-f-]+)", Store._upload),
        ("GET HEAD", "/v2/(.+)/blobs/([^/]+)", Store._blob),
        ("PUT", "/v2/(.+)/manifests/([^/]+)", Store._put),
        ("GET HEAD", "/v2/(.+)/manifests/([^/]+)", Store._manifest),
        ("DELETE", "/v2/(.+)/manifests/([^/]+)", Store._delete),
    ]
]
