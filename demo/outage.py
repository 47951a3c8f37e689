"""The last act: v2's server is killed in the middle of traffic, and the guardrail takes its users and testers away from it."""

import collections
import dataclasses
import json

import expected

REQUESTS, KILLED_AFTER = 400, 100
TESTERS = 0.25  # of the requests, so that v2 gets enough of them in a few seconds
CONTROLLER_SECONDS = 60  # how often Argo Rollouts and Flagger usually look


@dataclasses.dataclass(frozen=True)
class Served:
    """A request, and which variant the client got an answer of: the one that it names, or None if it was a bad one."""

    request: object  # traffic.Request
    answer: object  # traffic.Answer
    by: str | None

    @property
    def meant(self):
        """The variant that would answer if there were no guardrail."""
        return expected.variant(self.request)


class Outage:
    """What clients and Gnomon saw of it."""

    def __init__(self, requests, answers, before, after, lines):
        """`before` and `after` are what `measured.Counters` said; `lines` are those of Envoy's log, parsed, from the demo's beginning."""
        self.served = [Served(r, a, answerer(a)) for r, a in zip(requests, answers)]
        self.before, self.after, self.lines = before, after, lines
        self.bad = [s for s in self.served if s.by is None]
        self.rerouted = [s for s in self.served if s.meant == "v2" and s.by == "v1"]

    @property
    def trips(self):
        """`(bad, trials)` by which the log says that a gate cut v2 off: those of each worker that found it at once."""
        return [(line["bad"], line["trials"]) for line in self.lines if "guardrail" in line and line.get("gate") == expected.GUARDED]

    @property
    def milliseconds(self):
        """From the first bad answer that a client got to the last one."""
        received = [s.answer.received for s in self.bad] or [0.0]
        return round(1000 * (max(received) - min(received)))

    @property
    def without(self):
        """How many bad answers a controller that looks once a minute would let through at this rate of v2's requests."""
        seconds = max(s.answer.received for s in self.served) - min(s.answer.sent for s in self.served)
        return round(CONTROLLER_SECONDS * sum(s.meant == "v2" for s in self.served) / max(seconds, 1e-9))

    def requests(self):
        """How many requests each variant got, and for what reason."""

        def why(s):
            reason = "guardrail" if s.by == "v1" != s.meant else "pin" if s.request.pinned else "weight"
            return s.by or s.meant, reason

        return collections.Counter(why(s) for s in self.served)


def answerer(answer):
    """The variant that an answer names; None if it is not a good one."""
    try:
        version = json.loads(answer.body)["model_version"]
        return version if answer.status == 200 and version in ("v1", "v2") else None
    except (ValueError, TypeError, LookupError):
        return None
