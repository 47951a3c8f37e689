"""A headless Chromium that reaches one folder, served on loopback, and nothing else."""

import contextlib
import functools
import http.server
import os
import threading

from playwright.sync_api import sync_playwright

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
"""Root, for one, can't have a sandbox. Nothing but the site is opened, and the browser is to ask nobody for anything."""


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files without a line for each."""

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    """A browser that goes on to the next page hangs up on what it still was to get: no fault."""

    def handle_error(self, *_):
        pass


@contextlib.contextmanager
def serve(folder):
    """Serves a folder; its address, without a slash at the end."""
    server = Server(("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@contextlib.contextmanager
def chromium():
    """A browser with a profile of its own, that of the variable CHROMIUM. Large enough a window that pages show their sidebar."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=os.environ["CHROMIUM"], args=FLAGS)
        try:
            yield browser.new_context(viewport={"width": 1400, "height": 900})
        finally:
            browser.close()
