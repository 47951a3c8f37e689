"""CPU time per request of the Envoy process: what the filter costs beside Envoy alone, an empty filter, and Envoy's own mirror.

Absolute times say little from one machine to the next, so only ratios taken in one run are judged. Some Envoys, each with one worker, stand
side by side before the same nginx; wrk loads them in turn, round after round, so that whatever else the machine does falls on all of them.
Each round starts them anew: two processes that run the same differ by some percent for as long as they live, by where their memory lies.
A figure that does not measure what its name says (errors, requests that were not compared) is void and ends the run with exit code 1;
a target that is missed does not, because a shared machine cannot promise it.

With --beside FILTER another build of the filter stands beside this one in the same rounds, and each figure is set against its other one.

Started by scripts/bench, which builds and installs what this needs. It does not measure latency or memory.
"""

import argparse
import contextlib
import dataclasses
import json
import os
import pathlib
import random
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = pathlib.Path(__file__).parent
CONNECTIONS = 16
TICKS = os.sysconf("SC_CLK_TCK")

# The shadow's answer differs in its bytes and in the order of its keys, and is equal within tolerance: the whole comparison runs.
ANSWER = '{"model_name":"iris","id":"1","outputs":[{"name":"predict","datatype":"FP64","shape":[1,3],"data":[0.9612,0.0351,0.0037]}]}'
SHADOW_ANSWER = '{"id":"1","model_name":"iris","outputs":[{"name":"predict","shape":[1,3],"datatype":"FP64","data":[0.9613,0.0350,0.0037]}]}'


@dataclasses.dataclass
class Variant:
    """One Envoy: what it runs, and what its counters must say for its figure to count."""

    name: str
    filters: list = dataclasses.field(default_factory=list)
    mirror: bool = False
    expected: dict = dataclasses.field(default_factory=dict)
    """regular expression over statistics names -> share of the requests that their sum must be"""
    is_new: bool = False
    """whether another build may not know its configuration"""
    process: subprocess.Popen | None = None
    port: int = 0
    admin: int = 0
    counted: int = 0
    """requests that its process has seen"""
    samples: list = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Ratio:
    """`of` against `to`, to stay at or under `target` if there is one."""

    of: str
    to: str
    target: float | None = None


RATIOS = [
    Ratio("no route matched", "empty filter", 1.05),
    Ratio("split only", "empty filter", 1.15),
    Ratio("shadowed and compared", "native mirror", 1.30),
    Ratio("split only", "split not looked at"),
    Ratio("split and guarded", "split only", 1.10),
    Ratio("split and set against", "split only", 1.10),
    Ratio("compared and judged", "shadowed and compared", 1.10),
]

SPLIT = {"baseline": "v1", "canaries": [{"name": "v2", "percent": 50}], "key": {"header": "x-user-id"}}
SHADOW = {"name": "copy", "cluster": "shadow", "percent": 100, "max_in_flight": 256}
COMPARED = {r"gnomon_sampled_total": 1, r"gnomon_shadow_outcomes_total.*outcome=\.=compared;": 1, r"gnomon_pairs_total.*verdict=\.=equivalent;": 1}
GUARD = [
    {"name": "errors-v1", "of": "v1", "measure": "failed", "limit": 0.5},
    {"name": "errors-v2", "of": "v2", "measure": "failed", "limit": 0.5},
    {"name": "slow", "of": "v2", "measure": "slower_than", "threshold": "250ms", "limit": 5},
]
AGAINST = [
    {"name": "failures", "of": "v2", "measure": "worse_than_baseline", "event": "failed", "limit": 50},
    {"name": "slow", "of": "v2", "measure": "worse_than_baseline", "event": {"slower_than": "250ms"}, "limit": 50},
]
JUDGE = [
    {"name": "agreement", "of": "copy", "measure": "diverged", "limit": 2},
    {"name": "coverage", "of": "copy", "measure": "coverage", "limit": 90},
    {"name": "latency", "of": "copy", "measure": "slower_than_primary", "margin": "0ms", "limit": 50},
]


def variants(filter_file, empty_file):
    """All of them, in the order in which they take turns."""
    return [
        Variant("router only"),
        Variant("empty filter", [wasm("empty", empty_file, "")]),
        Variant("no route matched", [gnomon(filter_file, route("/elsewhere/"))], expected={r"gnomon_requests_total": 0, r"gnomon_sampled_total": 0}),
        Variant(
            "split only",
            [gnomon(filter_file, route("/", split=SPLIT))],
            expected={r"gnomon_requests_total.*variant=\.=v[12];": 1},
        ),
        # (Whether the routes follow a split is looked at every ten seconds.)
        Variant(
            "split not looked at",
            [gnomon(filter_file, route("/", split={**SPLIT, "same_cluster": True}))],
            expected={r"gnomon_requests_total.*variant=\.=v[12];": 1},
            is_new=True,
        ),
        Variant("native mirror", mirror=True, expected={r"cluster\.shadow\.upstream_rq_completed$": 1}),
        Variant(
            "shadowed and compared",
            [gnomon(filter_file, route("/", shadows=[SHADOW]))],
            expected=COMPARED,
        ),
        Variant(
            "split and guarded",
            [gnomon(filter_file, route("/", split=SPLIT, gates=GUARD, guardrail={"gates": ["errors-v2", "slow"]}))],
            expected={r"gnomon_requests_total.*variant=\.=v[12];": 1, r"gnomon_gate_trials_total.*gate=\.=errors-": 1},
        ),
        Variant(
            "split and set against",
            [gnomon(filter_file, route("/", split=SPLIT, gates=AGAINST, guardrail={"gates": ["failures", "slow"]}))],
            expected={r"gnomon_requests_total.*variant=\.=v[12];": 1, r"gnomon_gate_trials_total": 0},
            is_new=True,
        ),
        Variant(
            "compared and judged",
            [gnomon(filter_file, route("/", shadows=[SHADOW], gates=JUDGE))],
            expected={**COMPARED, r"gnomon_gate_trials_total.*gate=\.=coverage;": 1},
        ),
    ]


OTHER_BUILD = "%s, other build"


def beside(other_file, empty_file):
    """Those variants that run the filter, with another build of it, and the ratios of this build to that one."""
    others = [one for one in variants(other_file, empty_file) if one.filters and one.name != "empty filter" and not one.is_new]
    ratios = [Ratio(variant.name, OTHER_BUILD % variant.name) for variant in others]
    for variant in others:
        variant.name = OTHER_BUILD % variant.name
    return others, ratios


def route(prefix, **more):
    return {"name": "iris", "match": {"path": {"prefix": prefix}}, "compare": {"absolute": 0.001}, **more}


def gnomon(file, route):
    configuration = {"version": 1, "on_invalid": "reject", "experiment": "benchmark", "routes": [route]}
    return wasm("gnomon", file, json.dumps(configuration))


def wasm(name, file, configuration):
    return {
        "name": f"envoy.filters.http.wasm.{name}",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
            "config": {
                "name": name,
                "root_id": name,
                "failure_policy": "FAIL_RELOAD",
                "configuration": {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": configuration},
                "vm_config": {"vm_id": name, "runtime": "envoy.wasm.runtime.v8", "code": {"local": {"filename": str(file)}}},
            },
        },
    }


def envoy_configuration(variant, ports):
    """The same listener, routes and clusters for all; they differ in the filter and the mirror policy only."""
    to_v1, to_v2 = {"cluster": "v1", "timeout": "10s"}, {"cluster": "v2", "timeout": "10s"}
    if variant.mirror:
        policy = {"cluster": "shadow", "runtime_fraction": {"default_value": {"numerator": 100}}}
        to_v1["request_mirror_policies"] = to_v2["request_mirror_policies"] = [policy]
    by_variant = {"prefix": "/", "headers": [{"name": "x-gnomon-variant", "string_match": {"exact": "v2"}}]}
    manager = {
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "bench",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [{"match": by_variant, "route": to_v2}, {"match": {"prefix": "/"}, "route": to_v1}]}]},
        "http_filters": [
            *variant.filters,
            {"name": "envoy.filters.http.router", "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}},
        ],
    }
    listener = {
        "name": "load",
        "address": address(0),
        "filter_chains": [{"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}],
    }
    clusters = [
        {"name": name, "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address(port)}}]}]}}
        for name, port in ports.items()
    ]
    return {"admin": {"address": address(0)}, "static_resources": {"listeners": [listener], "clusters": clusters}}


def address(port):
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def nginx_configuration(folder, ports):
    answers = {"v1": ANSWER, "v2": ANSWER, "shadow": SHADOW_ANSWER}
    servers = "\n".join(
        f"server {{ listen 127.0.0.1:{port}; location / {{ default_type application/json; return 200 '{answers[name]}'; }} }}" for name, port in ports.items()
    )
    # One process in the foreground, and connections that are never closed: the load must measure Envoy, not new connections.
    return f"""
daemon off; master_process off; pid {folder}/nginx.pid; error_log stderr error;
events {{ worker_connections 4096; }}
http {{
    access_log off; keepalive_requests 1000000000; keepalive_timeout 1h;
    client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder}; uwsgi_temp_path {folder}; scgi_temp_path {folder};
    {servers}
}}
"""


def free_ports(names):
    with contextlib.ExitStack() as held:
        sockets = {name: held.enter_context(socket.socket()) for name in names}
        for held_socket in sockets.values():
            held_socket.bind(("127.0.0.1", 0))
        return {name: held_socket.getsockname()[1] for name, held_socket in sockets.items()}


def start(stack, command, log):
    """A child that ends with `stack`, whatever ends that."""
    process = subprocess.Popen(command, stdout=open(log, "wb"), stderr=subprocess.STDOUT)
    stack.callback(process.wait)
    stack.callback(process.terminate)
    return process


def start_nginx(stack, folder, ports):
    file = folder / "nginx.conf"
    file.write_text(nginx_configuration(folder, ports))
    process = start(stack, ["nginx", "-e", "stderr", "-p", folder, "-c", file], folder / "nginx.log")
    for port in ports.values():
        wait_for(lambda: socket.create_connection(("127.0.0.1", port), 1).close(), process, folder / "nginx.log")


def start_envoy(stack, folder, envoy, variant, ports):
    stem = folder / variant.name.replace(" ", "-")
    configuration, log, admin = stem.with_suffix(".json"), stem.with_suffix(".log"), stem.with_suffix(".admin")
    configuration.write_text(json.dumps(envoy_configuration(variant, ports)))
    admin.unlink(missing_ok=True)
    command = [envoy, "-c", configuration, "--concurrency", "1", "--disable-hot-restart", "--admin-address-path", admin, "--log-level", "warning"]
    variant.process = start(stack, command, log)

    def ready():
        variant.admin = int(admin.read_text().rsplit(":", 1)[1])
        assert ask(variant, "/ready") == "LIVE\n"
        listeners = json.loads(ask(variant, "/listeners?format=json"))["listener_statuses"]
        variant.port = listeners[0]["local_address"]["socket_address"]["port_value"]

    wait_for(ready, variant.process, log)


def wait_for(attempt, process, log):
    """Until `attempt` does not raise; at most a minute, and no longer than the process lives."""
    deadline = time.monotonic() + 60
    while True:
        try:
            return attempt()
        except (OSError, ValueError, LookupError, AssertionError):
            if process.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"bench: {process.args[0]} did not start:\n{pathlib.Path(log).read_text()[-2000:]}")
            time.sleep(0.05)


def ask(variant, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{variant.admin}{path}", timeout=10) as answer:
        return answer.read().decode()


def cpu_seconds(process):
    """User and system time of all threads so far, in steps of 10 ms."""
    fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def load(variant, seconds):
    """Loads one variant; returns microseconds of its CPU time per request."""
    before = cpu_seconds(variant.process)
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", HERE / "load.lua", f"http://127.0.0.1:{variant.port}/"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    used = cpu_seconds(variant.process) - before
    if "Non-2xx" in said or "Socket errors" in said:
        sys.exit(f"bench: {variant.name}: the load met errors, so its figure is void:\n{said}")
    requests = int(re.search(r"(\d+) requests in", said)[1])
    variant.counted += requests
    return used / requests * 1e6


def play_round(measured, options, folder, ports, turn):
    """One sample of each variant, from Envoys of their own; returns what makes them void."""
    with contextlib.ExitStack() as stack:
        for variant in measured:
            start_envoy(stack, folder, options.envoy, variant, ports)
            variant.counted = 0
            load(variant, 1)  # connections opened, caches warm
        # In another order each time, lest what runs before a variant becomes part of its figure.
        for variant in random.Random(turn).sample(measured, len(measured)):
            variant.samples.append(load(variant, options.seconds))
        return [problem for variant in measured for problem in void(variant)]


def void(variant):
    """What in the variant's counters contradicts its name."""
    counters = dict(line.rsplit(": ", 1) for line in ask(variant, "/stats?usedonly=false").splitlines() if re.search(r": \d+$", line))
    problems = []
    for pattern, share in variant.expected.items():
        counted = sum(int(value) for name, value in counters.items() if re.search(pattern, name))
        # wrk leaves at most one request per connection and round uncounted.
        if abs(counted - share * variant.counted) > 0.01 * variant.counted:
            problems.append(f"{variant.name}: {pattern} sums up to {counted}, of {variant.counted} requests")
    return problems


def judge(measured, ratios):
    """The ratios. `median` is over the rounds, each variant against its neighbour in time; that one is judged."""
    by_name = {variant.name: variant.samples for variant in measured}
    judged = []
    for ratio in ratios:
        rounds = [a / b for a, b in zip(by_name[ratio.of], by_name[ratio.to])]
        quartiles = statistics.quantiles(rounds, n=4, method="inclusive") if len(rounds) > 1 else rounds * 3
        judged.append(
            {
                "of": ratio.of,
                "to": ratio.to,
                "target": ratio.target,
                "median": round(statistics.median(rounds), 3),
                "best": round(min(by_name[ratio.of]) / min(by_name[ratio.to]), 3),
                "quartiles": [round(quartiles[0], 3), round(quartiles[2], 3)],
                "reached": ratio.target is None or statistics.median(rounds) <= ratio.target,
            }
        )
    return judged


def show(measured, ratios):
    print(f"\n{'CPU of Envoy, µs per request':36}{'best':>8}{'median':>8}{'worst':>8}")
    for variant in measured:
        best, median, worst = min(variant.samples), statistics.median(variant.samples), max(variant.samples)
        print(f"{variant.name:36}{best:8.1f}{median:8.1f}{worst:8.1f}")
    print(f"\n{'ratio':56}{'median':>8}{'half within':>14}{'of bests':>9}{'to reach':>9}")
    for ratio in ratios:
        name = f"{ratio['of']} / {ratio['to']}"
        low, high = ratio["quartiles"]
        print(f"{name:56}{ratio['median']:8.3f}{f'{low:.3f}-{high:.3f}':>14}{ratio['best']:9.3f}", end="")
        print("" if ratio["target"] is None else f"{ratio['target']:9.2f}  {'reached' if ratio['reached'] else 'MISSED'}")


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench", description="CPU time per request of Envoy with the filter, as ratios.")
    parser.add_argument("--seconds", type=int, default=3, help="of load per variant and round (default 3)")
    parser.add_argument("--rounds", type=int, default=10, help="each with new processes (default 10)")
    parser.add_argument("--beside", metavar="FILTER", type=pathlib.Path, help="another build of the filter, to be measured in the same rounds")
    parser.add_argument("--envoy", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--filter", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--empty", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--output", required=True, help=argparse.SUPPRESS)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    # Ahead of what else the machine does, where that is allowed: two equal filters then differ by 2 % instead of 15 %.
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, -15)

    measured, wanted, problems = variants(options.filter, options.empty), list(RATIOS), []
    if options.beside:
        others, more = beside(options.beside.resolve(strict=True), options.empty)
        measured, wanted = measured + others, wanted + more
    with tempfile.TemporaryDirectory(prefix="gnomon-bench-") as folder, contextlib.ExitStack() as stack:
        folder = pathlib.Path(folder)
        ports = free_ports(["v1", "v2", "shadow"])
        start_nginx(stack, folder, ports)
        for turn in range(options.rounds):
            problems += play_round(measured, options, folder, ports, turn)
            print(f"round {turn + 1} of {options.rounds}: " + ", ".join(f"{variant.name} {variant.samples[-1]:.1f}" for variant in measured), flush=True)

    ratios = judge(measured, wanted)
    show(measured, ratios)
    figures = {
        "seconds": options.seconds,
        "rounds": options.rounds,
        "microseconds": {variant.name: [round(sample, 2) for sample in variant.samples] for variant in measured},
        "ratios": ratios,
        "void": problems,
    }
    pathlib.Path(options.output).write_text(json.dumps(figures, indent=2) + "\n")
    if problems:
        sys.exit("\nbench: void, because the counters say otherwise:\n  " + "\n  ".join(problems))


if __name__ == "__main__":
    main()
