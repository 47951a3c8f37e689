"""Makes manifest_schemas.json, against which the tests hold the manifests of `istio/`, from the custom resource definitions of Istio and of
the Prometheus operator themselves.

    go mod download -json istio.io/api@v1.31.4                                                says where it is ("Dir"), and so does
    go mod download -json github.com/prometheus-operator/prometheus-operator@v0.85.0          then, in an environment with pyyaml,
    python tests/e2e/manifest_schemas.py DIR/kubernetes/customresourcedefinitions.gen.yaml \
        DIR/example/prometheus-operator-crd/monitoring.coreos.com_{podmonitors,prometheusrules}.yaml

Kept is what a wrong manifest would break: names, types, enumerations, required fields. Unknown fields are refused, as `kubectl` does.
Dropped are descriptions, `status`, and rules in CEL.
"""

import itertools
import json
import pathlib
import sys

import yaml

KINDS = {"WasmPlugin", "TrafficExtension", "VirtualService", "DestinationRule", "Gateway", "PrometheusRule", "PodMonitor"}
PREFERENCE = ["v1", "v1beta1", "v1alpha3", "v1alpha1"]
TARGET = pathlib.Path(__file__).with_suffix(".json")


def strict(schema):
    """A structural schema as a JSON Schema that refuses unknown fields."""
    kept = {key: value for key, value in schema.items() if key not in ("description", "format") and not key.startswith("x-kubernetes")}
    if "properties" in kept:
        kept["properties"] = {name: strict(value) for name, value in kept["properties"].items()}
        kept["additionalProperties"] = bool(schema.get("x-kubernetes-preserve-unknown-fields"))
    if "pattern" in kept:
        # Python wants a flag at the beginning.
        kept["pattern"] = kept["pattern"].replace("^(?i)", "(?i)^")
    for key in ("items", "additionalProperties"):
        if isinstance(kept.get(key), dict):
            kept[key] = strict(kept[key])
    return kept


def main(sources):
    """Writes the schemas of `KINDS`, newest version each, by apiVersion and kind."""
    schemas = {}
    texts = (pathlib.Path(source).read_text() for source in sources)
    for definition in filter(None, itertools.chain.from_iterable(map(yaml.safe_load_all, texts))):
        spec, kind = definition["spec"], definition["spec"]["names"]["kind"]
        if kind in KINDS:
            newest = min(spec["versions"], key=lambda version: PREFERENCE.index(version["name"]))
            schema = newest["schema"]["openAPIV3Schema"]["properties"]["spec"]
            schemas[f"{spec['group']}/{newest['name']} {kind}"] = strict(schema)
    TARGET.write_text(json.dumps(schemas, separators=(",", ":"), sort_keys=True) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
