"""What HostK8s makes in a cluster, as far as it matters to the program: the objects of its
infra/manifests/registry-ui.yaml, and what its script writes to kube-public."""

LABELS = {"hostk8s.addon": "registry"}


def labelled(kind, name, group="v1", **parts):
    app = "registry-api" if name.startswith("registry-api") else "registry-ui"
    metadata = {"name": name, "namespace": "hostk8s", "labels": {"app": app} | LABELS}
    return {"apiVersion": group, "kind": kind, "metadata": metadata} | parts


def ingress(name, path, service, annotations):
    backend = {"service": {"name": service, "port": {"number": 80 if service == "registry-ui" else 5000}}}
    rule = {"host": "localhost", "http": {"paths": [{"path": path, "pathType": "Prefix", "backend": backend}]}}
    document = labelled("Ingress", name, "networking.k8s.io/v1", spec={"ingressClassName": "nginx", "rules": [rule]})
    notes = {f"nginx.ingress.kubernetes.io/{note}": value for note, value in annotations.items()}
    document["metadata"]["annotations"] = notes
    return document


ENDPOINTS = labelled("Endpoints", "registry-api", subsets=[
    {"addresses": [{"ip": "192.168.65.254"}], "ports": [{"port": 5002, "name": "http", "protocol": "TCP"}]}
])
CONTAINER = {"name": "registry-ui", "image": "joxit/docker-registry-ui:main", "ports": [{"containerPort": 80}]}
MANIFESTS = [
    labelled("Deployment", "registry-ui", "apps/v1", spec={
        "replicas": 1,
        "selector": {"matchLabels": {"app": "registry-ui"}},
        "template": {"metadata": {"labels": {"app": "registry-ui"} | LABELS}, "spec": {"containers": [CONTAINER]}},
    }),
    labelled("Service", "registry-api", spec={"ports": [{"name": "http", "port": 5000, "targetPort": 5002}]}),
    ENDPOINTS,
    labelled("Service", "registry-ui", spec={
        "ports": [{"name": "http", "port": 80, "targetPort": 80}], "selector": {"app": "registry-ui"}
    }),
    ingress("registry-api-ingress", "/v2", "registry-api", {"proxy-body-size": "0"}),
    ingress("registry-ui", "/registry", "registry-ui", {"rewrite-target": "/", "ssl-redirect": "false"}),
]
HOSTING = 'host: "localhost:5002"\nhelp: "https://kind.sigs.k8s.io/docs/user/local-registry/"\n'


def apply(kube):
    if kube.get("namespaces", "hostk8s") is None:
        kube.add("namespaces", None, "hostk8s", {})
    for document in MANIFESTS:
        kube.apply(document, "kubectl-client-side-apply")
    hosting = {"data": {"localRegistryHosting.v1": HOSTING}}
    kube.add("configmaps", "kube-public", "local-registry-hosting", hosting)


def is_made_by(document):
    """Also what the cluster made of it."""
    labels = document["metadata"].get("labels") or {}
    return LABELS.items() <= labels.items() or document.get("data") == {"localRegistryHosting.v1": HOSTING}
