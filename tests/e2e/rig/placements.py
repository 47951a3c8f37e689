"""The placements of `istio/`: what kustomize makes of their overlays, and Envoy's routes and names of clusters for them, as istiod makes them."""

import functools
import hashlib
import os
import pathlib
import tempfile

import yaml

from . import manifests

ISTIO = manifests.ROOT / "istio"
OVERLAYS = sorted(path.name for path in (ISTIO / "overlays").iterdir())


def on_top(resources, components):
    """What kustomize makes of a kustomization with these folders, named as in the project."""
    with tempfile.TemporaryDirectory(prefix="gnomon-kustomize-") as folder:
        own = {"resources": resources, "components": components}
        own = {key: [os.path.relpath(manifests.ROOT / path, os.path.realpath(folder)) for path in paths] for key, paths in own.items()}
        (pathlib.Path(folder) / "kustomization.yaml").write_text(yaml.safe_dump(own))
        return manifests.build(folder)


@functools.cache
def text(name, *components):
    """What kustomize makes of an overlay, with further ones of `istio/components` on top of it."""
    if not components:
        return manifests.build(ISTIO / "overlays" / name)
    return on_top([f"istio/overlays/{name}"], [f"istio/components/{component}" for component in components])


def built(name, *components):
    """The resources of `text`."""
    return manifests.parsed(text(name, *components))


def of_kind(documents, *kinds):
    """The resources of these kinds."""
    return [document for document in documents if document["kind"] in kinds]


class Placement:
    """An overlay: its plugin, and what the proxy that runs it is told."""

    def __init__(self, name):
        self.name, self.documents = name, built(name)
        self.config = manifests.only(self.documents, "WasmPlugin")["spec"]["pluginConfig"]
        [self.route] = self.config["routes"]
        self.is_waypoint = name == "waypoint"

    def routes(self):
        """Envoy's routes: those of a VirtualService in its order, those of an HTTPRoute with more conditions first."""
        services, routes = of_kind(self.documents, "VirtualService"), of_kind(self.documents, "HTTPRoute")
        if services:
            return list(_of_virtual_service(services[0]))
        if routes:
            return sorted(self._of_http_route(routes[0]), key=lambda made: -len(made["match"]["headers"]))
        # A server's own sidecar has one.
        return [_entry([], f"inbound|{self.service('fraud')['ports'][0]['targetPort']}||", None)]

    def service(self, name):
        """The `spec` of a Service."""
        return manifests.only(self.documents, "Service", name)["spec"]

    def _of_http_route(self, route):
        for rule in route["spec"]["rules"]:
            [backend] = rule["backendRefs"]
            for match in rule.get("matches", [{"headers": []}]):
                assert set(match) == {"headers"} and all(set(header) == {"name", "value"} for header in match["headers"])
                headers = [(header["name"], header["value"]) for header in match["headers"]]
                yield _entry(headers, self.backend(backend, route["metadata"]["namespace"]), rule["timeouts"]["request"])

    def backend(self, backend, namespace):
        """The cluster of a rule's backend. A pool has a Service that Istio makes, with a port of its own."""
        name = backend["name"]
        if backend.get("kind") == "InferencePool":
            digest = hashlib.sha256(name.encode()).hexdigest()[:8]
            return f"outbound|54321||{name}-ip-{digest}.{namespace}.svc.cluster.local"
        form = "inbound-vip|{}|http|{}" if self.is_waypoint else "outbound|{}||{}"
        return form.format(backend["port"], f"{name}.{namespace}.svc.cluster.local")


def _of_virtual_service(service):
    for entry in service["spec"]["http"]:
        [destination] = [route["destination"] for route in entry["route"]]
        cluster = f"outbound|{destination['port']['number']}|{destination['subset']}|{destination['host']}"
        for match in entry.get("match", [{"headers": {}}]):
            assert set(match) == {"headers"} and all(set(value) == {"exact"} for value in match["headers"].values())
            yield _entry([(name, value["exact"]) for name, value in match["headers"].items()], cluster, entry["timeout"])


def _entry(headers, cluster, timeout):
    matches = [{"name": name, "string_match": {"exact": value}} for name, value in headers]
    return {"match": {"prefix": "/", "headers": matches}, "route": {"cluster": cluster, **({"timeout": timeout} if timeout else {})}}
