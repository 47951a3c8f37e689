"""Makes manifest_schemas.json, against which the tests hold the manifests, from the definitions of those who read them.

    python tests/e2e/manifest_schemas.py        in an environment with pyyaml; asks Go for the modules of `SOURCES`

Kept is what a wrong manifest would break: names, types, enumerations, required fields. Unknown fields are refused, as `kubectl` does.
Dropped are descriptions, `status`, and rules in CEL.
"""

import json
import pathlib
import re
import subprocess

import yaml

SOURCES = {
    "istio.io/api@v1.31.4": ["kubernetes/customresourcedefinitions.gen.yaml"],
    "github.com/prometheus-operator/prometheus-operator@v0.85.0": [
        "example/prometheus-operator-crd/monitoring.coreos.com_podmonitors.yaml",
        "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml",
    ],
    "github.com/argoproj/argo-rollouts@v1.10.0": ["manifests/crds/rollout-crd.yaml", "manifests/crds/cluster-analysis-template-crd.yaml"],
    "github.com/fluxcd/flagger@v1.36.1": ["artifacts/flagger/crd.yaml"],
    "sigs.k8s.io/gateway-api@v1.6.1": [
        "config/crd/standard/gateway.networking.k8s.io_gatewayclasses.yaml",
        "config/crd/standard/gateway.networking.k8s.io_gateways.yaml",
        "config/crd/standard/gateway.networking.k8s.io_httproutes.yaml",
        "config/crd/standard/gateway.networking.k8s.io_referencegrants.yaml",
    ],
    "sigs.k8s.io/gateway-api-inference-extension@v1.4.0": ["config/crd/bases/inference.networking.k8s.io_inferencepools.yaml"],
    "github.com/envoyproxy/gateway@v1.9.1": ["charts/gateway-crds-helm/templates/generated/*.yaml"],
}
"""The modules, and their files with custom resource definitions."""

KINDS = {
    *("WasmPlugin", "TrafficExtension", "VirtualService", "DestinationRule", "Gateway", "Telemetry", "ServiceEntry"),
    *("PrometheusRule", "PodMonitor", "Rollout", "ClusterAnalysisTemplate", "Canary", "MetricTemplate"),
    *("GatewayClass", "HTTPRoute", "ReferenceGrant", "InferencePool"),
    *("EnvoyExtensionPolicy", "EnvoyProxy", "Backend", "BackendTrafficPolicy", "ClientTrafficPolicy", "EnvoyPatchPolicy"),
}
PREFERENCE = ["v1", "v1beta1", "v1alpha3", "v1alpha2", "v1alpha1"]

KUBERNETES = "k8s.io/kubernetes@v1.36.3"
BUILT_IN = {
    "io.k8s.api.apps.v1": ["Deployment"],
    "io.k8s.api.autoscaling.v2": ["HorizontalPodAutoscaler"],
    "io.k8s.api.core.v1": ["ConfigMap", "Namespace", "Secret", "Service", "ServiceAccount"],
    "io.k8s.api.networking.v1": ["NetworkPolicy"],
    "io.k8s.api.policy.v1": ["PodDisruptionBudget"],
}
"""Kubernetes' own kinds that the manifests have."""

TARGET = pathlib.Path(__file__).with_suffix(".json")


def module(name):
    """The folder of a Go module, which is downloaded if it isn't there."""
    done = subprocess.run(["go", "mod", "download", "-json", name], capture_output=True, text=True, check=True)
    return pathlib.Path(json.loads(done.stdout)["Dir"])


def strict(schema):
    """A structural schema as a JSON Schema that refuses unknown fields."""
    kept = {key: value for key, value in schema.items() if key not in ("description", "format") and not key.startswith("x-kubernetes")}
    if "properties" in kept:
        kept["properties"] = {name: strict(value) for name, value in kept["properties"].items()}
        kept["additionalProperties"] = bool(schema.get("x-kubernetes-preserve-unknown-fields"))
    if schema.get("x-kubernetes-int-or-string"):
        kept["type"] = ["integer", "string"]
        kept.pop("anyOf", None)
    if "pattern" in kept:
        # Python wants a flag at the beginning, and fastjsonschema takes a bare `$` for an end even among other characters.
        kept["pattern"] = re.sub(r"(?<!\\)\$(?!$|[|)])", r"\\$", kept["pattern"].replace("^(?i)", "(?i)^"))
    for key in ("items", "additionalProperties"):
        if isinstance(kept.get(key), dict):
            kept[key] = strict(kept[key])
    return kept


def custom(schemas):
    """Adds the schemas of the custom resources, newest version each."""
    for source, patterns in SOURCES.items():
        folder = module(source)
        for path in sorted(found for pattern in patterns for found in folder.glob(pattern)):
            # Lines of a Helm chart's template are left out.
            text = re.sub(r"^\{\{.*\}\}$", "", path.read_text(), flags=re.MULTILINE)
            for definition in filter(None, yaml.safe_load_all(text)):
                spec, kind = definition["spec"], definition["spec"]["names"]["kind"]
                if kind in KINDS:
                    newest = min(spec["versions"], key=lambda version: PREFERENCE.index(version["name"]))
                    schema = newest["schema"]["openAPIV3Schema"]["properties"]
                    schemas[f"{spec['group']}/{newest['name']} {kind}"] = {"spec": strict(schema["spec"])}


def built_in(schemas):
    """Adds the schemas of Kubernetes' own kinds."""
    definitions = json.loads((module(KUBERNETES) / "api/openapi-spec/swagger.json").read_text())["definitions"]

    def resolved(schema):
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            if name.endswith((".IntOrString", ".Quantity")):
                return {"type": ["integer", "number", "string"]}
            return resolved(definitions[name])
        schema = dict(schema)
        if "properties" in schema:
            schema["properties"] = {name: resolved(value) for name, value in schema["properties"].items()}
        for key in ("items", "additionalProperties"):
            if isinstance(schema.get(key), dict):
                schema[key] = resolved(schema[key])
        return schema

    for package, kinds in BUILT_IN.items():
        for kind in kinds:
            definition = definitions[f"{package}.{kind}"]
            group = definition["x-kubernetes-group-version-kind"][0]
            version = "/".join(filter(None, [group["group"], group["version"]]))
            own = {key: value for key, value in definition["properties"].items() if key not in ("apiVersion", "kind", "metadata", "status")}
            schemas[f"{version} {kind}"] = {key: strict(resolved(value)) for key, value in own.items()}


def main():
    """Writes the schemas by apiVersion and kind, a line each: of each the members beside `metadata`, with theirs."""
    schemas = {}
    custom(schemas)
    built_in(schemas)
    lines = [f"{json.dumps(kind)}:{json.dumps(schemas[kind], separators=(',', ':'), sort_keys=True)}" for kind in sorted(schemas)]
    TARGET.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
