"""The manifests of `istio/`: built by kustomize, and held against the schemas of those who read them, the native check, and each other."""

import copy
import json
import re
import shutil

import fastjsonschema
import pytest
import yaml
from rig.envoy import TAGS
from rig.examples import annotation, documents
from rig.manifests import SCHEMAS, build, check_configuration, check_fields, only, parsed
from rig.placements import ISTIO, OVERLAYS, built, of_kind, on_top, text

FORMS = {"WasmPlugin": [], "TrafficExtension": ["traffic-extension"]}
PLAIN = [ISTIO / "telemetry.yaml", *sorted((ISTIO / "prometheus").glob("*-*.yaml"))]

every_form = pytest.mark.parametrize("form", FORMS)
every_overlay = pytest.mark.parametrize("name", OVERLAYS)


@every_form
@every_overlay
def test_every_field_of_an_overlay_is_known(name, form):
    found = built(name, *FORMS[form])
    for document in found:
        check_fields(document)
    names = [(document["kind"], document["apiVersion"], document["metadata"]["namespace"], document["metadata"]["name"]) for document in found]
    assert len(names) == len(set(names)) and len(of_kind(found, *FORMS)) == 1


@pytest.mark.parametrize("path", PLAIN, ids=lambda path: path.name)
def test_every_field_of_a_file_is_known(path):
    for document in documents(path):
        check_fields(document)


@every_overlay
def test_a_misspelt_field_would_be_found(name):
    for document in built(name):
        wrong = copy.deepcopy(document)
        misspelt = next(iter(wrong["spec"])) + "e"
        wrong["spec"][misspelt] = wrong["spec"].pop(misspelt[:-1])
        with pytest.raises(fastjsonschema.JsonSchemaValueException):
            check_fields(wrong)


@every_form
@every_overlay
def test_the_native_check_has_nothing_to_say_once_there_is_an_image(name, form, tmp_path):
    check_configuration(text(name, *FORMS[form]), tmp_path)


@every_overlay
def test_a_traffic_extension_is_the_same_plugin(name):
    old, new = only(built(name), "WasmPlugin"), only(built(name, *FORMS["TrafficExtension"]), "TrafficExtension")
    flat = {key: value for key, value in new["spec"].items() if key != "wasm"} | new["spec"]["wasm"]
    assert new["metadata"] == old["metadata"]
    assert flat | {"phase": "UNSPECIFIED_PHASE"} == old["spec"] and flat["phase"] == "UNSPECIFIED"
    assert set(new["spec"]) <= {"selector", "targetRefs", "match", "phase", "wasm"}


def test_each_field_that_a_traffic_extension_has_elsewhere_has_a_line_that_moves_it(tmp_path):
    """Those that the base doesn't have as a comment, because there is no move that may find nothing."""
    component = ISTIO / "components/traffic-extension/kustomization.yaml"
    schema = SCHEMAS["extensions.istio.io/v1alpha1 TrafficExtension"]["spec"]["properties"]
    moved = re.findall(r"\{op: move, from: /spec/(\w+), path: /spec/wasm/\1\}", component.read_text())
    assert sorted(moved) == sorted(schema["wasm"]["properties"])

    whole = shutil.copytree(ISTIO, tmp_path / "istio")
    added = ["imagePullSecret: pull", f"sha256: {'a' * 64}", "verificationKey: k", "vmConfig: {env: [{name: A, value: a}]}"]
    base, lines = whole / "base/plugin.yaml", whole / component.relative_to(ISTIO)
    base.write_text(base.read_text().replace("  type: HTTP\n", "\n".join(["  type: HTTP", *(f"  {line}" for line in added), ""])))
    lines.write_text(lines.read_text().replace("    # - {op: move", "    - {op: move"))
    (tmp_path / "kustomization.yaml").write_text(f"resources: [istio/overlays/gateway]\ncomponents: [istio/{component.parent.relative_to(ISTIO)}]\n")
    check_fields(only(parsed(build(tmp_path)), "TrafficExtension"))


def test_the_readme_makes_a_traffic_extension_in_the_same_way():
    [block] = re.findall(r"```yaml\n(resources: .+?)```", (ISTIO / "README.md").read_text(), flags=re.DOTALL)
    assert on_top(**yaml.safe_load(block)) == text("gateway", *FORMS["TrafficExtension"])


def test_the_base_runs_nowhere():
    [base] = parsed(build(ISTIO / "base"))
    assert base["spec"]["selector"] == {"matchLabels": {"gnomon": "overlay"}}
    assert not any("overlay" in text(name) for name in OVERLAYS), "nothing has that label"


WHERE = {
    "gateway": ({"selector": {"matchLabels": {"istio": "ingressgateway"}}}, ["CLIENT"]),
    "gateway-api": ({"targetRefs": [("Gateway", "inference")]}, ["CLIENT"]),
    "client-sidecar": ({"selector": {"matchLabels": {"app": "checkout"}}}, ["CLIENT"]),
    "server-sidecar": ({"selector": {"matchLabels": {"app": "fraud", "version": "v1"}}}, ["SERVER"]),
    "waypoint": ({"targetRefs": [("Gateway", "waypoint")]}, []),
    "inference-pool": ({"targetRefs": [("Gateway", "inference")]}, ["CLIENT"]),
}


@every_overlay
def test_a_plugin_says_where_it_runs_and_harms_nobody(name):
    found = built(name)
    plugin = only(found, "WasmPlugin")
    spec, (where, modes) = plugin["spec"], WHERE[name]
    targets = [(target["kind"], target["name"]) for target in spec.get("targetRefs", [])]
    assert {**({"targetRefs": targets} if targets else {}), **({"selector": spec["selector"]} if "selector" in spec else {})} == where
    assert [match["mode"] for match in spec.get("match", [])] == modes
    for kind, target in targets:
        gateway = only(found, kind, target)
        assert gateway["metadata"]["namespace"] == plugin["metadata"]["namespace"]
        assert (gateway["spec"]["gatewayClassName"] == "istio-waypoint") == (name == "waypoint")
    assert spec["failStrategy"] == "FAIL_OPEN" and spec["pluginConfig"]["on_invalid"] == "pass"
    assert spec["pluginConfig"].get("trust_copies", True) == (name not in ("gateway", "gateway-api", "inference-pool")), "clients are outside"
    assert re.fullmatch("oci://.+@sha256:0{64}", spec["url"]), "a digest that is clearly none"


def test_labels_and_buckets_are_the_same_everywhere():
    values = documents(ISTIO / "proxies/mesh-config.yaml")[0]
    injected = values["sidecarInjectorWebhook"]["injectedAnnotations"]["sidecar.istio.io/statsHistogramBuckets"]
    lists, buckets = [values["meshConfig"]["defaultConfig"]["extraStatTags"]], [injected]
    annotations = [{name: annotation(name) for name in ("proxy.istio.io/config", "sidecar.istio.io/statsHistogramBuckets")}]
    for name in ("gateway-api", "waypoint", "inference-pool"):
        annotations.append(only(built(name), "Gateway")["spec"]["infrastructure"]["annotations"])
    for found in annotations:
        lists.append(yaml.safe_load(found["proxy.istio.io/config"])["extraStatTags"])
        buckets.append(found["sidecar.istio.io/statsHistogramBuckets"])
    assert len(lists) == 5 and all(sorted(found) == sorted(TAGS) for found in lists)
    assert all(json.loads(found) == json.loads(buckets[0]) for found in buckets)


def test_the_pod_monitor_names_the_pods_of_each_placement():
    path = ISTIO / "prometheus/pod-monitor.yaml"
    [monitor] = documents(path)
    said = dict(re.findall(r"^  # ([a-z-]+): +(\{.+\})$", path.read_text(), flags=re.MULTILINE))
    said = {name: yaml.safe_load(value) for name, value in said.items()}
    said["gateway"] = {"namespace": monitor["metadata"]["namespace"], "labels": monitor["spec"]["selector"]["matchLabels"]}
    for name in OVERLAYS:
        plugin = only(built(name), "WasmPlugin")
        labels = plugin["spec"].get("selector", {}).get("matchLabels")
        [(_, gateway)] = WHERE[name][0].get("targetRefs", [(None, None)])
        expected = labels or {"gateway.networking.k8s.io/gateway-name": gateway}
        assert said.pop(name) == {"namespace": plugin["metadata"]["namespace"], "labels": expected}
    assert not said
