"""MLServer with models of scikit-learn: REST and gRPC of the Open Inference Protocol. One server holds one version of every model."""

import json
import pathlib
import sys

import joblib

from . import digits
from .process import Endpoint, Process, answers, free_ports


class MLServer:
    """A running server; `http` and `grpc` are its endpoints."""

    def __init__(self, folder, version):
        folder = pathlib.Path(folder) / f"mlserver-{version}"
        http_port, grpc_port, metrics_port = free_ports(3)
        self.http, self.grpc = Endpoint(http_port), Endpoint(grpc_port, http2=True)
        settings = {"host": "127.0.0.1", "http_port": http_port, "grpc_port": grpc_port, "metrics_port": metrics_port}
        settings |= {"metrics_endpoint": None, "parallel_workers": 0, "debug": False}
        for name, versions in digits.trained().items():
            (folder / name).mkdir(parents=True)
            joblib.dump(versions[version], folder / name / "model.joblib")
            served = {"name": name, "implementation": "mlserver_sklearn.SKLearnModel"}
            served["parameters"] = {"uri": "./model.joblib", "version": version}
            (folder / name / "model-settings.json").write_text(json.dumps(served))
        (folder / "settings.json").write_text(json.dumps(settings))
        command = [pathlib.Path(sys.executable).parent / "mlserver", "start", folder]
        self._process = Process(command, folder, lambda: answers(http_port, "/v2/health/ready"))

    def stop(self):
        """Ends the server."""
        self._process.stop()
