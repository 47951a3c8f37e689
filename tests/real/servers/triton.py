"""NVIDIA Triton on the processor: the bare server that the package nvidia-pytriton carries, with models in Python.

`types` answers in any datatype what the client asks of each version, `species` is a small classifier with several outputs and batches.
Both have versions 1 and 2. Without a version in the request the newest that is served answers.
"""

import pathlib
import shutil
import sys
import sysconfig

import pytriton

from .process import Endpoint, Process, answers, free_ports

SOURCES = pathlib.Path(__file__).parent / "triton_models"
SITE = pathlib.Path(pytriton.__file__).parent.parent
SERVER = SITE / "pytriton/tritonserver"
DATATYPES = ["FP16", "BF16", "FP32", "FP64", "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64", "BOOL", "BYTES"]
CONFIGURED = {"BYTES": "TYPE_STRING"}
VERSIONS = ("1", "2")


class Triton:
    """A running server of some versions; `http` and `grpc` are its endpoints. `prefix` stands before the names of the models."""

    def __init__(self, folder, versions=VERSIONS, prefix=""):
        self.folder, self.versions, self.prefix = pathlib.Path(folder) / f"{prefix}triton", versions, prefix
        self.folder.mkdir()
        http_port, grpc_port = free_ports(2)
        self.http, self.grpc = Endpoint(http_port), Endpoint(grpc_port, http2=True)
        command = [
            SERVER / "bin/tritonserver",
            f"--model-repository={self._models()}",
            f"--backend-directory={self._backends()}",
            "--grpc-infer-response-compression-level=medium",
            *["--http-address", "127.0.0.1", "--http-port", http_port, "--grpc-address", "127.0.0.1", "--grpc-port", grpc_port],
            *["--allow-metrics", "false", "--http-thread-count", "4"],
        ]
        libraries = f"{SITE / 'nvidia_pytriton.libs'}:{sysconfig.get_config_var('LIBDIR')}"
        ready = lambda: answers(http_port, "/v2/health/ready")
        self._process = Process(command, self.folder, ready, {"LD_LIBRARY_PATH": libraries})

    def _models(self):
        repository = self.folder / "models"
        for name, configuration in (("types", types()), ("species", SPECIES)):
            # The Python that the backend embeds looks for numpy elsewhere, whatever PYTHONPATH says.
            source = f"import sys\nsys.path.insert(0, {str(SITE)!r})\n" + (SOURCES / f"{name}.py").read_text()
            model = repository / (self.prefix + name)
            for version in self.versions:
                (model / version).mkdir(parents=True)
                (model / version / "model.py").write_text(source)
            (model / "config.pbtxt").write_text(f'name: "{model.name}"\nbackend: "python"\n{EVERY_VERSION}{configuration}')
            (model / "names.txt").write_text("setosa\nversicolor\nvirginica\n")
        return repository

    def _backends(self):
        """The backends as Triton wants them: with the stub of this Python in the folder of the Python backend."""
        folder = self.folder / "backends"
        shutil.copytree(SERVER / "backends", folder)
        stub = SERVER / "python_backend_stubs" / "{}.{}".format(*sys.version_info) / "triton_python_backend_stub"
        shutil.copy(stub, folder / "python")
        return folder

    def stop(self):
        """Ends the server."""
        self._process.stop()


EVERY_VERSION = "version_policy: {all: {}}\n"
SPECIES = """\
max_batch_size: 8
input [{name: "lengths", data_type: TYPE_FP32, dims: [4]}]
output [
  {name: "scores", data_type: TYPE_FP32, dims: [3], label_filename: "names.txt"},
  {name: "name", data_type: TYPE_STRING, dims: [1]},
  {name: "number", data_type: TYPE_INT64, dims: [1]}
]
"""


def types():
    """The configuration of the model `types`, without batches; a scalar's shape may have any number of dimensions."""
    made = []
    for datatype in DATATYPES:
        name, kind = datatype.lower(), CONFIGURED.get(datatype, f"TYPE_{datatype}")
        for version in VERSIONS:
            made.append(f'input {{name: "{name}.{version}", data_type: {kind}, dims: [-1, -1], optional: true}}')
        made.append(f'output {{name: "{name}", data_type: {kind}, dims: [-1, -1]}}')
    return "\n".join(made) + "\n"
