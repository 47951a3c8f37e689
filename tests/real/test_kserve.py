"""KServe's own server in its V1 protocol: labels, words, vectors, numbers and objects, against scikit-learn's own predictions."""

import json
from collections import Counter
from contextlib import ExitStack

import pytest
from rig.client import exchange, request
from rig.configuration import configuration, shadow
from rig.lab import Lab

from servers import digits
from servers.kserve import KServe
from test_mlserver import BEST, IMAGES, LABEL, SCORES, SIZE, WORD, tolerated
from traffic import HEADER, case_route

CASES = {
    # The model, what `compare` says; which rows are equal, the kind of the others, and what became of what.
    "digits": ("digits", {"task": "labels"}, LABEL[0] == LABEL[1], "label", LABEL),
    "words": ("words", {"task": "labels"}, WORD[0] == WORD[1], "label", WORD),
    "vectors": ("scores", {"task": "labels"}, BEST[0] == BEST[1], "label", BEST),
    "scores": ("scores", {"task": "scores", "absolute": 0.1}, tolerated(*SCORES, 0.1).all(axis=1), "number", None),
    "sizes": ("size", {"task": "regression", "absolute": 0.5, "relative": 0}, tolerated(*SIZE, 0.5, 0), "number", None),
    "objects": ("objects", {"task": {"labels": {"path": "predictions[*].label"}}}, WORD[0] == WORD[1], "label", WORD),
    "plain": ("digits", {}, LABEL[0] == LABEL[1], "number", None),
}


@pytest.fixture(scope="module")
def proxy(tmp_path_factory):
    """The proxy in front of a server of each version."""
    with ExitStack() as stack:
        lab = stack.enter_context(Lab())
        servers = []
        for version in digits.TRAINING:
            servers.append(KServe(tmp_path_factory.mktemp("kserve"), version))
            stack.callback(servers[-1].stop)
        routes = [case_route(name, compare=case[1], shadows=[shadow()]) for name, case in CASES.items()]
        yield lab.proxy(configuration(*routes), dict(zip(("primary", "shadow"), servers, strict=True)))


@pytest.mark.parametrize("name", CASES)
def test_agrees_with_scikit_learn(proxy, name):
    model, _, equal, kind, answers = CASES[name]
    for image in IMAGES:
        body = json.dumps({"instances": [image.tolist()]}).encode()
        answer = exchange(proxy.port, request(f"/v1/models/{model}:predict", body, headers={HEADER: name}))
        assert answer.status == 200 and len(json.loads(answer.body)["predictions"]) == 1
    proxy.eventually("gnomon_shadow_outcomes_total", len(IMAGES), route=name)
    metrics = proxy.metrics(name)
    assert metrics.by("gnomon_shadow_outcomes_total", "outcome", route=name) == {"compared": len(IMAGES)}
    diverged = int((~equal).sum())
    assert metrics.total("gnomon_pairs_total", route=name, verdict="diverged") == diverged > 0
    assert metrics.by("gnomon_divergences_total", "kind", route=name) == {kind: diverged}
    became = Counter(zip(*(map(str, side) for side in answers), strict=True)) if answers else {}
    assert metrics.by("gnomon_decisions_total", "primary_answer", "shadow_answer", route=name) == dict(became)


def test_a_batch_diverges_once(proxy):
    before = proxy.metrics("digits").total("gnomon_pairs_total", route="digits", verdict="diverged")
    body = json.dumps({"instances": IMAGES.tolist()}).encode()
    exchange(proxy.port, request("/v1/models/digits:predict", body, headers={HEADER: "digits"}))
    proxy.eventually("gnomon_pairs_total", before + 1, route="digits", verdict="diverged")
