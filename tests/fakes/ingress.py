"""An ingress controller of a fake cluster, with what ingress-nginx 1.12 answers: the UI's page and the
registry where the cluster's objects lead to them, else nginx's own error pages."""

from fakes.message import Response

PAGE = b"<!DOCTYPE html><html><head><title>Docker Registry UI</title></head><body></body></html>"
TITLES = {404: "404 Not Found", 502: "502 Bad Gateway", 503: "503 Service Temporarily Unavailable"}


def page(body, status=200, **headers):
    return Response(status, body, {"Content-Type": "text/html"} | headers)


def error_page(status):
    """Without a Server header, which ingress-nginx leaves out."""
    title = TITLES[status]
    text = f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n"
    return page(f"{text}<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n".encode(), status)


def backend(kube, path):
    """Namespace and name of the Service that has the path, by its longest prefix."""
    found = (-1, None, None)
    for (plural, namespace, _), document in list(kube.objects.items()):
        rules = document["spec"]["rules"] if plural == "ingresses" and "rules" in document.get("spec", {}) else []
        for rule in rules:
            for row in rule["http"]["paths"] if "host" not in rule else []:
                prefix = row["path"].partition("(")[0].rstrip("/")
                if path == prefix or path.startswith(prefix + "/"):
                    found = max(found, (len(prefix), namespace, row["backend"]["service"]["name"]))
    return found[1:]


def addresses(kube, namespace, name):
    """Those of a Service without a selector."""
    for (plural, space, _), document in list(kube.objects.items()):
        if plural == "endpointslices" and space == namespace:
            if document["metadata"]["labels"].get("kubernetes.io/service-name") == name:
                yield from (address for endpoint in document["endpoints"] or [] for address in endpoint["addresses"])
    legacy = kube.get("endpoints", name, namespace) or {}
    yield from (row["ip"] for subset in legacy.get("subsets") or [] for row in subset["addresses"])


def answer(kube, engine, request):
    """None: no answer at all."""
    namespace, name = backend(kube, request.path)
    if name is None:
        return error_page(404)
    service = kube.get("services", name, namespace)
    if service is None:
        return error_page(503)
    if service["spec"].get("selector"):
        deployment = kube.get("deployments", name, namespace) or {}
        if not deployment.get("status", {}).get("availableReplicas"):
            return error_page(503)
        return page(PAGE) if request.path.endswith("/") else page(b"", 302, Location=f"{request.path}/")
    ips = set(addresses(kube, namespace, name))
    container = next((c for c in engine.containers if c.is_up() and any(n["ip"] in ips for n in c.networks.values())), None)
    if not ips:
        return error_page(503)
    return (engine.ask_registry(container, request) if container else None) or error_page(502)
