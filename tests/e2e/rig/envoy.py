"""The real Envoy: a bootstrap with two listeners, one with the filter and one without, and the process that runs it.

Every port is chosen by the kernel (`port_value: 0`) and asked for afterwards, so no two tests can race for one.
"""

import http.client
import json
import os
import pathlib
import subprocess

import envoy as envoy_package

from . import contract
from .client import exchange
from .metrics import Metrics
from .waiting import PATIENCE, until

BINARY = pathlib.Path(envoy_package.__file__).parent / "_bin" / "envoy"
WASM_TYPE = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm"
TAGS = contract.LABELS
PLUGIN = "gnomon"


def _extension(kind, **fields):
    return {"@type": f"type.googleapis.com/envoy.extensions.{kind}", **fields}


def wasm_filter(wasm, configuration, plugin=PLUGIN, vm_id="gnomon", environment=None):
    """The filter's entry in a listener. `configuration` is text, or a value to be written as JSON."""
    text = configuration if isinstance(configuration, str) else json.dumps(configuration)
    machine = {"vm_id": vm_id, "runtime": "envoy.wasm.runtime.v8", "code": {"local": {"filename": str(wasm)}}}
    if environment:
        machine["environment_variables"] = {"key_values": environment}
    config = {
        "name": plugin,
        "root_id": plugin,
        "failure_policy": "FAIL_RELOAD",
        "configuration": {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": text},
        "vm_config": machine,
    }
    return {"name": plugin, "typed_config": {"@type": WASM_TYPE, "config": config}}


def cluster(upstream, **more):
    """A cluster of one upstream (a server with a port) or of none; `more` are fields of Envoy's own."""
    address = {"socket_address": {"address": "127.0.0.1", "port_value": upstream.port}} if upstream else None
    endpoints = [{"lb_endpoints": [{"endpoint": {"address": address}}]}] if upstream else []
    made = {"connect_timeout": "1s", "load_assignment": {"endpoints": endpoints}, **more}
    if upstream and upstream.http2:
        options = _extension("upstreams.http.v3.HttpProtocolOptions", explicit_http_config={"http2_protocol_options": {}})
        made["typed_extension_protocol_options"] = {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options}
    return made


def by_variant(clusters, header="x-gnomon-variant"):
    """Envoy routes that follow the split header; the first of `clusters` (variant: cluster) takes the rest as well."""
    chosen = [
        {"match": {"prefix": "/", "headers": [{"name": header, "string_match": {"exact": variant}}]}, "route": {"cluster": name}}
        for variant, name in clusters.items()
    ]
    return [*chosen, {"match": {"prefix": "/"}, "route": {"cluster": next(iter(clusters.values()))}}]


def by_weight(**weights):
    """An Envoy route that splits by these weights of clusters."""
    clusters = [{"name": name, "weight": weight} for name, weight in weights.items()]
    return [{"match": {"prefix": "/"}, "route": {"weighted_clusters": {"clusters": clusters}}}]


def bootstrap(filters, clusters, routes=None, manager=None, stats=None):
    """The whole of Envoy's configuration. `clusters`: name to upstream, or to a `cluster()`; without `routes` all goes to the first.
    `manager` are further fields of the connection manager, `stats` of its statistics."""
    routes = routes or [{"match": {"prefix": "/"}, "route": {"cluster": next(iter(clusters))}}]
    made = {name: value if isinstance(value, dict) else cluster(value) for name, value in clusters.items()}
    for name, value in made.items():
        value["name"] = value["load_assignment"]["cluster_name"] = name
    return {
        "node": {"id": "e2e", "cluster": "e2e"},
        "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}}},
        "stats_flush_interval": "0.1s",  # histograms are merged at this pace
        "stats_config": {"stats_tags": [{"tag_name": tag, "regex": rf"({tag}=\.=(.*?);\.;)"} for tag in TAGS], **(stats or {})},
        "static_resources": {
            "listeners": [_listener("filtered", filters, routes, manager), _listener("bare", [], routes, manager)],
            "clusters": list(made.values()),
        },
    }


def _listener(name, filters, routes, manager):
    router = {"name": "envoy.filters.http.router", "typed_config": _extension("filters.http.router.v3.Router")}
    connection_manager = _extension(
        "filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix=name,
        upgrade_configs=[{"upgrade_type": "websocket"}],
        route_config={"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
        http_filters=[*filters, router],
        **(manager or {}),
    )
    chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": connection_manager}]}
    address = {"socket_address": {"address": "127.0.0.1", "port_value": 0}}
    return {"name": name, "address": address, "filter_chains": [chain]}


def validate(text, folder):
    """`envoy --mode validate` on a bootstrap: (exit code, everything it printed)."""
    path = pathlib.Path(folder) / "validate.json"
    path.write_text(json.dumps(text))
    done = subprocess.run([BINARY, "--mode", "validate", "-c", path, "-l", "info"], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


class Envoy:
    """A running Envoy. `folder` keeps its configuration and log."""

    http2 = False

    def __init__(self, text, folder, concurrency=1):
        self.folder = pathlib.Path(folder)
        self._log, self._admin_file = self.folder / "log", self.folder / "admin"
        (self.folder / "envoy.json").write_text(json.dumps(text))
        command = [BINARY, "-c", self.folder / "envoy.json", "--concurrency", str(concurrency), "--disable-hot-restart"]
        # Envoy waits ten minutes before it breaks off what a replaced listener still serves.
        command += ["--drain-time-s", "1", "--admin-address-path", self._admin_file, "-l", "warning", "--component-log-level", "wasm:info"]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            self.admin_address = until(self._admin_address, "Envoy's admin address")
            until(self._ready, "Envoy to be ready")
            status = json.loads(self.admin("/listeners?format=json"))["listener_statuses"]
        except BaseException as error:
            self.stop()
            error.add_note(self.log()[-3000:])
            raise
        self.ports = {one["name"]: one["local_address"]["socket_address"]["port_value"] for one in status}
        self.port = self.ports["filtered"]

    def _admin_address(self):
        if self._process.poll() is not None:
            raise RuntimeError(f"Envoy left with {self._process.returncode}")
        return os.path.exists(self._admin_file) and self._admin_file.read_text()

    def _ready(self):
        self._admin_address()
        try:
            return self.admin("/ready").strip() == "LIVE"
        except OSError:
            return False

    def admin(self, path):
        """The text of a page of the admin interface."""
        host, port = self.admin_address.rsplit(":", 1)
        connection = http.client.HTTPConnection(host, int(port), timeout=10)
        try:
            connection.request("GET", path)
            return connection.getresponse().read().decode()
        finally:
            connection.close()

    def metrics(self, route=None):
        """A scrape; with `route` only of what was ever counted for it, which takes a hundredth of the time where there are many."""
        return Metrics(self.admin("/stats/prometheus" + (f"?usedonly&filter=route=.={route};" if route else "")))

    def stat(self, name):
        """One of Envoy's own counters or gauges."""
        found = json.loads(self.admin(f"/stats?format=json&filter=^{name}$"))["stats"]
        return found[0]["value"] if found else 0

    def log(self):
        """All that Envoy has logged."""
        return self._log.read_text(errors="replace")

    def evidence(self):
        """The filter's log lines that are JSON objects."""
        return [json.loads(line[line.index("{"):]) for line in self.log().splitlines() if "wasm log" in line and ": {" in line]

    def send(self, data, listener="filtered"):
        """Sends a request on a connection of its own and returns the answer."""
        return exchange(self.ports[listener], data)

    def eventually(self, name, value, timeout=PATIENCE, **labels):
        """Waits until the sum of the series of `name` with these labels is `value`."""
        last = {}

        def look():
            last["series"] = self.metrics(labels.get("route")).series(name, **labels)
            return sum(last["series"].values()) == value

        try:
            until(look, f"{name} {labels} == {value}", timeout)
        except AssertionError as error:
            error.add_note(f"series: {last['series']}")
            raise

    def stop(self):
        """Ends the process."""
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
