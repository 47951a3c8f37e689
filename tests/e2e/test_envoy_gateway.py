"""The manifests of `envoy-gateway/`: held against what Envoy Gateway's own translation makes of them, and run on the real Envoy with traffic."""

import copy
import json
import re

import fastjsonschema
import pytest
from rig import invariants, oracle
from rig.client import many, request
from rig.envoy import TAGS, Envoy
from rig.envoy_gateway import bootstrap, enable, filter_of, manager, translated
from rig.examples import EXPERIMENT, PATH, ROOT, ROUTE, answer, buckets, drawn, ids, post
from rig.lab import WASM
from rig.manifests import build, built, check_configuration, check_fields, only

FOLDER = ROOT / "envoy-gateway"
HOST, USERS = "fraud.example.com", 400
SHADOW, CANARY, BASELINE = "httproute/models/fraud-shadow/rule/0", "httproute/models/fraud/rule/0", "httproute/models/fraud/rule/1"


@pytest.fixture(name="documents")
def read():
    """What kustomize makes of the folder, for a test to change."""
    return built(FOLDER)


@pytest.fixture(scope="module", name="whole_xds")
def translate():
    """What Envoy Gateway makes of that."""
    return translated(built(FOLDER))


@pytest.fixture(name="xds")
def copied(whole_xds):
    """The same, for a test to change."""
    return copy.deepcopy(whole_xds)


def wasm_of(documents):
    """The policy's plugin."""
    [plugin] = only(documents, "EnvoyExtensionPolicy")["spec"]["wasm"]
    return plugin


def test_the_native_check_has_nothing_to_say_once_there_is_an_image(tmp_path):
    check_configuration(build(FOLDER), tmp_path)


def test_every_field_is_known(documents):
    for document in documents:
        check_fields(document)


def test_a_misspelt_field_would_be_found(documents):
    plugin = wasm_of(documents)
    plugin["failOpn"] = plugin.pop("failOpen")
    with pytest.raises(fastjsonschema.JsonSchemaValueException, match="failOpn"):
        check_fields(only(documents, "EnvoyExtensionPolicy"))


def test_the_policy_harms_nobody(documents):
    policy, plugin = only(documents, "EnvoyExtensionPolicy")["spec"], wasm_of(documents)
    assert set(policy) == {"targetRefs", "mergeType", "wasm"}, "nothing else in it"
    assert policy["targetRefs"] == [{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": "fraud"}], "the whole route"
    assert plugin["failOpen"] and plugin["config"]["on_invalid"] == "pass" and plugin["config"]["trust_copies"] is False
    assert re.fullmatch("registry.+@sha256:0{64}", plugin["code"]["image"]["url"]), "a digest that is clearly none"


def policy_of(kind, **spec):
    """A policy on the route."""
    target = {"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": "fraud"}
    metadata = {"name": kind.lower(), "namespace": "models"}
    return {"apiVersion": "gateway.envoyproxy.io/v1alpha1", "kind": kind, "metadata": metadata, "spec": {"targetRefs": [target], **spec}}


@pytest.mark.parametrize("refusing", [["rbac"], ["local_ratelimit"], ["rbac", "local_ratelimit"], []], ids="+".join)
def test_the_filter_stands_behind_all_that_refuses(documents, refusing):
    """By Envoy Gateway's own order. `egctl` translates no Wasm, so a filter of Lua takes its place, which stands before these two as well."""
    order = only(documents, "EnvoyProxy")["spec"]["filterOrder"]
    assert {position["name"] for position in order} == {"envoy.filters.http.wasm"}
    assert [position["after"] for position in order][-1] == "envoy.filters.http.ratelimit", "the last that is there counts"
    for position in order:
        position["name"] = "envoy.filters.http.lua"
    allowed = {"action": "Allow", "principal": {"clientCIDRs": ["10.0.0.0/8"]}}
    limit = {"type": "Local", "local": {"rules": [{"limit": {"requests": 1, "unit": "Minute"}}]}}
    policies = {
        "rbac": policy_of("SecurityPolicy", authorization={"defaultAction": "Deny", "rules": [allowed]}),
        "local_ratelimit": policy_of("BackendTrafficPolicy", rateLimit=limit),
    }
    script = policy_of("EnvoyExtensionPolicy", lua=[{"type": "Inline", "inline": "function envoy_on_request(handle) end"}])
    xds = translated([*documents, script, *(policies[name] for name in refusing)])
    names = [one["name"].split("/")[0].removeprefix("envoy.filters.http.") for one in manager(xds)["httpFilters"]]
    assert names == [*refusing, "lua", "router"]


def test_the_bootstrap_has_all_labels_and_buckets(xds):
    stats = xds["bootstrap"]["statsConfig"]
    tags = {tag["tagName"]: tag["regex"] for tag in stats["statsTags"]}
    assert {tag: tags.get(tag) for tag in TAGS} == {tag: rf"({tag}=\.=(.*?);\.;)" for tag in TAGS}
    assert tags.keys() - TAGS, "Envoy Gateway's own are still there"
    assert stats["histogramBucketSettings"] == buckets()


def test_the_clusters_of_the_configuration_are_those_of_the_rules(xds, documents):
    assert {SHADOW, CANARY, BASELINE} == {name for name in xds["clusters"] if name.startswith("httproute/")}
    [route] = wasm_of(documents)["config"]["routes"]
    assert [shadow["cluster"] for shadow in route["shadows"]] == [SHADOW]
    [bounds] = xds["clusters"][SHADOW]["circuitBreakers"]["thresholds"]
    assert {bounds[key] for key in ("maxConnections", "maxPendingRequests", "maxRequests")} == {64}


def test_each_rule_leads_to_the_service_of_its_variant(documents):
    rules = [rule for name in ("fraud", "fraud-shadow") for rule in only(documents, "HTTPRoute", name)["spec"]["rules"]]
    services = {rule["name"]: [backend["name"] for backend in rule["backendRefs"]] for rule in rules}
    assert services == {"canary": ["fraud-canary"], "baseline": ["fraud"], "copies": ["fraud-shadow"]}
    selected = {name: only(documents, "Service", name)["spec"]["selector"] for [name] in services.values()}
    assert [selected[name].get("version") for name in ("fraud", "fraud-canary")] == ["v1", "v2"], "baseline and canary of the split"


def test_the_shadows_cluster_keeps_its_name_where_backends_are_merged(documents):
    only(documents, "EnvoyProxy")["spec"]["mergeBackends"] = {}
    clusters = translated(documents)["clusters"]
    assert SHADOW in clusters and BASELINE not in clusters, "the shadow's bounds keep its cluster from being merged"


def test_a_weighted_rule_is_one_cluster(documents):
    """Why there is no `observe` in Envoy Gateway."""
    route = only(documents, "HTTPRoute", "fraud")["spec"]
    route["rules"] = [{"backendRefs": [{"name": name, "port": 8080, "weight": 50} for name in ("fraud", "fraud-canary")]}]
    clusters = translated(documents)["clusters"]
    assert {name for name in clusters if name.startswith("httproute/models/fraud/")} == {CANARY}


@pytest.fixture(name="start")
def starter(lab, tmp_path, xds, documents, request):
    """Starts an Envoy from the translated manifests, with this share for the shadow; after the test all must add up."""
    running = []

    def start(upstreams, percent=None):
        policy = only(documents, "EnvoyExtensionPolicy")
        if percent:
            wasm_of(documents)["config"]["routes"][0]["shadows"][0]["percent"] = percent
        enable(xds, filter_of(policy, WASM), "httproute/models/fraud/")
        running.append(lab.keep(Envoy(bootstrap(xds, upstreams), tmp_path, concurrency=2)))
        return running[-1]

    yield start
    for proxy in running:
        if getattr(request.node, "failed", True):
            print(proxy.log()[-8000:])
        else:
            invariants.check(proxy)


def upstreams_of(lab):
    """An upstream for each cluster; the canary and the shadow differ from the baseline by less than the tolerance."""
    scores = {BASELINE: 0.9, CANARY: 0.9, SHADOW: 0.905}
    return {name: lab.upstream(answer(score)) for name, score in scores.items()}


def test_the_split_and_the_copies_with_traffic(lab, start, documents):
    [route] = wasm_of(documents)["config"]["routes"]
    canaries = [(canary["name"], canary["percent"]) for canary in route["split"]["canaries"]]
    upstreams = upstreams_of(lab)
    proxy = start(upstreams)
    users = [f"user-{i}" for i in range(USERS)]
    forged = {"x_gnomon_variant": "v2", "x_gnomon_shadow": "v2-copy"}
    many(proxy.port, [post(host=HOST, x_user_id=user, **forged) for user in users])
    for cluster, variant in ((BASELINE, "v1"), (CANARY, "v2")):
        seen = sorted(received.header("x-user-id") for received in upstreams[cluster].seen)
        assert seen == sorted(user for user in users if oracle.variant(user, ROUTE, "v1", canaries) == variant)

    sampled = drawn(ids(upstreams[BASELINE]))
    assert sampled and oracle.sampled(sampled[0], EXPERIMENT, ROUTE, 10)
    proxy.eventually("gnomon_pairs_total", len(sampled), verdict="equivalent", shadow="v2-copy")
    assert ids(upstreams[SHADOW]) == sampled
    assert {received.header("host") for received in upstreams[SHADOW].seen} == {"fraud-shadow.models.svc.cluster.local"}
    exported(proxy)


def exported(proxy):
    """Every label became one, and the buckets are ours."""
    metrics = proxy.metrics()
    assert all(re.fullmatch("[a-z_]+", name) for name in metrics.names())
    assert metrics.total("gnomon_configuration", plugin="gnomon") == 1
    for name in (name for name, kind in metrics.names().items() if kind == "histogram"):
        found = {float(dict(labels)["le"]) for labels in metrics.series(f"{name}_bucket")}
        assert found == {*buckets()[0]["buckets"], float("inf")}, name


def test_nobody_outside_reaches_the_shadow(lab, start):
    upstreams = upstreams_of(lab)
    proxy = start(upstreams)
    host = "fraud-shadow.gnomon.invalid"
    assert proxy.send(post(host=host)).status == 404
    assert proxy.send(post(host=host, x_gnomon_never="x")).status == 404
    assert proxy.send(post(host=HOST, x_user_id="u")).status == 200
    assert not upstreams[SHADOW].seen or len(upstreams[SHADOW].seen) == proxy.metrics().total("gnomon_sampled_total")


def test_bodies_beyond_the_gateways_buffers_are_copied_and_compared(lab, start, xds):
    """Envoy Gateway holds back at most 32 KiB of a connection: the filter holds nothing back, so larger bodies pass, whole."""
    assert [listener.get("perConnectionBufferLimitBytes") for listener in xds["listeners"]] == [None, 32768]
    assert xds["clusters"][SHADOW]["perConnectionBufferLimitBytes"] == 32768
    reply = answer(*[0.25] * 20_000)
    upstreams = {name: lab.upstream(reply) for name in (BASELINE, CANARY, SHADOW)}
    proxy = start(upstreams, percent="100%")
    body = json.dumps({"inputs": [0.5] * 50_000}).encode()
    data = request(PATH, body, headers={"content-type": "application/json"}).replace(b"models.test", HOST.encode())
    assert len(body) > 200_000 and len(reply.body) > 100_000
    for _ in range(3):
        got = proxy.send(data)
        assert got.status == 200 and got.body == reply.body
    proxy.eventually("gnomon_pairs_total", 3, verdict="identical", shadow="v2-copy")
    assert {received.body for received in upstreams[SHADOW].seen} == {body}


def test_the_monitor_scrapes_the_pods_of_the_gateway(documents, xds):
    monitor, gateway = only(documents, "PodMonitor")["spec"], only(documents, "Gateway")["metadata"]
    owner = "gateway.envoyproxy.io/owning-gateway-"
    assert monitor["selector"]["matchLabels"] == {f"{owner}name": gateway["name"], f"{owner}namespace": gateway["namespace"]}
    [endpoint] = monitor["podMetricsEndpoints"]
    assert (endpoint["port"], endpoint["path"]) == ("metrics", "/stats/prometheus")
    [statistics] = xds["bootstrap"]["staticResources"]["listeners"]
    assert statistics["address"]["socketAddress"]["portValue"] == 19001, "the one that Envoy Gateway's pods call metrics"
    assert endpoint["path"] in json.dumps(statistics["filterChains"])
    assert "gnomon" in only(documents, "PodMonitor")["metadata"]["name"], "the alert for a filter that is gone looks for it in the job"
