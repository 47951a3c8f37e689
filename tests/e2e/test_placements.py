"""The overlays of `istio/overlays` with traffic: each plugin in a real Envoy, whose routes are made from the overlay's VirtualService or HTTPRoute and
whose clusters are named as Istio names them. And what `istio/telemetry.yaml` says of copies.
"""

import json
import pathlib

import pytest
from rig import oracle
from rig.client import many, request
from rig.envoy import Envoy, bootstrap
from rig.examples import PATH, answer, documents, ids, post
from rig.placements import ISTIO, OVERLAYS, Placement, of_kind
from rig.upstream import Reply

every_overlay = pytest.mark.parametrize("name", OVERLAYS)
HOSTS = {
    "gateway": "fraud.example.com", "gateway-api": "fraud.example.com", "inference-pool": "chat.example.com",
    "client-sidecar": "fraud.models:8080", "server-sidecar": "fraud.models:8080", "waypoint": "fraud.models:8080",
}  # fmt: skip
OUTSIDE = {"gateway", "gateway-api", "inference-pool"}


def is_baselines(cluster):
    """Whether a cluster of live requests is that of the baseline: by its subset, its Service, its pool, or because there is no other."""
    return "v1" in cluster or cluster.startswith("inbound|")


@every_overlay
def test_every_cluster_that_an_overlay_names_comes_from_its_resources(name):
    placement = Placement(name)
    rules = {document["spec"]["host"]: document["spec"] for document in of_kind(placement.documents, "DestinationRule")}
    pools = {pool["metadata"]["name"] for pool in of_kind(placement.documents, "InferencePool")}
    labels = [service["metadata"].get("labels", {}) for service in of_kind(placement.documents, "Service")]
    copies, live = {shadow["cluster"] for shadow in placement.route["shadows"]}, {found["route"]["cluster"] for found in placement.routes()}
    assert not copies & live
    for direction, port, subset, host in (cluster.split("|") for cluster in copies | live):
        service = host.split(".")[0] or "fraud"
        if port == "54321":
            assert service.split("-ip-")[0] in pools and (direction, subset) == ("outbound", "")
            continue
        [declared] = placement.service(service)["ports"]
        assert str(declared["port"]) == port and declared["name"].startswith("http") and declared["appProtocol"] == "http"
        subsets = ["http"] if placement.is_waypoint else ["", *(found["name"] for found in rules.get(host, {}).get("subsets", []))]
        assert subset in subsets and (direction == "inbound-vip") == placement.is_waypoint
    for cluster in copies:
        assert rules[cluster.split("|")[3]]["trafficPolicy"]["connectionPool"]["http"]["http2MaxRequests"] == 64
    assert set(map(json.dumps, labels)) == {json.dumps({"istio.io/use-waypoint": "waypoint"} if placement.is_waypoint else {})}


@pytest.mark.parametrize("name", [name for name in OVERLAYS if name != "server-sidecar"])
def test_the_routes_follow_the_split(name):
    placement = Placement(name)
    split, routes = placement.route["split"], placement.routes()
    matched = [(header["name"], header["string_match"]["exact"]) for found in routes for header in found["match"]["headers"]]
    assert matched == [(split["header"], canary["name"]) for canary in split["canaries"]]
    variants = [*(value for _, value in matched), split["baseline"]]
    assert all(variant in found["route"]["cluster"] for variant, found in zip(variants, routes, strict=True))


def asked(name, path=None, host=None, **headers):
    """A request of the overlay's model."""
    host = host or HOSTS[name]
    if name != "inference-pool":
        return post(path or PATH, host, **headers)
    named = {"content-type": "application/json"} | {key.replace("_", "-"): value for key, value in headers.items()}
    made = request(path or "/v1/chat/completions", b'{"messages": [{"role": "user", "content": "Hello"}]}', headers=named)
    return made.replace(b"host: models.test", b"host: " + host.encode())


def answered(name, score):
    """An answer of the overlay's model; scores that differ little are equivalent."""
    if name != "inference-pool":
        return answer(score)
    message = {"role": "assistant", "content": f"Of score {score}."}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return Reply(json.dumps({"object": "chat.completion", "choices": [choice]}).encode())


@every_overlay
def test_an_overlay_with_traffic(name, lab):
    placement = Placement(name)
    routes, route, experiment = placement.routes(), placement.route, placement.config["experiment"]
    live = {found["route"]["cluster"]: lab.upstream(answered(name, 0.9)) for found in routes}
    copies = {shadow["cluster"]: lab.upstream(answered(name, 0.905)) for shadow in route["shadows"]}
    manager = {"forward_client_cert_details": "ALWAYS_FORWARD_ONLY"}
    proxy = lab.proxy(placement.config, live | copies, routes=routes, concurrency=2, manager=manager)

    forged = {"x_gnomon_variant": "v2"} if "split" in route else {}
    forged |= {"x_gnomon_shadow": "v2-copy"} if name in OUTSIDE else {}
    users = [f"user-{i}" for i in range(400)]
    many(proxy.port, [asked(name, x_user_id=user, x_request_id=user, x_forwarded_client_cert="By=a", **forged) for user in users])
    canaries = [(canary["name"], canary["percent"]) for canary in route.get("split", {}).get("canaries", [])]
    baseline = [user for user in users if oracle.variant(user, route["name"], "v1", canaries) == "v1"]
    for cluster, upstream in live.items():
        expected = baseline if is_baselines(cluster) else set(users) - set(baseline)
        assert expected and ids(upstream) == sorted(expected), cluster
        assert {received.header("x-forwarded-client-cert") for received in upstream.seen} == {"By=a"}

    sampled = sorted(user for user in baseline if oracle.sampled(user, experiment, route["name"], 10))
    proxy.eventually("gnomon_pairs_total", len(sampled) * len(copies), verdict="equivalent")
    for cluster, upstream in copies.items():
        assert ids(upstream) == sampled and {received.header("host") for received in upstream.seen} == {cluster.split("|")[3]}
        assert not any(received.header("x-forwarded-client-cert") for received in upstream.seen), "an identity that a copy has no right to"
    assert proxy.metrics().total("gnomon_configuration") == 1
    assert proxy.stat("http.filtered.downstream_rq_total") == len(users), "copies pass none of the filters that count requests"

    proxy.send(asked(name, path="/v2/models/other/infer", x_user_id="u"))
    if "authority" in route["match"]:
        proxy.send(asked(name, host="elsewhere.example.com", x_user_id="u"))
    if name not in OUTSIDE:
        proxy.send(asked(name, x_user_id="u", x_gnomon_shadow="v2-copy"))
    assert proxy.metrics().total("gnomon_requests_total") == len(users), "another path or host, and inside the mesh a copy, are not of the route"


def test_the_expression_of_the_telemetry_tells_copies_by_their_header(lab):
    """By the language of Envoy, in which Istio's proxies have it evaluated; Istio's own filter of statistics is not in Envoy."""
    placement = Placement("gateway")
    [tag] = [found for document in documents(ISTIO / "telemetry.yaml") for found in tags(document)]
    log = pathlib.Path(lab.folder()) / "copies"
    of_copies = {
        "name": "copies",
        "filter": {"extension_filter": {"name": "cel", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter",
            "expression": f"({tag}) == 'yes'",
        }}},
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog", "path": str(log),
            "log_format": {"text_format_source": {"inline_string": "%REQ(X-REQUEST-ID)% %REQ(X-GNOMON-SHADOW)%\n"}},
        },
    }  # fmt: skip
    models = lab.upstream(answer(0.9))
    sidecar = lab.keep(Envoy(bootstrap([], {"model": models}, manager={"access_log": [of_copies]}), lab.folder()))
    clusters = [found["route"]["cluster"] for found in placement.routes()] + [shadow["cluster"] for shadow in placement.route["shadows"]]
    proxy = lab.proxy(placement.config, dict.fromkeys(clusters, sidecar), routes=placement.routes())
    many(proxy.port, [asked("gateway", x_user_id=f"user-{i}", x_request_id=f"user-{i}") for i in range(100)])
    copies = proxy.metrics().total("gnomon_sampled_total")
    proxy.eventually("gnomon_pairs_total", copies, verdict="identical")
    sidecar.stop()
    lines = log.read_text().splitlines()
    assert len(lines) == copies > 0 and {line.split()[1] for line in lines} == {"v2-copy", "v1-again"}
    assert len(models.seen) == 100 + copies


def tags(document):
    """The expressions of the labels that a Telemetry adds."""
    for metrics in document["spec"]["metrics"]:
        for override in metrics["overrides"]:
            yield from (change["value"] for change in override.get("tagOverrides", {}).values())


def test_the_telemetry_silences_what_serves_copies_alone():
    placement, silent = Placement("gateway"), []
    for document in documents(ISTIO / "telemetry.yaml"):
        [override] = document["spec"]["metrics"][0]["overrides"]
        assert override["match"]["mode"] == "SERVER"
        if override.get("disabled"):
            assert override["match"]["metric"] == "ALL_METRICS"
            silent.append((document["metadata"]["namespace"], document["spec"]["selector"]["matchLabels"]))
    hosts = [shadow["cluster"].split("|")[3].split(".")[:2] for shadow in placement.route["shadows"]]
    assert silent == [(space, placement.service(service)["selector"]) for service, space in hosts]
