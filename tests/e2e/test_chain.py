"""Several workers, and several Gnomons in one chain."""

from rig.client import many, request
from rig.configuration import configuration, route, shadow, split
from rig.envoy import wasm_filter
from rig.lab import WASM


def test_two_workers_count_as_one(lab):
    primary, copy = lab.upstream(), lab.upstream()
    routes = configuration(route(split=split(canaries=[("v2", 30)]), shadows=[shadow(of=["v1", "v2"], max_in_flight=200)]))
    proxy = lab.proxy(routes, {"primary": primary, "shadow": copy}, concurrency=2)
    answers = many(proxy.port, [request(headers={"x-user-id": str(i)}) for i in range(200)], workers=16)
    assert all(answer.status == 200 for answer in answers)
    proxy.eventually("gnomon_pairs_total", 200, verdict="identical")
    metrics = proxy.metrics()
    assert metrics.total("gnomon_requests_total") == metrics.total("gnomon_sampled_total") == 200
    assert metrics.total("gnomon_split_ppm") == 1_000_000, "gauges are not added up over workers"
    proxy.eventually("gnomon_response_duration_microseconds_count", 200)
    proxy.eventually("gnomon_shadow_duration_microseconds_count", 200)


def test_two_gnomons_in_one_chain_do_not_meet(lab):
    """Equal code and VM id: both plugins run in one VM, as they do in Istio."""
    primary, copies = lab.upstream(), {"one": lab.upstream(), "two": lab.upstream()}
    filters = []
    for name in copies:
        routes = [route(split=split(canaries=[("v2", 100)], header=f"x-{name}-variant"), shadows=[shadow(name, name, of=["v2"])])]
        filters.append(wasm_filter(WASM, configuration(*routes) | {"experiment": name}, plugin=f"gnomon-{name}", vm_id=""))
    proxy = lab.proxy(None, {"primary": primary, **copies}, filters=filters, concurrency=2)
    for i in range(10):
        proxy.send(request(body=b"%d" % i, headers={"x-user-id": "u", "x-one-variant": "forged", "x-two-variant": "forged"}))
    for name, upstream in copies.items():
        proxy.eventually("gnomon_pairs_total", 10, experiment=name, verdict="identical")
        assert sorted(int(received.body) for received in upstream.seen) == list(range(10))
    assert all(received.values(f"x-{name}-variant") == ["v2"] for received in primary.seen for name in copies)
    assert proxy.metrics().by("gnomon_configuration", "plugin") == {"gnomon-one": 1, "gnomon-two": 1}


def test_two_gnomons_one_of_them_refused(lab):
    primary, copy = lab.upstream(), lab.upstream()
    good = wasm_filter(WASM, configuration(route(shadows=[shadow()])), plugin="good", vm_id="")
    bad = wasm_filter(WASM, "{", plugin="bad", vm_id="")
    proxy = lab.proxy(None, {"primary": primary, "shadow": copy}, filters=[bad, good], state=None)
    lab.exchange(proxy, [primary], request())
    proxy.eventually("gnomon_pairs_total", 1, verdict="identical")
    assert proxy.metrics().by("gnomon_configuration", "plugin") == {"good": 1, "bad": 3}
