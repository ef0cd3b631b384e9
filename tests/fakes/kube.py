"""A Kubernetes API server as a pure state machine, as far as the program uses one: handle(request) gives
the response. Discovery, lists and watches by label, get, create, server-side apply, delete, all but the
reads also as a dry run; and beside it what controllers do."""

import collections
import hashlib
import json
import pathlib
import re
import time

from fakes import apply, schema
from fakes.message import Response, Timers, clone, reply
from fakes.schema import KINDS, VERSIONS
from fakes.watcher import Watcher

FIXTURES = pathlib.Path(__file__).resolve().parents[1] / "fixtures/kube"
MANAGER = "hostk8s-registryd"
CONTROLLER = "kube-controller-manager"
TERMINATION_SECONDS = 0.02  # until a namespace and all that is in it are gone
HISTORY_MAX = 1000  # changes that a watch may begin with
VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
VERSION = re.compile(r"/api/(v1)|/apis/([^/]+/[^/]+)")
# Prefix, namespace, plural, name.
PATH = re.compile(r"(/api/v1|/apis/[^/]+/[^/]+)(?:/namespaces/([^/]+)(?=/))?/([a-z]+)(?:/([^/]+))?")


def failure(status, reason, message, **details):
    document = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
    document |= {"message": message, "reason": reason} | ({"details": details} if details else {})
    return reply(document | {"code": status}, status)


def details_of(plural, name):
    group = KINDS[plural].group.rpartition("/")[0]
    return {"name": name} | ({"group": group} if group else {}) | {"kind": plural}


class Kube(Timers):
    STATE = ("objects", "groups", "ready", "version", "oldest", "history", "timers")

    def __init__(self, clock, version="1.29"):
        super().__init__(clock)
        self.accent = VERSIONS[version]
        self.objects = {}  # (plural, namespace or None, name) -> object
        self.groups = list(self.accent.groups)
        self.ready = True  # whether Deployments come up
        self.version = 100
        self.oldest = 100  # that a watch may begin with
        self.history = collections.deque(maxlen=HISTORY_MAX)  # (version, plural, before, after)
        self.watchers = []
        self.cache = {}  # target -> answer, while nothing changes
        self.unexpected = []  # requests that it does not know
        for namespace in ("default", "kube-public", "kube-system"):
            self.add("namespaces", None, namespace, {})
        self.add("ingressclasses", None, "nginx", {"spec": {"controller": "k8s.io/ingress-nginx"}})

    def now(self):
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.clock()))

    # ---- what others do ----

    def add(self, plural, namespace, name, document):
        """Puts an object there as somebody else."""
        document = {"apiVersion": KINDS[plural].group, "kind": KINDS[plural].kind} | clone(document)
        document["metadata"] = document.get("metadata") or {}
        document["metadata"] |= {"name": name} | ({"namespace": namespace} if namespace else {})
        if plural == "namespaces":
            schema.fill_namespace(document, self.accent)
        before = self.objects.get((plural, namespace, name))
        self._store(plural, before, document)

    def get(self, plural, name, namespace="hostk8s"):
        return self.objects.get((plural, namespace if KINDS[plural].namespaced else None, name))

    def change(self, plural, name, change, namespace="hostk8s"):
        """Somebody else changes an object, as `kubectl edit` does it: change(document)."""
        before = self.get(plural, name, namespace)
        document = clone(before)
        change(document)
        if document != before:
            apply.edit(document, before, "kubectl-edit", self.now())
            self._count_generation(plural, before, document)
            self._store(plural, before, document)

    def apply(self, applied, manager=MANAGER):
        """Somebody applies an object, as `kubectl apply --server-side --force-conflicts` does it."""
        metadata = applied["metadata"]
        plural = next(plural for plural, kind in KINDS.items() if kind.kind == applied["kind"])
        before = self.get(plural, metadata["name"], metadata.get("namespace"))
        document, _ = apply.apply(before, applied, manager, self.now())
        if plural in schema.FILL:
            schema.FILL[plural](document, self.accent)
        self._count_generation(plural, before, document)
        self._store(plural, before, document)

    def remove(self, plural, name, namespace="hostk8s"):
        """Somebody else deletes an object."""
        key = (plural, namespace if KINDS[plural].namespaced else None, name)
        before = self.objects.pop(key)
        self._changed(plural, before, None)
        if plural == "services":
            self._remove_derived(before)
        if plural in ("services", "endpoints"):
            self._mirror(name, namespace)

    def remove_group(self, group):
        """The CRDs of a group go, with all objects of their kinds."""
        self.groups.remove(group)
        for plural, namespace, name in list(self.objects):
            if KINDS[plural].group == group:
                self.remove(plural, name, namespace)
        self.cache = {}

    def add_pods(self, fixture):
        for pod in json.loads((FIXTURES / fixture).read_text())["items"]:
            self.add("pods", pod["metadata"]["namespace"], pod["metadata"]["name"], pod)

    def bring_up(self):
        """The Deployments' pods come up."""
        self.ready = True
        for plural, namespace, name in list(self.objects):
            if plural == "deployments":
                self._roll_out(name, namespace)

    def expire(self):
        """What was there is too old for every watch, as after a compaction."""
        self.oldest = self.version
        self.history.clear()
        for watcher in self.watchers:
            watcher.stream.send(self._gone(0))
        self.end_streams()

    def bookmark(self):
        for watcher in self.watchers:
            if watcher.bookmarks:
                kind = KINDS[watcher.plural]
                bookmark = {"kind": kind.kind, "apiVersion": kind.group}
                bookmark["metadata"] = {"resourceVersion": str(self.version)}
                watcher.stream.send({"type": "BOOKMARK", "object": bookmark})

    @property
    def streams(self):
        return [watcher.stream for watcher in self.watchers]

    def end_streams(self):
        watchers, self.watchers = self.watchers, []
        for watcher in watchers:
            watcher.stream.put(None)

    # ---- objects come, change and go ----

    def _changed(self, plural, before, after):
        self.version += 1
        self.cache = {}
        if after is not None:
            after["metadata"]["resourceVersion"] = str(self.version)
        else:
            before = before | {"metadata": before["metadata"] | {"resourceVersion": str(self.version)}}
        self.history.append((self.version, plural, before, after))
        for watcher in self.watchers:
            watcher.tell(plural, before, after)

    def _stamp(self, plural, document):
        metadata = document["metadata"]
        if "uid" not in metadata:
            digest = hashlib.md5(f"{plural} {metadata['name']} {self.version}".encode()).hexdigest()
            metadata["uid"] = f"{digest[:8]}-{digest[8:12]}-4{digest[13:16]}-8{digest[17:20]}-{digest[20:]}"
            metadata["creationTimestamp"] = self.now()

    def _store(self, plural, before, document):
        self._stamp(plural, document)
        metadata = document["metadata"]
        self.objects[plural, metadata.get("namespace"), metadata["name"]] = document
        self._changed(plural, before, document)
        if plural == "deployments" and "template" in document.get("spec", {}):
            self._roll_out(metadata["name"], metadata["namespace"])
        if plural == "services":
            self._derive(document)
        if plural in ("services", "endpoints"):
            self._mirror(metadata["name"], metadata["namespace"])

    def _count_generation(self, plural, before, document):
        if plural in schema.HAS_GENERATION:
            parts = ("spec", "endpoints", "ports", "addressType")
            same = before is not None and all(before.get(part) == document.get(part) for part in parts)
            document["metadata"]["generation"] = (before or document)["metadata"].get("generation", 0) + (not same)

    # ---- controllers ----

    def _roll_out(self, name, namespace):
        before = self.get("deployments", name, namespace)
        if "template" not in before.get("spec", {}):
            return
        document, replicas = clone(before), before["spec"]["replicas"]
        document["metadata"].setdefault("annotations", {})["deployment.kubernetes.io/revision"] = "1"
        generation = document["metadata"].get("generation", 1)
        counts = ("readyReplicas", "availableReplicas") if self.ready else ("unavailableReplicas",)
        status = {"observedGeneration": generation, "replicas": replicas, "updatedReplicas": replicas}
        document["status"] = status | dict.fromkeys(counts, replicas)
        if document != before:
            owned = {"f:metadata": {"f:annotations": {"f:deployment.kubernetes.io/revision": {}}}}
            owned |= apply.fields({"status": document["status"]})
            apply.own(document, CONTROLLER, "Update", owned, self.now(), "status")
            self.objects["deployments", namespace, name] = document
            self._changed("deployments", before, document)

    def _derived(self, service):
        """Plural and name of what controllers make of a Service with a selector."""
        name = service["metadata"]["name"]
        slice_ = ("endpointslices", f"{name}-{hashlib.md5(name.encode()).hexdigest()[:5]}")
        return [("endpoints", name)] + ([slice_] if "discovery.k8s.io/v1" in self.groups else [])

    def _derive(self, service):
        metadata, selector = service["metadata"], service.get("spec", {}).get("selector")
        for plural, name in self._derived(service) if selector else []:
            labels = dict(metadata.get("labels") or {})
            if plural == "endpointslices":
                labels |= {"endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io"}
                labels |= {"kubernetes.io/service-name": metadata["name"]}
            elif self.accent.minor >= 36:
                labels |= {"endpoints.kubernetes.io/managed-by": "endpoint-controller"}
            before = self.get(plural, name, metadata["namespace"])
            if before is None or before["metadata"].get("labels", {}) != labels:
                owner = {"apiVersion": "v1", "kind": "Service", "name": metadata["name"], "uid": metadata["uid"]}
                document = clone(before) if before else {"apiVersion": KINDS[plural].group, "kind": KINDS[plural].kind}
                if plural == "endpointslices":
                    document |= {"addressType": "IPv4", "endpoints": [], "ports": []}
                own = {"labels": labels, "ownerReferences": [owner | {"controller": True}]}
                own |= {"name": name, "namespace": metadata["namespace"]}
                document["metadata"] = document.get("metadata", {}) | own
                apply.own(document, CONTROLLER, "Update", apply.fields(document), self.now())
                self._store(plural, before, document)

    def _mirror(self, name, namespace):
        """The EndpointSlice of Endpoints whose Service has no selector (KEP-0752, mirroring)."""
        service, endpoints = (self.get(plural, name, namespace) for plural in ("services", "endpoints"))
        slice_ = f"{name}-{hashlib.md5(f'mirror {name}'.encode()).hexdigest()[:5]}"
        before = self.get("endpointslices", slice_, namespace)
        if not (service and endpoints and endpoints.get("subsets")) or service.get("spec", {}).get("selector"):
            if before is not None:
                self.remove("endpointslices", slice_, namespace)
        elif "discovery.k8s.io/v1" in self.groups:
            owner = {"apiVersion": "v1", "kind": "Endpoints", "name": name, "uid": endpoints["metadata"]["uid"]}
            labels = dict(endpoints["metadata"].get("labels") or {})
            labels |= {"kubernetes.io/service-name": name}
            labels |= {"endpointslice.kubernetes.io/managed-by": "endpointslicemirroring-controller.k8s.io"}
            addresses = [address["ip"] for address in endpoints["subsets"][0].get("addresses", [])]
            own = {"labels": labels, "ownerReferences": [owner | {"controller": True, "blockOwnerDeletion": True}]}
            document = {
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "metadata": {"name": slice_, "namespace": namespace, "generateName": f"{name}-"} | own,
                "addressType": "IPv4",
                "endpoints": [{"addresses": [address], "conditions": {"ready": True}} for address in addresses],
                "ports": clone(endpoints["subsets"][0].get("ports", [])),
            }
            apply.own(document, CONTROLLER, "Update", apply.fields(document), self.now())
            self._store("endpointslices", before, document)

    def _remove_derived(self, service):
        for plural, name in self._derived(service):
            document = self.get(plural, name, service["metadata"]["namespace"])
            owners = document["metadata"].get("ownerReferences", []) if document else []
            if any(owner["uid"] == service["metadata"]["uid"] for owner in owners):
                self.remove(plural, name, service["metadata"]["namespace"])

    def _terminate(self, before):
        """A Namespace goes with all that is in it, after a while."""
        if "deletionTimestamp" not in before["metadata"]:
            document = clone(before)
            document["metadata"]["deletionTimestamp"] = self.now()
            document["status"] = {"phase": "Terminating"}
            self._store("namespaces", before, document)
            self.later(TERMINATION_SECONDS, "remove_namespace", before["metadata"]["name"])

    def remove_namespace(self, namespace):
        for plural, inside, name in list(self.objects):
            if inside == namespace and (plural, inside, name) in self.objects:
                self.remove(plural, name, namespace)
        if ("namespaces", None, namespace) in self.objects:
            self.remove("namespaces", namespace)

    # ---- requests ----

    def handle(self, request):
        self.tick()
        if request.method == "GET" and request.target in self.cache:
            return self.cache[request.target]
        return self._answer(request)

    def _answer(self, request):
        if request.path == "/api":
            return reply({"kind": "APIVersions", "versions": ["v1"]})
        if request.path == "/apis":
            return self._groups()
        if request.path == "/version":
            return reply({"major": "1", "minor": str(self.accent.minor), "gitVersion": f"v1.{self.accent.minor}.2"})
        if version := VERSION.fullmatch(request.path):
            return self._resources(version[1] or version[2])
        match = PATH.fullmatch(request.path)
        if match is None or match[3] not in KINDS:
            self.unexpected.append(str(request))
            return failure(404, "NotFound", "the server could not find the requested resource")
        prefix, namespace, plural, name = match.groups()
        kind = KINDS[plural]
        if prefix != kind.prefix or kind.group not in ["v1", *self.groups]:
            return failure(404, "NotFound", "the server could not find the requested resource")
        methods = {"GET": self._get, "PATCH": self._patch, "DELETE": self._delete}
        if name is None:
            methods = {"GET": self._watch if "watch" in request.query else self._list, "POST": self._create}
        if request.method not in methods:
            return failure(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
        response = methods[request.method](request, plural, namespace, name)
        if plural in self.accent.warnings:
            response.headers["Warning"] = self.accent.warnings[plural]
        if request.method == "GET" and response.chunks is None:
            self.cache[request.target] = response
        return response

    def _groups(self):
        groups = []
        for group in self.groups:
            version = {"groupVersion": group, "version": group.rpartition("/")[2]}
            groups.append({"name": group.partition("/")[0], "versions": [version], "preferredVersion": version})
        return reply({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})

    def _resources(self, version):
        if version not in ["v1", *self.groups]:
            return failure(404, "NotFound", "the server could not find the requested resource")
        resources = [
            {"name": plural, "singularName": kind.kind.lower(), "namespaced": kind.namespaced}
            | {"kind": kind.kind, "verbs": VERBS}
            for plural, kind in KINDS.items()
            if kind.group == version
        ]
        if not resources:  # an aggregated API that is down
            return failure(503, "ServiceUnavailable", "service unavailable")
        if version == "v1":
            resources.append({"name": "pods/log", "namespaced": True, "kind": "Pod", "verbs": ["get"]})
        return reply({"kind": "APIResourceList", "groupVersion": version, "resources": resources})

    def _gone(self, version):
        message = f"too old resource version: {version} ({self.oldest})"
        return {"type": "ERROR", "object": json.loads(failure(410, "Expired", message).body)}

    def _watch(self, request, plural, namespace, _name):
        watcher = Watcher(plural, namespace, request.query)
        since = int(request.query.get("resourceVersion") or 0)
        if since == 0:
            for (kind, _, _), document in self.objects.items():
                watcher.tell(kind, None, document)
        elif since < self.oldest or (self.history and since < self.history[0][0] - 1):
            watcher.stream.send(self._gone(since))
            watcher.stream.put(None)
            return Response(200, headers={"Content-Type": "application/json"}, chunks=watcher.stream)
        else:
            for version, kind, before, after in self.history:
                if version > since:
                    watcher.tell(kind, before, after)
        self.watchers.append(watcher)
        return Response(200, headers={"Content-Type": "application/json"}, chunks=watcher.stream)

    def _list(self, request, plural, namespace, _name):
        watcher, limit = Watcher(plural, namespace, request.query), int(request.query.get("limit", 0))
        items = []
        for (kind, _, _), document in sorted(self.objects.items(), key=lambda item: str(item[0])):
            if kind == plural and watcher.wants(document):
                items.append({k: v for k, v in document.items() if k not in ("kind", "apiVersion")})
        metadata = {"resourceVersion": str(self.version)}
        if 0 < limit < len(items):
            items, metadata["continue"] = items[:limit], "more"
        kind = KINDS[plural]
        return reply({"kind": kind.kind + "List", "apiVersion": kind.group, "metadata": metadata, "items": items})

    def _missing(self, plural, name):
        message = f'{KINDS[plural].qualified(plural)} "{name}" not found'
        return failure(404, "NotFound", message, **details_of(plural, name))

    def _get(self, _request, plural, namespace, name):
        document = self.objects.get((plural, namespace, name))
        return self._missing(plural, name) if document is None else reply(document)

    def _closed(self, plural, namespace, name):
        """Why nothing can be made in the namespace, None when something can."""
        home = self.objects.get(("namespaces", None, namespace))
        if namespace is None or (home is not None and "deletionTimestamp" not in home["metadata"]):
            return None
        if home is None:
            return self._missing("namespaces", namespace)
        text = f"unable to create new content in namespace {namespace} because it is being terminated"
        message = f'{KINDS[plural].qualified(plural)} "{name}" is forbidden: {text}'
        return failure(403, "Forbidden", message, **details_of(plural, name))

    def _precondition(self, plural, name, document, wanted):
        """The answer where the object is not the wanted one; None where it is."""
        for field, word in (("uid", "UID"), ("resourceVersion", "ResourceVersion")):
            there = "" if document is None else document["metadata"][field]
            if wanted.get(field, there) != there:
                text = f"Precondition failed: {word} in precondition: {wanted[field]}, {word} in object meta: {there}"
                message = f'Operation cannot be fulfilled on {KINDS[plural].qualified(plural)} "{name}": {text}'
                return failure(409, "Conflict", message, **details_of(plural, name))
        return None

    def _write(self, request, plural, before, document):
        """The end of a create and of an apply: defaults, checks, and unless it is a dry run the store."""
        name = document["metadata"]["name"]
        if plural not in schema.CUSTOM:
            document = schema.without_zeroes(document)
        if plural in schema.FILL:
            schema.FILL[plural](document, self.accent)
        causes = list(schema.refusals(plural, before, document))
        if causes:
            kind = KINDS[plural]
            fields = [f"{field}: {message}" for field, _, message in causes]
            text = fields[0] if len(fields) == 1 else f"[{', '.join(fields)}]"
            causes = [{"reason": reason, "message": message, "field": field} for field, reason, message in causes]
            details = details_of(plural, name) | {"kind": kind.kind, "causes": causes}
            message = f'{kind.qualified(kind.kind)} "{name}" is invalid: {text}'
            return failure(422, "Invalid", message, **details)
        self._count_generation(plural, before, document)
        if "dryRun" in request.query:
            self._stamp(plural, document)
        elif before is None or document != before:
            self._store(plural, before, document)
        return reply(document, 201 if before is None else 200)

    def _patch(self, request, plural, namespace, name):
        if request.headers.get("content-type") != "application/apply-patch+yaml":
            return failure(415, "UnsupportedMediaType", "the body of the request was in an unknown format")
        manager, applied = request.query.get("fieldManager"), request.json()
        if not manager:
            text = "fieldManager: Required value: is required for apply patch"
            return failure(422, "Invalid", f'PatchOptions.meta.k8s.io "" is invalid: {text}')
        before = self.objects.get((plural, namespace, name))
        closed = self._closed(plural, namespace, name) if before is None else None
        if closed is not None:
            return closed
        if applied["metadata"]["name"] != name or applied["metadata"].get("namespace") != namespace:
            return failure(400, "BadRequest", "the name of the object does not match the name on the URL")
        conflict = self._precondition(plural, name, before, applied["metadata"])
        if conflict is not None:
            return conflict
        document, losers = apply.apply(before, applied, manager, self.now())
        if losers and request.query.get("force") != "true":
            message = f'Apply failed with {len(losers)} conflicts: conflict with "{losers[0]}"'
            return failure(409, "Conflict", message)
        return self._write(request, plural, before, document)

    def _create(self, request, plural, namespace, _name):
        document = request.json()
        name = document["metadata"]["name"]
        if (plural, namespace, name) in self.objects:
            message = f'{KINDS[plural].qualified(plural)} "{name}" already exists'
            return failure(409, "AlreadyExists", message, **details_of(plural, name))
        closed = self._closed(plural, namespace, name)
        if closed is not None:
            return closed
        apply.own(document, request.query.get("fieldManager", "unknown"), "Update", apply.fields(document), self.now())
        return self._write(request, plural, None, document)

    def _delete(self, request, plural, namespace, name):
        document = self.objects.get((plural, namespace, name))
        if document is None:
            return self._missing(plural, name)
        wanted = (request.json() if request.body else {}).get("preconditions") or {}
        conflict = self._precondition(plural, name, document, wanted)
        if conflict is not None:
            return conflict
        if "dryRun" not in request.query and plural == "namespaces":
            self._terminate(document)
            return reply(self.get(plural, name))
        if "dryRun" not in request.query:
            self.remove(plural, name, namespace)
        details = details_of(plural, name) | {"uid": document["metadata"]["uid"]}
        return reply({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details})
