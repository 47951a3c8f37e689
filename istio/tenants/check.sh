#!/usr/bin/env bash
# Checks the teams' files and what they make together. CI runs it before a merge.
#
#   istio/tenants/check.sh [ARGUMENT...]      needs kubectl and gnomon; arguments go to `gnomon check`, such as --against OLD
#
# KUBECTL and GNOMON name other programs. The exit status is 0 if all is good.
set -euo pipefail
folder=$(dirname "${BASH_SOURCE[0]}")

for file in "$folder"/teams/*.yaml; do
  if [[ $(grep -c '^- ' "$file") != 1 || $(grep -c '^---' "$file") != 0 ]] \
    || ! grep -qx -- '- op: add' "$file" || ! grep -qx '  path: /spec/pluginConfig/routes/-' "$file"; then
    echo "$file: not one patch that adds a route: write it as teams/fraud.yaml has it" >&2
    exit 1
  fi
  grep -q "path: teams/${file##*/}," "$folder/kustomization.yaml" || { echo "$file: kustomization.yaml does not name it" >&2 && exit 1; }
done
"${KUBECTL:-kubectl}" kustomize "$folder" | "${GNOMON:-gnomon}" check - "$@"
