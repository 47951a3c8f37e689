"""What clients saw of a canary that turned bad until it was cut off, beside what a controller would have let through that looks once a
minute. That is computed, not run."""

from dataclasses import dataclass

USUAL = {
    "Argo Rollouts, interval 60s, failureLimit 0 (the default)": (60, 1),
    "Argo Rollouts, interval 60s, failureLimit 3 (as in its documentation)": (60, 4),
    "Flagger, interval 1m, threshold 5 (as in its documentation)": (60, 5),
}
"""Name: seconds between two looks, and how many of them must fail. Argo Rollouts: the field `failureLimit` of a metric in its API, and
docs/features/analysis.md (which looks every five minutes); Flagger: `analysis.interval` (60 s by default) and `analysis.threshold` in its
usage guide, "How it works"."""


@dataclass(frozen=True)
class CutOff:
    """`bad` answers, `seconds` from the first of them to the cut-off, and requests a second to the canary before it."""

    bad: int
    seconds: float
    rate: float

    def lines(self):
        """The figures, one line each."""
        yield f"cut off {self.seconds:.3f} s after the first bad answer, {self.bad} in all, at {self.rate:.0f} requests/s to the canary"
        for name, (interval, failures) in USUAL.items():
            seconds, count = usual(self.rate, interval, failures)
            yield f"{name}: {count} bad answers in {seconds:.0f} s on average"


def usual(rate, interval, failures):
    """Seconds until the last look that is needed, and the answers until then, where all are bad and seen at once by whoever looks. On
    average, because the first look comes half an interval after the outage begins."""
    seconds = (failures - 0.5) * interval
    return seconds, round(rate * seconds)
