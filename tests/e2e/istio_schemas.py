"""Makes istio_schemas.json, against which the tests hold the manifests of `istio/`, from Istio's own custom resource definitions.

    go mod download -json istio.io/api@v1.31.4      says where it is ("Dir"); then, in an environment with pyyaml,
    python tests/e2e/istio_schemas.py DIR/kubernetes/customresourcedefinitions.gen.yaml

Kept is what a wrong manifest would break: names, types, enumerations, required fields. Unknown fields are refused, as `kubectl` does.
Dropped are descriptions, `status`, and rules in CEL.
"""

import json
import pathlib
import sys

import yaml

KINDS = {"WasmPlugin", "TrafficExtension", "VirtualService", "DestinationRule", "Gateway"}
PREFERENCE = ["v1", "v1beta1", "v1alpha3", "v1alpha1"]
TARGET = pathlib.Path(__file__).with_suffix(".json")


def strict(schema):
    """A structural schema as a JSON Schema that refuses unknown fields."""
    kept = {key: value for key, value in schema.items() if key not in ("description", "format") and not key.startswith("x-kubernetes")}
    if "properties" in kept:
        kept["properties"] = {name: strict(value) for name, value in kept["properties"].items()}
        kept["additionalProperties"] = bool(schema.get("x-kubernetes-preserve-unknown-fields"))
    for key in ("items", "additionalProperties"):
        if isinstance(kept.get(key), dict):
            kept[key] = strict(kept[key])
    return kept


def main(source):
    """Writes the schemas of `KINDS`, newest version each, by apiVersion and kind."""
    schemas = {}
    for definition in filter(None, yaml.safe_load_all(pathlib.Path(source).read_text())):
        spec, kind = definition["spec"], definition["spec"]["names"]["kind"]
        if kind in KINDS:
            newest = min(spec["versions"], key=lambda version: PREFERENCE.index(version["name"]))
            schema = newest["schema"]["openAPIV3Schema"]["properties"]["spec"]
            schemas[f"{spec['group']}/{newest['name']} {kind}"] = strict(schema)
    TARGET.write_text(json.dumps(schemas, separators=(",", ":"), sort_keys=True) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
