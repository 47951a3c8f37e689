#!/usr/bin/env bash
# Checks the teams' files and what they make together. CI runs it before a merge.
#
#   istio/tenants/check.sh [ARGUMENT...]      needs kubectl and gnomon; arguments go to `gnomon check`, such as --against OLD
#
# KUBECTL and GNOMON name other programs. The exit status is 0 if all is good.
set -euo pipefail
folder=$(dirname "${BASH_SOURCE[0]}")

# All that may stand left of a route's own keys. (YAML has too many ways to write a second patch to look for those.)
patch='- op: add
  path: /spec/pluginConfig/routes/-
  value:'

for file in "$folder"/teams/*; do
  # Plain ASCII without tabs: there are more ends of lines in YAML than grep knows.
  if LC_ALL=C grep -q '[^ -~]' "$file" || [[ $(grep -E '^ {0,3}[^ #]' "$file") != "$patch" ]]; then
    echo "$file: not one patch that adds a route: write it as teams/fraud.yaml has it, in plain ASCII" >&2
    exit 1
  fi
  if ! grep -Fqx -- "- {path: teams/${file##*/}, target: {kind: WasmPlugin, name: gnomon}}" "$folder/kustomization.yaml"; then
    echo "$file: kustomization.yaml does not name it" >&2
    exit 1
  fi
done
"${KUBECTL:-kubectl}" kustomize "$folder" | "${GNOMON:-gnomon}" check - "$@"
