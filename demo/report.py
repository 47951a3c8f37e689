"""The end of the demo: the same figures as a table for people and as JSON for programs."""

import json
import textwrap

import expected
import rollout
import rules

VERDICTS = ("identical", "equivalent", "diverged")


def figures(run, milliseconds, found):
    """What is written to target/demo.json."""
    counters, count = run.counters, len(run.requests)
    answered = counters.by("variant", "gnomon_requests_total")
    configured = {"v1": 100 - sum(expected.PERCENT.values()), **expected.PERCENT}
    split = {
        v: {"configured_percent": percent, "share_percent": round(100 * answered.get(v, 0) / count, 2)} for v, percent in configured.items()
    }
    shadows = {}
    for shadow in expected.COPIED_PERCENT:
        verdicts = counters.by("verdict", "gnomon_pairs_total", shadow=shadow)
        shadows[shadow] = {
            "sampled": int(counters.total("gnomon_sampled_total", shadow=shadow)),
            "outcomes": counters.by("outcome", "gnomon_shadow_outcomes_total", shadow=shadow),
            "verdicts": {verdict: verdicts.get(verdict, 0) for verdict in VERDICTS},
            "kinds": counters.by("kind", "gnomon_divergences_total", shadow=shadow),
            "paths": counters.by("path", "gnomon_divergent_paths_total", shadow=shadow),
            "changes": {f"{a} to {b}": n for (a, b), n in counters.changes(shadow).most_common() if a != b},
        }
    return {
        "requests": count,
        "split": split,
        "shadows": shadows,
        "milliseconds": milliseconds,
        "gates": {name: gate_figures(run, name) for name in expected.GATES},
        "outage": outage_figures(run.outage),
        "checks": [{"name": name, "ok": ok} for name, ok, _ in found],
    }


def gate_figures(run, name):
    """A gate before the last act, and in the end."""
    gate = expected.GATES[name]

    def shown(counters, lines):
        bad, trials = rollout.counted(counters, name)
        # Of workers that found a failure at once the first knew enough.
        failed_at = min(({"bad": bad, "trials": n} for bad, n in rollout.failures(lines, name)), key=lambda at: at["trials"], default=None)
        return {"bad": bad, "trials": trials, "state": rollout.state(counters, name), "failed_at": failed_at}

    terms = {"of": gate.of, "measure": gate.measure, "limit_percent": gate.limit}
    return {**terms, **shown(run.counters, run.lines), "end": shown(run.outage.after, run.outage.lines)}


def outage_figures(outage):
    """The last act."""
    testers = sum(s.request.pinned for s in outage.rerouted)
    return {
        "requests": len(outage.served),
        "bad_answers": len(outage.bad),
        "milliseconds": outage.milliseconds,
        "without_guardrail": outage.without,
        "led_back": {"users": len(outage.rerouted) - testers, "testers": testers},
    }


def table(figures, run, found):
    """The same for people."""
    hashed = [expected.variant(r) for r in run.requests]
    lines = [f"\nWho answered the {len(hashed)} requests", f"  {'':14}{'configured':>12}{'by the hash':>13}{'counted':>10}"]
    for variant, share in figures["split"].items():
        by_hash = 100 * hashed.count(variant) / len(hashed)
        lines.append(f"  {variant:14}{share['configured_percent']:>10} %{by_hash:>11.2f} %{share['share_percent']:>8.2f} %")
    lines += note(
        "A user always gets the same variant. The configured share is one of all users; these few come out near it, and exactly where"
        " an independent computation of the hash puts them."
    )

    shadows = figures["shadows"]
    lines += ["\nWhat the shadows answered, against what the clients got", f"  {'':40}" + "".join(f"{name:>12}" for name in shadows)]
    lines.append(row("configured", "% of v1's requests", expected.COPIED_PERCENT.values()))
    lines.append(row("copied", "requests", [s["sampled"] for s in shadows.values()]))
    for group, word in (
        ("outcomes", "outcome"),
        ("verdicts", "verdict"),
        ("kinds", "kind of difference"),
        ("paths", "first difference at"),
    ):
        for value in dict.fromkeys(v for s in shadows.values() for v in s[group]):
            lines.append(row(word, value, [s[group].get(value, 0) for s in shadows.values()]))
    copy, control = shadows["v2-copy"], shadows["v1-control"]
    lines += note(
        f"v2 changed the digit in {rate(copy)} of the requests; the control, a second v1, in {rate(control)}: that much would be noise."
        f" Most often {most_often(copy['changes'])}. So look at the evidence before clients get more of v2. No client saw any of these answers."
        " (identical: the same bytes. equivalent: the same digit; half of the requests carry no id, and MLServer then makes one up.)"
    )

    lines += ["\nMilliseconds", f"  {'':40}{'p50':>12}{'p99':>12}"]
    for who, quantiles in figures["milliseconds"].items():
        lines.append(f"  {who:12}{'copies' if who in shadows else 'answers to clients':28}{quantiles['p50']:>12}{quantiles['p99']:>12}")
    lines += note(
        "Models, proxy and clients share this machine, and v1, which answers most of them, has the longest queue."
        " No client waits for a copy."
    )

    lines.append("\nTwo lines of evidence from Envoy's log")
    for evidence in run.evidence[:2]:
        lines += quoted(evidence)

    lines += gates_table(figures["gates"])
    lines += outage_table(figures, run.outage)

    if "rules" in figures:
        lines += rules.table(figures["rules"]) + note(
            "The rules judge the sums over all proxies by what Prometheus scraped, here each second. Controllers act on their answers."
        )

    lines.append("\nChecked against scikit-learn, against the models' answers when asked directly, and against Python's xxhash")
    lines += [f"  ok      {name}" if ok else f"  FAILED  {name}: {problem}" for name, ok, problem in found]
    return "\n".join(lines)


MEANING = {
    "agreement": {"pass": "few digits change", "fail": "too many digits change"},
    "noise": {"pass": "as few as for a second v1", "fail": "more than for a second v1"},
    "control": {"pass": "two equal models agree", "fail": "even equal models disagree"},
    "coverage": {"pass": "v2 answers its copies (bad: it did not)", "fail": "v2 leaves copies without answer"},
    "latency": {"pass": "v2 is not the slower one", "fail": "v2 is the slower one"},
    "errors": {"pass": "v2 hardly ever fails", "fail": "v2 fails too often"},
    "slow": {"pass": "hardly anybody waits for v2", "fail": "too many wait for v2"},
}


def gates_table(gates):
    """The states before the last act."""
    lines = ["\nMay v2 have more of the users? The gates say"]
    lines.append(f"  {'':10}{'of':12}{'measure':20}{'limit':>5}{'bad of trials':>16}   state")
    for name, gate in gates.items():
        bad, limit = f"{gate['bad']} of {gate['trials']}", f"{gate['limit_percent']} %"
        lines.append(f"  {name:10}{gate['of']:12}{gate['measure']:20}{limit:>5}{bad:>16}   {gate['state']:10} {meaning(name, gate)}")
    failed = [name for name, gate in gates.items() if gate["state"] == "fail"]
    undecided = any(gate["state"] == "undecided" for gate in gates.values())
    answer = f"So no: a gate fails for good ({', '.join(failed)})." if failed else "Not enough data." if undecided else "So yes."
    return lines + note(
        f"{answer} Of coverage the limit is the least that is asked, of the others the most. The states may be looked at after every"
        " request: the chance that a gate is ever wrong is at most"
        f" {100 * expected.ALPHA:.0f}\N{NO-BREAK SPACE}%, if trials are independent."
    )


def meaning(name, gate):
    """What that state of a gate means here."""
    if gate["state"] == "undecided":
        return f"{expected.until_pass(expected.GATES[name], gate['bad'], gate['trials'])} more, none of them bad, would pass"
    at = gate["failed_at"]
    return MEANING[name][gate["state"]] + (f", as {at['bad']} of {at['trials']} showed" if at else "")


def outage_table(figures, outage):
    """The last act."""
    act, back = figures["outage"], figures["outage"]["led_back"]
    rows = {
        "bad answers that clients got": f"{act['bad_answers']}, all of them users and testers of v2",
        "from the first to the last of them": f"{act['milliseconds']} ms",
        "led back to v1 since then": f"{back['users']} requests of users, {back['testers']} of testers who ask for v2",
        "bad answers without a guardrail": f"up to {act['without_guardrail']} if a controller looks once a minute (computed)",
    }
    for name, gate in figures["gates"].items():
        end = gate["end"]
        if end["state"] == "fail" != gate["state"]:
            rows[f"gate {name}"] = f"{gate['state']}, then fail ({end['bad']} of {end['trials']}): {meaning(name, end)}"
    lines = [f"\nAnd if v2 breaks down? Its server was killed amid {act['requests']} more requests, a quarter of them of testers"]
    lines += [f"  {what:38}{figure}" for what, figure in rows.items()]
    lines += note("So it stays until the configuration names another experiment. Envoy's log says why:")
    return lines + next((quoted(line) for line in outage.lines if "guardrail" in line), [])


def quoted(line):
    """A line of evidence."""
    return textwrap.wrap(json.dumps(line), 120, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)


def most_often(changes):
    """The three most frequent changes in words."""
    return ", ".join(f"{change.replace(' to ', ' became ')} ({count} times)" for change, count in list(changes.items())[:3]) or "nothing"


def row(word, value, numbers):
    """One line of the shadows' table."""
    return f"  {word:20}{value:20}" + "".join(f"{number:>12}" for number in numbers)


def rate(shadow):
    """Diverged pairs in percent of all."""
    total = sum(shadow["verdicts"].values())
    return f"{100 * shadow['verdicts']['diverged'] / total:.1f}\N{NO-BREAK SPACE}%" if total else "none"


def note(text):
    """A remark below a table."""
    return [line.replace("\N{NO-BREAK SPACE}", " ") for line in textwrap.wrap(text, 120, initial_indent="  ", subsequent_indent="  ")]
