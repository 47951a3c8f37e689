"""The end of the demo: the same figures as a table for people and as JSON for programs."""

import json
import textwrap

import expected

VERDICTS = ("identical", "equivalent", "diverged")


def figures(run, milliseconds, checks):
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
        "checks": [{"name": name, "ok": ok} for name, ok, _ in checks],
    }


def table(figures, run, checks):
    """The same for people."""
    hashed = [expected.variant(r.user) for r in run.requests]
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
        lines += textwrap.wrap(json.dumps(evidence), 120, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)

    lines.append("\nChecked against scikit-learn, against the models' answers when asked directly, and against Python's xxhash")
    lines += [f"  ok      {name}" if ok else f"  FAILED  {name}: {problem}" for name, ok, problem in checks]
    return "\n".join(lines)


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
