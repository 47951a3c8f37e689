"""A control plane in a file: Envoy watches it and takes what is written there, as it would take an ECDS push."""

import json
import os
import pathlib

from .envoy import PLUGIN, WASM_TYPE, wasm_filter
from .waiting import until


class ControlPlane:
    """Pushes configurations of one plugin."""

    def __init__(self, folder, wasm, configuration):
        self._path, self._wasm, self._version = pathlib.Path(folder) / "ecds.json", wasm, 0
        self._push(configuration, None)

    def filter(self):
        """The filter's entry in a listener: where to find the rest."""
        source = {"path_config_source": {"path": str(self._path)}, "resource_api_version": "V3"}
        return {"name": PLUGIN, "config_discovery": {"config_source": source, "type_urls": [WASM_TYPE]}}

    def push(self, envoy, configuration, new_vm):
        """Makes `envoy` take a configuration: in the VMs that run, or (as every update does in Istio) in new ones. Returns when
        all its workers have it."""
        count = "extension_config_discovery.http_filter.gnomon.config_reload"
        before = envoy.stat(f".*{count}")
        self._push(configuration, {"GENERATION": str(self._version)} if new_vm else None)
        until(lambda: envoy.stat(f".*{count}") > before, "Envoy to take an update")

    def _push(self, configuration, environment):
        self._version += 1
        entry = wasm_filter(self._wasm, configuration, vm_id="", environment=environment)
        kind = "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig"
        resource = {"@type": kind, "name": PLUGIN, "typed_config": entry["typed_config"]}
        written = self._path.with_suffix(".new")
        written.write_text(json.dumps({"version_info": str(self._version), "resources": [resource]}))
        os.replace(written, self._path)


class ListenerFile:
    """Serves a proxy's listeners, as LDS would."""

    def __init__(self, folder):
        self._path, self._listeners, self._version = pathlib.Path(folder) / "lds.json", [], 0

    def take_over(self, bootstrap):
        """Takes the listeners out of a bootstrap."""
        self._listeners = bootstrap["static_resources"].pop("listeners")
        source = {"path_config_source": {"path": str(self._path)}, "resource_api_version": "V3"}
        bootstrap["dynamic_resources"] = {"lds_config": source}
        self.push()

    def push(self):
        """Replaces all listeners by others that differ in a detail: the old ones drain."""
        self._version += 1
        kind = "type.googleapis.com/envoy.config.listener.v3.Listener"
        detail = {"metadata": {"filter_metadata": {"e2e": {"version": self._version}}}}
        resources = [{"@type": kind, **one, **detail} for one in self._listeners]
        for one in resources:
            one["filter_chains"] = [{**chain, **detail} for chain in one["filter_chains"]]
        written = self._path.with_suffix(".new")
        written.write_text(json.dumps({"version_info": str(self._version), "resources": resources}))
        os.replace(written, self._path)


class RouteFile:
    """Serves the routes of a proxy's listeners, as RDS would: for its parameter `listeners`."""

    def __init__(self, folder, routes):
        self._path, self._version = pathlib.Path(folder) / "rds.json", 0
        self._write(routes)

    def take_over(self, bootstrap):
        """Puts the routes of a bootstrap's listeners into the file's care."""
        source = {"path_config_source": {"path": str(self._path)}, "resource_api_version": "V3"}
        for listener in bootstrap["static_resources"]["listeners"]:
            manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
            del manager["route_config"]
            manager["rds"] = {"route_config_name": "routes", "config_source": source}

    def push(self, envoy, routes):
        """Makes `envoy` take other routes. Returns when all its workers have them."""
        count = "http.filtered.rds.routes.config_reload"
        before = envoy.stat(count)
        self._write(routes)
        until(lambda: envoy.stat(count) > before, "Envoy to take other routes")

    def _write(self, routes):
        self._version += 1
        kind = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration"
        resource = {"@type": kind, "name": "routes", "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]}
        written = self._path.with_suffix(".new")
        written.write_text(json.dumps({"version_info": str(self._version), "resources": [resource]}))
        os.replace(written, self._path)
