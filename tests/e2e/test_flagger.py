"""`flagger/` and `serve/`: the manifests against the schemas of those who read them and against each other; the queries on a real Prometheus
that scrapes a real Envoy with the shipped plugin; the webhooks at a real `gnomon serve` started as the Deployment starts it.
"""

import copy
import functools
import json
import os
import re
import shutil
import subprocess
import urllib.error
import urllib.request

import fastjsonschema
import pytest
from rig import oracle
from rig.client import many
from rig.control_plane import RouteFile
from rig.envoy import by_weight
from rig.examples import EXPERIMENT, ROOT, ROUTE, answer, everything, post
from rig.manifests import build, built, check_configuration, check_fields, only
from rig.upstream import Reply
from rig.waiting import PATIENCE, until
from test_gate_command import command  # noqa: F401 (a fixture)

FLAGGER_OWNS = {
    *(("Service", name) for name in ("fraud", "fraud-primary", "fraud-canary")),
    *(("DestinationRule", name) for name in ("fraud-primary", "fraud-canary")),
    ("VirtualService", "fraud"),
    *((kind, "fraud-primary") for kind in ("Deployment", "HorizontalPodAutoscaler")),
}
HOST = "fraud.example.com"


@functools.cache
def resources(folder):
    """What kustomize makes of a folder."""
    return built(ROOT / folder)


def one(kind, name="fraud", folder="flagger"):
    """A resource of the built folder."""
    return copy.deepcopy(only(resources(folder), kind, name))


@pytest.mark.parametrize("folder", ["flagger", "serve"])
def test_every_field_is_known(folder):
    documents = resources(folder)
    assert len(documents) == {"flagger": 9, "serve": 5}[folder]
    for document in documents:
        check_fields(document)


@pytest.mark.parametrize(("kind", "name", "folder"), [("Canary", "fraud", "flagger"), ("Deployment", "gnomon", "serve")])
def test_a_misspelt_field_would_be_found(kind, name, folder):
    document = one(kind, name, folder)
    inner = document["spec"]["analysis"]["webhooks"][0] if kind == "Canary" else document["spec"]["template"]["spec"]["containers"][0]
    inner["nmae"] = "x"
    with pytest.raises(fastjsonschema.JsonSchemaValueException, match="nmae"):
        check_fields(document)


def identities(documents):
    """Every experiment that the resources name."""
    return [found["experiment"] for document in documents for found in everything(document) if "experiment" in found]


@pytest.mark.parametrize("tag", [EXPERIMENT, "fraud-2027-01"])
def test_the_experiment_is_the_tag_of_the_image(tag, tmp_path):
    folder = shutil.copytree(ROOT / "flagger", tmp_path / "flagger")
    text = (folder / "kustomization.yaml").read_text()
    assert text.count(EXPERIMENT) == 1, "a release is one line"
    (folder / "kustomization.yaml").write_text(text.replace(EXPERIMENT, tag))
    documents = built(folder)
    hooks, metrics = (len(one("Canary")["spec"]["analysis"][what]) for what in ("webhooks", "metrics"))
    assert identities(documents) == [tag] * (1 + hooks + metrics)
    images = [found["image"] for document in documents for found in everything(document) if "image" in found]
    assert images == [f"registry.example.com/models/fraud:{tag}"] * 2
    assert "set-by-kustomization" not in json.dumps(documents)


def test_the_native_check_has_nothing_to_say_once_there_is_an_image(tmp_path):
    check_configuration(build(ROOT / "flagger"), tmp_path)


def test_nothing_is_shipped_that_flagger_makes():
    canary = one("Canary")["spec"]
    shipped = {(document["kind"], document["metadata"]["name"]) for document in resources("flagger")}
    assert not shipped & FLAGGER_OWNS
    assert {("Deployment", canary["targetRef"]["name"]), ("HorizontalPodAutoscaler", canary["autoscalerRef"]["name"])} < shipped
    deployment = one("Deployment")["spec"]
    assert "replicas" not in deployment and "app" in deployment["selector"]["matchLabels"]
    [port] = deployment["template"]["spec"]["containers"][0]["ports"]
    assert canary["service"]["targetPort"] == port["name"]
    model, shadow = (one("Deployment", name)["spec"]["template"]["spec"]["containers"][0] for name in ("fraud", "fraud-shadow"))
    assert model == shadow and "cpu" in model["resources"]["requests"], "without it the autoscaler has nothing to go by"


def plugin():
    """The shipped configuration, and its only route."""
    configured = one("WasmPlugin", "gnomon")["spec"]["pluginConfig"]
    return configured, configured["routes"][0]


def clusters():
    """{role: Envoy's name} of the Services that Flagger makes, and of the shadow's."""
    canary = one("Canary")["spec"]
    names = {role: f"outbound|{canary['service']['port']}||{canary['targetRef']['name']}-{role}" for role in ("primary", "canary")}
    [port] = one("Service", "fraud-shadow")["spec"]["ports"]
    names["copy"] = f"outbound|{port['port']}||fraud-shadow"
    return {role: f"{name}.{one('Canary')['metadata']['namespace']}.svc.cluster.local" for role, name in names.items()}


def test_the_plugin_sees_what_flagger_makes():
    _, route = plugin()
    shadow, copies = route["shadows"][0], one("DestinationRule", "fraud-shadow")["spec"]
    for variant in route["observe"]["variants"]:
        taken = [role for role, name in clusters().items() if name.startswith(variant["cluster"]["prefix"])]
        assert taken == [variant["name"]]
    # A canary whose image changes is seen an interval later: until then the one before answers.
    assert (route["observe"]["variants"][1]["warmup"], one("Canary")["spec"]["analysis"]["interval"]) == ("2m", "1m")
    assert shadow["cluster"] == clusters()["copy"] and shadow["cluster"].split("|")[3] == copies["host"] == shadow["request"]["authority"]
    assert one("Service", "fraud-shadow")["spec"]["selector"] == one("Deployment", "fraud-shadow")["spec"]["template"]["metadata"]["labels"]
    assert one("Canary")["spec"]["service"]["hosts"] == [route["match"]["authority"]["exact"]] == [HOST]


def test_the_webhooks_ask_the_shipped_server_about_subjects_that_have_gates():
    _, route = plugin()
    [port] = one("Service", "gnomon", "serve")["spec"]["ports"]
    hooks = {hook["type"]: hook for hook in one("Canary")["spec"]["analysis"]["webhooks"]}
    doors = dict.fromkeys(("confirm-traffic-increase", "rollout", "confirm-promotion"), "confirm")
    doors |= {"confirm-rollout": "fresh", "rollback": "rollback"}
    assert set(hooks) == set(doors)
    for kind, hook in hooks.items():
        assert hook["url"] == f"http://gnomon.gnomon:{port['port']}/{doors[kind]}"
        assert hook["metadata"]["route"] == route["name"] and 8 < int(hook["timeout"].removesuffix("s")) <= 10
        assert hook["metadata"].get("subject") in [None, *(gate["of"] for gate in route["gates"])]
    # By default one pod that is not ready keeps Flagger from asking whether to roll back.
    assert max(one("Canary")["spec"]["analysis"][f"{role}ReadyThreshold"] for role in ("primary", "canary")) < 100
    # Asked at weight 0, too: about the canary it would never be answered with 200.
    assert hooks["confirm-traffic-increase"]["metadata"]["subject"] == route["shadows"][0]["name"]
    assert hooks["rollout"]["metadata"]["subject"] == hooks["confirm-rollout"]["metadata"]["subject"] == "canary"


def filled(metric):
    """The query of a metric of the Canary, filled in as Flagger does: Go's templates, whose functions are `variables` and others."""
    template = one("MetricTemplate", metric["templateRef"]["name"])["spec"]
    assert template["provider"] == {"type": "prometheus", "address": "http://prometheus.monitoring:9090"}
    query = re.sub(r"\{\{ variables\.(\w+) \}\}", lambda found: metric["templateVariables"][found[1]], template["query"])
    assert "{{" not in query
    return re.sub(r"\s+", " ", query)


def in_range(prometheus, **variables):
    """What Flagger makes of each metric: {name: (its only number, whether it is in the range)}."""
    verdicts = {}
    for metric in one("Canary")["spec"]["analysis"]["metrics"]:
        metric["templateVariables"] |= variables
        [value] = prometheus.query(filled(metric)).values()
        verdicts[metric["name"]] = (value, value <= metric["thresholdRange"]["max"])
    return verdicts


class Server:
    """`gnomon serve` with the Deployment's own arguments, but for the addresses."""

    def __init__(self, program, prometheus):
        container = one("Deployment", "gnomon", "serve")["spec"]["template"]["spec"]["containers"][0]
        replaced = {"0.0.0.0:8080": "127.0.0.1:0", "http://prometheus.monitoring:9090": prometheus.url}
        words = [word.partition("=") for word in container["args"]]
        assert {value for _, equals, value in words if equals} == set(replaced)
        arguments = [f"{name}{equals}{replaced.get(value, value)}" for name, equals, value in words]
        self._process = subprocess.Popen([program, *arguments], stdout=subprocess.PIPE, text=True, env={"PATH": os.environ["PATH"]})
        self.url = "http://" + re.search(r"127\.0\.0\.1:\d+", self._process.stdout.readline())[0]

    def ask(self, path, body=None):
        """(status, text)."""
        try:
            with urllib.request.urlopen(urllib.request.Request(self.url + path, body), timeout=PATIENCE) as said:
                return said.status, said.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def hooks(self, **metadata):
        """What each webhook of the Canary is answered when Flagger calls it: {its name: status}."""
        codes, canary = {}, one("Canary")
        for hook in canary["spec"]["analysis"]["webhooks"]:
            payload = {**canary["metadata"], "phase": "Progressing", "checksum": "bd45bf9f8", "metadata": hook["metadata"] | metadata}
            codes[hook["name"]], words = self.ask("/" + hook["url"].rsplit("/", 1)[1], json.dumps(payload).encode())
            assert re.match(r"(pass|fail|undecided|unknown|fresh|used)\b", words), words
        return codes

    def stop(self):
        """Ends it."""
        self._process.terminate()
        assert self._process.wait(PATIENCE) == 0


def weights(canary):
    """The route that Flagger makes, with this weight."""
    return by_weight(**{clusters()["primary"]: 100 - canary, clusters()["canary"]: canary})


class Gateway:
    """An Envoy with the shipped plugin, whose warm-ups are over after a few answers; the canary fails where a request asks it to."""

    def __init__(self, lab, shadow=answer(0.905)):
        configured, route = plugin()
        for warmed in (route["observe"]["variants"][1], route["shadows"][0]):
            assert re.fullmatch(r"\d+m", warmed["warmup"])
            warmed["warmup"] = {"pairs": 3}
        canary = lab.upstream(lambda received: Reply(status=500) if received.header("x-bad") else answer(0.9))
        upstreams = {"primary": lab.upstream(answer(0.9)), "canary": canary, "copy": shadow and lab.upstream(shadow)}
        self.routes, self._numbers = RouteFile(lab.folder(), weights(0)), iter(range(1_000_000))
        named = {clusters()[role]: upstream for role, upstream in upstreams.items()}
        self.proxy = lab.proxy(configured, named, concurrency=2, routes=weights(0), listeners=self.routes)

    def send(self, count, **headers):
        """So many requests, all of which the shadow's percentage takes."""
        drawn = (f"r{number}" for number in self._numbers if oracle.sampled(f"r{number}", EXPERIMENT, ROUTE, 10))
        many(self.proxy.port, [post(host=HOST, x_request_id=next(drawn), **headers) for _ in range(count)])


def answers(fresh, shadow, canary, promotion, failed):
    """Statuses by webhook."""
    return {"fresh": fresh, "shadow": shadow, "canary": canary, "promotion": promotion, "failed": failed}


def states(prometheus, **wanted):
    """Waits until the rules say so of the subjects."""
    for subject, value in wanted.items():
        prometheus.eventually(f'gnomon:subject:state{{subject="{subject}"}}', value)


def test_what_flagger_is_told_through_a_rollout(lab, command):  # noqa: F811
    prometheus = lab.prometheus()
    server = lab.keep(Server(command, prometheus))
    fine, out = (lambda value: (value, True)), (lambda value: (value, False))
    until(lambda: prometheus.query("gnomon:rules:info"), "the rules")
    # Nobody shows the experiment.
    assert in_range(prometheus) == {"gnomon-state": fine(0), "gnomon-state-10m": fine(0)}
    assert server.hooks() == answers(200, 409, 409, 409, 409)
    gateway = Gateway(lab)
    prometheus.scrape("gateway", gateway.proxy.admin_address)
    states(prometheus, copy=0, canary=0)
    assert in_range(prometheus) == {"gnomon-state": fine(0), "gnomon-state-10m": fine(0)}
    assert server.hooks() == answers(200, 409, 409, 409, 409)
    # At weight 0 the shadow passes, and the canary can't.
    gateway.send(260)
    states(prometheus, copy=1, canary=0)
    assert server.hooks() == answers(200, 200, 409, 409, 409)
    gateway.routes.push(gateway.proxy, weights(50))
    gateway.send(1000)
    states(prometheus, copy=1, canary=1)
    assert in_range(prometheus) == {"gnomon-state": fine(1), "gnomon-state-10m": fine(0)}
    assert server.hooks() == answers(409, 200, 200, 200, 409)
    # Another id, though the canary passes by this one.
    assert in_range(prometheus, experiment="fraud-2027-01")["gnomon-state"] == fine(0)
    assert server.hooks(experiment="fraud-2027-01") == answers(200, 409, 409, 409, 409)
    gateway.send(400, x_bad="1")
    states(prometheus, copy=1, canary=2)
    prometheus.eventually('max(gnomon:subject:state_10m)', 2)
    assert in_range(prometheus) == {"gnomon-state": out(2), "gnomon-state-10m": out(2)}
    assert server.hooks() == answers(409, 200, 409, 409, 200)
    prometheus.stop()
    assert server.hooks() == answers(503, 503, 503, 503, 503)


@pytest.mark.parametrize(("shadow", "outcome", "state"), [(None, "unsent_refused", 0), (Reply(status=500), "shadow_failed", 2)])
def test_a_shadow_that_does_not_start_holds_the_rollout_and_one_that_fails_ends_it(lab, command, shadow, outcome, state):  # noqa: F811
    prometheus = lab.prometheus()
    server, gateway = lab.keep(Server(command, prometheus)), Gateway(lab, shadow)
    prometheus.scrape("gateway", gateway.proxy.admin_address)
    gateway.send(60)
    prometheus.eventually("sum(gnomon_shadow_outcomes_total)", 60)
    assert prometheus.value(f'sum(gnomon_shadow_outcomes_total{{outcome="{outcome}"}})') >= 20
    states(prometheus, copy=state, canary=0)
    assert server.hooks() == answers(200, 409, 409, 409, 200 if state == 2 else 409)


def test_serve_manifest(lab, command):  # noqa: F811
    deployment, [port] = one("Deployment", "gnomon", "serve")["spec"], one("Service", "gnomon", "serve")["spec"]["ports"]
    pod, labels = deployment["template"]["spec"], deployment["template"]["metadata"]["labels"]
    [container] = pod["containers"]
    for kind in ("Service", "PodDisruptionBudget", "NetworkPolicy"):
        selector = one(kind, "gnomon", "serve")["spec"]
        found = selector.get("selector") or selector["podSelector"]
        assert found.get("matchLabels", found).items() <= labels.items()
    assert deployment["replicas"] == 2 and deployment["selector"]["matchLabels"].items() <= labels.items()
    assert re.fullmatch(r".+/gnomon-serve@sha256:0{64}", container["image"]), "a digest that is clearly none"
    declared = container["ports"][0]
    assert port["targetPort"] == declared["name"] and f"--listen=0.0.0.0:{declared['containerPort']}" in container["args"]
    assert pod["automountServiceAccountToken"] is False and pod["securityContext"]["runAsNonRoot"] is True
    wanted = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    assert container["securityContext"] == wanted
    annotations = deployment["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/port"] == str(declared["containerPort"])
    server = lab.keep(Server(command, lab.prometheus()))
    for probe in ("livenessProbe", "readinessProbe"):
        assert container[probe]["httpGet"]["port"] == declared["name"] and server.ask(container[probe]["httpGet"]["path"])[0] == 200
    assert "gnomon_serve_build_info" in server.ask(annotations["prometheus.io/path"])[1]
