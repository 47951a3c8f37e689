"""Who is copied, and what the copy looks like."""

import json

import pytest
from rig import oracle
from rig.client import many, request
from rig.configuration import EXPERIMENT, configuration, mirrored, route, shadow, split
from rig.envoy import by_variant, wasm_filter
from rig.lab import WASM
from rig.upstream import Reply

CREDENTIALS = {
    "authorization": "Bearer live",
    "cookie": "session=1",
    "proxy-authorization": "Basic x",
    "x-forwarded-client-cert": "Hash=abc",
    "x-forwarded-access-token": "t",
    "x-auth-token": "t",
    "x-api-key": "k",
    "api-key": "k",
    "x-goog-api-key": "k",
    "x-goog-iap-jwt-assertion": "j",
    "x-amz-security-token": "t",
    "ocp-apim-subscription-key": "k",
}
NEVER_COPIED = {
    "grpc-timeout": "1S",
    "connect-timeout-ms": "1000",
    "x-gateway-destination-endpoint": "10.0.0.1:8000",
    "x-ai-eg-model": "v1",
}
KEEP_CLIENT_CERT = {"forward_client_cert_details": "ALWAYS_FORWARD_ONLY"}
OF_ENVOY = {"x-envoy-internal", "x-envoy-expected-rq-timeout-ms"}
"""What Envoy's own client adds to any call."""


def one_shadow(lab, shadow_script=Reply(), manager=None, **more):
    """A proxy with one shadow that gets everything: (proxy, primary, shadow)."""
    primary, copy = lab.upstream(), lab.upstream(shadow_script)
    return lab.proxy(mirrored(**more), {"primary": primary, "shadow": copy}, manager=manager), primary, copy


def fields(received):
    """The headers of a request as a dictionary of lists, without what Envoy adds to calls."""
    return {name: received.values(name) for name, _ in received.headers if name not in OF_ENVOY}


def test_the_copy_is_the_request_but_for_what_must_not_leave(lab):
    proxy, primary, copy = one_shadow(lab, manager=KEEP_CLIENT_CERT | {"proxy_100_continue": True})
    sent = {
        "content-type": "application/json", "x-request-id": "id-1", "traceparent": "00-" + "a" * 32 + "-" + "b" * 16 + "-01",
        "x-tenant": "acme", "accept": "application/json", "accept-encoding": "gzip, br", "user-agent": "client/1", "te": "trailers",
        "keep-alive": "timeout=5", "proxy-connection": "keep-alive", "expect": "100-continue", "x-envoy-retry-on": "5xx",
        "x-envoy-max-retries": "3", "x-envoy-upstream-rq-timeout-ms": "20000", **CREDENTIALS, **NEVER_COPIED,
    }  # fmt: skip
    answer = proxy.send(request("/v1/models/m?a=1&b=%20", b'{"x": 1}', headers=[*sent.items(), ("x-many", "1"), ("x-many", "2")]))
    assert answer.status == 200
    got, live = copy.wait()[0], primary.wait()[0]
    assert (got.method, got.path, got.body, got.header("host")) == ("POST", "/v1/models/m?a=1&b=%20", b'{"x": 1}', "models.test")
    gone = {"te", "keep-alive", "proxy-connection", "connection", "transfer-encoding", "upgrade", "expect", "x-forwarded-proto", *CREDENTIALS, *NEVER_COPIED}
    expected = {name: live.values(name) for name, _ in live.headers if name not in gone and not name.startswith("x-envoy-")}
    expected |= {"accept-encoding": ["identity"], "x-gnomon-shadow": ["copy"]}
    found = fields(got)
    found.pop("x-forwarded-proto", None)
    assert found == expected
    assert got.values("x-request-id") == ["id-1"] and got.values("traceparent") == [sent["traceparent"]]
    assert all(live.header(name) == value for name, value in (CREDENTIALS | NEVER_COPIED).items()), "the live request keeps all of them"


def test_credentials_stay_where_that_is_asked_for(lab):
    proxy, _, copy = one_shadow(lab, manager=KEEP_CLIENT_CERT, request={"keep_credentials": True})
    proxy.send(request(headers=CREDENTIALS | NEVER_COPIED))
    got = copy.wait()[0]
    assert {name: got.header(name) for name in CREDENTIALS} == CREDENTIALS
    assert not any(got.values(name) for name in NEVER_COPIED), "which are no credentials"


def test_rewrites_remove_then_rewrite_then_set(lab):
    change = {
        "path": {"prefix": "/v1/models/a/", "with": "/v1/models/b/"},
        "authority": "b.test:81",
        "model": "b",
        "headers": {"set": {"x-env": "shadow", "Authorization": "Bearer shadow", "x-tenant": "new"}, "remove": ["X-Billing-Id", "x-tenant"]},
    }
    proxy, primary, copy = one_shadow(lab, request=change)
    body = b'{"model": "a", "input": [1, 2.50, 1e3], "nested": {"model": "a"}}'
    sent = {"content-type": "application/json", "authorization": "Bearer live", "x-billing-id": "7", "x-tenant": "old"}
    proxy.send(request("/v1/models/a/infer?q=/v1/models/a/", body, headers=sent))
    got, live = copy.wait()[0], primary.seen[0]
    assert (got.path, got.header("host")) == ("/v1/models/b/infer?q=/v1/models/a/", "b.test:81")
    assert json.loads(got.body) == json.loads(body) | {"model": "b"}
    assert got.values("content-length") == [str(len(got.body))]
    assert [got.values(n) for n in ("x-env", "authorization", "x-billing-id", "x-tenant")] == [["shadow"], ["Bearer shadow"], [], ["new"]]
    assert live.body == body and live.header("x-tenant") == "old" and live.path.startswith("/v1/models/a/")


@pytest.mark.parametrize("body", [b'{"x": 1}', b""], ids=repr)
def test_a_rewrite_that_does_not_apply_changes_nothing(lab, body):
    change = {"path": {"prefix": "/elsewhere/", "with": "/b/"}, "model": "b"}
    proxy, _, copy = one_shadow(lab, request=change)
    proxy.send(request("/v1/x", body, headers={"content-type": "application/json"}))
    got = copy.wait()[0]
    assert got.path == "/v1/x"
    assert got.body == body


@pytest.mark.parametrize("data, body", [
    (request(body=b""), b""),
    (request(body=None), b""),
    (request(chunks=[]), b""),
    (request(chunks=[b'{"a":', b"1}"]), b'{"a":1}'),
    (request(body=bytes(range(256))), bytes(range(256))),
    (request(body=b"x" * (1 << 20)), b"x" * (1 << 20)),
    (request(chunks=[b"y" * 40_000] * 20), b"y" * 800_000),
], ids=["empty", "none", "zero-chunk", "chunked", "binary", "1MiB", "chunked-large"])
def test_the_copy_carries_the_same_body(lab, data, body):
    proxy, primary, copy = one_shadow(lab)
    lab.exchange(proxy, [primary], data)
    got = copy.wait()[0]
    assert got.body == body
    assert got.values("transfer-encoding") == []
    assert int(got.header("content-length") or 0) == len(body)
    proxy.eventually("gnomon_shadow_outcomes_total", 1, outcome="compared")


def test_sampling_follows_the_formula_and_is_nested(lab):
    primary, upstreams = lab.upstream(), {name: lab.upstream() for name in ("small", "large", "whole", "nothing")}
    percent = {"small": 7.25, "large": 30, "whole": 100, "nothing": 0}
    shadows = [shadow(name, name, percent[name], max_in_flight=400) for name in percent]
    proxy = lab.proxy(configuration(route("fraud", shadows=shadows)), {"primary": primary, **upstreams}, concurrency=2)
    identities = [f"req-{i}" for i in range(300)]
    many(proxy.port, [request(headers={"x-request-id": one}) for one in identities])
    expected = {name: {one for one in identities if oracle.sampled(one, EXPERIMENT, "fraud", percent[name])} for name in percent}
    for name, upstream in upstreams.items():
        proxy.eventually("gnomon_sampled_total", len(expected[name]), shadow=name)
        if expected[name]:
            upstream.wait(len(expected[name]))
        assert {received.header("x-request-id") for received in upstream.seen} == expected[name]
        assert all(received.values("x-gnomon-shadow") == [name] for received in upstream.seen)
    assert expected["small"] < expected["large"] < expected["whole"]


@pytest.mark.parametrize("key, made", [
    ({"header": "x-user-id"}, lambda user: {"headers": {"x-user-id": user}}),
    ({"cookie": "uid"}, lambda user: {"headers": {"cookie": f"a=b; uid={user}"}}),
    ({"query": "user"}, lambda user: {"path": f"/v1/x?user={user}"}),
], ids=["header", "cookie", "query"])
def test_sampling_by_a_users_key_takes_all_requests_of_a_user(lab, key, made):
    primary, copy = lab.upstream(), lab.upstream()
    proxy = lab.proxy(configuration(route(sample_by=key, shadows=[shadow(percent=40)])), {"primary": primary, "shadow": copy})
    users = [f"user-{i % 20}" for i in range(60)]
    many(proxy.port, [request(body=user.encode(), **made(user)) for user in users])
    expected = sorted(user for user in users if oracle.sampled(user, EXPERIMENT, "main", 40))
    assert sorted(received.body.decode() for received in copy.wait(len(expected))) == expected


def test_without_an_id_sampling_draws_at_random(lab):
    primary, copy = lab.upstream(), lab.upstream()
    routes = configuration(route(shadows=[shadow(percent=50, max_in_flight=400)]))
    proxy = lab.proxy(routes, {"primary": primary, "shadow": copy}, manager={"generate_request_id": False})
    many(proxy.port, [request()] * 300)
    assert 90 < proxy.metrics().total("gnomon_sampled_total") < 210, "seven standard deviations around a half"


def test_a_shadow_gets_what_its_variants_answer(lab):
    names = ("v1", "v2", "of-v1", "of-v2", "of-both")
    upstreams = {name: lab.upstream() for name in names}
    shadows = [shadow("of-v1", "of-v1"), shadow("of-v2", "of-v2", of=["v2"]), shadow("of-both", "of-both", of=["v1", "v2"])]
    routes = configuration(route(split=split(canaries=[("v2", 50)]), shadows=shadows))
    proxy = lab.proxy(routes, upstreams, routes=by_variant({"v1": "v1", "v2": "v2"}))
    many(proxy.port, [request(body=b"%d" % i, headers={"x-user-id": str(i)}) for i in range(40)])
    bodies = {name: sorted(received.body for received in upstreams[name].seen) for name in ("v1", "v2")}
    assert len(bodies["v1"]) + len(bodies["v2"]) == 40 and bodies["v1"] and bodies["v2"]
    expected = {"of-v1": bodies["v1"], "of-v2": bodies["v2"], "of-both": sorted(bodies["v1"] + bodies["v2"])}
    for name, wanted in expected.items():
        assert sorted(received.body for received in upstreams[name].wait(len(wanted))) == wanted
        assert all(not received.values("x-gnomon-variant") for received in upstreams[name].seen)
    assert proxy.metrics().by("gnomon_sampled_total", "shadow") == {name: len(wanted) for name, wanted in expected.items()}


def test_a_marked_request_is_taken_for_a_copy(lab):
    primary, copy = lab.upstream(), lab.upstream()
    routes = configuration(route(split=split(canaries=[("v2", 100)]), shadows=[shadow(of=["v1", "v2"])]))
    proxy = lab.proxy(routes, {"primary": primary, "shadow": copy})
    marked = request(headers={"x-user-id": "u", "x-gnomon-shadow": "any"})
    lab.exchange(proxy, [primary], marked)
    assert primary.seen[1].values("x-gnomon-shadow") == ["any"] and not primary.seen[1].values("x-gnomon-variant")
    proxy.send(request(headers={"x-user-id": "u"}))
    copy.wait()
    assert len(copy.seen) == 1 and proxy.metrics().total("gnomon_requests_total") == 1


def test_an_edge_proxy_does_not_trust_the_mark(lab):
    primary, copy = lab.upstream(), lab.upstream()
    routes = configuration(route(split=split(), shadows=[shadow()]), trust_copies=False)
    proxy = lab.proxy(routes, {"primary": primary, "shadow": copy})
    proxy.send(request(headers={"x-user-id": "u", "x-gnomon-shadow": "any"}))
    assert not primary.wait()[0].values("x-gnomon-shadow") and primary.seen[0].values("x-gnomon-variant") == ["v1"]
    assert copy.wait()[0].values("x-gnomon-shadow") == ["copy"]
    proxy.send(request("/unmatched", headers={"x-gnomon-shadow": "any"}))
    assert not primary.wait(2)[1].values("x-gnomon-shadow")
    assert proxy.metrics().total("gnomon_sampled_total") == 1


@pytest.mark.parametrize("trust", [True, False])
def test_a_copy_is_not_copied_by_the_next_gnomon(lab, trust):
    primary, model, second_copy = lab.upstream(), lab.upstream(), lab.upstream()
    second = lab.proxy(mirrored(name="second") | {"trust_copies": trust}, {"model": model, "shadow": second_copy})
    first = lab.proxy(mirrored(name="first"), {"primary": primary, "shadow": second})
    first.send(request())
    first.eventually("gnomon_pairs_total", 1, verdict="identical")
    assert model.wait()[0].values("x-gnomon-shadow") == (["first"] if trust else [])
    if trust:
        assert second.metrics().total("gnomon_requests_total") == 0 and not second_copy.seen
    else:
        assert second_copy.wait()[0].values("x-gnomon-shadow") == ["second"]


def test_one_failing_shadow_does_not_disturb_the_others(lab):
    primary = lab.upstream()
    clusters = {"good": lab.upstream(), "bad": lab.upstream(Reply(status=500)), "dead": lab.refusing(), "slow": lab.upstream(Reply(ending="hang"))}
    shadows = [shadow(name, name, timeout="500ms") for name in ("bad", "dead", "slow", "nowhere")] + [shadow("good", "good")]
    proxy = lab.proxy(configuration(route(shadows=shadows)), {"primary": primary, **clusters})
    lab.exchange(proxy, [primary], request())
    for name, outcome in [("good", "compared"), ("bad", "shadow_failed"), ("dead", "shadow_failed"), ("slow", "timed_out"),
                          ("nowhere", "unsent_no_cluster")]:  # fmt: skip
        proxy.eventually("gnomon_shadow_outcomes_total", 1, shadow=name, outcome=outcome)
    assert len(primary.seen) == 2


HTTP_FILTERS = "type.googleapis.com/envoy.extensions.filters.http."
DENIES = {"@type": HTTP_FILTERS + "rbac.v3.RBAC", "rules": {"action": "ALLOW", "policies": {}}}
ASKS = {
    "@type": HTTP_FILTERS + "ext_authz.v3.ExtAuthz",
    "http_service": {"server_uri": {"uri": "http://authz", "cluster": "authz", "timeout": "5s"}},
}


@pytest.mark.parametrize("behind, body, copies", [(DENIES, b"{}", 0), (DENIES, b"", 1), (ASKS, b"{}", 1)], ids=["headers", "no-body", "asks"])
def test_a_filter_behind_denies_after_the_copy_has_gone(lab, behind, body, copies):
    """A copy goes once the request is complete, unless the filter behind answers before that, by headers alone."""
    clusters = {"primary": lab.upstream(), "shadow": lab.upstream(), "authz": lab.upstream(Reply(status=403, delay=0.5))}
    proxy = lab.proxy(None, clusters, filters=[wasm_filter(WASM, mirrored()), {"name": "behind", "typed_config": behind}])
    assert proxy.send(request(body=body)).status == 403
    proxy.eventually("gnomon_shadow_outcomes_total", 1, outcome="primary_failed")
    assert len(clusters["shadow"].seen) == copies and not clusters["primary"].seen
