"""Owns what a test starts: upstreams and proxies. At the end it checks the invariants of each proxy, and stops everything."""

import os
import pathlib
import tempfile
from contextlib import ExitStack

from . import invariants
from .control_plane import ControlPlane
from .envoy import Envoy, bootstrap, validate, wasm_filter
from .prometheus import Prometheus
from .twin import exchange_both
from .upstream import Refusing, Reply, Upstream
from .upstream_h2 import UpstreamH2

WASM = pathlib.Path(os.environ.get("GNOMON_WASM", pathlib.Path(__file__).resolve().parents[3] / "target/wasm32-wasip1/release/gnomon.wasm"))


class Lab:
    """A context manager: `with Lab() as lab: …`. Nothing is checked once `failed` is set; the proxies' logs are printed instead."""

    def __init__(self):
        self._stack, self._proxies, self.failed = ExitStack(), [], False

    def __enter__(self):
        assert WASM.exists(), f"{WASM} is not built (or set GNOMON_WASM)"
        return self

    def __exit__(self, kind, error, trace):
        with self._stack:
            for proxy in self._proxies:
                if kind or self.failed:
                    print(proxy.log()[-8000:])
                else:
                    invariants.check(proxy)

    def upstream(self, script=Reply(), **more):
        """Starts a scripted HTTP/1.1 server."""
        return self.keep(Upstream(script, **more))

    def upstream_h2(self, script=Reply()):
        """Starts a scripted HTTP/2 server."""
        return self.keep(UpstreamH2(script))

    def refusing(self):
        """A port that refuses connections."""
        return self.keep(Refusing())

    def folder(self):
        """A folder that goes with the lab."""
        return self._stack.enter_context(tempfile.TemporaryDirectory(prefix="gnomon-e2e-"))

    def proxy(self, configuration, clusters, concurrency=1, filters=None, state=1, listeners=None, **more):
        """Starts an Envoy with the filter; `clusters` and `more` as in `bootstrap`. `listeners`: a `ListenerFile` for them, or a `RouteFile` for their routes. `state`: what every `gnomon_configuration` must be
        (None: whatever it likes), so that a slip in a test's configuration is not taken for a fault of the filter."""
        filters = filters if filters is not None else [wasm_filter(WASM, configuration)]
        text = bootstrap(filters, clusters, **more)
        if listeners:
            listeners.take_over(text)
        proxy = self.keep(Envoy(text, self.folder(), concurrency))
        self._proxies.append(proxy)
        found = set(proxy.metrics().by("gnomon_configuration", "plugin").values())
        assert state is None or found == {state}, f"gnomon_configuration {found}: {proxy.log()}"
        return proxy

    def leave(self, proxy):
        """Ends a proxy before the test is over."""
        invariants.check(proxy)
        self._proxies.remove(proxy)
        proxy.stop()

    def prometheus(self, rules=None):
        """Starts a Prometheus with the project's rules, or with these."""
        return self.keep(Prometheus(self.folder(), rules))

    def managed(self, configuration, clusters, **more):
        """Starts an Envoy whose filter is configured by a control plane: (envoy, control plane)."""
        plane = ControlPlane(self.folder(), WASM, configuration)
        return self.proxy(None, clusters, filters=[plane.filter()], **more), plane

    def validate(self, configuration):
        """`envoy --mode validate` with this configuration: (exit code, output)."""
        return validate(bootstrap([wasm_filter(WASM, configuration)], {"primary": None}), self.folder())

    def exchange(self, proxy, upstreams, data, **more):
        """See `exchange_both`."""
        return exchange_both(proxy, upstreams, data, **more)

    def keep(self, started):
        """Stops it at the end."""
        self._stack.callback(started.stop)
        return started
