"""Triton's own clients, through the filter, at two real Triton servers: every datatype, three transports, encodings, versions, labels."""

from contextlib import ExitStack
from dataclasses import dataclass, field

import numpy as np
import pytest
import tritonclient.grpc as grpc
import tritonclient.http as http
from rig.configuration import configuration, shadow
from rig.lab import Lab
from tritonclient.grpc import service_pb2
from tritonclient.utils import InferenceServerException

from record.triton import BETWEEN, FLOATS, OTHERS, SETOSA, VERSICOLOR, tensors
from servers.triton import Triton
from tap import Tap
from traffic import GRPC_ROUTE, HEADER, TWO_CLUSTERS, Expected, case_route, expect, two_ports

EQUIVALENT = Expected("equivalent")
NUMBER = Expected("diverged", "number", "outputs[*].data[*]")
TEXT = Expected("diverged", "text", "outputs[*].data[*]")
KINDS = {"BOOL": "boolean", "BYTES": "text"}
TRANSPORTS = ("json", "binary", "grpc")
NEXT = {"path": {"prefix": "/v2/models/", "with": "/v2/models/next-"}}
SPECIES = ["setosa", "versicolor", "virginica"]
ALL = ("scores", "name", "number")


@dataclass
class Case:
    """A request, and what comparing the answers must say."""

    name: str
    transport: str
    model: str
    inputs: list
    outputs: list | None
    expected: Expected
    options: dict = field(default_factory=dict)
    compare: dict = field(default_factory=dict)
    decisions: dict = field(default_factory=dict)


def typed():
    """A case for each datatype, transport and kind of difference."""
    for datatype, (kind, usual, near, far) in FLOATS.items():
        yield from of_type(f"{datatype.lower()}-near", datatype, kind, [usual, near], EQUIVALENT)
        yield from of_type(f"{datatype.lower()}-far", datatype, kind, [usual, far], NUMBER)
    for datatype, (kind, usual, changed) in OTHERS.items():
        expected = Expected("diverged", KINDS.get(datatype, "number"), NUMBER.path)
        yield from of_type(f"{datatype.lower()}-changed", datatype, kind, [usual, changed], expected)
        yield from of_type(f"{datatype.lower()}-same", datatype, kind, [usual, usual], EQUIVALENT)
    special = [float("nan"), float("inf"), float("-inf"), -0.0]
    yield from of_type("fp32-special", "FP32", np.float32, [special, [*special[:3], 0.0]], EQUIVALENT, transports=("binary", "grpc"))
    yield from of_type("fp32-empty", "FP32", np.float32, [[], []], EQUIVALENT, shape=(0, 4))
    many = np.linspace(-1, 1, 100_000)
    yield from of_type("fp32-long", "FP32", np.float32, [many, many * 1.0001], EQUIVALENT, shape=(100, 1000), transports=("binary", "grpc"))


def of_type(name, datatype, kind, values, expected, shape=(1, 4), transports=TRANSPORTS):
    """The cases of one pair of tensors."""
    rest, rpc = tensors(datatype, kind, values, shape)
    output = datatype.lower()
    for transport in transports:
        if transport == "grpc":
            yield Case(f"{name}-grpc", "grpc", "types", rpc, outputs("grpc", output), expected)
        elif datatype not in ("FP16", "BF16") or transport == "binary":  # Triton has no JSON for these two
            yield Case(f"{name}-{transport}", transport, "types", rest, outputs(transport, output), expected)


def lengths(client, rows):
    """The input of the model `species`."""
    array = np.array(rows, dtype=np.float32)
    return [client.InferInput("lengths", list(array.shape), "FP32").set_data_from_numpy(array)]


def outputs(transport, *names):
    """What is asked for, as the client of a transport says it."""
    if transport == "grpc":
        return [grpc.InferRequestedOutput(name) for name in names]
    return [http.InferRequestedOutput(name, binary_data=transport == "binary") for name in names]


def flowers():
    """Cases of the classifier: the label alone, the scores alone, and all outputs, in batches, encoded, ranked."""
    labels, named = {"task": "labels"}, {"task": {"labels": {"names": SPECIES}}}
    changed = Expected("diverged", "label")
    batch = [SETOSA, BETWEEN, VERSICOLOR]
    stay, flip = lambda name: (name, name), ("versicolor", "virginica")
    became = {"same": {stay("setosa"): 1}, "flipped": {flip: 1}, "batch": {stay("setosa"): 1, flip: 1, stay("versicolor"): 1}}
    for transport in TRANSPORTS:
        client = grpc if transport == "grpc" else http
        for name, rows, expected in (("same", [SETOSA], EQUIVALENT), ("flipped", [BETWEEN], changed), ("batch", batch, changed)):
            for output, compare in (("name", labels), ("scores", named), ("number", labels)):
                case, inputs = f"{output}-{name}-{transport}", lengths(client, rows)
                numbers = {tuple(str(SPECIES.index(one)) for one in pair): n for pair, n in became[name].items()}
                decisions = numbers if output == "number" else became[name]
                yield Case(case, transport, "species", inputs, outputs(transport, output), expected, {}, compare, decisions)
        # Tensors are compared in the order of their names.
        all_of_it = Case(f"all-{transport}", transport, "species", lengths(client, batch), outputs(transport, *ALL), TEXT)
        yield all_of_it
        if transport != "grpc":
            for encoding in ("gzip", "deflate"):
                options = {"response_compression_algorithm": encoding, "request_compression_algorithm": encoding}
                yield Case(f"all-{transport}-{encoding}", transport, "species", all_of_it.inputs, all_of_it.outputs, TEXT, options)
    ranked = [http.InferRequestedOutput("scores", binary_data=False, class_count=3)]
    yield Case("ranked", "json", "species", lengths(http, [BETWEEN]), ranked, TEXT)
    yield Case("all-grpc-gzip", "grpc", "species", lengths(grpc, batch), None, TEXT, {"compression_algorithm": "gzip"})


CASES = [*typed(), *flowers()]


class Table:
    """The proxy with a route for every case, the servers behind it, and clients for both."""

    def __init__(self, stack, folder, lab):
        stable, candidate = Triton(folder, ["1"]), Triton(folder, ["2"], prefix="next-")
        for server in (stable, candidate):
            stack.callback(server.stop)
        self.primary, self.copy = [Tap(stable.http), Tap(stable.grpc)], [Tap(candidate.http), Tap(candidate.grpc)]
        for tap in self.primary + self.copy:
            stack.callback(tap.stop)
        routes = [case_route(case.name, compare=case.compare, shadows=[self.shadow(case.model)]) for case in CASES]
        more = [
            *[case_route(f"explicit-{port}", "open-inference", shadows=[self.shadow("species")]) for port in ("http", "grpc")],
            case_route("right-version", shadows=[self.shadow("species", expect={"model_version": "2"})]),
            case_route("wrong-version", shadows=[self.shadow("species", expect={"model_version": "1"})]),
            case_route("unknown", shadows=[self.shadow("nobody")]),
        ]
        # Of the other methods of the service the model's metadata stands for all.
        metadata = {"path": {"exact": GRPC_ROUTE + "ModelMetadata"}}
        more.append({"name": "other-methods", "match": metadata, "shadows": [shadow(cluster=TWO_CLUSTERS)]})
        self.proxy = lab.proxy(configuration(*routes, *more), **two_ports(self.primary, self.copy))
        self.through = self.clients(stack, self.proxy.port, self.proxy.port)
        self.direct = self.clients(stack, stable.http.port, stable.grpc.port)

    def shadow(self, model, **more):
        """The candidate, whose models have other names."""
        return shadow(cluster=TWO_CLUSTERS, request={**NEXT, "model": f"next-{model}"}, **more)

    def clients(self, stack, http_port, grpc_port):
        made = http.InferenceServerClient(f"127.0.0.1:{http_port}"), grpc.InferenceServerClient(f"127.0.0.1:{grpc_port}")
        for client in made:
            stack.callback(client.close)
        return made

    def ask(self, clients, name, transport, model, inputs, wanted, **options):
        """Asks with the client for this transport."""
        return clients[transport == "grpc"].infer(model, inputs, outputs=wanted, headers={HEADER: name}, **options)

    def received(self, taps, name):
        """The one request of a case that arrived at a server."""
        found = [received for tap in taps for received in tap.seen if received.header(HEADER) == name]
        assert len(found) == 1, found
        return found[0]


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    with ExitStack() as stack:
        yield Table(stack, tmp_path_factory.mktemp("triton"), stack.enter_context(Lab()))


def answer_of(result):
    """What a client made of an answer: the version, and each output's values."""
    response = result.get_response()
    version = response.model_version if hasattr(response, "model_version") else response["model_version"]
    names = [output.name for output in response.outputs] if hasattr(response, "outputs") else [o["name"] for o in response["outputs"]]
    return version, {name: result.as_numpy(name) for name in names}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_pair(table, case):
    results = [
        table.ask(clients, case.name, case.transport, case.model, case.inputs, case.outputs, **case.options)
        for clients in (table.through, table.direct)
    ]
    (version, values), (_, direct) = (answer_of(result) for result in results)
    assert version == "1" and values.keys() == direct.keys()
    for name, array in values.items():
        np.testing.assert_array_equal(array, direct[name])
    expect(table.proxy, case.name, case.expected)
    served = table.proxy.metrics(case.name).by("gnomon_model_versions_total", "subject", "model_version", route=case.name)
    assert served == {("none", "1"): 1, ("copy", "2"): 1}
    decisions = table.proxy.metrics(case.name).by("gnomon_decisions_total", "primary_answer", "shadow_answer", route=case.name)
    assert decisions == case.decisions


def test_a_copy_over_http_is_the_request_for_another_model(table):
    table.ask(table.through, "explicit-http", "binary", "species", lengths(http, [BETWEEN]), None, request_id="7")
    expect(table.proxy, "explicit-http", TEXT)
    original, copy = table.received(table.primary, "explicit-http"), table.received(table.copy, "explicit-http")
    assert (original.path, copy.path) == ("/v2/models/species/infer", "/v2/models/next-species/infer")
    assert copy.body == original.body
    name = "inference-header-content-length"
    assert copy.values(name) == original.values(name) != []
    assert (copy.values("accept-encoding"), copy.values("x-gnomon-shadow")) == (["identity"], ["copy"])


def test_a_copy_over_grpc_is_the_request_for_another_model(table):
    table.ask(table.through, "explicit-grpc", "grpc", "species", lengths(grpc, [BETWEEN]), None, request_id="7")
    expect(table.proxy, "explicit-grpc", TEXT)
    original, copy = table.received(table.primary, "explicit-grpc"), table.received(table.copy, "explicit-grpc")
    assert original.path == copy.path == GRPC_ROUTE + "ModelInfer"
    assert (copy.values("te"), copy.values("x-gnomon-shadow")) == (["trailers"], ["copy"])
    sent, copied = (service_pb2.ModelInferRequest.FromString(one.body[5:]) for one in (original, copy))
    assert (sent.model_name, copied.model_name) == ("species", "next-species")
    copied.model_name = sent.model_name
    assert copied == sent


@pytest.mark.parametrize("name, outcome", [("right-version", "compared"), ("wrong-version", "wrong_version")])
def test_the_version_that_is_expected(table, name, outcome):
    for transport, client in (("json", http), ("binary", http), ("grpc", grpc)):
        table.ask(table.through, name, transport, "species", lengths(client, [SETOSA]), outputs(transport, "scores"))
    table.proxy.eventually("gnomon_shadow_outcomes_total", 3, route=name)
    assert table.proxy.metrics(name).by("gnomon_shadow_outcomes_total", "outcome", route=name) == {outcome: 3}


def test_a_request_that_makes_no_sense(table):
    for clients in (table.through, table.direct):
        for transport, client in (("binary", http), ("grpc", grpc)):
            with pytest.raises(InferenceServerException, match="unexpected shape"):
                table.ask(clients, "unknown", transport, "species", lengths(client, [[1, 2, 3]]), None)
    table.proxy.eventually("gnomon_shadow_outcomes_total", 2, route="unknown")
    # The candidate does not know the model: by HTTP that is 404 against 400, by gRPC the same class as the shape.
    assert table.proxy.metrics("unknown").by("gnomon_shadow_responses_total", "class", route="unknown") == {"404": 1, "4xx": 1}
    outcomes = {"both_failed": 1, "both_refused": 1}
    assert table.proxy.metrics("unknown").by("gnomon_shadow_outcomes_total", "outcome", route="unknown") == outcomes


def test_other_methods_are_compared_as_bytes(table):
    metadata = table.through[1].get_model_metadata("species")
    assert metadata == table.direct[1].get_model_metadata("species") and metadata.versions == ["1"]
    # The candidate has no model of this name.
    table.proxy.eventually("gnomon_shadow_outcomes_total", 1, route="other-methods", outcome="shadow_failed")
