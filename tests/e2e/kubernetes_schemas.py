"""Makes kubernetes_schemas.json, against which the tests hold Kubernetes' own resources, from its OpenAPI descriptions.

    go mod download -json k8s.io/kubernetes@v1.36.3          says where it is ("Dir"); then, in an environment with pyyaml,
    python tests/e2e/kubernetes_schemas.py DIR/api/openapi-spec/v3

As in manifest_schemas.py unknown fields are refused; `status` is dropped.
"""

import json
import pathlib
import sys

from manifest_schemas import strict

KINDS = {
    "api__v1": ["Namespace", "Service"],
    "apis__apps__v1": ["Deployment"],
    "apis__autoscaling__v2": ["HorizontalPodAutoscaler"],
    "apis__networking.k8s.io__v1": ["NetworkPolicy"],
    "apis__policy__v1": ["PodDisruptionBudget"],
}
DROPPED = {"description", "default", "status", "managedFields"}
TARGET = pathlib.Path(__file__).with_suffix(".json")


def resolved(value, schemas):
    """A schema with what its references name in their place."""
    if isinstance(value, list):
        return [resolved(one, schemas) for one in value]
    if not isinstance(value, dict):
        return value
    if "allOf" in value:
        [value] = value["allOf"]
    if "$ref" in value:
        return resolved(schemas[value["$ref"].rsplit("/", 1)[1]], schemas)
    return {key: resolved(inner, schemas) for key, inner in value.items() if key not in DROPPED}


def main(folder):
    """Writes the schemas of `KINDS` by apiVersion and kind."""
    made = {}
    for name, kinds in KINDS.items():
        schemas = json.loads((pathlib.Path(folder) / f"{name}_openapi.json").read_text())["components"]["schemas"]
        for schema in schemas.values():
            for found in schema.get("x-kubernetes-group-version-kind", []):
                if found["kind"] in kinds:
                    version = "/".join(filter(None, (found["group"], found["version"])))
                    made[f"{version} {found['kind']}"] = strict(resolved(schema, schemas))
    TARGET.write_text(json.dumps(made, separators=(",", ":"), sort_keys=True) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
