"""Manifests: what kustomize makes of a folder, and whether those who read it know every field."""

import functools
import json
import os
import pathlib
import subprocess

import fastjsonschema
import yaml

from .examples import ROOT

GO_TOOLS = pathlib.Path(os.environ.get("GO_TOOLS") or ROOT / ".tools/tests-go-tools")
"""The programs of `tests/go-tools`."""
SCHEMAS = json.loads((ROOT / "tests/e2e/manifest_schemas.json").read_text())


@functools.cache
def validator(kind, member):
    """Checks a member of a resource, such as its `spec`; `kind` begins with the `apiVersion`."""
    return fastjsonschema.compile(SCHEMAS[kind][member])


def check_fields(document):
    """Fails if a resource has a field that its definition doesn't know, lacks a required one, or is of a kind without a definition."""
    kind = f"{document['apiVersion']} {document['kind']}"
    assert kind in SCHEMAS, f"{kind}: no definition of it in manifest_schemas.py"
    for member, value in document.items():
        if member not in ("apiVersion", "kind", "metadata"):
            assert member in SCHEMAS[kind], f"{kind} {document['metadata']['name']}: no member {member}"
            validator(kind, member)(value)


def build(folder):
    """The text that kustomize makes of a folder."""
    done = subprocess.run([GO_TOOLS / "kustomize", "build", folder], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def parsed(text):
    """The resources in a text."""
    return [document for document in yaml.safe_load_all(text) if document]


def built(folder):
    """The resources that kustomize makes of a folder."""
    return parsed(build(folder))


def only(documents, kind, name=None):
    """The only resource of a kind, or of a kind and name."""
    [found] = [one for one in documents if one["kind"] == kind and name in (None, one["metadata"]["name"])]
    return found


def check_configuration(text, tmp_path):
    """Fails unless `gnomon check` has nothing to say of the manifests, once there is an image where the zeros of its digest stand."""
    whole = tmp_path / "manifests.yaml"
    whole.write_text(text.replace("0" * 64, "1" * 64))
    done = subprocess.run([ROOT / "scripts/gnomon", "check", whole], capture_output=True, text=True)
    assert done.returncode == 0 and "good" in done.stdout and "warning" not in done.stdout, done.stdout + done.stderr
