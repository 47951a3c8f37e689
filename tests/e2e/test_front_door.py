"""The pages on gateways that could not be run here: the plugin of each is right, and a copy that goes through the gateway's own Service is not
copied again. Two Envoys stand for two pods of the gateway.
"""

import json

import pytest
from rig.client import request
from rig.envoy import wasm_filter
from rig.examples import ROOT, everything
from rig.lab import WASM
from rig.manifests import check_configuration, check_fields, parsed
from rig.upstream import Reply

PAGES = ["kserve", "knative", "envoy-ai-gateway"]
REQUESTS = {
    "knative": ("fraud.models.example.com", "/v2/models/fraud/infer", {"inputs": []}),
    "envoy-ai-gateway": ("chat.example.com", "/v1/chat/completions", {"model": "chat-70b", "messages": []}),
}
"""Host, path and body of what the configuration of a page copies through the front door."""
COUNT = 20


def page(name):
    """The text of a page."""
    return (ROOT / f"docs/{name}.md").read_text()


def manifests(name):
    """The text of the only YAML on a page."""
    _, text = page(name).split("```yaml\n")
    return text.partition("```")[0]


def plugin(name):
    """The plugin's own configuration on a page."""
    [found] = [one for one in everything(parsed(manifests(name))) if "experiment" in one]
    return found


@pytest.mark.parametrize("name", PAGES)
def test_the_plugin_of_a_page_is_right(name, tmp_path):
    check_configuration(manifests(name), tmp_path)
    for document in parsed(manifests(name)):
        check_fields(document)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_says_first_that_it_was_not_run(name):
    assert page(name).split("\n")[2].startswith("**Not run.**")


def pods(lab, name, trust=True):
    """Two pods of the gateway with the plugin of a page, which here copies everything: (first, second, where the second's requests go, where
    its copies go). The first one's copies go to the second."""
    config = plugin(name)
    config["trust_copies"] = trust
    [shadow] = config["routes"][0]["shadows"]
    shadow["percent"] = "100%"
    shadow.pop("when", None)
    filters = [wasm_filter(WASM, config, environment={"SHADOW_AUTH": "Bearer copies"})]
    primary, candidate, again = lab.upstream(), lab.upstream(), lab.upstream(Reply(b"{}"))
    second = lab.proxy(config, {"routed": candidate, shadow["cluster"]: again}, filters=filters)
    first = lab.proxy(config, {"routed": primary, shadow["cluster"]: second}, filters=filters)
    return first, second, candidate, again


def send(proxy, name):
    """Sends requests that the page's plugin copies."""
    host, path, body = REQUESTS[name]
    data = request(path, json.dumps(body).encode(), headers={"content-type": "application/json"}).replace(b"models.test", host.encode())
    for _ in range(COUNT):
        assert proxy.send(data).status == 200


@pytest.mark.parametrize("name", REQUESTS)
def test_a_copy_through_the_front_door_is_not_copied_again(name, lab):
    first, second, candidate, again = pods(lab, name)
    send(first, name)
    first.eventually("gnomon_shadow_outcomes_total", COUNT)
    assert len(candidate.seen) == COUNT and {received.header("x-gnomon-shadow") for received in candidate.seen} != {None}
    assert not again.seen and second.metrics().total("gnomon_requests_total") == 0, "neither copied nor counted"


def test_without_trust_a_copy_for_the_same_host_would_be_copied_again(lab):
    first, _, _, again = pods(lab, "envoy-ai-gateway", trust=False)
    send(first, "envoy-ai-gateway")
    first.eventually("gnomon_shadow_outcomes_total", COUNT)
    assert again.seen


def test_the_chat_copy_asks_for_the_candidate_with_a_credential_of_its_own(lab):
    first, _, candidate, _ = pods(lab, "envoy-ai-gateway")
    send(first, "envoy-ai-gateway")
    first.eventually("gnomon_shadow_outcomes_total", COUNT)
    assert {json.loads(received.body)["model"] for received in candidate.seen} == {"chat-8b"}
    assert {received.header("authorization") for received in candidate.seen} == {"Bearer copies"}
