"""MLServer's answers: labels, probabilities and regressions of scikit-learn, over REST and over gRPC with typed and with raw contents."""

import json

import numpy as np
from tritonclient.grpc import service_pb2

from servers import digits
from servers.mlserver import MLServer

from .wire import infer, post

BOTH = ("predict", "predict_proba")


def record(recorder, folder):
    """Records everything."""
    running = []
    try:
        for version in digits.TRAINING:
            running.append(MLServer(folder, version))
        _everything(_Recording(recorder, running))
    finally:
        for server in running:
            server.stop()


def _everything(to):
    agree, unsure, flipped = ([number] for number in digits.telling())
    for model in ("digits", "words"):
        to.transports(f"{model}-agree", model, agree, BOTH, request=model == "digits")
        to.transports(f"{model}-flipped", model, flipped, BOTH)
        to.transports(f"{model}-label-same", model, unsure, ("predict",))
        to.transports(f"{model}-label-flipped", model, flipped, ("predict",))
    to.transports("digits-unsure", "digits", unsure, BOTH)
    to.transports("digits-scores", "digits", unsure, ("predict_proba",))
    to.transports("size-agree", "size", agree, ("predict",))
    batch = [*agree, *unsure, *range(8), *flipped]
    to.transports("digits-batch", "digits", batch, BOTH)
    to.json("digits-batch-gzip", "digits", batch, BOTH, accept="gzip, deflate")
    to.json("digits-unnamed", "digits", unsure, ("predict",), named=False)
    nobody = [to.posted(server, "nobody", agree, BOTH) for server in to.servers]
    to.recorder.pair("error-unknown-model", *nobody)
    to.recorder.pair("error-unknown-model-grpc", *[to.called(server, "nobody", agree, BOTH, False) for server in to.servers])


class _Recording:
    def __init__(self, recorder, servers):
        self.recorder, self.servers = recorder, servers

    def transports(self, case, model, rows, outputs, request=False):
        self.json(f"{case}-json", model, rows, outputs, request)
        for transport, raw in (("grpc", False), ("grpc-raw", True)):
            answers = [self.called(server, model, rows, outputs, raw) for server in self.servers]
            assert all(("grpc-status", "0") in one.trailers for one in answers), answers
            self.recorder.pair(f"{case}-{transport}", *answers, request=request)

    def json(self, case, model, rows, outputs, request=False, **how):
        answers = [self.posted(server, model, rows, outputs, **how) for server in self.servers]
        assert [one.status for one in answers] == [200, 200], answers
        self.recorder.pair(case, *answers, request=request)

    def posted(self, server, model, rows, outputs, named=True, accept=None):
        pixels = digits.unseen()[rows].astype(int).tolist()
        body = {"id": "7"} if named else {}
        body["inputs"] = [{"name": "images", "shape": [len(rows), 64], "datatype": "INT32", "data": pixels}]
        body["outputs"] = [{"name": name} for name in outputs]
        headers = [("content-type", "application/json")] + ([("accept-encoding", accept)] if accept else [])
        return post(server.http.port, f"/v2/models/{model}/infer", json.dumps(body).encode(), headers)

    def called(self, server, model, rows, outputs, raw):
        message = service_pb2.ModelInferRequest(model_name=model, id="7")
        message.inputs.add(name="images", datatype="INT32", shape=[len(rows), 64])
        pixels = digits.unseen()[rows].astype(np.int32)
        if raw:
            message.raw_input_contents.append(pixels.tobytes())
        else:
            message.inputs[0].contents.int_contents.extend(pixels.ravel().tolist())
        for name in outputs:
            message.outputs.add(name=name)
        return infer(server.grpc.port, message.SerializeToString())
