"""The manifests of `istio/`: held against the schemas of those who read them and against each other, and each plugin run behind Envoy routes made from
its VirtualService, with clusters named as Istio names them.
"""

import copy
import re

import fastjsonschema
import pytest
import yaml
from rig import oracle
from rig.client import many
from rig.envoy import TAGS
from rig.examples import ROOT, ROUTE, annotation, answer, documents, drawn, ids, manifest, post
from rig.manifests import check_configuration, check_fields

FILES = sorted((ROOT / "istio").rglob("*.yaml"))
PLUGINS = [path for path in FILES if "pluginConfig:" in path.read_text()]


@pytest.mark.parametrize("path", PLUGINS, ids=lambda path: path.name)
def test_the_native_check_has_nothing_to_say_once_there_is_an_image(path, tmp_path):
    check_configuration(path.read_text(), tmp_path)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_field_is_known(path):
    for document in documents(path):
        if "kind" in document:
            check_fields(document)


def test_a_misspelt_field_would_be_found():
    wrong = copy.deepcopy(manifest("gateway.yaml", "WasmPlugin")[0])
    wrong["spec"]["failStrategie"] = wrong["spec"].pop("failStrategy")
    with pytest.raises(fastjsonschema.JsonSchemaValueException, match="failStrategie"):
        check_fields(wrong)


def test_the_traffic_extension_is_the_gateways_plugin():
    [old], [new] = manifest("gateway.yaml", "WasmPlugin"), manifest("traffic-extension.yaml", "TrafficExtension")
    flat = {key: value for key, value in new["spec"].items() if key != "wasm"} | new["spec"]["wasm"]
    assert new["metadata"] == old["metadata"]
    assert flat | {"phase": "UNSPECIFIED_PHASE"} == old["spec"] and flat["phase"] == "UNSPECIFIED"


def test_labels_are_the_same_everywhere():
    assert sorted(yaml.safe_load(annotation("proxy.istio.io/config"))["extraStatTags"]) == sorted(TAGS)
    assert sorted(documents(ROOT / "istio/mesh-config.yaml")[0]["meshConfig"]["defaultConfig"]["extraStatTags"]) == sorted(TAGS)


def cluster_of(destination):
    """The name that Istio gives to the cluster of a route's destination."""
    return f"outbound|{destination['port']['number']}|{destination['subset']}|{destination['host']}"


def envoy_routes(virtual_service):
    """Envoy's routes for a VirtualService of exact header matches, as istiod makes them."""
    for entry in virtual_service["spec"]["http"]:
        [destination] = [route["destination"] for route in entry["route"]]
        for match in entry.get("match", [{"headers": {}}]):
            headers = [{"name": name, "string_match": value} for name, value in match["headers"].items()]
            yield {"match": {"prefix": "/", "headers": headers}, "route": {"cluster": cluster_of(destination), "timeout": entry["timeout"]}}


PLACEMENTS = {"gateway.yaml": "fraud.example.com", "sidecar.yaml": "fraud.models:8080"}


def placement(name):
    """The plugin's `spec`, its only route, and the routes of its VirtualService as Envoy's."""
    [plugin], [service] = manifest(name, "WasmPlugin"), manifest(name, "VirtualService")
    [route] = plugin["spec"]["pluginConfig"]["routes"]
    return plugin["spec"], route, list(envoy_routes(service))


@pytest.mark.parametrize("name", PLACEMENTS)
def test_a_plugin_says_where_it_runs_and_harms_nobody(name):
    spec, _, _ = placement(name)
    assert spec["selector"]["matchLabels"] and spec["match"][0]["mode"] == "CLIENT"
    assert spec["failStrategy"] == "FAIL_OPEN" and spec["pluginConfig"]["on_invalid"] == "pass"
    assert re.fullmatch("oci://.+@sha256:0{64}", spec["url"]), "a digest that is clearly none"


@pytest.mark.parametrize("name", PLACEMENTS)
def test_every_cluster_that_a_placement_names_comes_from_its_services(name):
    _, route, routes = placement(name)
    services = {document["metadata"]["name"]: document["spec"] for document in manifest("services.yaml", "Service")}
    rules = {document["spec"]["host"]: document["spec"] for document in manifest("services.yaml", "DestinationRule")}
    copies, live = {shadow["cluster"] for shadow in route["shadows"]}, {found["route"]["cluster"] for found in routes}
    for _, port, subset, host in (cluster.split("|") for cluster in copies | live):
        [declared] = services[host.split(".")[0]]["ports"]
        assert str(declared["port"]) == port and declared["name"].startswith("http") and declared["appProtocol"] == "http"
        assert subset in ["", *(found["name"] for found in rules[host].get("subsets", []))]
    for cluster in copies:
        assert rules[cluster.split("|")[3]]["trafficPolicy"]["connectionPool"]["http"]["http2MaxRequests"] == 64


@pytest.mark.parametrize("name", PLACEMENTS)
def test_the_routes_follow_the_split(name):
    _, route, routes = placement(name)
    matched = [(header["name"], header["string_match"]["exact"]) for found in routes for header in found["match"]["headers"]]
    assert matched == [(route["split"]["header"], canary["name"]) for canary in route["split"]["canaries"]]
    assert [found["route"]["cluster"].split("|")[2] for found in routes] == [*(value for _, value in matched), route["split"]["baseline"]]


@pytest.mark.parametrize("name", PLACEMENTS)
def test_a_placement_with_traffic(name, lab):
    spec, route, routes = placement(name)
    canaries = [(canary["name"], canary["percent"]) for canary in route["split"]["canaries"]]
    variants = {variant: lab.upstream(answer(0.9, model_version=variant)) for variant in ("v1", "v2")}
    copies = {shadow["cluster"]: lab.upstream(answer(0.905)) for shadow in route["shadows"]}
    live = {found["route"]["cluster"]: variants[found["route"]["cluster"].split("|")[2]] for found in routes}
    proxy = lab.proxy(spec["pluginConfig"], live | copies, routes=routes, concurrency=2)

    outside = not spec["pluginConfig"].get("trust_copies", True)
    forged = {"x_gnomon_variant": "v2"} | ({"x_gnomon_shadow": "v2-copy"} if outside else {})
    users = [f"user-{i}" for i in range(400)]
    many(proxy.port, [post(host=PLACEMENTS[name], x_user_id=user, x_request_id=user, **forged) for user in users])
    for variant, upstream in variants.items():
        assert ids(upstream) == sorted(user for user in users if oracle.variant(user, ROUTE, "v1", canaries) == variant)

    sampled = drawn(ids(variants["v1"]))
    proxy.eventually("gnomon_pairs_total", len(sampled) * len(copies), verdict="equivalent")
    for cluster, upstream in copies.items():
        assert ids(upstream) == sampled and {received.header("host") for received in upstream.seen} == {cluster.split("|")[3]}
    assert proxy.metrics().total("gnomon_configuration") == 1

    proxy.send(post(host="elsewhere.example.com", x_user_id="u"))
    if not outside:
        proxy.send(post(host=PLACEMENTS[name], x_user_id="u", x_gnomon_shadow="v2-copy"))
    assert proxy.metrics().total("gnomon_requests_total") == 400, "another host, and inside the mesh a copy, are not of the route"
