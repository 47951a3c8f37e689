"""llama.cpp with its OpenAI-compatible interface, as the package xllamacpp carries it, on weights made on the spot."""

import pathlib
import sys

from . import weights
from .process import Endpoint, Process, answers, free_ports

MAIN = pathlib.Path(__file__).parent / "llama_main.py"
CHANGE = {"baseline": 0.0, "candidate": 0.02, "twin": 0.005, "stranger": 1.0}


class Llama(Endpoint):
    """A running server of one model. `task`: `chat` (completions of both kinds) or `embedding`; one server can't do both."""

    def __init__(self, folder, name="baseline", task="chat"):
        super().__init__(free_ports(1)[0])
        folder = pathlib.Path(folder) / f"{task}-{name}"
        folder.mkdir()
        weights.write(folder / "model.gguf", change=CHANGE[name])
        command = [sys.executable, MAIN, folder / "model.gguf", self.port, f"tiny-{name}", task]
        self._process = Process(command, folder, lambda: answers(self.port, "/health"))

    def stop(self):
        """Ends the server."""
        self._process.stop()
