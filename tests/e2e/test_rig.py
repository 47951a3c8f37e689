"""The rig itself: it must notice what the other tests rely on it to notice. A Lua filter plays the filter that does harm."""

from fractions import Fraction

import pytest
from rig import contract, gates, invariants, oracle
from rig.client import request
from rig.metrics import Metrics


def harmful(script):
    """A filter that does what `script` says."""
    kind = "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua"
    return {"name": "envoy.filters.http.lua", "typed_config": {"@type": kind, "default_source_code": {"inline_string": script}}}


@pytest.mark.parametrize("script", [
    "function envoy_on_request(h) h:headers():add('x-added', '1') end",
    "function envoy_on_request(h) h:headers():remove('x-tenant') end",
    "function envoy_on_request(h) h:body():setBytes('other') end",
    "function envoy_on_request(h) h:respond({[':status'] = '503'}, '') end",
    "function envoy_on_response(h) h:headers():add('x-added', '1') end",
    "function envoy_on_response(h) h:headers():replace(':status', '201') end",
    "function envoy_on_response(h) h:body():setBytes('[]') end",
])  # fmt: skip
def test_a_filter_that_changes_anything_is_noticed(lab, script):
    primary = lab.upstream()
    proxy = lab.proxy(None, {"primary": primary}, filters=[harmful(script)], state=None)
    with pytest.raises(AssertionError):
        lab.exchange(proxy, [primary], request(headers={"x-tenant": "acme"}))


def test_a_filter_that_changes_nothing_is_not(lab):
    primary = lab.upstream()
    proxy = lab.proxy(None, {"primary": primary}, filters=[harmful("function envoy_on_request(h) end")], state=None)
    lab.exchange(proxy, [primary], request(headers={"x-tenant": "acme"}))


LABELS = 'experiment="e",route="r",shadow="s"'


@pytest.mark.parametrize("text, settled", [
    (f'gnomon_sampled_total{{{LABELS}}} 2\ngnomon_shadow_outcomes_total{{{LABELS},outcome="compared"}} 2', True),
    (f'gnomon_sampled_total{{{LABELS}}} 2\ngnomon_shadow_outcomes_total{{{LABELS},outcome="compared"}} 1', False),
    (f'gnomon_shadow_outcomes_total{{{LABELS},outcome="compared"}} 1', False),
    (f"gnomon_open_pairs{{{LABELS}}} 1", False),
    ("gnomon_captured_bytes{} 7", False),
    ('gnomon_requests_total{experiment="e",route="r",variant="v",reason="pin"} 1', False),
    ("", True),
])  # fmt: skip
def test_what_does_not_add_up_is_noticed(text, settled):
    assert (not invariants.unsettled(Metrics(text))) == settled


def scraped(name, kind, labels, suffix=""):
    """A scrape of one series."""
    return Metrics(f"# TYPE {name} {kind}\n{name}{suffix}{{{labels}}} 1")


@pytest.mark.parametrize("name, kind, labels, suffix, breaches", [
    ("gnomon_sampled_total", "counter", LABELS, "", 0),
    ("gnomon_shadow_duration_microseconds", "histogram", LABELS + ',le="5"', "_bucket", 0),
    ("gnomon_evidence_total", "counter", 'outcome="logged"', "", 0),
    ("envoy_uptime", "gauge", 'outcome="no matter what"', "", 0),
    ("gnomon_surprise_total", "counter", LABELS, "", 2),
    ("gnomon_sampled_total", "gauge", LABELS, "", 1),
    ("gnomon_sampled_total", "counter", 'experiment="e",route="r"', "", 1),
    ("gnomon_sampled_total", "counter", LABELS + ',slice="all"', "", 1),
    ("gnomon_evidence_total", "counter", 'outcome="lost"', "", 1),
])  # fmt: skip
def test_a_series_that_is_not_in_the_contract_is_noticed(name, kind, labels, suffix, breaches):
    assert len(contract.breaches(scraped(name, kind, labels, suffix))) == breaches


def test_what_is_missing_of_the_contract_is_noticed():
    missing = contract.missing(scraped("gnomon_evidence_total", "counter", 'outcome="logged"'))
    assert "gnomon_evidence_total of () has no outcome ['suppressed']" in missing
    assert len(missing) == len(contract.STATISTICS), "all others are missing as a whole"


def test_the_oracle_is_xxh64():
    """The hash of nothing is known from XXH64's own documentation."""
    assert oracle.xxhash.xxh64(b"", seed=0).hexdigest() == "ef46db3751d8e999"
    assert [oracle.variant("k", "s", "v1", [("v2", percent)]) for percent in (0, 100)] == ["v1", "v2"]


@pytest.mark.parametrize("limit_ppm, trials", [(10_000, 391), (20_000, 195), (50_000, 77), (100_000, 38)])
def test_a_spotless_record_passes_after_as_many_trials_as_it_must(limit_ppm, trials):
    """(1 - limit)^-n / 4 alone reaches 20 a little later; the other multipliers help."""
    assert [gates.state(0, n, limit_ppm, 50_000) for n in (trials - 1, trials)] == [gates.UNDECIDED, gates.PASS]
    assert gates.state(0, trials, limit_ppm, 50_000, trials + 1) == gates.UNDECIDED


@pytest.mark.parametrize("bad, trials, expected", [(2, 2, True), (1, 1, False), (4, 100, False), (9, 144, True), (8, 143, False)])
def test_evidence_of_failure_is_the_mean_of_likelihood_ratios(bad, trials, expected):
    """By whole numbers and fractions instead of logarithms."""
    limit = Fraction(2, 100) if trials > 2 else Fraction(1, 200)
    mean = sum(Fraction(m) ** bad / (1 - limit + Fraction(m) * limit) ** trials for m in ("3/2", "2", "4", "8")) / 4
    assert (mean >= 20) == expected == gates.fails(bad, trials, int(limit * 1_000_000), 50_000)


def gate_figures(slice_="all", bad=0, trials=0, failures=0, limit_ppm=20_000, alpha_ppm=50_000, min_trials=0, state=0):
    """A scrape of one gate."""
    labels = f'experiment="e",route="r",gate="g",subject="s",slice="{slice_}"'
    totals = {"bad_total": bad, "trials_total": trials, "failures_total": failures}
    gauges = {"limit_ppm": limit_ppm, "alpha_ppm": alpha_ppm, "min_trials": min_trials, "state": state}
    return "\n".join(f"gnomon_gate_{name}{{{labels}}} {value}" for name, value in (totals | gauges).items())


OVERALL = 'gnomon_gate_state{{experiment="e",route="r",gate="g",subject="s",slice="all"}} {}'


@pytest.mark.parametrize("text, agrees", [
    (gate_figures(), True),
    (gate_figures(trials=195, state=1), True),
    (gate_figures(trials=195), False),
    (gate_figures(trials=194, state=1), False),
    (gate_figures(bad=9, trials=144, failures=1, state=2), True),
    (gate_figures(bad=9, trials=144, failures=2, state=2), True),
    (gate_figures(bad=9, trials=144, state=2), False),
    (gate_figures(bad=9, trials=1000, failures=1, state=2), True),
    (gate_figures(bad=9, trials=1000, state=2), False),
    (gate_figures(bad=9, trials=1000, failures=1), False),
    (gate_figures(bad=2, trials=1), False),
    (gate_figures(trials=195, limit_ppm=0), True),
    (gate_figures(bad=9, trials=144, failures=1, limit_ppm=0, state=2), False),
    ("\n".join([gate_figures("eu", trials=195, state=1), gate_figures("other"), OVERALL.format(1)]), True),
    ("\n".join([gate_figures("eu", trials=195, state=1), gate_figures("other", trials=1), OVERALL.format(0)]), True),
    ("\n".join([gate_figures("eu", trials=195, state=1), gate_figures("other", trials=1), OVERALL.format(1)]), False),
    ("\n".join([gate_figures("eu"), gate_figures("other", bad=9, trials=144, failures=1, state=2), OVERALL.format(2)]), True),
    ("\n".join([gate_figures("eu"), gate_figures("other", bad=9, trials=144, failures=1, state=2), OVERALL.format(0)]), False),
    ("\n".join([gate_figures("eu", limit_ppm=0), gate_figures("other", limit_ppm=0), OVERALL.format(0)]), True),
])  # fmt: skip
def test_a_gate_that_says_what_its_figures_do_not_is_noticed(text, agrees):
    assert (not gates.disagreements(Metrics(text))) == agrees
