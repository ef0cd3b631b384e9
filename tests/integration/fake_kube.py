"""A Kubernetes API server over TLS that wants a client certificate, as far as the program uses one:
discovery, lists by label, get, server-side apply, delete. Defaults and statuses are filled in as
controllers would."""

import base64
import functools
import hashlib
import json
import pathlib
import re
import ssl
import subprocess
import tempfile
import time

from http_message import clone
from http_server import Response, Server, reply

FIXTURES = pathlib.Path(__file__).resolve().parents[1] / "fixtures/kube"
GROUPS = ["apps/v1", "batch/v1", "discovery.k8s.io/v1", "networking.k8s.io/v1"]
MANAGER = "hostk8s-registryd"
# Lists that are maps by these keys, by the name of the list.
KEYS = {"containers": ["name"], "env": ["name"], "ports": ["containerPort", "port", "protocol"]}
KINDS = {
    "namespaces": "Namespace",
    "configmaps": "ConfigMap",
    "deployments": "Deployment",
    "services": "Service",
    "endpoints": "Endpoints",
    "endpointslices": "EndpointSlice",
    "ingresses": "Ingress",
    "ingressclasses": "IngressClass",
    "pods": "Pod",
    "persistentvolumeclaims": "PersistentVolumeClaim",
    "statefulsets": "StatefulSet",
    "daemonsets": "DaemonSet",
    "jobs": "Job",
    "secrets": "Secret",
    "serviceaccounts": "ServiceAccount",
    "cronjobs": "CronJob",
    "widgets": "Widget",
}
# What a group's version has; one without an entry is an aggregated API that is down.
SERVED = {
    "v1": ["namespaces", "configmaps", "services", "endpoints", "pods", "pods/log", "persistentvolumeclaims"]
    + ["secrets", "serviceaccounts"],
    "apps/v1": ["deployments", "statefulsets", "daemonsets"],
    "batch/v1": ["jobs", "cronjobs"],
    "discovery.k8s.io/v1": ["endpointslices"],
    "networking.k8s.io/v1": ["ingresses", "ingressclasses"],
    "example.com/v1": ["widgets"],
}
CLUSTER_SCOPED = ("namespaces", "ingressclasses")


# Prefix, namespace, plural, name.
VERSION = re.compile(r"/api/(v1)|/apis/([^/]+/[^/]+)")
PATH = re.compile(r"(/api/v1|/apis/[^/]+/[^/]+)(?:/namespaces/([^/]+)(?=/))?/([a-z]+)(?:/([^/]+))?")


class Certificates:
    """A CA, a server certificate for the node's names and 127.0.0.1, and a client certificate."""

    def __init__(self, names=("hostk8s-control-plane", "other-control-plane")):
        self.directory = tempfile.TemporaryDirectory(prefix="hostk8s-pki-")
        self.path = pathlib.Path(self.directory.name)
        key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        signed = ["-CA", self.path / "ca.crt", "-CAkey", self.path / "ca.key"]
        san = ",".join([f"DNS:{name}" for name in names] + ["IP:127.0.0.1"])
        self._make("ca", "/CN=kubernetes", key)
        self._make("server", "/CN=kube-apiserver", key + signed + ["-addext", f"subjectAltName={san}"])
        self._make("client", "/O=system:masters/CN=kubernetes-admin", key + signed)

    def _make(self, name, subject, options):
        files = ["-keyout", self.path / f"{name}.key", "-out", self.path / f"{name}.crt"]
        command = ["openssl", "req", "-x509", "-days", "2", "-subj", subject, *options, *files]
        subprocess.run(command, check=True, capture_output=True, timeout=60)

    def base64(self, name):
        return base64.b64encode((self.path / name).read_bytes()).decode()

    def server_context(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.path / "server.crt", self.path / "server.key")
        context.load_verify_locations(self.path / "ca.crt")
        context.verify_mode = ssl.CERT_REQUIRED
        return context

    def kubeconfig(self, server, name="kubernetes"):
        return f"""apiVersion: v1
kind: Config
clusters:
- name: {name}
  cluster:
    certificate-authority-data: {self.base64("ca.crt")}
    server: {server}
contexts:
- name: {name}
  context:
    cluster: {name}
    user: {name}
current-context: {name}
preferences: {{}}
users:
- name: {name}
  user:
    client-certificate-data: {self.base64("client.crt")}
    client-key-data: {self.base64("client.key")}
"""


@functools.cache
def certificates():
    return Certificates()


# ---- server-side apply ----


def keys_of(name, element):
    return {key: element[key] for key in KEYS[name] if key in element}


def is_keyed(name, value):
    return name in KEYS and isinstance(value, list) and all(isinstance(element, dict) for element in value)


def find(elements, name, wanted):
    keys = keys_of(name, wanted)
    return next((element for element in elements or [] if keys_of(name, element) == keys), None)


def fields(value):
    """FieldsV1 of an applied object."""
    owned = {}
    for name, child in value.items():
        if is_keyed(name, child):
            owned["f:" + name] = {
                "k:" + json.dumps(keys_of(name, element), separators=(",", ":")): {".": {}} | fields(element)
                for element in child
            }
        else:
            owned["f:" + name] = fields(child) if isinstance(child, dict) else {}
    return owned


def merge(into, value):
    for name, child in value.items():
        if is_keyed(name, child):
            elements = into.setdefault(name, [])
            for element in child:
                found = find(elements, name, element)
                if found is None:
                    elements.append(clone(element))
                else:
                    merge(found, element)
        elif isinstance(child, dict) and isinstance(into.get(name), dict):
            merge(into[name], child)
        else:
            into[name] = clone(child)


def drop(target, before, now):
    """Takes away what was applied before and is not applied now."""
    for name, child in before.items():
        if name not in now:
            target.pop(name, None)
        elif is_keyed(name, child):
            for element in child:
                applied, found = find(now[name], name, element), find(target.get(name), name, element)
                if applied is None and found is not None:
                    target[name].remove(found)
                elif found is not None:
                    drop(found, element, applied)
        elif isinstance(child, dict) and isinstance(target.get(name), dict):
            drop(target[name], child, now[name])


def owned_part(applied):
    """Of an applied object what managedFields tells of."""
    part = {name: value for name, value in applied.items() if name not in ("apiVersion", "kind", "metadata")}
    metadata = {name: applied["metadata"][name] for name in ("labels", "annotations") if name in applied["metadata"]}
    return part | {"metadata": metadata}


def selects(selector, document):
    """Whether the object has what a label selector of = and != asks for."""
    labels = document["metadata"].get("labels") or {}
    for pair in filter(None, selector.split(",")):
        name, sign, value = re.fullmatch("([^!=]+)(!?=)(.*)", pair).groups()
        if (labels.get(name) == value) != (sign == "="):
            return False
    return True


def without_zeroes(value):
    """As Go's omitempty leaves it."""
    if not isinstance(value, dict):
        return value
    return {name: without_zeroes(child) for name, child in value.items() if child not in (None, "", [], {})}


def failure(status, reason, message):
    document = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
    return reply(document | {"message": message, "reason": reason, "code": status}, status)


class Kube(Server):
    STATE = ("objects", "applied", "groups", "ready", "version")

    def __init__(self, node="hostk8s-control-plane"):
        super().__init__(("127.0.0.1", 0), certificates().server_context())
        self.node = node
        self.objects = {}  # (plural, namespace or None, name) -> object
        self.applied = {}  # the same -> what the program applied last
        self.groups = list(GROUPS)
        self.ready = True  # whether Deployments come up
        self.version = 100
        for namespace in ("default", "kube-public", "kube-system"):
            self.add("namespaces", None, namespace, {"apiVersion": "v1"})
        self.add("ingressclasses", None, "nginx", {"spec": {"controller": "k8s.io/ingress-nginx"}})

    @property
    def port(self):
        return self.address[1]

    def admin_conf(self):
        return certificates().kubeconfig(f"https://{self.node}:6443")

    def add(self, plural, namespace, name, document):
        """Puts an object there as somebody else."""
        document = clone(document)
        metadata = document.setdefault("metadata", {})
        metadata |= {"name": name} | ({"namespace": namespace} if namespace else {})
        self.objects[plural, namespace, name] = self._stamp(plural, document)

    def get(self, plural, name, namespace="hostk8s"):
        return self.objects.get((plural, None if plural == "namespaces" else namespace, name))

    def add_pods(self, fixture):
        for pod in json.loads((FIXTURES / fixture).read_text())["items"]:
            self.add("pods", pod["metadata"]["namespace"], pod["metadata"]["name"], pod)

    def bring_up(self):
        """The Deployments' pods come up."""
        with self.lock:
            self.ready = True
            for (plural, _, _), document in self.objects.items():
                if plural == "deployments":
                    self._roll_out(document)

    # ---- requests ----

    def handle(self, request):
        if request.path == "/apis":
            groups = [
                {"name": group.split("/")[0], "versions": [{"groupVersion": group, "version": "v1"}]}
                for group in self.groups
            ]
            return reply({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
        if version := VERSION.fullmatch(request.path):
            return self._resources(version[1] or version[2])
        match = PATH.fullmatch(request.path)
        if match is None or match[3] not in KINDS:
            self.unexpected.append(str(request))
            return failure(404, "NotFound", "the server could not find the requested resource")
        prefix, namespace, plural, name = match.groups()
        group = prefix.removeprefix("/apis/").removeprefix("/api/")
        if group not in ["v1", *self.groups]:
            return failure(404, "NotFound", "the server could not find the requested resource")
        if name is None:
            return self._list(request, group, plural, namespace)
        methods = {"GET": self._get, "PATCH": self._apply, "DELETE": self._delete}
        return methods[request.method](request, plural, namespace, name)

    def _resources(self, version):
        if version not in ["v1", *self.groups]:
            return failure(404, "NotFound", "the server could not find the requested resource")
        if version not in SERVED:
            return failure(503, "ServiceUnavailable", "service unavailable")
        resources = [
            {"name": name, "namespaced": name not in CLUSTER_SCOPED, "verbs": ["get"] if "/" in name else ["get", "list"]}
            for name in SERVED[version]
        ]
        return reply({"kind": "APIResourceList", "groupVersion": version, "resources": resources})

    def _watch(self, request, plural, selector):
        def wants(event):
            return event["object"]["kind"] == KINDS[plural] and selects(selector, event["object"])

        stream = self.open_stream(wants)
        if "resourceVersion" not in request.query:
            for document in self.objects.values():
                stream.send({"type": "ADDED", "object": document})
        return Response(200, headers={"Content-Type": "application/json"}, chunks=stream)

    def _list(self, request, group, plural, namespace):
        selector, limit = request.query.get("labelSelector", ""), int(request.query.get("limit", 0))
        if "watch" in request.query:
            return self._watch(request, plural, selector)
        items = []
        for key, document in sorted(self.objects.items(), key=lambda item: str(item[0])):
            if key[0] == plural and namespace in (None, key[1]) and selects(selector, document):
                items.append({k: v for k, v in document.items() if k not in ("kind", "apiVersion")})
        metadata = {"resourceVersion": str(self.version)}
        if 0 < limit < len(items):
            items, metadata["continue"] = items[:limit], "more"
        return reply({"kind": KINDS[plural] + "List", "apiVersion": group, "metadata": metadata, "items": items})

    def _missing(self, plural, name):
        return failure(404, "NotFound", f'{plural} "{name}" not found')

    def _get(self, _request, plural, namespace, name):
        document = self.objects.get((plural, namespace, name))
        return self._missing(plural, name) if document is None else reply(document)

    def _stamp(self, plural, document):
        self.version += 1
        metadata = document["metadata"]
        metadata.setdefault("uid", hashlib.md5(f"{plural} {metadata['name']} {self.version}".encode()).hexdigest())
        metadata.setdefault("creationTimestamp", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))
        metadata["resourceVersion"] = str(self.version)
        document.setdefault("kind", KINDS[plural])
        kind = "MODIFIED" if (plural, metadata.get("namespace"), metadata["name"]) in self.objects else "ADDED"
        self.emit({"type": kind, "object": document})
        return document

    def change(self, plural, name, change, namespace="hostk8s"):
        """Somebody else changes an object: change(document)."""
        with self.lock:
            document = self.get(plural, name, namespace)
            change(document)
            self._stamp(plural, document)

    def remove(self, plural, name, namespace="hostk8s"):
        """Somebody else deletes an object."""
        with self.lock:
            key = (plural, None if plural == "namespaces" else namespace, name)
            self.applied.pop(key, None)
            self.emit({"type": "DELETED", "object": self.objects.pop(key)})

    def _roll_out(self, document):
        generation, replicas = document["metadata"]["generation"], document["spec"]["replicas"]
        document["status"] = {"observedGeneration": generation, "replicas": replicas, "updatedReplicas": replicas}
        if self.ready:
            document["status"] |= {"readyReplicas": replicas, "availableReplicas": replicas}
        else:
            document["status"] |= {"unavailableReplicas": replicas}

    def _default(self, plural, document, before):
        if plural == "services":
            document["spec"].setdefault("clusterIP", "10.96.0.42")
            document["spec"].setdefault("sessionAffinity", "None")
        if plural == "deployments":
            changed = before is None or before["spec"] != document["spec"]
            document["metadata"]["generation"] = document["metadata"].get("generation", 0) + changed
            document["spec"].setdefault("progressDeadlineSeconds", 600)
            self._roll_out(document)
        if plural == "namespaces":
            document["status"] = {"phase": "Active"}

    def _apply(self, request, plural, namespace, name):
        type_, manager = request.headers["content-type"], request.query["fieldManager"]
        if type_ != "application/apply-patch+yaml" or manager != MANAGER:
            return failure(415, "UnsupportedMediaType", "no server-side apply by the program")
        if namespace is not None and ("namespaces", None, namespace) not in self.objects:
            return self._missing("namespaces", namespace)
        applied, key = request.json(), (plural, namespace, name)
        if applied["metadata"]["name"] != name or applied["metadata"].get("namespace") != namespace:
            return failure(400, "BadRequest", "the name of the object does not match the URL")
        before = self.objects.get(key)
        document = clone(before) or {"apiVersion": applied["apiVersion"], "metadata": {}}
        drop(document, owned_part(self.applied.get(key, {"metadata": {}})), owned_part(applied))
        merge(document, applied)
        others = [m for m in document["metadata"].get("managedFields", []) if m["manager"] != MANAGER]
        entry = {"manager": MANAGER, "operation": "Apply", "apiVersion": applied["apiVersion"]}
        document["metadata"]["managedFields"] = others + [
            entry | {"fieldsType": "FieldsV1", "fieldsV1": fields(owned_part(applied))}
        ]
        document = without_zeroes(document)
        self._default(plural, document, before)
        self.applied[key] = applied
        if document != before:
            self.objects[key] = document = self._stamp(plural, document)
        return reply(document, 201 if before is None else 200)

    def _delete(self, request, plural, namespace, name):
        document = self.objects.get((plural, namespace, name))
        if document is None:
            return self._missing(plural, name)
        wanted = (request.json() if request.body else {}).get("preconditions", {}).get("uid")
        if wanted not in (None, document["metadata"]["uid"]):
            return failure(409, "Conflict", "the UID in the precondition does not match the UID in record")
        for key in list(self.objects):
            if key == (plural, namespace, name) or (plural == "namespaces" and key[1] == name):
                self.remove(key[0], key[2], key[1])
        return reply({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"})
