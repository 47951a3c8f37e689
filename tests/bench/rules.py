"""What the rules cost a Prometheus: `scripts/bench-rules`.

A server plays so many proxies, each with one gate in so many slices. A minute of the rules is shortened to two seconds, and scraped and
evaluated every second: so each evaluation reads as many samples as one every 30 s does.
"""

import argparse
import http.server
import pathlib
import resource
import statistics
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from rig.prometheus import RULES, Prometheus, faster  # noqa: E402

LABELS = 'experiment="e",route="r",gate="g",subject="v2"'
PLAIN = {"gnomon_configuration": 'plugin="p"', "gnomon_experiment_info": 'experiment="e",route="r",config="0",owner="none"'}
GATE = {"limit_ppm": 10000, "alpha_ppm": 50000, "min_trials": 0, "requires": 2, "state": 0, "failures_total": 0, "limit_sum_ppm_total": 0}


class Proxies(http.server.ThreadingHTTPServer):
    """Serves the statistics of all proxies: that of proxy N as /N/."""

    def __init__(self, slices):
        super().__init__(("127.0.0.1", 0), Page)
        self.slices, self.began = [f"s{number}" for number in range(slices - 1)] + ["other"], time.time()

    def page(self, proxy):
        """What this proxy shows now."""
        trials = int(10 * (time.time() - self.began))
        lines = [f"gnomon_started_microseconds{{}} {1764000000000000 + proxy}"]
        lines += [f"{name}{{{labels}}} 1" for name, labels in PLAIN.items()]
        lines += [f'gnomon_{name}{{experiment="e",route="r",variant="v2"}} 0' for name in ("split_misrouted", "guardrail_tripped")]
        for part in self.slices:
            for name, value in (GATE | {"trials_total": trials, "bad_total": trials // 100}).items():
                lines.append(f'gnomon_gate_{name}{{{LABELS},slice="{part}"}} {value}')
        return "\n".join(lines) + "\n"


class Page(http.server.BaseHTTPRequestHandler):
    """One scrape."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):  # noqa: N802 (the library's name)
        """Answers it."""
        body = self.server.page(int(self.path.strip("/"))).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.send_header("content-type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Says nothing."""


def main():
    """Prints how long an evaluation takes once its windows are full."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--proxies", type=int, default=50)
    parser.add_argument("--slices", type=int, default=64)
    parser.add_argument("--seconds", type=int, default=210, help="how long; the windows are full after 180")
    options = parser.parse_args()
    with Proxies(options.slices) as server, tempfile.TemporaryDirectory() as folder:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        prometheus = Prometheus(folder, faster(RULES.read_text(), 2), "1s")
        try:
            for proxy in range(options.proxies):
                prometheus.scrape(f"p{proxy}", f"127.0.0.1:{server.server_address[1]}", __metrics_path__=f"/{proxy}/")
            ends, took = time.monotonic() + options.seconds, []
            while time.monotonic() < ends:
                time.sleep(1)
                took.append({group["name"]: group["evaluationTime"] for group in prometheus.groups()})
            slowest = sorted(prometheus.rules(), key=lambda rule: -rule["evaluationTime"])[:5]
            states = prometheus.value("gnomon:gate:state{slice='all'}")
        finally:
            prometheus.stop()
        server.shutdown()
    for name in took[-1]:
        last = [groups[name] for groups in took[-20:]]
        print(f"{name}: an evaluation takes {statistics.median(last) * 1000:.0f} ms ({min(last) * 1000:.0f} to {max(last) * 1000:.0f})")
    print("the slowest:", ", ".join(f"{rule['name']} {rule['evaluationTime'] * 1000:.0f} ms" for rule in slowest))
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"{options.proxies} proxies, {options.slices} slices, state {states}; Prometheus used "
          f"{(usage.ru_utime + usage.ru_stime) / options.seconds * 100:.0f} % of a core and {usage.ru_maxrss >> 10} MiB")


if __name__ == "__main__":
    main()
