"""What Kubernetes knows of the kinds that the program uses or meets: where they are served, which of
their lists are maps, what the server fills in, leaves out, and does not let change. Facts of
Kubernetes' own API (k8s.io/api, its OpenAPI documents) and of recorded answers (fixtures/kube-1.36.2)."""

import dataclasses
import json


@dataclasses.dataclass(frozen=True)
class Kind:
    kind: str
    group: str  # as in apiVersion
    namespaced: bool = True

    @property
    def prefix(self):
        return f"/apis/{self.group}" if "/" in self.group else f"/api/{self.group}"

    def qualified(self, plural):
        """As messages name the resource."""
        group = self.group.rpartition("/")[0]
        return f"{plural}.{group}" if group else plural


KINDS = {
    "namespaces": Kind("Namespace", "v1", namespaced=False),
    "configmaps": Kind("ConfigMap", "v1"),
    "secrets": Kind("Secret", "v1"),
    "serviceaccounts": Kind("ServiceAccount", "v1"),
    "services": Kind("Service", "v1"),
    "endpoints": Kind("Endpoints", "v1"),
    "pods": Kind("Pod", "v1"),
    "persistentvolumeclaims": Kind("PersistentVolumeClaim", "v1"),
    "deployments": Kind("Deployment", "apps/v1"),
    "statefulsets": Kind("StatefulSet", "apps/v1"),
    "daemonsets": Kind("DaemonSet", "apps/v1"),
    "jobs": Kind("Job", "batch/v1"),
    "cronjobs": Kind("CronJob", "batch/v1"),
    "endpointslices": Kind("EndpointSlice", "discovery.k8s.io/v1"),
    "ingresses": Kind("Ingress", "networking.k8s.io/v1"),
    "ingressclasses": Kind("IngressClass", "networking.k8s.io/v1", namespaced=False),
    "gatewayclasses": Kind("GatewayClass", "gateway.networking.k8s.io/v1", namespaced=False),
    "gateways": Kind("Gateway", "gateway.networking.k8s.io/v1"),
    "httproutes": Kind("HTTPRoute", "gateway.networking.k8s.io/v1"),
    "widgets": Kind("Widget", "example.com/v1"),
}
GROUPS = ["apps/v1", "batch/v1", "discovery.k8s.io/v1", "networking.k8s.io/v1"]


@dataclasses.dataclass(frozen=True)
class Version:
    minor: int
    groups: tuple = tuple(GROUPS)
    warnings: dict = dataclasses.field(default_factory=dict)  # plural -> what every answer warns of


ENDPOINTS_WARNING = '299 - "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"'
VERSIONS = {
    "1.20": Version(20, ("apps/v1", "batch/v1", "networking.k8s.io/v1")),
    "1.29": Version(29),
    "1.36": Version(36, warnings={"endpoints": ENDPOINTS_WARNING}),
}

# ---- lists and maps: the keys of lists that are maps, and what is replaced as a whole ----

TEMPLATE = "spec.template.spec"
KEYS = {
    "spec.ports": ["port", "protocol"],
    "status.conditions": ["type"],
    f"{TEMPLATE}.containers": ["name"],
    f"{TEMPLATE}.initContainers": ["name"],
    f"{TEMPLATE}.containers.env": ["name"],
    f"{TEMPLATE}.containers.ports": ["containerPort", "protocol"],
    f"{TEMPLATE}.containers.volumeMounts": ["mountPath"],
    f"{TEMPLATE}.volumes": ["name"],
    f"{TEMPLATE}.imagePullSecrets": ["name"],
    "metadata.ownerReferences": ["uid"],
}
ATOMIC = {"spec.selector", f"{TEMPLATE}.nodeSelector"}
KEY_DEFAULTS = {"protocol": "TCP"}
# The zero values that the server shows: those of pointers, and of structs.
SHOWN = {"immutable", "automountServiceAccountToken", "enableServiceLinks", "ready", "securityContext", "status"}
SHOWN |= {"loadBalancer", "resources", "emptyDir", "readOnlyRootFilesystem", "allowPrivilegeEscalation"}
SHOWN |= {"runAsNonRoot", "replicas"}
VALUES = {"data", "binaryData", "labels", "annotations", "matchLabels", "selector", "requests", "limits"}  # of maps
CUSTOM = ("httproutes", "gateways", "gatewayclasses", "widgets")  # kept as they were sent


def keys_of(path, element):
    """What identifies an element of a list that is a map."""
    return {key: element.get(key, KEY_DEFAULTS.get(key)) for key in KEYS[path] if key in element or key in KEY_DEFAULTS}


def is_map(path, value):
    return path in KEYS and isinstance(value, list) and all(isinstance(element, dict) for element in value)


def without_zeroes(value):
    """As Go's omitempty leaves it."""
    if isinstance(value, list):
        return [without_zeroes(child) for child in value]
    if not isinstance(value, dict):
        return value
    return {
        name: child if name in VALUES or name == "managedFields" else without_zeroes(child)
        for name, child in value.items()
        if name in SHOWN or child not in (None, "", [], {}, False)
    }


# ---- what the server fills in ----


def fill(into, **values):
    for name, value in values.items():
        into.setdefault(name, value)


def fill_pod(pod):
    fill(pod, restartPolicy="Always", terminationGracePeriodSeconds=30, dnsPolicy="ClusterFirst")
    fill(pod, securityContext={}, schedulerName="default-scheduler")
    for container in pod.get("containers", []) + pod.get("initContainers", []):
        fill(container, resources={}, terminationMessagePath="/dev/termination-log", terminationMessagePolicy="File")
        latest = container.get("image", "").rpartition(":")[2] in ("latest", container.get("image"))
        fill(container, imagePullPolicy="Always" if latest else "IfNotPresent")
        for port in container.get("ports", []):
            fill(port, protocol="TCP")
        for probe in (container[name] for name in container if name.endswith("Probe")):
            fill(probe, timeoutSeconds=1, periodSeconds=10, successThreshold=1, failureThreshold=3)
            if "httpGet" in probe:
                fill(probe["httpGet"], path="/", scheme="HTTP")
    for volume in pod.get("volumes", []):
        for source in ("configMap", "secret", "projected"):
            if source in volume:
                fill(volume[source], defaultMode=420)


def fill_deployment(document, _version):
    spec = document["spec"]
    fill(spec, replicas=1, revisionHistoryLimit=10, progressDeadlineSeconds=600, strategy={"type": "RollingUpdate"})
    if spec["strategy"]["type"] == "RollingUpdate":
        fill(spec["strategy"], rollingUpdate={"maxUnavailable": "25%", "maxSurge": "25%"})
    fill_pod(spec.setdefault("template", {}).setdefault("spec", {}))
    fill(document, status={})


def fill_service(document, version):
    spec = document.setdefault("spec", {})
    fill(spec, clusterIP="10.96.0.42", type="ClusterIP", sessionAffinity="None")
    fill(spec, clusterIPs=[spec["clusterIP"]])
    if version.minor >= 22:
        fill(spec, ipFamilies=["IPv4"], ipFamilyPolicy="SingleStack", internalTrafficPolicy="Cluster")
    for port in spec.get("ports", []):
        fill(port, protocol="TCP", targetPort=port.get("port"))
    fill(document, status={"loadBalancer": {}})


def fill_namespace(document, version):
    metadata = document["metadata"]
    if version.minor >= 21:
        metadata.setdefault("labels", {})["kubernetes.io/metadata.name"] = metadata["name"]
    fill(document, spec={"finalizers": ["kubernetes"]}, status={"phase": "Active"})


def fill_ingress(document, _version):
    fill(document, status={"loadBalancer": {}})


def fill_ports(document, _version):
    for part in [document, *document.get("subsets", [])]:
        for port in part.get("ports", []):
            fill(port, protocol="TCP")


def fill_route(document, _version):
    spec = document.setdefault("spec", {})
    for parent in spec.get("parentRefs", []):
        fill(parent, group="gateway.networking.k8s.io", kind="Gateway")
    for rule in spec.get("rules", []):
        fill(rule, matches=[{"path": {"type": "PathPrefix", "value": "/"}}])
        for backend in rule.get("backendRefs", []):
            fill(backend, group="", kind="Service", weight=1)


FILL = {
    "deployments": fill_deployment,
    "services": fill_service,
    "namespaces": fill_namespace,
    "ingresses": fill_ingress,
    "endpoints": fill_ports,
    "endpointslices": fill_ports,
    "httproutes": fill_route,
}
HAS_GENERATION = ("deployments", "endpointslices", "ingresses", "ingressclasses", "httproutes", "gateways")

# ---- what it refuses ----


def get(document, path):
    for name in path.split("."):
        document = document.get(name) if isinstance(document, dict) else None
    return document


IMMUTABLE = {
    "deployments": ["spec.selector"],
    "endpointslices": ["addressType"],
    "services": ["spec.clusterIP"],
}


def refusals(plural, before, after):
    """(field, reason, message) of each thing that is wrong with the object; before is None for a new one."""
    for path in IMMUTABLE.get(plural, []) if before is not None else []:
        if get(before, path) != get(after, path):
            text = "may not change once set" if plural == "services" else "field is immutable"
            yield path, "FieldValueInvalid", f"Invalid value: {json.dumps(get(after, path))}: {text}"
    if before is not None and before.get("immutable"):
        for path in ("immutable", "data", "binaryData"):
            if before.get(path) != after.get(path):
                yield path, "FieldValueForbidden", "Forbidden: field is immutable when `immutable` is set"
    if plural == "deployments":
        labels = get(after, "spec.template.metadata.labels") or {}
        if not (get(after, "spec.selector.matchLabels") or {}).items() <= labels.items():
            text = f"Invalid value: {json.dumps(labels)}: `selector` does not match template `labels`"
            yield "spec.template.metadata.labels", "FieldValueInvalid", text
    for path, ports in port_lists(after):
        names = [port.get("name") for port in ports]
        for number, name in enumerate(names):
            if name in names[:number]:
                yield f"{path}[{number}].name", "FieldValueDuplicate", f"Duplicate value: {json.dumps(name)}"
    for number, container in enumerate(get(after, f"{TEMPLATE}.containers") or []):
        for place, variable in enumerate(container.get("env", [])):
            if variable.get("value") and variable.get("valueFrom"):
                path = f"{TEMPLATE}.containers[{number}].env[{place}].valueFrom"
                yield path, "FieldValueInvalid", 'Invalid value: "": may not be specified when `value` is not empty'


def port_lists(document):
    yield "spec.ports", get(document, "spec.ports") or []
    for number, container in enumerate(get(document, f"{TEMPLATE}.containers") or []):
        yield f"{TEMPLATE}.containers[{number}].ports", container.get("ports", [])
