"""The manifests of `istio/`: built by kustomize, and held against the schemas of those who read them, the native check, and each other."""

import copy
import json
import pathlib
import re
import subprocess

import fastjsonschema
import pytest
import yaml
from rig.envoy import TAGS
from rig.examples import ROOT, annotation, documents
from rig.kustomize import ISTIO, OVERLAYS, built, of_kind

FORMS = {"WasmPlugin": [], "TrafficExtension": ["traffic-extension"]}
PLAIN = [ISTIO / "telemetry.yaml", *sorted((ISTIO / "prometheus").glob("*-*.yaml"))]
SCHEMAS = json.loads(pathlib.Path(__file__).with_name("manifest_schemas.json").read_text())
KUBERNETES = {
    "type": "object", "additionalProperties": False, "required": ["selector", "ports"],
    "properties": {
        "selector": {"type": "object", "minProperties": 1},
        "ports": {"type": "array", "items": {
            "type": "object", "additionalProperties": False, "required": ["name", "appProtocol", "port", "targetPort"],
            "properties": {"name": {"pattern": "^http"}, "appProtocol": {"const": "http"}, "port": {"type": "integer"}, "targetPort": {"type": "integer"}},
        }},
    },
}  # fmt: skip
"""A Service as the manifests have them. Kubernetes itself has no schema that could be loaded."""

every_form = pytest.mark.parametrize("form", FORMS)
every_overlay = pytest.mark.parametrize("name", OVERLAYS)


def held(document):
    """Holds a resource against its schema, which refuses unknown fields."""
    assert set(document) == {"apiVersion", "kind", "metadata", "spec"}
    assert set(document["metadata"]) <= {"name", "namespace", "labels"}
    schema = KUBERNETES if document["kind"] == "Service" else SCHEMAS[f"{document['apiVersion']} {document['kind']}"]
    fastjsonschema.validate(schema, document["spec"])


@every_form
@every_overlay
def test_every_field_of_an_overlay_is_known(name, form):
    found = built(f"overlays/{name}", *FORMS[form])
    for document in found:
        held(document)
    names = [(document["kind"], document["apiVersion"], document["metadata"]["namespace"], document["metadata"]["name"]) for document in found]
    assert len(names) == len(set(names)) and len(of_kind(found, *FORMS)) == 1


@pytest.mark.parametrize("path", PLAIN, ids=lambda path: path.name)
def test_every_field_of_a_file_is_known(path):
    for document in documents(path):
        held(document)


@every_overlay
def test_a_misspelt_field_would_be_found(name):
    for document in built(f"overlays/{name}"):
        wrong = copy.deepcopy(document)
        spec = wrong["spec"]
        misspelt = next(iter(spec)) + "e"
        spec[misspelt] = spec.pop(misspelt[:-1])
        with pytest.raises(fastjsonschema.JsonSchemaValueException):
            held(wrong)


@every_form
@every_overlay
def test_the_native_check_has_nothing_to_say_once_there_is_an_image(name, form, tmp_path):
    whole = tmp_path / "built.yaml"
    text = yaml.safe_dump_all(built(f"overlays/{name}", *FORMS[form]))
    for digest, warnings in (("0", 1), ("1", 0)):
        whole.write_text(text.replace("0" * 64, digest * 64))
        done = subprocess.run([ROOT / "scripts/gnomon", "check", whole], capture_output=True, text=True)
        assert done.returncode == 0 and "good" in done.stdout, done.stdout + done.stderr
        assert done.stdout.count("warning") == warnings, done.stdout


@every_overlay
def test_a_traffic_extension_is_the_same_plugin(name):
    [old] = of_kind(built(f"overlays/{name}"), "WasmPlugin")
    [new] = of_kind(built(f"overlays/{name}", *FORMS["TrafficExtension"]), "TrafficExtension")
    flat = {key: value for key, value in new["spec"].items() if key != "wasm"} | new["spec"]["wasm"]
    assert new["metadata"] == old["metadata"]
    assert flat | {"phase": "UNSPECIFIED_PHASE"} == old["spec"] and flat["phase"] == "UNSPECIFIED"
    assert set(new["spec"]) <= {"selector", "targetRefs", "match", "phase", "wasm"}


def test_the_base_runs_nowhere_and_the_overlays_where_they_say():
    [base] = built("base")
    assert base["spec"]["selector"] == {"matchLabels": {"gnomon": "overlay"}}
    for name in OVERLAYS:
        for document in built(f"overlays/{name}"):
            assert "overlay" not in json.dumps(document), "nothing else has the label"


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
    found = built(f"overlays/{name}")
    [plugin] = of_kind(found, "WasmPlugin")
    spec, (where, modes) = plugin["spec"], WHERE[name]
    targets = [(target["kind"], target["name"]) for target in spec.get("targetRefs", [])]
    assert {**({"targetRefs": targets} if targets else {}), **({"selector": spec["selector"]} if "selector" in spec else {})} == where
    assert [match["mode"] for match in spec.get("match", [])] == modes
    for kind, target in targets:
        [gateway] = of_kind(found, kind)
        assert gateway["metadata"]["name"] == target and gateway["metadata"]["namespace"] == plugin["metadata"]["namespace"]
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
        [gateway] = of_kind(built(f"overlays/{name}"), "Gateway")
        annotations.append(gateway["spec"]["infrastructure"]["annotations"])
    for found in annotations:
        lists.append(yaml.safe_load(found["proxy.istio.io/config"])["extraStatTags"])
        buckets.append(found["sidecar.istio.io/statsHistogramBuckets"])
    assert len(lists) == 5 and all(sorted(found) == sorted(TAGS) for found in lists)
    assert all(json.loads(found) == json.loads(buckets[0]) for found in buckets)
