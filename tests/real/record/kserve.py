"""KServe's answers in its V1 protocol: labels, words, vectors of scores, numbers and objects, one and several at a time."""

import json

from servers import digits
from servers.kserve import KServe

from .wire import post


def record(recorder, folder):
    """Records everything."""
    running = []
    try:
        for version in digits.TRAINING:
            running.append(KServe(folder, version))
        _everything(recorder, running)
    finally:
        for server in running:
            server.stop()


def _everything(recorder, servers):
    agree, unsure, flipped = ([number] for number in digits.telling())
    chosen = {"agree": agree, "unsure": unsure, "flipped": flipped, "batch": [*agree, *unsure, *range(5), *flipped]}
    for model in ("digits", "words", "scores", "size", "objects"):
        for case, rows in chosen.items():
            answers = [_asked(server, model, rows) for server in servers]
            assert [one.status for one in answers] == [200, 200], answers
            recorder.pair(f"{model}-{case}", *answers, request=case == "agree")
    recorder.pair("error-unknown-model", *[_asked(server, "nobody", agree) for server in servers])
    wrong = json.dumps({"instances": [[1, 2, 3]]}).encode()
    recorder.pair("error-wrong-shape", *[post(server.port, "/v1/models/digits:predict", wrong) for server in servers])


def _asked(server, model, rows):
    body = {"instances": digits.unseen()[rows].astype(int).tolist()}
    return post(server.port, f"/v1/models/{model}:predict", json.dumps(body).encode(), [("content-type", "application/json")])
