"""No copy goes out without the changes that it should have: what can be decoded is, and what can't be changed is not sent."""

import gzip
import json
import zlib
from pathlib import Path

import pytest
from rig.client import request
from rig.configuration import configuration, mirrored, route, shadow
from rig.waiting import until

BIG = b'{"model":"big","messages":[]}'
SMALL = b'{"model":"small","messages":[]}'
JSON = {"content-type": "application/json"}
MODEL_INFER = "/inference.GRPCInferenceService/ModelInfer"
LENGTH = "inference-header-content-length"
ENCODINGS = Path(__file__).resolve().parents[1] / "data/encodings"


def gzipped(body):
    """The same bytes for the same body."""
    return gzip.compress(body, mtime=0)


def one_shadow(lab, **more):
    """A proxy with one shadow that gets everything, and logs all it may: (proxy, primary, shadow)."""
    primary, copy = lab.upstream(), lab.upstream()
    everything = {**mirrored(**more), "evidence": {"per_second": 100}}
    return lab.proxy(everything, {"primary": primary, "shadow": copy}), primary, copy


def said(proxy, outcome):
    """Waits for the first line of evidence of an outcome, and returns what it says."""
    lines = until(lambda: [line for line in proxy.evidence() if line.get("outcome") == outcome], f"a line with {outcome}")
    return lines[0]["said"]


@pytest.mark.parametrize("coding, body", [
    ("gzip", gzipped(BIG)),
    ("x-gzip", gzipped(BIG)),
    ("deflate", zlib.compress(BIG)),
    ("deflate, gzip", gzipped(zlib.compress(BIG))),
    ("identity", BIG),
    ("utf-8", BIG),
    ("none", BIG),
], ids=lambda value: value if isinstance(value, str) else "")  # fmt: skip
def test_an_encoded_body_is_changed_decoded(lab, coding, body):
    proxy, primary, copy = one_shadow(lab, request={"model": "small"})
    assert proxy.send(request("/v1/x", body, headers={**JSON, "content-encoding": coding})).status == 200
    got = copy.wait()[0]
    assert got.body == SMALL
    assert got.values("content-length") == [str(len(SMALL))]
    assert got.values("content-encoding") == ([coding] if body == BIG else [])
    assert (primary.seen[0].body, primary.seen[0].values("content-encoding")) == (body, [coding]), "the live request is as it was"
    proxy.eventually("gnomon_shadow_outcomes_total", 1, outcome="compared")


@pytest.mark.parametrize("coding, name", [("br", "answer.br"), ("zstd", "answer.zst"), ("zstd, deflate, br, gzip", "answer.zst.deflate.br.gz")])
def test_codings_of_other_encoders_are_undone(lab, coding, name):
    body, plain = ((ENCODINGS / file).read_bytes() for file in (name, "answer.json"))
    when = {"body": [{"path": "model_name", "exact": "m"}]}
    proxy, _, copy = one_shadow(lab, when=when, request={"body": {"remove": ["outputs"], "set": {"seed": 7}}})
    proxy.send(request("/v1/x", body, headers={**JSON, "content-encoding": coding}))
    got = copy.wait()[0]
    assert json.loads(got.body) == {"model_name": json.loads(plain)["model_name"], "seed": 7}
    assert got.values("content-encoding") == []


def test_a_body_that_nobody_asks_for_stays_encoded(lab):
    proxy, _, copy = one_shadow(lab, request={"headers": {"set": {"x-a": "1"}}})
    proxy.send(request("/v1/x", gzipped(BIG), headers={**JSON, "content-encoding": "gzip"}))
    got = copy.wait()[0]
    assert (got.body, got.values("content-encoding")) == (gzipped(BIG), ["gzip"])


@pytest.mark.parametrize("body, headers, reason", [
    (b'--x\r\ncontent-disposition: form-data; name="model"\r\n\r\nbig\r\n--x--', {"content-type": "multipart/form-data; boundary=x"},
     "multipart/form-data, not JSON"),
    (b"model=big", {"content-type": "application/x-www-form-urlencoded"}, "application/x-www-form-urlencoded, not JSON"),
    (BIG.decode().encode("utf-16"), JSON, "UTF-16 text, not JSON"),
    (BIG.decode().encode("utf-16-be"), JSON, "UTF-16 text, not JSON"),
    (BIG.decode().encode("utf-32"), JSON, "UTF-32 text, not JSON"),
    ('{"model":"bïg"}'.encode("latin-1"), JSON, "not UTF-8 at byte 11"),
    (b'{"model":"b\tg"}', JSON, "malformed JSON: a control character in a string at byte 11"),
    (BIG + b"\0", JSON, "malformed JSON: something after the end (a NUL) at byte 29"),
    (b'{"model":"big","a":' + b"[" * 64 + b"]" * 64 + b"}", JSON, "JSON is nested deeper than 64 levels at byte 82"),
    (b'[{"model":"big"}]', JSON, "JSON that is no object and has no members"),
    (b'{"model":"big"', JSON, "JSON ends early at byte 14"),
    (b'{"model":"big",' + b'"model":"big",' * 20 + b'"a":1}', JSON, "more than eight members of one name"),
    (BIG, {**JSON, "content-encoding": "gzip"}, "not decoded as content-encoding says: the encoded body is corrupt (it begins like JSON)"),
    (BIG, {**JSON, "content-encoding": "snappy"}, "not decoded as content-encoding says: unknown content coding (it begins like JSON)"),
    (gzipped(BIG)[:-4], {**JSON, "content-encoding": "gzip"}, "not decoded as content-encoding says: the encoded body is truncated"),
    (gzipped(BIG), JSON, "gzip data without content-encoding, not JSON"),
    (BIG, {**JSON, LENGTH: "9999"}, f"{LENGTH} goes beyond the body"),
    (b"\0\0\0\0\0", {"content-type": "application/grpc"}, "a gRPC message, not JSON"),
], ids=lambda value: value if isinstance(value, str) else "")  # fmt: skip
def test_what_can_not_be_changed_is_not_sent(lab, body, headers, reason):
    proxy, primary, copy = one_shadow(lab, request={"model": "small"})
    assert proxy.send(request("/v1/x", body, headers=headers)).status == 200
    proxy.eventually("gnomon_shadow_outcomes_total", 1, outcome="unsent_unshaped")
    assert said(proxy, "unsent_unshaped") == reason
    assert (primary.seen[0].body, copy.seen) == (body, [])


def test_a_body_that_is_too_long_once_it_is_decoded_is_not_sent(lab):
    primary, copy = lab.upstream(), lab.upstream()
    routes = route(shadows=[shadow(request={"model": "small"})])
    proxy = lab.proxy(configuration(routes, limits={"body": "64KiB"}), {"primary": primary, "shadow": copy})
    for length in (60_000, 70_000, 50_000_000):
        body = gzipped(b'{"model":"big","text":"%s"}' % (b"x" * length))
        assert proxy.send(request("/v1/x", body, headers={**JSON, "content-encoding": "gzip"})).status == 200
    proxy.eventually("gnomon_shadow_outcomes_total", 2, outcome="unsent_body")
    proxy.eventually("gnomon_shadow_outcomes_total", 1, outcome="compared")
    assert proxy.metrics().total("gnomon_captured_bytes") == 0


@pytest.mark.parametrize("protocol, path, body, expected", [
    ("openai", "/v1/x", b'{"messages":[]}', b'{"messages":[],"model":"small"}'),
    ("auto", "/v1/chat/completions", b"{}", b'{"model":"small"}'),
    ("auto", "/v1/chat/completions", b'{"model": null}', b'{"model": "small"}'),
    ("auto", "/v1/models/m:predict", b'{"instances":[]}', b'{"instances":[]}'),
    ("json", "/v1/x", b'{"a":1}', b'{"a":1}'),
    ("openai", "/v1/x", None, b""),
], ids=str)  # fmt: skip
def test_a_missing_model_is_added_for_openai_alone(lab, protocol, path, body, expected):
    primary, copy = lab.upstream(), lab.upstream()
    routes = route(shadows=[shadow(request={"model": "small"})], protocol=protocol)
    proxy = lab.proxy(configuration(routes), {"primary": primary, "shadow": copy})
    proxy.send(request(path, body, headers=JSON))
    assert copy.wait()[0].body == expected


def test_what_can_not_be_judged_is_not_sampled_but_counted(lab):
    proxy, primary, copy = one_shadow(lab, when={"body": [{"path": "model", "exact": "big"}]})
    assert list(proxy.metrics().series("gnomon_unjudged_total", shadow="copy").values()) == [0]
    encoded = {**JSON, "content-encoding": "gzip"}
    requests = [
        (BIG, JSON), (gzipped(BIG), encoded), (b"\xef\xbb\xbf" + BIG, JSON),  # these qualify
        (SMALL, JSON), (gzipped(SMALL), encoded), (b"{}", JSON), (b"[]", JSON), (b"", encoded),  # these don't
        (BIG, encoded), (b"model=big", {"content-type": "application/x-www-form-urlencoded"}), (BIG + b"\0", JSON),
        (BIG.decode().encode("utf-16"), JSON), (b"\0\0\0\0\0", {"content-type": "application/grpc"}),
    ]  # fmt: skip
    for body, headers in requests:
        assert proxy.send(request("/v1/x", body, headers=headers)).status == 200
    proxy.eventually("gnomon_unjudged_total", 5)
    proxy.eventually("gnomon_shadow_outcomes_total", 3, outcome="compared")
    assert proxy.metrics().total("gnomon_sampled_total") == 3
    assert [(got.body, got.values("content-encoding")) for got in copy.wait(3)] == [(BIG, []), (BIG, []), (b"\xef\xbb\xbf" + BIG, [])]
    assert said(proxy, "unjudged").startswith("not decoded as content-encoding says")
    assert [got.body for got in primary.seen] == [body for body, _ in requests]


def test_slices_are_by_the_decoded_body(lab):
    primary, copy = lab.upstream(), lab.upstream()
    routes = route(shadows=[shadow()], slices={"body": "model", "values": ["big", "small"]})
    proxy = lab.proxy(configuration(routes), {"primary": primary, "shadow": copy})
    bodies = [gzipped(BIG), gzipped(SMALL), b"not gzip"]
    for body in bodies:
        proxy.send(request("/v1/x", body, headers={**JSON, "content-encoding": "gzip"}))
    proxy.eventually("gnomon_pairs_total", 3)
    assert proxy.metrics().by("gnomon_pairs_total", "slice") == {"big": 1, "small": 1, "other": 1}
    got = [(got.body, got.values("content-encoding")) for got in copy.wait(3)]
    assert got == [(BIG, []), (SMALL, []), (b"not gzip", ["gzip"])], "what can't be decoded is sent as it came"


def field(number, value):
    """A field of a message, of bytes."""
    return bytes([number << 3 | 2, len(value)]) + value


def framed(message, compressed=0):
    """A message with its head."""
    return bytes([compressed]) + len(message).to_bytes(4, "big") + message


@pytest.mark.parametrize("coding, compress", [("gzip", gzipped), ("deflate", zlib.compress)])
def test_a_compressed_grpc_message_is_changed_decompressed(lab, coding, compress):
    message = [field(1, name) + field(2, b"1") + field(7, b"\0\xff") for name in (b"big", b"small")]
    body = framed(compress(message[0]), compressed=1)
    primary, copy = lab.upstream(), lab.upstream()
    proxy = lab.proxy(configuration(route(prefix="/", shadows=[shadow(request={"model": "small"})])), {"primary": primary, "shadow": copy})
    headers = {"content-type": "application/grpc", "grpc-encoding": coding, "grpc-accept-encoding": coding}
    proxy.send(request(MODEL_INFER, body, headers=headers))
    got = copy.wait()[0]
    assert (got.body, got.values("grpc-encoding"), got.values("grpc-accept-encoding")) == (framed(message[1]), [], [coding])
    assert (primary.seen[0].body, primary.seen[0].values("grpc-encoding")) == (body, [coding])


@pytest.mark.parametrize("path, body, coding, reason", [
    (MODEL_INFER, framed(b"", 1), None, "a compressed gRPC message without grpc-encoding"),
    (MODEL_INFER, framed(b"", 1), "snappy", "unknown content coding"),
    (MODEL_INFER, framed(b"\x0a\x01m")[:-1], None, "a gRPC message is cut off"),
    (MODEL_INFER, framed(b"") * 2, None, "something follows the gRPC message"),
    ("/inference.GRPCInferenceService/ModelStreamInfer", framed(field(1, b"big")), None, "a gRPC message, not JSON"),
], ids=str)  # fmt: skip
def test_a_grpc_message_that_can_not_be_changed_is_not_sent(lab, path, body, coding, reason):
    primary, copy = lab.upstream(), lab.upstream()
    proxy = lab.proxy(configuration(route(prefix="/", shadows=[shadow(request={"model": "small"})])), {"primary": primary, "shadow": copy})
    headers = {"content-type": "application/grpc", **({"grpc-encoding": coding} if coding else {})}
    proxy.send(request(path, body, headers=headers))
    proxy.eventually("gnomon_shadow_outcomes_total", 1, outcome="unsent_unshaped")
    assert said(proxy, "unsent_unshaped") == reason
    assert copy.seen == []
