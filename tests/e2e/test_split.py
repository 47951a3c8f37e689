"""Who answers: keys, pins, the split header, and moving the baseline."""

import pytest
from rig import oracle
from rig.client import many, request
from rig.configuration import configuration, route, split
from rig.envoy import by_variant
from rig.upstream import Reply, Upstream
from rig.waiting import until

SPLIT_HEADER = "x-gnomon-variant"


def three_variants(lab, split_, **more):
    """A proxy that routes variants v1 (baseline), v2 and v3 to an upstream each: (proxy, {variant: upstream})."""
    upstreams = {name: lab.upstream(Reply(name.encode())) for name in ("v1", "v2", "v3")}
    proxy = lab.proxy(configuration(route(split=split_)), upstreams, routes=by_variant({name: name for name in upstreams}), **more)
    return proxy, upstreams


def variant_of(proxy, path="/v1/x", **headers):
    """Who answers a request with these headers (`_` for `-`)."""
    return proxy.send(request(path, headers=[(name.replace("_", "-"), value) for name, value in headers.items()])).body.decode()


def test_every_key_goes_where_the_formula_says(lab):
    canaries = [("v2", 5), ("v3", 12.5)]
    proxy, upstreams = three_variants(lab, split(canaries=canaries, salt="pepper"), concurrency=2)
    keys = [f"user-{i}" for i in range(1500)]
    expected = [oracle.variant(key, "pepper", "v1", canaries) for key in keys]
    answers = many(proxy.port, [request(headers={"x-user-id": key, SPLIT_HEADER: "v2"}) for key in keys])
    assert [answer.body.decode() for answer in answers] == expected
    for name, upstream in upstreams.items():
        assert all(received.values(SPLIT_HEADER) == [name] for received in upstream.seen), "exactly the filter's own header"
    metrics, counts = proxy.metrics(), {name: expected.count(name) for name in upstreams}
    assert metrics.by("gnomon_requests_total", "variant", "reason") == {(name, "weight"): count for name, count in counts.items()}
    assert metrics.by("gnomon_split_ppm", "variant") == {"v1": 825_000, "v2": 50_000, "v3": 125_000}
    assert not any(answer.header(SPLIT_HEADER) for answer in answers), "not exposed unless asked for"
    proxy.eventually("gnomon_responses_total", counts["v3"], variant="v3", class_="2xx")


def test_nobody_and_everybody(lab):
    proxy, upstreams = three_variants(lab, split(canaries=[("v2", 0), ("v3", 100)]))
    assert {variant_of(proxy, x_user_id=f"user-{i}") for i in range(60)} == {"v3"}
    assert not upstreams["v1"].seen and not upstreams["v2"].seen
    ppm = {dict(labels)["variant"]: value for labels, value in proxy.metrics().series("gnomon_split_ppm").items()}
    assert ppm == {"v1": 0, "v2": 0, "v3": 1_000_000}


def test_the_first_matching_pin_wins_over_the_percentage(lab):
    pins = [
        {"header": "x-model-pin", "exact": "two", "variant": "v2"},
        {"header": "X-Tenant", "prefix": "acme-", "variant": "v3"},
        {"header": "x-tenant", "suffix": "-eu", "variant": "v1"},
    ]
    proxy, _ = three_variants(lab, split(canaries=[("v2", 0), ("v3", 100)], pins=pins))
    assert variant_of(proxy, x_user_id="a", x_model_pin="two") == "v2"
    assert variant_of(proxy, x_user_id="a", x_model_pin="two", x_tenant="acme-eu") == "v2"
    assert variant_of(proxy, x_user_id="a", x_tenant="acme-eu") == "v3"
    assert variant_of(proxy, x_user_id="a", x_tenant="other-eu") == "v1"
    assert variant_of(proxy, x_model_pin="two") == "v2", "a pin needs no key"
    assert variant_of(proxy, x_user_id="a", x_model_pin="twofold") == "v3"
    counted = proxy.metrics().by("gnomon_requests_total", "variant", "reason")
    assert counted == {("v2", "pin"): 3, ("v3", "pin"): 1, ("v1", "pin"): 1, ("v3", "weight"): 1}


def test_without_a_key_the_baseline_answers(lab):
    proxy, _ = three_variants(lab, split(canaries=[("v2", 50), ("v3", 50)]))
    assert variant_of(proxy) == "v1"
    assert variant_of(proxy, x_user_id="") == "v1"
    assert proxy.metrics().by("gnomon_requests_total", "variant", "reason") == {("v1", "keyless"): 2}


def test_the_key_is_the_raw_first_value(lab):
    canaries = [("v2", 40), ("v3", 30)]
    proxy, _ = three_variants(lab, split(canaries=canaries))
    for i in range(20):
        data = request(headers=[("x-user-id", f"first-{i}"), ("x-user-id", "second")])
        assert proxy.send(data).body.decode() == oracle.variant(f"first-{i}", "main", "v1", canaries)
        raw = b"\xff\xfe caf\xe9 %d" % i
        assert proxy.send(request(headers=[("x-user-id", raw)])).body.decode() == oracle.variant(raw, "main", "v1", canaries)


@pytest.mark.parametrize("key, made, value", [
    ({"cookie": "uid"}, lambda i: {"headers": {"cookie": f"theme=dark; uid=user-{i}; uid=later; xuid=no"}}, "user-{}"),
    ({"cookie": "uid"}, lambda i: {"headers": [("cookie", "a=b"), ("cookie", f'uid="user={i}"')]}, '"user={}"'),
    ({"query": "user"}, lambda i: {"path": f"/v1/x?xuser=no&user=a%20b+{i}&user=later"}, "a%20b+{}"),
    ("request", lambda i: {"headers": {"x-request-id": f"id-{i}"}}, "id-{}"),
])
def test_other_keys(lab, key, made, value):
    canaries = [("v2", 40), ("v3", 30)]
    proxy, _ = three_variants(lab, split(canaries=canaries, key=key))
    for i in range(30):
        assert proxy.send(request(**made(i))).body.decode() == oracle.variant(value.format(i), "main", "v1", canaries)
    assert proxy.metrics().by("gnomon_requests_total", "reason") == {"weight": 30}


@pytest.mark.parametrize("key, path, headers", [
    ({"cookie": "uid"}, "/v1/x", {"cookie": "xuid=1; uid2=2; uid="}),
    ({"query": "user"}, "/v1/x?user=&users=1", {"x-user-id": "1"}),
    ({"query": "user"}, "/v1/x", {}),
])
def test_other_keys_that_are_not_there(lab, key, path, headers):
    proxy, _ = three_variants(lab, split(canaries=[("v2", 100)], key=key))
    assert proxy.send(request(path, headers=headers)).body == b"v1"
    assert proxy.metrics().by("gnomon_requests_total", "reason") == {"keyless": 1}


def test_by_request_without_an_id_draws_at_random(lab):
    proxy, _ = three_variants(lab, split(canaries=[("v2", 50)], key="request"), manager={"generate_request_id": False})
    answers = many(proxy.port, [request()] * 300)
    assert 90 < [answer.body for answer in answers].count(b"v2") < 210, "seven standard deviations around a half"
    assert proxy.metrics().by("gnomon_requests_total", "reason") == {"weight": 300}


def test_routes_with_one_salt_assign_alike_and_others_do_not(lab):
    canaries = [("v2", 50)]
    upstreams = {name: lab.upstream(Reply(name.encode())) for name in ("v1", "v2")}
    routes = [
        route("a", "/a/", split=split(canaries=canaries, salt="one")),
        route("b", "/b/", split=split(canaries=canaries, salt="one"), experiment="another"),
        route("c", "/c/", split=split(canaries=canaries)),
    ]
    proxy = lab.proxy(configuration(*routes), upstreams, routes=by_variant({"v1": "v1", "v2": "v2"}))
    got = {r: [variant_of(proxy, f"/{r}/", x_user_id=f"user-{i}") for i in range(64)] for r in "abc"}
    assert got["a"] == got["b"] == [oracle.variant(f"user-{i}", "one", "v1", canaries) for i in range(64)]
    assert got["c"] == [oracle.variant(f"user-{i}", "c", "v1", canaries) for i in range(64)], "the salt defaults to the route's name"
    assert got["c"] != got["a"]


def test_a_forged_split_header_never_gets_through(lab):
    primary = lab.upstream()
    shadow_marked = ("x-gnomon-shadow", "elsewhere")
    routes = [
        route("split", "/split/", split=split(canaries=[("v2", 100)])),
        route("another", "/other/", split=split(canaries=[("v2", 100)], header="X-Other-Variant")),
        route("plain", "/plain/"),
    ]
    proxy = lab.proxy(configuration(*routes), {"primary": primary})
    forged = [(SPLIT_HEADER, "v9"), ("X-Gnomon-Variant", "v8"), ("x-other-variant", "v7")]
    for path, extra, expected in [
        ("/split/", [("x-user-id", "u")], {SPLIT_HEADER: ["v2"], "x-other-variant": []}),
        ("/split/", [], {SPLIT_HEADER: ["v1"], "x-other-variant": []}),
        ("/other/", [("x-user-id", "u")], {SPLIT_HEADER: [], "x-other-variant": ["v2"]}),
        ("/plain/", [], {SPLIT_HEADER: [], "x-other-variant": []}),
        ("/unmatched", [], {SPLIT_HEADER: [], "x-other-variant": []}),
        ("/split/", [shadow_marked, ("x-user-id", "u")], {SPLIT_HEADER: [], "x-other-variant": []}),
    ]:
        primary.seen.clear()
        proxy.send(request(path, headers=[*forged, *extra]))
        assert {name: primary.seen[0].values(name) for name in expected} == expected, f"{path} {extra}"
    primary.seen.clear()
    proxy.send(request("/split/", method="GET", body=None, headers=forged))
    assert not primary.seen[0].values(SPLIT_HEADER), "a method that no route takes"
    assert proxy.metrics().total("gnomon_requests_total") == 4, "copies and what matches no route are not counted"


def test_expose_tells_the_client(lab):
    proxy, _ = three_variants(lab, split(canaries=[("v2", 0)], expose=True, header="x-served-by"))
    answer = proxy.send(request(headers={"x-user-id": "u", "x-served-by": "v2"}))
    assert [value for name, value in answer.headers if name == "x-served-by"] == ["v1"]


@pytest.mark.parametrize("new_vm", [False, True], ids=["same-vm", "new-vm"])
def test_blue_green_flips_with_the_next_configuration(lab, new_vm):
    upstreams = {name: lab.upstream(Reply(name.encode())) for name in ("blue", "green")}
    colour = lambda name: configuration(route(split={"baseline": name}))
    routes = by_variant({"blue": "blue", "green": "green"})
    proxy, plane = lab.managed(colour("blue"), upstreams, routes=routes, concurrency=2)
    assert {answer.body for answer in many(proxy.port, [request()] * 20)} == {b"blue"}
    for name, other in (("green", "blue"), ("blue", "green")):
        plane.push(proxy, colour(name), new_vm)
        until(lambda: {answer.body for answer in many(proxy.port, [request()] * 8)} == {name.encode()}, f"all traffic on {name}")
        proxy.eventually("gnomon_split_ppm", 1_000_000, variant=name)
        proxy.eventually("gnomon_split_ppm", 0, variant=other)


@pytest.mark.parametrize("new_vm", [False, True], ids=["same-vm", "new-vm"])
def test_a_variant_that_is_gone_has_no_share(lab, new_vm):
    primary = lab.upstream()
    proxy, plane = lab.managed(configuration(route(split=split(canaries=[("v2", 5)]))), {"primary": primary})
    proxy.eventually("gnomon_split_ppm", 50_000, variant="v2")
    plane.push(proxy, configuration(route(split=split(canaries=[("v3", 7.25)]))), new_vm)
    proxy.eventually("gnomon_split_ppm", 72_500, variant="v3")
    shares = proxy.metrics().series("gnomon_split_ppm")
    assert {dict(labels)["variant"]: value for labels, value in shares.items()} == {"v1": 927_500, "v2": 0, "v3": 72_500}
