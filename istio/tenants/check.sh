#!/usr/bin/env bash
# Checks the teams' files and what they make together. CI runs it before a merge.
#
#   istio/tenants/check.sh [ARGUMENT...]      needs kubectl and gnomon; arguments go to `gnomon check`, such as --against OLD
#
# KUBECTL and GNOMON name other programs. The exit status is 0 if all is good.
set -euo pipefail
folder=$(dirname "${BASH_SOURCE[0]}")

# What a team's file is, but for comments at its top and the lines of `value`: these are all deeper, so that none of them can be a key of
# the patch. (Printable ASCII alone, because YAML knows more ends of a line than grep and sed.)
patch=$'- op: add\n  path: /spec/pluginConfig/routes/-\n  value:'

for file in "$folder"/teams/*; do
  if LC_ALL=C grep -q '[^ -~]' "$file" || [[ $(sed -e '1,/^[^#]/{/^#/d}' -e '/^    /d' "$file") != "$patch" ]]; then
    echo "$file: not one patch that adds a route: write it as teams/fraud.yaml has it, in printable ASCII" >&2
    exit 1
  fi
  if ! grep -Fqx -- "- {path: teams/${file##*/}, target: {kind: WasmPlugin, name: gnomon}}" "$folder/kustomization.yaml"; then
    echo "$file: kustomization.yaml does not name it" >&2
    exit 1
  fi
done
"${KUBECTL:-kubectl}" kustomize "$folder" | "${GNOMON:-gnomon}" check - "$@"
