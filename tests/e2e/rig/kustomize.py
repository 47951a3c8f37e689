"""Builds folders of manifests with kustomize."""

import functools
import os
import shutil
import subprocess

import yaml

from .prometheus import ROOT

BINARY = os.environ.get("KUSTOMIZE") or shutil.which("kustomize") or ROOT / ".tools/kustomize/kustomize"


@functools.cache
def build(folder):
    """The documents that kustomize makes of a folder of the repository."""
    done = subprocess.run([BINARY, "build", ROOT / folder], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))
