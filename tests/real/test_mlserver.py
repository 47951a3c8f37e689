"""Triton's clients at two real MLServers with models of scikit-learn, whose own predictions say what the filter must find."""

from collections import Counter
from contextlib import ExitStack

import numpy as np
import pytest
import tritonclient.grpc as grpc
import tritonclient.http as http
from rig.configuration import configuration, shadow
from rig.lab import Lab

from servers import digits
from servers.mlserver import MLServer
from tap import Tap
from traffic import HEADER, TWO_CLUSTERS, case_route, two_ports

SIZES = {"rest": 1, "grpc": 1, "gzip": 20}
"""Images in a request, by transport. MLServer encodes only answers of some length."""


def chosen():
    """Some images about which the versions agree and some about which they don't, mixed. None of them is an 8 or a 9 to either: eight
    names are told apart."""
    unseen = digits.unseen()
    one, other = (model.predict(unseen) for model in digits.trained()["digits"].values())
    few = (one < 8) & (other < 8)
    picked = [*np.flatnonzero(few & (one == other))[:28], *np.flatnonzero(few & (one != other))[:12]]
    return unseen[sorted(picked)]


IMAGES = chosen()


def by_sklearn(model, what="predict"):
    """What each version says to the images, by scikit-learn itself."""
    return [getattr(digits.trained()[model][version], what)(IMAGES) for version in digits.TRAINING]


def become(numbers, thresholds, names):
    """The names to which numbers lead."""
    return [names[sum(number >= threshold for threshold in thresholds)] for number in numbers]


def same_three(one, other):
    """For each row of scores whether its three best are the same."""
    return np.array([set(a.argsort()[-3:]) == set(b.argsort()[-3:]) for a, b in zip(one, other, strict=True)])


def tolerated(one, other, absolute=1e-6, relative=1e-3):
    """Which numbers the filter must take for equal."""
    apart = np.abs(one - other)
    return (apart <= absolute) | (apart <= relative * np.maximum(np.abs(one), np.abs(other)))


THRESHOLDS, LEVELS = [3, 6], ["low", "middle", "high"]
LABEL, WORD, SCORES, SIZE = by_sklearn("digits"), by_sklearn("words"), by_sklearn("digits", "predict_proba"), by_sklearn("size")
BEST = [scores.argmax(axis=1) for scores in SCORES]
LEVEL = [np.array(become(sizes, THRESHOLDS, LEVELS)) for sizes in SIZE]
CASES = {
    # The model, its outputs, what `compare` says; which rows are equal, the kind of the others, and what became of what.
    "number": ("digits", ["predict"], {"task": "labels"}, LABEL[0] == LABEL[1], "label", LABEL),
    "word": ("words", ["predict"], {"task": "labels"}, WORD[0] == WORD[1], "label", WORD),
    "vector": ("digits", ["predict_proba"], {"task": "labels"}, BEST[0] == BEST[1], "label", BEST),
    "top": ("digits", ["predict_proba"], {"task": {"labels": {"top": 3}}}, same_three(*SCORES), "label", BEST),
    "size": ("size", ["predict"], {"task": "regression", "absolute": 0.5, "relative": 0}, tolerated(*SIZE, 0.5, 0), "number", None),
    "level": (
        "size", ["predict"],
        {"task": {"decision": {"path": "outputs[*].data[*]", "thresholds": THRESHOLDS, "names": LEVELS}}},
        LEVEL[0] == LEVEL[1], "label", LEVEL,
    ),
    "all": (
        "digits", ["predict", "predict_proba"], {"absolute": 0.1},
        (LABEL[0] == LABEL[1]) & tolerated(*SCORES, 0.1).all(axis=1), "number", None,
    ),
}


class Table:
    """The proxy, the servers behind it, and clients."""

    def __init__(self, stack, folder, lab):
        taps = []
        for version in digits.TRAINING:
            server = MLServer(folder, version)
            stack.callback(server.stop)
            taps.append([Tap(server.http), Tap(server.grpc)])
            for tap in taps[-1]:
                stack.callback(tap.stop)
        self.primary, self.copy = taps
        routes = [
            case_route(f"{name}-{transport}", compare=case[2], shadows=[shadow(cluster=TWO_CLUSTERS)])
            for name, case in CASES.items()
            for transport in SIZES
        ]
        routes.append(case_route("encoded", "open-inference", shadows=[shadow(cluster=TWO_CLUSTERS)]))
        self.proxy = lab.proxy(configuration(*routes), **two_ports(self.primary, self.copy))
        address = f"127.0.0.1:{self.proxy.port}"
        self.rest, self.grpc = http.InferenceServerClient(address), grpc.InferenceServerClient(address)
        stack.callback(self.rest.close)
        stack.callback(self.grpc.close)

    def ask(self, route, transport, model, outputs, images):
        """What the baseline answers to these images: the arrays of its outputs."""
        client, here = (grpc, self.grpc) if transport == "grpc" else (http, self.rest)
        tensor, headers = client.InferInput("images", list(images.shape), "FP64"), {HEADER: route}
        if client is grpc:
            wanted = [grpc.InferRequestedOutput(output) for output in outputs]
            result = here.infer(model, [tensor.set_data_from_numpy(images)], outputs=wanted, headers=headers)
        else:
            # MLServer's REST knows no binary tensors.
            wanted = [http.InferRequestedOutput(output, binary_data=False) for output in outputs]
            encoding = "gzip" if transport == "gzip" else None
            tensor.set_data_from_numpy(images, binary_data=False)
            result = here.infer(model, [tensor], outputs=wanted, headers=headers, response_compression_algorithm=encoding)
        return [result.as_numpy(output) for output in outputs]


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    with ExitStack() as stack:
        yield Table(stack, tmp_path_factory.mktemp("mlserver"), stack.enter_context(Lab()))


@pytest.mark.parametrize("transport", SIZES)
@pytest.mark.parametrize("name", CASES)
def test_agrees_with_scikit_learn(table, name, transport):
    model, outputs, _, equal, kind, answers = CASES[name]
    route, size = f"{name}-{transport}", SIZES[transport]
    batches = [slice(at, at + size) for at in range(0, len(IMAGES), size)]
    for batch in batches:
        for output, array in zip(outputs, table.ask(route, transport, model, outputs, IMAGES[batch]), strict=True):
            trusted = getattr(digits.trained()[model]["1"], output)(IMAGES[batch])
            if trusted.dtype.kind == "U":
                assert [one.decode() if isinstance(one, bytes) else one for one in array.ravel()] == list(trusted)
            else:
                np.testing.assert_allclose(array.reshape(trusted.shape), trusted, rtol=1e-12)
    table.proxy.eventually("gnomon_shadow_outcomes_total", len(batches), route=route)
    metrics = table.proxy.metrics(route)
    diverged = sum(not equal[batch].all() for batch in batches)
    assert 0 < diverged, "the models differ"
    wanted = {"diverged": diverged, "equivalent": len(batches) - diverged}
    assert metrics.by("gnomon_pairs_total", "verdict", route=route) == {verdict: n for verdict, n in wanted.items() if n}
    assert metrics.by("gnomon_divergences_total", "kind", route=route) == {kind: diverged}
    became = Counter(zip(*(map(str, side) for side in answers), strict=True)) if answers else {}
    assert metrics.by("gnomon_decisions_total", "primary_answer", "shadow_answer", route=route) == dict(became)
    served = {("none", "1"): len(batches), ("copy", "2"): len(batches)}
    assert metrics.by("gnomon_model_versions_total", "subject", "model_version", route=route) == served


def test_the_client_gets_gzip_and_the_copy_asks_for_none(table):
    """MLServer encodes answers for whoever accepts it: the primary's must be decoded to be compared, and the shadow need not encode."""
    route = "encoded"
    table.ask(route, "gzip", "digits", ["predict", "predict_proba"], IMAGES[:20])
    table.proxy.eventually("gnomon_pairs_total", 1, route=route)
    asked = [[r.values("accept-encoding") for r in tap.seen if r.header(HEADER) == route] for tap in (table.primary[0], table.copy[0])]
    assert asked == [[["gzip"]], [["identity"]]]
