"""The dashboard, made with Grafana's typed builders. Prints grafana/gnomon.json:

    .tools/test-venv/bin/python grafana/dashboard.py >grafana/gnomon.json

What there is a rule for comes from the rule (docs/rules.md), all else from the filter's series (docs/statistics.md). Rates are over five
minutes, as in the rules. Counts are those of the whole experiment: counters start at 0 with it, so they are read and not subtracted, and a
proxy that has left counts by what it showed last in the time that is shown.
"""

import sys

from building import CLUSTER, OF_ROUTE, ROUTE, SOURCE, bars, cells, colored, gauged, lines, matrix, states, stats, steps, variable, words
from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as models

DOCUMENTS = "https://gnomon.example.com"
"""Stands for where a copy of the documents is served, as in the alerts."""

PROXY = "cluster, job, namespace, pod, instance"
PLACE = "{{cluster}} {{experiment}} {{route}}"
"""What each legend begins with. (Grafana leaves out what a series does not have.)"""
WHERE = {"cluster": "Cluster", "experiment": "Experiment", "route": "Route"}
SUBJECT_WORDS = words(_0=("not yet", "open"), _1=("yes", "good"), _2=("no, roll back", "bad"))
GATE_WORDS = words(_0=("undecided", "open"), _1=("pass", "good"), _2=("fail", "bad"))
RECENT_WORDS = words(_0=("does not fail", "good"), _2=("fails", "bad"))
REQUIRED_WORDS = words(_0=("nothing", "plain"), _1=("no fail", "plain"), _2=("a pass", "plain"))
CONFIGURATION_WORDS = words(
    _1=("as configured", "good"), _2=("last one refused", "warning"), _3=("refused, all passes untouched", "bad")
)
HELD_WORDS = words(
    misrouted=("a proxy does not route as the split says", "bad"),
    cut_off=("a guardrail has cut it off", "bad"),
    configuration=("a configuration was refused", "warning"),
    terms_differ=("proxies judge by different limits", "warning"),
    label_collision=("a label of the targets is in the way", "warning"),
    series_missing=("series are missing", "warning"),
)


UNSENT = ',outcome=~"unsent_.*"'


def rate(series, by, more=""):
    """Events per second."""
    return f"sum by ({by}) (rate({series}{{{ROUTE}{more}}}[5m]))"


def count(series, by, more=""):
    """Events of the whole experiment, over all proxies."""
    return f"sum by ({by}) (last_over_time({series}{{{ROUTE}{more}}}[$__range]))"


def share(part, whole):
    """One of the other, by route."""
    return f"{part} / on ({OF_ROUTE}) group_left () {whole}"


def evidence(verdict):
    """How much of the evidence is there that a verdict needs, on the scale on which each trial counts the same."""
    return f"clamp(ln(gnomon:gate_{verdict}:evalue{{{ROUTE}}}) / ln(1 / gnomon:gate_alpha:ratio{{{ROUTE}}}), 0, 1)"


def the_answer():
    """And what holds it back."""
    return [
        stats(
            "The answer",
            "The verdict on each variant and shadow by all gates over all proxies, on which rollout controllers act."
            " No data: no proxy shows a gate, or the rules are not loaded.",
            f"gnomon:subject:state{{{ROUTE}}}",
            f"{PLACE} {{{{subject}}}}",
            SUBJECT_WORDS,
            "no gate, or no rules",
            6,
        ),
        cells(
            "What holds it back?",
            "Why a subject can't get a yes whatever its gates say. No data: nothing holds it back, as it should be, or there is no subject.",
            WHERE | {"subject": "Of", "reason": "Because"},
            [("Held", "none", f"max by ({OF_ROUTE}, subject, reason) (gnomon:subject_held:info{{{ROUTE}}})", {})],
            8,
            hidden=["Value"],
        )
        .no_value("nothing")
        .override_by_name("Because", [models.DynamicConfigValue(id_val=name, value=value) for name, value in colored(HELD_WORDS).items()]),
        states(
            "The answer over time",
            "The verdict, and whether the last ten minutes alone say that it fails. No data: no proxy showed a gate then.",
            [
                (f"gnomon:subject:state{{{ROUTE}}}", f"{PLACE} {{{{subject}}}}", SUBJECT_WORDS),
                (f"gnomon:subject:state_10m{{{ROUTE}}}", f"{PLACE} {{{{subject}}}}, last 10 min", RECENT_WORDS),
            ],
            10,
        ),
    ]


def the_gates():
    """What each gate makes of it, and how many requests there are."""
    gate = f"{OF_ROUTE}, gate, subject, slice"
    of_gate = lambda record: f"max by ({gate}) ({record}{{{ROUTE}}})"  # noqa: E731
    limits = [
        (f"gnomon:gate_bad:ratio{{{ROUTE}}}", f"{PLACE} {{{{gate}}}} {{{{slice}}}}"),
        (f"gnomon:gate_limit:ratio{{{ROUTE}}}", f"{PLACE} {{{{gate}}}} {{{{slice}}}} (limit)"),
    ]
    evidences = [(evidence(verdict), f"{PLACE} {{{{gate}}}} {{{{slice}}}}: {verdict}") for verdict in ("pass", "fail")]
    weights = f"avg by ({OF_ROUTE}, variant) (gnomon_split_ppm{{{ROUTE}}}) / 1e6"
    return [
        cells(
            "What does each gate say?",
            "Each gate's state with the rate of bad trials, its limit, and how much of the evidence for a verdict is there."
            " No data: no proxy shows a gate, or the rules are not loaded.",
            WHERE | {"gate": "Gate", "subject": "Of", "slice": "Slice"},
            [
                ("State", "none", of_gate("gnomon:gate:state"), colored(GATE_WORDS)),
                ("Bad", "percentunit", of_gate("gnomon:gate_bad:ratio"), {"decimals": 2}),
                ("Limit", "percentunit", of_gate("gnomon:gate_limit:ratio"), {"decimals": 2}),
                ("Trials", "short", of_gate("gnomon:gate_trials:sum"), {}),
                ("At least", "short", of_gate("gnomon:gate_min_trials:max"), {}),
                ("Evidence to pass", "percentunit", f"max by ({gate}) ({evidence('pass')})", gauged("open", (1, "good"))),
                ("Evidence to fail", "percentunit", f"max by ({gate}) ({evidence('fail')})", gauged("open", (1, "bad"))),
                ("Needed", "none", of_gate("gnomon:gate_requires:max"), {"mappings": REQUIRED_WORDS}),
            ],
            24,
            sorted_by="State",
        ),
        lines(
            "Bad trials against their limits",
            "The share of each gate's trials that were bad in the whole experiment; its limit is dashed. No data: no trial yet.",
            "percentunit",
            limits,
        ),
        lines(
            "How near is a verdict?",
            "How much of the evidence for a pass and for a fail is there: at 100 % the gate decides, if it has its least trials."
            " No data: no proxy shows a gate.",
            "percentunit",
            evidences,
        ).max(1),
        lines(
            "How many requests does it have now?",
            "The share of a route's requests that each variant gets; what the split says is dashed. No data: no requests.",
            "percentunit",
            [
                (
                    share(rate("gnomon_requests_total", f"{OF_ROUTE}, variant"), rate("gnomon_requests_total", OF_ROUTE)),
                    f"{PLACE} {{{{variant}}}}",
                ),
                (weights, f"{PLACE} {{{{variant}}}} (configured)"),
            ],
        ).max(1),
    ]


def verdicts():
    """How many pairs there are, and how many diverged."""
    return [
        lines(
            "How many answers differ?",
            "Diverged pairs of all compared pairs of the last five minutes. No data: no pair was compared.",
            "percentunit",
            [(f"gnomon:pairs_diverged:ratio_rate5m{{{ROUTE}}}", f"{PLACE} {{{{shadow}}}}")],
        ),
        lines(
            "How many copies are compared?",
            "Compared pairs of all that could have been compared; below 80 % the verdicts speak for few. No data: no copies.",
            "percentunit",
            [(f"gnomon:coverage:ratio_rate5m{{{ROUTE}}}", f"{PLACE} {{{{shadow}}}}")],
        ).max(1),
        bars(
            "Verdicts",
            "Compared pairs of the whole experiment by their verdict. No data: no shadow.",
            "short",
            count("gnomon_pairs_total", f"{OF_ROUTE}, shadow, verdict"),
            f"{PLACE} {{{{shadow}}}}: {{{{verdict}}}}",
        ),
    ]


def differences():
    """Of which kind, where, and between which answers."""
    shadow = f"{OF_ROUTE}, shadow"
    matrix_of = count("gnomon_decisions_total", f"{shadow}, primary_answer, shadow_answer")
    return [
        bars(
            "Kinds of difference",
            "Why pairs diverged, in the whole experiment. No data: none has.",
            "short",
            f"{count('gnomon_divergences_total', f'{shadow}, kind')} > 0",
            f"{PLACE} {{{{shadow}}}}: {{{{kind}}}}",
        ),
        cells(
            "Where do answers differ?",
            "The places in the answers at which pairs diverged first, in the whole experiment. No data: none has, or the task knows no places.",
            WHERE | {"shadow": "Shadow", "path": "Place"},
            [("Pairs", "short", f"topk(50, {count('gnomon_divergent_paths_total', f'{shadow}, path')} > 0)", {})],
            8,
            sorted_by="Pairs",
        ),
        matrix(
            "What became of what?",
            "What the client's answer says (rows) and what the shadow's says (columns), in the whole experiment."
            " No data: the task is neither labels nor decision.",
            f'label_join({matrix_of} > 0, "answer", " ", "cluster", "experiment", "route", "shadow", "primary_answer")',
            "answer",
            "shadow_answer",
            8,
        ),
        bars(
            "How do answers end?",
            "The ends of compared generated answers, of clients and of shadows. No data: no generated answers.",
            "short",
            f"{count('gnomon_answers_total', f'{OF_ROUTE}, subject, kind')} > 0",
            f"{PLACE} {{{{subject}}}}: {{{{kind}}}}",
            12,
        ),
        cells(
            "Which versions answered?",
            "Compared answers by the version that the server names. No data: no server names one.",
            WHERE | {"subject": "Of", "model_version": "Version"},
            [("Answers", "short", f"{count('gnomon_model_versions_total', f'{OF_ROUTE}, subject, model_version')} > 0", {})],
            12,
        ),
    ]


def what_it_costs():
    """Clients, shadows, tokens."""
    first = f"histogram_quantile(0.9, {rate('gnomon_first_byte_duration_microseconds_bucket', f'{OF_ROUTE}, subject, le')}) / 1e6"
    quantiles = lambda record, label: [  # noqa: E731
        (f"{record}:{quantile}_rate5m{{{ROUTE}}}", f"{PLACE} {{{{{label}}}}} {quantile}") for quantile in ("p50", "p90", "p99")
    ]
    subject = f"{OF_ROUTE}, subject"
    return [
        lines(
            "How long do clients wait?",
            "From a request to the end of its answer, by variant, and to the first byte of streamed answers. No data: no requests.",
            "s",
            [*quantiles("gnomon:response_duration_seconds", "variant"), (first, f"{PLACE} {{{{subject}}}} first byte, p90")],
        ),
        lines(
            "How long do shadows take?",
            "From sending a copy to the end of its answer; no client waits for it. No data: no copies.",
            "s",
            quantiles("gnomon:shadow_duration_seconds", "shadow"),
        ),
        lines(
            "How many answers fail?",
            "Answers of class 5xx, and those broken off, of all that no client left. No data: no answers.",
            "percentunit",
            [(f"gnomon:responses_failed:ratio_rate5m{{{ROUTE}}}", f"{PLACE} {{{{variant}}}}")],
        ),
        lines(
            "Tokens per second",
            "The tokens that compared answers report, of clients and of shadows. No data: no answers that report tokens.",
            "short",
            [(rate("gnomon_tokens_total", f"{subject}, token"), f"{PLACE} {{{{subject}}}} {{{{token}}}}")],
        ),
        lines(
            "Copies in flight",
            "Pairs under way, whose bodies are held in memory. No data: no shadow.",
            "short",
            [(f"sum by ({OF_ROUTE}, shadow) (gnomon_open_pairs{{{ROUTE}}})", f"{PLACE} {{{{shadow}}}}")],
        ),
        lines(
            "What becomes of the copies?",
            "Requests drawn for shadows, per second, by their outcome: all but the unsent ones are load of the shadow. No data: none was drawn.",
            "reqps",
            [(f"{rate('gnomon_shadow_outcomes_total', f'{OF_ROUTE}, shadow, outcome')} > 0", f"{PLACE} {{{{shadow}}}}: {{{{outcome}}}}")],
            stacked=True,
        ),
    ]


def proxies():
    """By proxy, whatever the experiment."""
    full = f"gnomon_captured_bytes{{{CLUSTER}}} / (gnomon_captured_limit_bytes{{{CLUSTER}}} > 0)"
    labels = {"cluster": "Cluster", "job": "Job", "namespace": "Namespace", "pod": "Pod", "instance": "Instance", "what": "Version"}
    wrong = {"thresholds": steps("plain", (0.5, "bad")).build(), "decimals": 0, "custom.cellOptions": {"type": "color-text"}}
    started = f"max by ({PROXY}) (gnomon_started_microseconds{{{CLUSTER}}}) / 1e3"
    alive = f"10 * sum by ({PROXY}) (rate(gnomon_heartbeats_total{{{CLUSTER}}}[5m]))"
    anomalies = f"sum by ({PROXY}) (last_over_time(gnomon_anomalies_total{{{CLUSTER}}}[$__range]))"
    return [
        cells(
            "Is each proxy well?",
            "Each proxy's configuration, how many workers run the filter now, since when it counts, and internal errors (always 0)."
            " No data: no proxy runs the filter, or Prometheus does not scrape it.",
            labels,
            [
                ("Configuration", "none", f"max by ({PROXY}) (gnomon_configuration{{{CLUSTER}}})", colored(CONFIGURATION_WORDS)),
                ("Workers alive", "short", alive, {"decimals": 0}),
                ("Counts since", "dateTimeAsIso", started, {}),
                ("Internal errors", "short", anomalies, wrong),
                ("Build", "none", f"max by ({PROXY}, what) (gnomon_build_info{{{CLUSTER}}})", {}),
            ],
            24,
            hidden=["Value #E"],
            sorted_by="Configuration",
        ),
        lines(
            "Is the memory for bodies enough?",
            "Bodies held of what limits.memory allows: above 80 % there is an alert, at 100 % copies end unsent. No data: none was held yet.",
            "percentunit",
            [(f"max by ({PROXY}) ({full})", "{{namespace}} {{pod}} {{instance}}")],
        ).max(1),
    ]


def copies():
    """What keeps them from being sent, and by which configurations."""
    configurations = f"count by ({OF_ROUTE}, config, owner) (gnomon_experiment_info{{{ROUTE}}} == 1)"
    return [
        lines(
            "Which copies were not sent?",
            "Unsent copies and requests that could not be judged, per second, by what kept them back. No data: all were sent, as it should be.",
            "reqps",
            [
                (
                    f"{rate('gnomon_shadow_outcomes_total', f'{OF_ROUTE}, shadow, outcome', UNSENT)} > 0",
                    f"{PLACE} {{{{shadow}}}}: {{{{outcome}}}}",
                ),
                (f"{rate('gnomon_unjudged_total', f'{OF_ROUTE}, shadow')} > 0", f"{PLACE} {{{{shadow}}}}: not judged"),
            ],
        ),
        lines(
            "Is a shadow left alone?",
            "Workers whose breaker is open, because ten copies in a row failed; above 0 for ten minutes there is an alert. No data: no shadow.",
            "short",
            [(f"sum by ({OF_ROUTE}, shadow) (gnomon_breaker_open{{{ROUTE}}})", f"{PLACE} {{{{shadow}}}}")],
        ),
        cells(
            "Which configurations run?",
            "Proxies by the hash of the configuration that they serve: more than one for a route is a change that has not reached all."
            " No data: no experiment runs.",
            WHERE | {"config": "Configuration", "owner": "Owner"},
            [("Proxies", "short", configurations, {})],
            24,
        ),
    ]


ROWS = {
    "May it have more?": (the_answer, the_gates),
    "What differs?": (verdicts, differences),
    "What does it cost?": (what_it_costs,),
    "Is the filter well?": (proxies, copies),
}


def variables():
    """Data source, cluster, experiment, route."""
    return [
        builders.DatasourceVariable("datasource").label("Data source").type("prometheus"),
        variable("cluster", "Cluster", "label_values(gnomon_experiment_info, cluster)", "Leave it at All where there is no label cluster."),
        variable(
            "experiment", "Experiment", f"label_values(gnomon_experiment_info{{{CLUSTER}}}, experiment)", "The experiment of the configuration."
        ),
        variable(
            "route",
            "Route",
            f'label_values(gnomon_experiment_info{{{CLUSTER},experiment=~"$experiment"}}, route)',
            "The route of the configuration.",
        ),
    ]


def dashboard():
    """The dashboard, as text."""
    made = builders.Dashboard("Gnomon").uid("gnomon").tags(["gnomon"]).editable().refresh("30s").time("now-3h", "now")
    made.description("Shadows and canaries: may they have more, what differs, what it costs, and is the filter well.")
    made.tooltip(models.DashboardCursorSync.CROSSHAIR)
    link = builders.DashboardLink("How to read this").type(models.DashboardLinkType.LINK).url(f"{DOCUMENTS}/dashboard.html")
    made.link(link.target_blank(True).icon("doc"))
    for one in variables():
        made.with_variable(one)
    number = 0
    for title, parts in ROWS.items():
        number += 1
        made.with_row(builders.Row(title).id(number))
        for panel in (panel for part in parts for panel in part()):
            number += 1
            made.with_panel(panel.id(number))
    return JSONEncoder(sort_keys=True, indent=2).encode(made.build()) + "\n"


if __name__ == "__main__":
    sys.stdout.write(dashboard())
