"""The manifests of `argo/`: built, held against their definitions and against each other; and the analyses asked of a real Prometheus that
scraped Envoys which ran the shipped plugins, with clusters named as Istio names them."""

import itertools
import os
import pathlib
import re
import shutil
import subprocess

import pytest
import yaml
from rig.client import many
from rig.conditions import filled, measure, phase
from rig.examples import answer, post
from rig.gates import UNDECIDED, state_of
from rig.manifests import GO_TOOLS, ROOT, build, built, check_configuration, check_fields, only, parsed
from rig.prometheus import BINARY
from rig.upstream import Reply
from rig.waiting import until

EXAMPLES = ["weights", "sticky"]
PLACEHOLDER = "from-the-image-tag"
TEMPLATES = {one["metadata"]["name"]: one for one in (yaml.safe_load(path.read_text()) for path in (ROOT / "argo/analysis").glob("gnomon-*.yaml"))}
PROMTOOL = pathlib.Path(BINARY).with_name("promtool")
IDENTITY = {"name": "experiment", "valueFrom": {"fieldRef": {"fieldPath": "spec.template.metadata.labels.experiment"}}}


def canary(resources):
    return only(resources, "Rollout")["spec"]["strategy"]["canary"]


def analyses(resources):
    """The analyses of a Rollout: that beside the steps, then those of the steps."""
    strategy = canary(resources)
    return [strategy["analysis"], *(step["analysis"] for step in strategy["steps"] if "analysis" in step)]


def plugin(resources):
    return only(resources, "WasmPlugin")["spec"]["pluginConfig"]


def ids_of(resources):
    """Every place that has the experiment's id."""
    template = only(resources, "Rollout")["spec"]["template"]
    [container] = template["spec"]["containers"]
    tag = container["image"].rpartition(":")[2]
    return [tag, template["metadata"]["labels"]["experiment"], plugin(resources)["experiment"], only(resources, "Service", "fraud-shadow")["spec"]["selector"]["experiment"]]


@pytest.mark.parametrize("name", ["analysis", *EXAMPLES])
def test_every_field_is_known(name):
    for document in built(ROOT / "argo" / name):
        check_fields(document)


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_native_check_has_nothing_to_say(name, tmp_path):
    check_configuration(build(ROOT / "argo" / name), tmp_path)


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_id_follows_the_tag_of_the_image(name, tmp_path):
    copied = shutil.copytree(ROOT / "argo", tmp_path / "argo") / name
    assert ids_of(built(copied)) == ["fraud-2026-11"] * 4
    source = copied / "kustomization.yaml"
    source.write_text(source.read_text().replace("fraud-2026-11", "fraud-2026-12"))
    text = build(copied)
    assert ids_of(parsed(text)) == ["fraud-2026-12"] * 4
    assert PLACEHOLDER not in text and "fraud-2026-11" not in text
    check_configuration(text, tmp_path)


@pytest.mark.parametrize("name", EXAMPLES)
def test_each_analysis_has_its_arguments(name):
    resources = built(ROOT / "argo" / name)
    [route] = plugin(resources)["routes"]
    gates = {gate["name"]: gate["of"] for gate in route["gates"]}
    for analysis in analyses(resources):
        assert IDENTITY in analysis["args"]
        given = {one["name"]: one.get("value", "id") for one in analysis["args"]}
        [used] = analysis["templates"]
        assert used["clusterScope"] and filled(TEMPLATES[used["templateName"]], **given)
        assert given["route"] == route["name"] and gates.get(given.get("gate")) == given.get("subject")


@pytest.mark.parametrize("name", EXAMPLES)
def test_copies_come_first_and_a_pause_before_each_pass(name):
    resources = built(ROOT / "argo" / name)
    strategy = canary(resources)
    steps = strategy["steps"]
    used = {at: step["analysis"]["templates"][0]["templateName"] for at, step in enumerate(steps) if "analysis" in step}
    assert used.pop(0) == "gnomon-fresh" and set(used.values()) == {"gnomon-subject"}
    assert all("pause" in steps[at - 1] for at in used) and max(used) == len(steps) - 1, "nothing is given without a pass after it"
    live = next(at for at, step in enumerate(steps) if step.get("setWeight") or "setHeaderRoute" in step)
    subjects = {at: next(one["value"] for one in steps[at]["analysis"]["args"] if one["name"] == "subject") for at in used}
    assert {at for at in used if at < live} == {at for at, subject in subjects.items() if subject == "new-copy"} != set()
    assert strategy["analysis"]["templates"][0]["templateName"] == "gnomon-background" and strategy["analysis"]["startingStep"] == 1
    managed = {one["name"] for one in strategy["trafficRouting"].get("managedRoutes", [])}
    assert {step["setHeaderRoute"]["name"] for step in steps if "setHeaderRoute" in step} == managed
    waves = [only(resources, kind)["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"] for kind in ("WasmPlugin", "Rollout")]
    assert int(waves[0]) < int(waves[1])


@pytest.mark.parametrize("name", EXAMPLES)
def test_one_pod_that_is_evicted_leaves_another_for_the_canary(name):
    resources = built(ROOT / "argo" / name)
    replicas, strategy = only(resources, "Rollout")["spec"]["replicas"], canary(resources)
    scales = [step["setCanaryScale"] for step in strategy["steps"] if "setCanaryScale" in step]
    pods = [one["replicas"] if "replicas" in one else max(-(-replicas * one["weight"] // 100), strategy.get("minPodsPerReplicaSet", 1)) for one in scales]
    assert len(pods) == 4 and min(pods) >= 2


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_abort_is_not_held_up_and_harms_no_request(name):
    """While aborted pods are there, Argo points the canary's Service at them and at the stable ones in turn, many times a second
    (argo-rollouts issue 3078), and Istio waits for changes to end before it pushes the weights."""
    resources = built(ROOT / "argo" / name)
    assert canary(resources)["abortScaleDownDelaySeconds"] == 1, "0 keeps the pods for good"
    [container] = only(resources, "Rollout")["spec"]["template"]["spec"]["containers"]
    assert container["lifecycle"]["preStop"]["sleep"]["seconds"] >= 5, "a pod that ends serves until the gateway has the weights"


def test_the_page_checks_the_readers_own_copy(tmp_path):
    """Steps 1 to 4 are done in the clone, step 5 in the reader's repository."""
    page = (ROOT / "docs/in-order.md").read_text()
    head = re.search(r"```sh\n(.*?)```", page.split("Two shells")[1], re.S)[1]
    blocks = re.findall(r"```sh\n(.*?)```", page.split("### 5.")[1].split("### 6.")[0], re.S)
    functions = "".join(line for line in head.splitlines(keepends=True) if "port-forward" not in line)
    kustomize = 'kubectl() { [ "$1" = kustomize ] && "$GO_TOOLS/kustomize" build "$2"; }\n'
    homes = {name: os.environ.get(name) or str(pathlib.Path.home() / folder) for name, folder in (("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup"))}
    environment = os.environ | homes | {"HOME": str(tmp_path), "GO_TOOLS": str(GO_TOOLS)}
    script = functions + kustomize + "".join(blocks) + "pwd"
    done = subprocess.run(["bash", "-euc", script], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0 and "good" in done.stdout, done.stdout + done.stderr
    assert str(tmp_path) in done.stdout.splitlines()[-1], "still in the clone, whose manifests are not the reader's"


def clusters(resources):
    """{role: the name that Istio gives to its cluster}, by the routes and Services."""
    [route] = only(resources, "VirtualService")["spec"]["http"]
    strategy, named = canary(resources), {}
    for destination in (one["destination"] for one in route["route"]):
        named[destination["host"].split(".")[0]] = f"outbound|{destination['port']['number']}||{destination['host']}"
    assert route["name"] in strategy["trafficRouting"]["istio"]["virtualService"]["routes"]
    [shadow] = plugin(resources)["routes"][0]["shadows"]
    return {"stable": named[strategy["stableService"]], "canary": named[strategy["canaryService"]], "shadow": shadow["cluster"]}


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_plugin_sees_the_clusters_of_the_services(name):
    resources = built(ROOT / "argo" / name)
    observed = {one["name"]: one["cluster"]["prefix"] for one in plugin(resources)["routes"][0]["observe"]["variants"]}
    found = clusters(resources)
    assert all(found[variant].startswith(prefix) for variant, prefix in observed.items()) and set(observed) == {"stable", "canary"}
    for cluster in found.values():
        _, port, subset, host = cluster.split("|")
        service = only(resources, "Service", host.split(".")[0])
        [declared] = service["spec"]["ports"]
        assert host == f"{service['metadata']['name']}.{service['metadata']['namespace']}.svc.cluster.local" and not subset
        assert str(declared["port"]) == port and declared["appProtocol"] == "http"
        labels = only(resources, "Rollout")["spec"]["template"]["metadata"]["labels"]
        assert service["spec"]["selector"].items() <= labels.items()
    assert only(resources, "DestinationRule")["spec"]["host"] == found["shadow"].split("|")[3]


def bucket_routes(resources):
    [header] = {match["headerName"] for step in canary(resources)["steps"] for match in step.get("setHeaderRoute", {}).get("match", [])}
    assert header == plugin(resources)["routes"][0]["observe"]["bucket"]["header"]
    matches = [step["setHeaderRoute"]["match"] for step in canary(resources)["steps"] if "setHeaderRoute" in step]
    return header, [match["headerValue"]["regex"] for [match] in matches]


def test_sticky_steps_take_the_buckets_that_they_say_and_give_none_back():
    _, regexes = bucket_routes(built(ROOT / "argo/sticky"))
    taken = [{bucket for bucket in range(10000) if re.fullmatch(regex, f"{bucket:04}")} for regex in regexes]
    assert taken == [set(range(500)), set(range(2500)), set(range(5000))]


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_waits_for_two_hours(name):
    first, *rest = TEMPLATES[name]["spec"]["metrics"]
    assert first["consecutiveErrorLimit"] * 10 >= 2 * 3600, "Argo asks again 10 s after an error"
    assert name in ("gnomon-fresh", "gnomon-background") or first["inconclusiveLimit"] * int(first["interval"][:-1]) == 2 * 3600
    for metric in [first, *rest]:
        assert metric.get("count", 300) >= metric.get("inconclusiveLimit", 0) + 1, "or the count ends it before"
    recorded = TEMPLATES[name]["spec"].get("dryRun", [])
    assert [re.search(one["metricName"], metric["name"]) is None for one in recorded for metric in [first, *rest]] == [True, False] * len(recorded)


NAN, INFINITE = "NaN", "Inf"
ODD = [[], [0], [3], [0.5], [NAN], [INFINITE], [1, 1], [1, 2], [2, 2]]


@pytest.mark.parametrize("template", ["gnomon-subject", "gnomon-gate"])
def test_only_one_1_goes_on_and_only_one_2_aborts(template):
    metric = TEMPLATES[template]["spec"]["metrics"][0]
    assert [phase(metric, result) for result in ([1], [2])] == ["Successful", "Failed"]
    assert {str(result): phase(metric, result) for result in ODD} == {str(result): "Inconclusive" for result in ODD}


def test_only_a_new_experiment_is_fresh_and_the_background_only_aborts():
    [fresh], [background] = (TEMPLATES[f"gnomon-{name}"]["spec"]["metrics"] for name in ("fresh", "background"))
    assert [phase(fresh, result) for result in ([], [0], [1], [2], [NAN])] == ["Successful"] * 2 + ["Failed"] * 2 + ["Inconclusive"]
    assert [phase(background, result) for result in ([], [0], [1], [2], [NAN])] == ["Successful"] * 3 + ["Failed", "Successful"]


@pytest.mark.parametrize(
    "life, expected",
    [("_x6000", []), ("0x200 _x5800", [0]), ("0x20 1x20 _x5960", [1]), ("1x20 2x20 _x5960", [2]), ("0x5900 1x100", [1])],
    ids=["never", "undecided", "passed", "failed", "now"],
)
def test_an_id_that_comes_back_days_later_is_not_fresh(life, expected, tmp_path):
    """Its proxies go on where they stopped: its old pass would let the new model through at once."""
    [metric] = filled(TEMPLATES["gnomon-fresh"], experiment="e", route="r").values()
    case = {
        "interval": "1m",
        "input_series": [{"series": 'gnomon:subject:state{experiment="e", route="r", subject="canary"}', "values": life}],
        "promql_expr_test": [{
            "expr": metric["provider"]["prometheus"]["query"], "eval_time": "100h", "exp_samples": [{"labels": "{}", "value": value} for value in expected]
        }],
    }  # fmt: skip
    (tmp_path / "test.yaml").write_text(yaml.safe_dump({"tests": [case]}))
    done = subprocess.run([PROMTOOL, "test", "rules", tmp_path / "test.yaml"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert metric["initialDelay"] == "2m", "two scrapes and two evaluations of every 30 s: until then it looks new to Prometheus"


def routes(name, found):
    """Envoy's routes while half of the requests, or of the users, have the new version: as istiod makes them of the VirtualService."""
    resources = built(ROOT / "argo" / name)
    if name == "weights":
        weighted = [{"name": found[variant], "weight": 50} for variant in ("stable", "canary")]
        return [{"match": {"prefix": "/"}, "route": {"weighted_clusters": {"clusters": weighted}}}]
    header, regexes = bucket_routes(resources)
    matched = [{"name": header, "string_match": {"safe_regex": {"regex": regexes[-1]}}}]
    to = [{"match": {"prefix": "/", "headers": headers}, "route": {"cluster": found[variant]}} for headers, variant in ((matched, "canary"), ([], "stable"))]
    return to


def proxies(lab, name):
    """An Envoy with the shipped plugin for each cluster of Kubernetes: {name of the cluster: proxy}. Only the warm-up is shortened."""
    resources = built(ROOT / "argo" / name)
    [found], score = [clusters(resources)], answer(0.9)
    shipped = re.sub(r"warmup: \w+", "warmup: 1ms", yaml.safe_dump(plugin(resources)))
    terms = shipped.replace("limit: 1%", "limit: 3%")
    assert shipped.count("warmup: 1ms") == 2 and terms != shipped
    serves = {
        "quiet": (shipped, score, score), "good": (shipped, score, score), "bad": (shipped, Reply(status=500), answer(0.2)), "other-terms": (terms, score, score)
    }  # fmt: skip
    stable, made = lab.upstream(score), {}
    for cluster, (text, new, copied) in serves.items():
        upstreams = {found["stable"]: stable, found["canary"]: lab.upstream(new), found["shadow"]: lab.upstream(copied)}
        made[cluster] = lab.proxy(yaml.safe_load(text), upstreams, routes=routes(name, found))
    return made


def users(number):
    """A request of each of the next so many new users."""
    return [post(host="fraud.example.com", x_user_id=f"u{user}", x_request_id=f"u{user}") for user in itertools.islice(NEW, number)]


NEW = itertools.count()
def test_copies_that_no_pod_takes_yet_fail_no_gate(lab):
    resources = built(ROOT / "argo/weights")
    found = clusters(resources)
    upstreams = {found["stable"]: lab.upstream(answer(0.9)), found["canary"]: lab.upstream(answer(0.9)), found["shadow"]: None}
    proxy = lab.proxy(plugin(resources), upstreams, routes=routes("weights", found))
    many(proxy.port, users(1000))
    assert proxy.metrics().total("gnomon_shadow_outcomes_total", outcome="unsent_refused") > 30, "enough to fail the gate, were they trials"
    assert state_of(proxy.metrics(), "coverage") == UNDECIDED


WAITS, GOES_ON, ABORTS = "Inconclusive", "Successful", "Failed"
OUTCOMES = {
    # cluster: (fresh, background, the steps' analyses)
    "nowhere": (GOES_ON, GOES_ON, WAITS),
    "quiet": (GOES_ON, GOES_ON, WAITS),
    "good": (ABORTS, GOES_ON, GOES_ON),
    "bad": (ABORTS, ABORTS, ABORTS),
    "good|quiet": (ABORTS, GOES_ON, WAITS),
    ".*": (ABORTS, ABORTS, ABORTS),
}
"""What each analysis makes of a cluster, or of several."""


def asked(prometheus, template, cluster, **given):
    """{metric: what Prometheus answers}, and the phase of the first."""
    metrics = filled(TEMPLATES[template], cluster=cluster, prometheus=prometheus.url, **given)
    results = {name: measure(metric) for name, metric in metrics.items()}
    first = next(iter(metrics))
    return results, phase(metrics[first], results[first])


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_analyses_with_traffic(name, lab):
    resources = built(ROOT / "argo" / name)
    config, prometheus, made = plugin(resources), lab.prometheus(), proxies(lab, name)
    scope = {"experiment": config["experiment"], "route": "fraud"}
    gates = [gate for gate in config["routes"][0]["gates"] if gate["name"] in ("agreement", "errors")]
    state = lambda subject, cluster: prometheus.value(f'gnomon:subject:state{{subject="{subject}", cluster="{cluster}"}}')
    states = lambda: [state(subject, cluster) for cluster in ("quiet", "good", "bad") for subject in ("new-copy", "canary")]

    def outcomes(cluster):
        stepped = {asked(prometheus, "gnomon-gate", cluster, gate=gate["name"], **scope)[1] for gate in gates}
        stepped |= {asked(prometheus, "gnomon-subject", cluster, subject=gate["of"], gate=gate["name"], **scope)[1] for gate in gates}
        return tuple(asked(prometheus, f"gnomon-{one}", cluster, **scope)[1] for one in ("fresh", "background")) + tuple(stepped)

    assert {cluster: outcomes(cluster) for cluster in OUTCOMES} == {cluster: OUTCOMES["nowhere"] for cluster in OUTCOMES}, "no series"
    for cluster, proxy in made.items():
        prometheus.scrape(cluster, proxy.admin_address, cluster="held" if cluster == "other-terms" else cluster)
    prometheus.scrape("good-again", made["good"].admin_address, cluster="held")
    until(lambda: states() == [0] * 6, "gates without a trial")
    assert {cluster: outcomes(cluster) for cluster in OUTCOMES} == {cluster: OUTCOMES["quiet"] for cluster in OUTCOMES}, "no traffic"

    def decided():
        for cluster in ("good", "bad"):
            many(made[cluster].port, users(200))
        return states() == [0, 0, 1, 1, 2, 2]

    until(decided, "verdicts", 120)
    assert {cluster: outcomes(cluster) for cluster in OUTCOMES} == OUTCOMES
    held = {"gnomon-gate": {"gate": "errors"}, "gnomon-subject": {"gate": "errors", "subject": "canary"}}
    until(lambda: prometheus.value('gnomon:gate:state{cluster="held", gate="errors", slice="all"}') == 1, "the sums of the held to pass")
    assert [asked(prometheus, template, "held", **given, **scope)[1] for template, given in held.items()] == [WAITS, WAITS]
    recorded(prometheus, scope, gates)


def recorded(prometheus, scope, gates):
    """The figures that an AnalysisRun keeps are those of the records, in their order, with the verdict once there is one."""
    verdicts = {"quiet": [], "good": [1], "bad": [2]}
    for template, gate in itertools.product(("gnomon-gate", "gnomon-subject"), gates):
        given = scope | {"gate": gate["name"]} | ({"subject": gate["of"]} if template == "gnomon-subject" else {})
        kept = lambda cluster: asked(prometheus, template, cluster, **given)[0]["bad-trials-limit"]
        assert kept("nowhere") == [-1, -1, -1]
        for cluster, verdict in verdicts.items():
            record = lambda name: prometheus.value(f'gnomon:{name}{{gate="{gate["name"]}", cluster="{cluster}"}}')
            until(lambda: kept(cluster) == [*map(record, ("gate_bad:sum", "gate_trials:sum", "gate_limit:ratio")), *verdict], "the figures")
            bad, trials, limit = kept(cluster)[:3]
            assert (bad > 0, trials > 0) == (verdict == [2], verdict != []) and limit == float(gate["limit"].rstrip("%")) / 100
    metric = TEMPLATES["gnomon-subject"]["spec"]["metrics"][1]
    assert [phase(metric, result) for result in ([-1, -1, -1], [0, 5, 0.01], [0, 400, 0.01, 1])] == [WAITS, WAITS, GOES_ON]
