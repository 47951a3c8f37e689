"""Copies as real shadows need them: of some requests only, to the port of their protocol, with other members and other credentials."""

import pytest
from rig import lab as rig_lab
from rig.client import request
from rig.configuration import configuration, mirrored, route, shadow
from rig.envoy import wasm_filter

JSON = {"content-type": "application/json"}
LENGTH = "inference-header-content-length"


def one_shadow(lab, filters=None, **more):
    """A proxy with one shadow that gets everything: (proxy, primary, shadow)."""
    primary, copy = lab.upstream(), lab.upstream()
    return lab.proxy(mirrored(**more), {"primary": primary, "shadow": copy}, filters=filters), primary, copy


@pytest.mark.parametrize("body, expected", [
    (b'{"model": "a", "stream": true, "stream_options": {"x": [1]}, "n": 1.50}', b'{"model": "b", "stream": false, "n": 1.50,"seed":7}'),
    (b'{"stream_options":1,"model":"a","stream_options":2}', b'{"model":"b","stream":false,"seed":7}'),
    (b' { } ', b' {"stream":false,"seed":7 } '),
    (b'{"stream_options": null}', b'{"stream":false,"seed":7}'),
    (b'{"nested": {"model": "a", "stream": true}, "model": 1}', b'{"nested": {"model": "a", "stream": true}, "model": "b","stream":false,"seed":7}'),
    (b'\xef\xbb\xbf{"model": null}', b'\xef\xbb\xbf{"model": "b","stream":false,"seed":7}'),
], ids=repr)  # fmt: skip
def test_members_change_and_no_other_byte(lab, body, expected):
    change = {"model": "b", "body": {"set": {"stream": False, "seed": 7}, "remove": ["stream_options"]}}
    proxy, primary, copy = one_shadow(lab, request=change)
    proxy.send(request("/v1/x", body, headers=JSON))
    got = copy.wait()[0]
    assert got.body == expected
    assert got.values("content-length") == [str(len(expected))]
    assert primary.seen[0].body == body, "the live request is as it was"


def test_a_large_body_is_changed_whole(lab):
    text = "x" * 900_000
    proxy, _, copy = one_shadow(lab, request={"model": "another", "body": {"remove": ["a"]}})
    proxy.send(request("/v1/x", b'{"a":1,"text":"%s","model":"m"}' % text.encode(), headers=JSON))
    assert copy.wait()[0].body == b'{"text":"%s","model":"another"}' % text.encode()


def test_tensors_behind_the_json_stay(lab):
    body = b'{"model":"old"}' + bytes(range(256))
    proxy, _, copy = one_shadow(lab, request={"model": "version-2"})
    proxy.send(request("/v1/x", body, headers={LENGTH: "15", "content-type": "application/octet-stream"}))
    got = copy.wait()[0]
    assert got.body == b'{"model":"version-2"}' + bytes(range(256))
    assert got.values(LENGTH) == ["21"]


def grpc_message(model):
    """A `ModelInfer` request, framed: model_name, model_version, and raw bytes that must stay."""
    message = b"\x0a%c%b\x12\x011\x3a\x04\x00\xff\x0a\x03" % (len(model), model)
    return b"\0" + len(message).to_bytes(4, "big") + message


def test_grpc_goes_to_its_own_port_with_its_own_model(lab):
    primary, rest, grpc = lab.upstream(), lab.upstream(), lab.upstream()
    change = {"cluster": {"http": "rest", "grpc": "grpc"}, "request": {"model": "fraud-v2"}}
    routes = route(prefix="/", shadows=[shadow(**change)])
    proxy = lab.proxy(configuration(routes), {"primary": primary, "rest": rest, "grpc": grpc})
    proxy.send(request("/inference.GRPCInferenceService/ModelInfer", grpc_message(b"fraud"), headers={"content-type": "application/grpc"}))
    proxy.send(request("/v1/models/fraud", b'{"model":"fraud"}', headers=JSON))
    got = grpc.wait()[0]
    assert (got.body, got.header("te")) == (grpc_message(b"fraud-v2"), "trailers")
    assert rest.wait()[0].body == b'{"model":"fraud-v2"}'


def test_only_requests_that_qualify_were_sampled(lab):
    when = {"body": [{"path": "model", "exact": "chat-70b"}, {"path": "messages[0].tokens", "at_most": 10}]}
    proxy, primary, copy = one_shadow(lab, when=when)
    bodies = [
        b'{"model":"chat-70b","messages":[{"tokens":10}]}',
        b'{"model":"chat-70b","messages":[{"tokens":11}]}',
        b'{"model":"chat-8b","messages":[{"tokens":1}]}',
        b'{"model":"chat-70b"}',
        b"no JSON",
        b'{"messages":[{"tokens":1e0}],"model":"\\u0063hat-70b"}',
    ]
    for body in bodies:
        assert proxy.send(request("/v1/x", body, headers=JSON)).status == 200
    assert [got.body for got in copy.wait(2)] == [bodies[0], bodies[5]]
    proxy.eventually("gnomon_shadow_outcomes_total", 2, outcome="compared")
    assert proxy.metrics().total("gnomon_sampled_total") == 2
    assert proxy.metrics().total("gnomon_unjudged_total") == 1
    assert len(primary.seen) == 6


def test_slices_are_by_what_the_body_says(lab):
    primary, copy = lab.upstream(), lab.upstream()
    slices = {"body": "user.regions[0]", "values": ["eu", "7"]}
    routes = route(shadows=[shadow()], slices=slices)
    proxy = lab.proxy(configuration(routes, limits={"body": "1KiB"}), {"primary": primary, "shadow": copy})
    bodies = [
        b'{"user":{"regions":["eu","us"]}}',
        b'{"user":{"regions":["us"]},"user":{"regions":["\\u0065u"]}}',
        b'{"user":{"regions":[7.0]}}',
        b'{"user":{"regions":["us","eu"]}}',
        b"no JSON",
        b'{"user":{"regions":["eu"]},"text":"%s"}' % (b"x" * 1024),
    ]
    for body in bodies:
        assert proxy.send(request("/v1/x", body, headers=JSON)).status == 200
    proxy.eventually("gnomon_pairs_total", 5)
    assert proxy.metrics().by("gnomon_pairs_total", "slice") == {"eu": 2, "7": 1, "other": 2}
    outcomes = proxy.metrics().by("gnomon_shadow_outcomes_total", "slice", "outcome")
    assert outcomes == {("eu", "compared"): 2, ("7", "compared"): 1, ("other", "compared"): 2, ("other", "unsent_body"): 1}
    assert [got.body for got in primary.seen] == bodies


def test_credentials_come_from_the_environment_and_are_never_shown(lab):
    secret = "Bearer hunter2"
    headers = {"from_env": {"authorization": "SHADOW_AUTH", "x-absent": "SHADOW_ABSENT", "x-broken": "SHADOW_BROKEN"}}
    environment = {"SHADOW_AUTH": secret, "SHADOW_BROKEN": "hunter2\n"}
    filters = [wasm_filter(rig_lab.WASM, mirrored(request={"headers": headers}), environment=environment)]
    proxy, _, copy = one_shadow(lab, filters=filters)
    proxy.send(request("/v1/x", headers={"authorization": "Bearer live"}))
    got = copy.wait()[0]
    assert [got.values(name) for name in ("authorization", "x-absent", "x-broken")] == [[secret], [], []]
    log = proxy.log()
    for header, variable in (("x-absent", "SHADOW_ABSENT"), ("x-broken", "SHADOW_BROKEN")):
        assert f"without the header {header}: the environment variable {variable} " in log
    assert "hunter2" not in log
    assert "hunter2" not in proxy.admin("/stats")
