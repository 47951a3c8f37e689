"""`istio/tenants`: what teams write comes together in one plugin, and `check.sh` refuses what one team must not do to others."""

import os
import shutil
import subprocess

import pytest
import yaml
from rig.examples import ROOT
from rig.manifests import build, built, check_configuration, check_fields, only

FOLDER = ROOT / "istio/tenants"
EVIL = "  op: replace\n  path: /spec/url\n  value: oci://elsewhere"


@pytest.fixture
def tenants(tmp_path):
    """A copy of the folder, with an image."""
    folder = shutil.copytree(FOLDER, tmp_path / "tenants")
    plugin = folder / "plugin.yaml"
    plugin.write_text(plugin.read_text().replace("0" * 64, "1" * 64))
    return folder


def check(folder, *arguments):
    """Runs `check.sh`: (exit code, what it printed)."""
    done = subprocess.run([folder / "check.sh", *arguments], env={**os.environ, "GNOMON": str(ROOT / "scripts/gnomon")}, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def test_the_teams_routes_come_together_in_the_platforms_plugin(tenants, tmp_path):
    documents = built(FOLDER)
    plugin = only(documents, "WasmPlugin")
    check_fields(plugin)
    check_configuration(build(FOLDER), tmp_path)
    routes = plugin["spec"]["pluginConfig"]["routes"]
    assert [(route["name"], route["owner"]) for route in routes] == [("fraud", "fraud-team"), ("ranking", "ranking-team")]
    assert all(route["experiment"] != plugin["spec"]["pluginConfig"]["experiment"] for route in routes)
    rest = yaml.safe_load((FOLDER / "plugin.yaml").read_text())
    rest["spec"]["pluginConfig"]["routes"] = routes
    assert plugin == rest, "the teams add routes, and nothing else"
    code, told = check(tenants)
    assert code == 0 and "warning" not in told and "good: " in told, told


@pytest.mark.parametrize(
    ("text", "by", "told"),
    [
        ("- op: add", "- op: replace", "not one patch that adds a route"),
        ("/spec/pluginConfig/routes/-", "/spec/pluginConfig/routes/0", "not one patch that adds a route"),
        ("/spec/pluginConfig/routes/-", "/spec/url", "not one patch that adds a route"),
        ("- op: add", "- {op: replace, path: /spec/url, value: a}\n- op: add", "not one patch that adds a route"),
        ("- op: add", "---\n- op: add", "not one patch that adds a route"),
        ("- op: add", f"-\n{EVIL}\n- op: add", "not one patch that adds a route"),
        ("  value:", '  "path": /spec/url\n  value:', "not one patch that adds a route"),
        ("  value:", f"  value: x\n- {EVIL.strip()}\n- op: add\n  path: /spec/pluginConfig/routes/-\n  value:", "not one patch that adds a route"),
        ("  value:", "  value: # of our route", "not one patch that adds a route"),
        ("name: ranking", f"name: ranking\u2028-\u2028{EVIL}", "not one patch that adds a route"),
        ("name: ranking", "# Zwölf\n    name: ranking", "not one patch that adds a route"),
        ("name: ranking", "# ours\n\n    name: ranking", ""),
        ("name: ranking", "name: fraud", "fraud"),
        ("path: {exact: /v1/models/ranking:predict}", "path: {exact: /v2/models/fraud/infer}", ""),
        ("percent: 5%", "percentage: 5%", "percentage"),
    ],
    ids=[
        "replace", "at-0", "url", "two", "document", "hidden", "path-again", "value", "comment", "line-separator", "letters", "comments", "same-name", "own-host", "misspelt"
    ],  # fmt: skip
)
def test_what_a_team_must_not_write_is_refused(tenants, text, by, told):
    path = tenants / "teams/ranking.yaml"
    before = path.read_text()
    assert text in before
    path.write_text(before.replace(text, by, 1))
    code, printed = check(tenants)
    assert code == (1 if told else 0) and told in printed, printed


def test_a_file_that_nobody_reads_is_refused(tenants):
    shutil.copy(tenants / "teams/fraud.yaml", tenants / "teams/search.yaml")
    code, printed = check(tenants)
    assert code == 1 and "search.yaml: kustomization.yaml does not name it" in printed, printed
    names = tenants / "kustomization.yaml"
    names.write_text(names.read_text() + "# - {path: teams/search.yaml, target: {kind: WasmPlugin, name: gnomon}}\n")
    assert check(tenants) == (code, printed), "a comment does not"


def test_a_teams_file_is_looked_at_whatever_its_name(tenants):
    """The platform's line could name it."""
    (tenants / "teams/search.yml").write_text("- {op: replace, path: /spec/failStrategy, value: FAIL_CLOSE}\n")
    code, printed = check(tenants)
    assert code == 1 and "search.yml: not one patch that adds a route" in printed, printed


def test_a_route_that_takes_the_requests_of_a_later_one_is_told(tenants):
    path = tenants / "teams/fraud.yaml"
    path.write_text(path.read_text().replace("match: {path: {prefix: /v2/models/fraud/}, authority: {exact: fraud.example.com}}", "match: {path: {prefix: /}}"))
    code, printed = check(tenants)
    assert "routes[1]" in printed and ("warning" in printed or code == 1), printed


def test_what_changes_for_a_running_experiment_is_told(tenants, tmp_path):
    old = tmp_path / "old.yaml"
    old.write_text(build(tenants))
    path = tenants / "teams/ranking.yaml"
    path.write_text(path.read_text().replace("limit: 5%", "limit: 9%"))
    code, printed = check(tenants, "--against", old)
    assert code == 0 and "route ranking, gate agreement: limit from 5% to 9% under the same experiment" in printed, printed
