"""What Envoy Gateway makes of manifests, by its own `egctl x translate`, and an Envoy's bootstrap of that.

`egctl` has no store of Wasm modules: it refuses every policy with `wasm`, and makes of its routes ones that answer 500. So the policy is left
out of what it translates, and its filter is put in afterwards, with the fields that Envoy Gateway gives it (`internal/xds/translator/wasm.go`).
It does not read the labels of namespaces either: every namespace may attach routes.
"""

import copy
import json
import subprocess

from .envoy import WASM_TYPE
from .manifests import GO_TOOLS


def translated(documents):
    """What Envoy Gateway makes of the manifests: the bootstrap, the clusters and tables of routes by name, the listeners."""
    known = [document for document in documents if document["kind"] != "PodMonitor" and "wasm" not in document.get("spec", {})]
    read = copy.deepcopy(known)
    for gateway in (document for document in read if document["kind"] == "Gateway"):
        for listener in gateway["spec"]["listeners"]:
            listener["allowedRoutes"] = {"namespaces": {"from": "All"}}
    command = [GO_TOOLS / "egctl", "experimental", "translate", "--from", "gateway-api", "--to", "xds", "--output", "json", "--file", "-"]
    command.append("--add-missing-resources")  # addresses of Services
    done = subprocess.run(command, input="\n---\n".join(map(json.dumps, read)), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    [dump] = json.loads(done.stdout)["xds"].values()
    own, _, clusters, listeners, routes = dump["configs"]
    return {
        "bootstrap": own["bootstrap"],
        "clusters": _named(one["cluster"] for one in clusters["dynamicActiveClusters"]),
        "listeners": list(_named(one["activeState"]["listener"] for one in listeners["dynamicListeners"]).values()),
        "routes": _named(one["routeConfig"] for one in routes["dynamicRouteConfigs"]),
    }


def _named(resources):
    return {one["name"]: {key: value for key, value in one.items() if key != "@type"} for one in resources}


def filter_of(policy, wasm):
    """The HTTP filter that Envoy Gateway makes of the policy's plugin; its code is the local file instead of one from the control plane."""
    [plugin] = policy["spec"]["wasm"]
    name = f"envoyextensionpolicy/{policy['metadata']['namespace']}/{policy['metadata']['name']}/wasm/0"
    config = {
        "name": plugin["name"],
        "rootId": plugin["rootID"],
        "vmConfig": {"vmId": name, "runtime": "envoy.wasm.runtime.v8", "code": {"local": {"filename": str(wasm)}}},
        "configuration": {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": json.dumps(plugin["config"])},
        "failOpen": plugin["failOpen"],
    }
    return {"name": f"envoy.filters.http.wasm/{name}", "disabled": True, "typedConfig": {"@type": WASM_TYPE, "config": config}}


def manager(xds):
    """The connection manager of the Gateway's only listener; the other one is Envoy Gateway's own, for probes."""
    managers = [listener["defaultFilterChain"]["filters"][0]["typedConfig"] for listener in xds["listeners"] if "defaultFilterChain" in listener]
    [found] = managers
    return found


def enable(xds, wasm_filter, prefix):
    """Puts the filter before the router, and enables it on the routes whose names begin so."""
    manager(xds)["httpFilters"].insert(-1, wasm_filter)
    on = {"@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "config": {}}
    for table in xds["routes"].values():
        for route in (route for host in table["virtualHosts"] for route in host["routes"]):
            if route["name"].startswith(prefix):
                route.setdefault("typedPerFilterConfig", {})[wasm_filter["name"]] = on


def bootstrap(xds, upstreams):
    """A bootstrap that runs without a control plane. Replaced: where resources come from (all are in the file), addresses of listeners (free
    ports), those of clusters (`upstreams`: {cluster: upstream}). Left out: the port for scrapes, which leads to the fixed one of the admin."""
    made = {key: value for key, value in xds["bootstrap"].items() if key not in ("dynamicResources", "clusterManager")}
    made |= {"node": {"id": "e2e", "cluster": "e2e"}, "admin": {"address": _local(0)}, "statsFlushOnAdmin": True}
    chief = manager(xds)
    chief["routeConfig"] = xds["routes"][chief.pop("rds")["routeConfigName"]]
    for listener in xds["listeners"]:
        listener.update(name="filtered" if "defaultFilterChain" in listener else "ready")  # the rig's name for the one with the filter
    made["staticResources"] = {
        "listeners": [{**listener, "address": _local(0)} for listener in xds["listeners"]],
        "clusters": [_cluster(xds["clusters"][name], name, upstream.port) for name, upstream in upstreams.items()],
    }
    return made


def _cluster(cluster, name, port):
    kept = {key: value for key, value in cluster.items() if key not in ("edsClusterConfig", "type")}
    endpoints = [{"lbEndpoints": [{"endpoint": {"address": _local(port)}}], "loadBalancingWeight": 1}]
    return {**kept, "type": "STATIC", "loadAssignment": {"clusterName": name, "endpoints": endpoints}}


def _local(port):
    return {"socketAddress": {"address": "127.0.0.1", "portValue": port}}
