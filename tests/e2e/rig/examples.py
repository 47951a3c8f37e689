"""The files of `envoy/` and `istio/`, read for a test: loaded, and made to run with free ports and the built filter."""

import copy
import functools
import json
import pathlib

import yaml

from . import oracle
from .client import request
from .lab import WASM
from .upstream import Reply

ROOT = pathlib.Path(__file__).parents[3]
EXPERIMENT, ROUTE, PATH = "fraud-2026-11", "fraud", "/v2/models/fraud/infer"
"""What all examples are about."""


@functools.cache
def documents(path):
    """The YAML documents of a file."""
    return list(yaml.safe_load_all(path.read_text()))


def example(name):
    """A file of `envoy/`, for a test to change."""
    return copy.deepcopy(documents(ROOT / "envoy" / name)[0])


def everything(value):
    """All objects in a value, the value first."""
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from everything(inner)


def plugin(text):
    """The filter's `config` in a file of `envoy/`."""
    return next(found["config"] for found in everything(text) if found.get("@type", "").endswith("filters.http.wasm.v3.Wasm"))


def gnomon(text):
    """The filter's own configuration in a file of `envoy/`."""
    return json.loads(plugin(text)["configuration"]["value"])


def configure(text, config):
    """Replaces the filter's own configuration in a file of `envoy/`."""
    plugin(text)["configuration"]["value"] = json.dumps(config)


def local(text, ports=None):
    """The same file with free ports, the built filter, and the models of `ports` ({port in the file: upstream}); its histograms are up to
    date at every scrape."""
    for found in everything(text):
        if "port_value" in found:
            found["port_value"] = ports[found["port_value"]].port if found["port_value"] in (ports or {}) else 0
        if found.get("filename", "").endswith("gnomon.wasm"):
            found["filename"] = str(WASM)
    if "static_resources" in text:
        text["static_resources"]["listeners"][0]["name"] = "filtered"  # what the rig calls the listener with the filter
        text["stats_flush_on_admin"] = True
    return text


def answer(*scores, **members):
    """An answer of the Open Inference Protocol."""
    tensor = {"name": "score", "datatype": "FP64", "shape": [len(scores)], "data": scores}
    return Reply(json.dumps({**members, "outputs": [tensor]}).encode())


def post(path=PATH, host=None, **headers):
    """An inference request; `_` in the names of headers for `-`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    made = request(path, b'{"inputs": []}', headers={"content-type": "application/json"} | named)
    return made.replace(b"host: models.test", b"host: " + host.encode()) if host else made


def ids(upstream):
    """The ids of the requests that an upstream got."""
    return sorted(received.header("x-request-id") for received in upstream.seen)


def drawn(identities, percent=10):
    """Those of these requests that a shadow of `percent` gets."""
    return sorted(identity for identity in identities if oracle.sampled(identity, EXPERIMENT, ROUTE, percent))


def buckets():
    """What Istio makes of the annotation for histogram buckets, and what the files of `envoy/` have."""
    annotated = json.loads(annotation("statsHistogramBuckets"))
    return [{"match": {"prefix": prefix}, "buckets": values} for prefix, values in sorted(annotated.items())]


def annotation(name):
    """An annotation of `istio/proxies/pod-annotations.yaml`."""
    found = documents(ROOT / "istio/proxies/pod-annotations.yaml")[0]["spec"]["template"]["metadata"]["annotations"]
    return next(value for key, value in found.items() if key.endswith(name))
