"""KServe's own Python server, for its V1 protocol. It can't be installed beside MLServer, so it has an environment of its own."""

import os
import pathlib

from .process import Endpoint, Process, answers, free_ports

TESTS = pathlib.Path(__file__).parents[1]
PYTHON = os.environ.get("GNOMON_KSERVE_PYTHON", TESTS.parents[1] / ".tools/kserve-venv/bin/python")


class KServe(Endpoint):
    """A running server of one version of every model."""

    def __init__(self, folder, version):
        super().__init__(free_ports(1)[0])
        folder = pathlib.Path(folder) / f"kserve-{version}"
        folder.mkdir()
        command = [PYTHON, "-m", "servers.kserve_main", self.port, version]
        ready = lambda: answers(self.port, "/v1/models/objects")
        self._process = Process(command, folder, ready, {"PYTHONPATH": str(TESTS)})

    def stop(self):
        """Ends the server."""
        self._process.stop()
