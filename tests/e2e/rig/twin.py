"""The transparency claim: the same request through the listener without the filter and the one with it."""

VARIES = {"date", "x-envoy-upstream-service-time"}
"""Response headers whose value differs from one answer to the next."""
OWN = {"x-request-id", "x-gnomon-variant"}
"""Request headers that may differ: Envoy draws the first anew, the filter sets the second."""


def exchange_both(envoy, upstreams, data, arrives=True):
    """Sends `data` to both listeners one after the other, requires equal answers and equal requests at the upstream, and returns the
    answer. `arrives`: whether an upstream is to see the request at all."""
    answers, requests = [], []
    for listener in ("bare", "filtered"):
        before = [len(one.seen) for one in upstreams]
        answers.append(envoy.send(data, listener))
        requests.append([received for one, count in zip(upstreams, before) for received in one.seen[count:]])
    assert _answer(answers[0]) == _answer(answers[1]), "the answer with the filter differs from the one without"
    bare, filtered = ([_request(received) for received in seen] for seen in requests)
    assert bare == filtered, "the upstream saw another request with the filter"
    assert bool(bare) == arrives
    return answers[1]


def _answer(answer):
    headers = [(name, "…" if name in VARIES else value) for name, value in answer.headers if name not in OWN]
    return answer.status, headers, answer.body, answer.complete


def _request(received):
    headers = [pair for pair in received.headers if pair[0] not in OWN]
    return received.method, received.path, headers, received.body, received.trailers, received.complete
