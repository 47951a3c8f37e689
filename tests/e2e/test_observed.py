"""A split that Envoy makes by weights: who is counted for what while the weights move, and where nobody answers; copies of another variant's
requests; and routes that keep a user at one variant by the bucket header. What the upstreams received is the oracle."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from rig import oracle
from rig.client import Connection, many, request
from rig.configuration import configuration, gate, observe, route, shadow, split
from rig.control_plane import RouteFile
from rig.envoy import by_variant, by_weight, wasm_filter
from rig.gates import FAIL, PASS, UNDECIDED, counts, state_of
from rig.invariants import settled
from rig.lab import WASM
from rig.load import Clients
from rig.upstream import Gate, Reply
from rig.waiting import until

VARIANTS = ("stable", "canary")
WEIGHTS = [(80, 20), (50, 50), (10, 90), (0, 100), (70, 30)]
GATES = [
    gate("errors", "canary", "failed", 10),
    gate("worse", "canary", "worse_than_baseline", 50, event="failed"),
    gate("baseline", "stable", "failed", 10),
]


def weighted(lab, canary=Reply(b"canary"), routes=by_weight(stable=100, canary=0), **more):
    """A proxy of two workers whose routes can be pushed: (proxy, its routes, upstreams)."""
    upstreams = {"stable": lab.upstream(Reply(b"stable")), "canary": lab.upstream(canary), "shadow": lab.upstream(Reply(b"stable"))}
    file = RouteFile(lab.folder(), routes)
    return lab.proxy(configuration(route(observe=observe(), **more)), upstreams, 2, listeners=file), file, upstreams


def received(upstreams):
    return {name: len(upstreams[name].seen) for name in VARIANTS}


def counted(metrics, name="gnomon_requests_total", **labels):
    return {variant: metrics.total(name, variant=variant, **labels) for variant in VARIANTS}


def outcomes(metrics):
    return {outcome: count for outcome, count in metrics.by("gnomon_shadow_outcomes_total", "outcome").items() if count}


def test_answers_count_for_who_gave_them_while_the_weights_move(lab):
    proxy, routes, upstreams = weighted(lab, gates=GATES, shadows=[shadow(of=["stable"], max_in_flight=512)])
    with Clients(proxy) as clients:
        for stable, canary in WEIGHTS:
            routes.push(proxy, by_weight(stable=stable, canary=canary))
            assert {answer.status for answer in clients.ask([request(close=False)] * 60)} == {200}
    metrics = settled(proxy)
    assert sum(received(upstreams).values()) == 300 and min(received(upstreams).values()) > 80
    assert counted(metrics, reason="observed") == counted(metrics) == counted(metrics, "gnomon_responses_total") == received(upstreams)
    for variant, count in received(upstreams).items():
        proxy.eventually("gnomon_response_duration_microseconds_count", count, variant=variant)
    assert metrics.total("gnomon_requests_total", variant="none") == 0
    assert outcomes(metrics) == {"compared": received(upstreams)["stable"]}
    assert [name for name in metrics.names() if name.startswith(("gnomon_split_", "gnomon_guardrail_"))] == []
    assert all(one.values("x-gnomon-bucket") == one.values("x-gnomon-variant") == [] for name in VARIANTS for one in upstreams[name].seen)
    assert counts(metrics, "errors") == (0, received(upstreams)["canary"])
    assert [state_of(metrics, one["name"]) for one in GATES] == [PASS, UNDECIDED, PASS]


def test_a_bad_canary_fails_by_itself_and_against_the_baseline(lab):
    proxy, routes, upstreams = weighted(lab, Reply(status=503), gates=GATES)
    with Clients(proxy) as clients:
        for stable, canary in [(95, 5), (70, 30), (50, 50)]:
            routes.push(proxy, by_weight(stable=stable, canary=canary))
            clients.ask([request(close=False)] * 80)
    metrics = settled(proxy)
    assert [state_of(metrics, one["name"]) for one in GATES] == [FAIL, FAIL, PASS]
    assert counted(metrics, "gnomon_responses_total", **{"class": "5xx"})["canary"] == received(upstreams)["canary"]
    bad, trials = counts(metrics, "worse")
    assert bad == trials and 10 < trials <= received(upstreams)["canary"], "in a pair with the baseline each of its answers is worse"
    assert counts(metrics, "errors") == (received(upstreams)["canary"],) * 2


def test_whom_a_reply_of_envoys_own_counts_for(lab):
    """A cluster without hosts, one that no variant has, one that does not exist, and no cluster at all."""
    chosen = {"canary": ("canary", "5xx"), "elsewhere": ("none", "5xx"), "missing": ("none", "5xx"), "stable": ("stable", "2xx")}
    by_path = [{"match": {"prefix": f"/v1/{name}"}, "route": {"cluster": name}} for name in chosen]
    direct = {"match": {"prefix": "/v1/direct"}, "direct_response": {"status": 403}}
    clusters = {"stable": lab.upstream(), "canary": None, "elsewhere": None, "shadow": lab.upstream()}
    configured = configuration(route(observe=observe(), gates=GATES, shadows=[shadow(of=["stable", "canary"])]))
    proxy = lab.proxy(configured, clusters, listeners=RouteFile(lab.folder(), [*by_path, direct]))
    for name in [*chosen, "direct", "nowhere"]:
        proxy.send(request(f"/v1/{name}"))
    metrics = settled(proxy)
    found = {labels: n for labels, n in metrics.by("gnomon_responses_total", "variant", "class").items() if n}
    assert found == {("stable", "2xx"): 1, ("canary", "5xx"): 1, ("none", "5xx"): 2, ("none", "4xx"): 2}
    assert outcomes(metrics) == {"compared": 1, "primary_failed": 1}
    assert (counts(metrics, "errors"), counts(metrics, "worse")) == ((1, 1), (1, 1))


def test_whom_a_client_that_leaves_counts_for(lab):
    held = Gate()
    proxy, routes, upstreams = weighted(lab, Reply(gate=held), by_weight(stable=0, canary=100), gates=GATES)
    with Connection(proxy.port) as connection:
        connection.send(request(close=False))
        upstreams["canary"].wait()
        # (Whatever the weights are by then.)
        routes.push(proxy, by_weight(stable=100, canary=0))
        connection.abort()
        proxy.eventually("gnomon_responses_total", 1, variant="canary", **{"class": "cancelled"})
    held.open()
    metrics = settled(proxy)
    assert counted(metrics) == {"stable": 0, "canary": 1} and counts(metrics, "errors") == (0, 0)


@pytest.mark.parametrize("late", ["canary", "shadow"])
def test_a_copy_for_an_answer_that_another_variant_gave(lab, late):
    """A filter behind this one has Envoy choose its route anew: here another Gnomon, with a split of its own."""
    held = Gate()
    upstreams = {name: lab.upstream(Reply(gate=held if name == late else None)) for name in (*VARIANTS, "shadow")}
    covered = gate("covered", "copy", "coverage", 50, min_trials=0)
    observes = configuration(route(observe=observe(), shadows=[shadow()], gates=[covered]))
    splits = configuration(route(split=split("stable", [("canary", 50)]))) | {"experiment": "splits"}
    filters = [wasm_filter(WASM, observes, plugin="observes", vm_id=""), wasm_filter(WASM, splits, plugin="splits", vm_id="")]
    proxy = lab.proxy(None, upstreams, filters=filters, routes=by_variant({name: name for name in VARIANTS}))
    asked = [request(headers={"x-user-id": f"user-{number}"}) for number in range(20)]
    with ThreadPoolExecutor(1) as pool:
        answers = pool.submit(many, proxy.port, asked, len(asked))
        until(lambda: len(upstreams["shadow"].seen) == len(asked), "all copies")
        if late == "canary":
            proxy.eventually("gnomon_shadow_responses_total", len(asked))
        else:
            assert {answer.status for answer in answers.result()} == {200}
        held.open()
        assert {answer.status for answer in answers.result()} == {200}
    metrics = settled(proxy)
    expected = {"compared": received(upstreams)["stable"], "other_variant": received(upstreams)["canary"]}
    assert outcomes(metrics) == expected and min(expected.values()) > 3
    assert metrics.total("gnomon_requests_total", experiment="exp", variant="canary", reason="observed") == expected["other_variant"]
    assert counts(metrics, "covered") == (0, expected["compared"]), "such a copy is no trial"


def test_routes_that_keep_a_user_at_one_variant(lab):
    bucket = {"key": {"header": "x-user-id"}, "salt": "pepper"}
    sticky = [
        {"match": {"prefix": "/", "headers": [{"name": "x-gnomon-bucket", "string_match": {"safe_regex": {"regex": "[0-3].*"}}}]},
         "route": {"cluster": "canary"}},
        {"match": {"prefix": "/"}, "route": {"cluster": "stable"}},
    ]
    upstreams = {"stable": lab.upstream(), "canary": lab.upstream(Reply(status=503)), "shadow": lab.upstream()}
    configured = configuration(route(observe=observe(bucket=bucket), shadows=[shadow()], gates=GATES))
    proxy = lab.proxy(configured, upstreams, 2, routes=sticky)
    users = [f"user-{number}" for number in range(30)]
    of = {user: "canary" if oracle.bucket_header(user, "pepper") < "4000" else "stable" for user in users}
    for _ in range(2):
        many(proxy.port, [request(headers={"x-user-id": user, "x-gnomon-bucket": "0000"}) for user in users])
    proxy.send(request(headers={"x-gnomon-bucket": "0000"}))
    proxy.send(request("/elsewhere", headers={"x-user-id": users[0], "x-gnomon-bucket": "0000"}))
    proxy.send(request(headers={"x-user-id": users[0], "x-gnomon-bucket": "0000", "x-gnomon-shadow": "copy"}))
    metrics = settled(proxy)
    for variant in VARIANTS:
        asked = [one for one in upstreams[variant].seen if one.header("x-user-id") and one.path == "/v1/x" and not one.header("x-gnomon-shadow")]
        assert sorted(one.header("x-user-id") for one in asked) == sorted(2 * [user for user in users if of[user] == variant])
        assert all(one.values("x-gnomon-bucket") == [oracle.bucket_header(one.header("x-user-id"), "pepper")] for one in asked)
    others = [one for one in upstreams["stable"].seen if not one.header("x-user-id") or one.path != "/v1/x" or one.header("x-gnomon-shadow")]
    assert len(others) == 3 and all(one.values("x-gnomon-bucket") == [] for one in others)
    canary = len(upstreams["canary"].seen)
    assert counted(metrics) == {"stable": 61 - canary, "canary": canary}
    assert outcomes(metrics) == {"compared": 61 - canary, "other_variant": canary}
    assert len(upstreams["shadow"].seen) == 61 and all(one.values("x-gnomon-bucket") == [] for one in upstreams["shadow"].seen)
    bad, trials = counts(metrics, "worse")
    assert bad == trials and 0 < trials <= canary / 2, "each user who meets it is one event"
