"""Triton's answers: every datatype in three transports, a classifier in several shapes, encodings, and errors.

The requests are made by the official client's own functions.
"""

import ml_dtypes
import numpy as np
import tritonclient.grpc as grpc
import tritonclient.http as http
from tritonclient.grpc._utils import _get_inference_request

from servers.triton import Triton

from .wire import infer, post

BF16 = ml_dtypes.bfloat16
FLOATS = {
    # Nearly: one value moves by the smallest step of the type, or by one part in 10000.
    "FP16": (np.float16, [1, -2.5, 0.333, 65504], [1, -2.5, 0.3333, 65504], [1.25, -2.5, 0.333, 65504]),
    "BF16": (BF16, [1, -2.5, 0.3333, 1e38], [1, -2.5, 0.335, 1e38], [1.25, -2.5, 0.3333, 1e38]),
    "FP32": (np.float32, [0.1, -2.5, 3e-7, 1e30], [0.10001, -2.5, 3e-7, 1e30], [0.1, -2.5, 3e-7, 1.1e30]),
    "FP64": (np.float64, [0.1, -2.5, 3e-300, 1e300], [0.10001, -2.5, 3e-300, 1e300], [0.1, -2.6, 3e-300, 1e300]),
}
"""Datatype: numpy's type, what version 1 answers, nearly that, and something else."""


def _extremes(kind):
    info = np.iinfo(kind)
    return kind, [info.min, 0, 7, info.max], [info.min, 0, 7, info.max - 1]


OTHERS = {
    **{np.dtype(kind).name.upper(): _extremes(kind) for kind in (np.int8, np.int16, np.int32, np.int64)},
    **{np.dtype(kind).name.upper(): _extremes(kind) for kind in (np.uint8, np.uint16, np.uint32, np.uint64)},
    "BOOL": (np.bool_, [True, False, True, False], [True, True, True, False]),
    "BYTES": (np.object_, ["cat", "", "Zürich", 'say "hi"\n'], ["cat", "", "Zurich", 'say "hi"\n']),
}
SETOSA, VERSICOLOR, BETWEEN = [5.1, 3.4, 1.5, 0.2], [5.7, 2.8, 4.1, 1.3], [6.0, 2.7, 4.8, 1.6]


def record(recorder, folder):
    """Records everything."""
    triton = Triton(folder)
    try:
        _Recording(recorder, triton).everything()
    finally:
        triton.stop()


def tensors(datatype, kind, values, shape=(1, 4)):
    """The inputs of the model `types`, of both clients: what versions 1 and 2 are to answer."""
    for client in (http, grpc):
        inputs = []
        for version, chosen in enumerate(values, 1):
            encoded = [one.encode() for one in chosen] if datatype == "BYTES" else chosen
            array = np.array(encoded, dtype=kind).reshape(shape)
            inputs.append(client.InferInput(f"{datatype.lower()}.{version}", list(shape), datatype).set_data_from_numpy(array))
        yield inputs


class _Recording:
    def __init__(self, recorder, triton):
        self.recorder, self.http, self.grpc = recorder, triton.http.port, triton.grpc.port

    def everything(self):
        for datatype, (kind, usual, near, far) in FLOATS.items():
            self.datatype(f"{datatype.lower()}-near", datatype, kind, usual, near)
            self.datatype(f"{datatype.lower()}-far", datatype, kind, usual, far)
        for datatype, (kind, usual, changed) in OTHERS.items():
            self.datatype(f"{datatype.lower()}-changed", datatype, kind, usual, changed)
        self.shapes()
        self.species()
        self.errors()

    def datatype(self, case, datatype, kind, *values, shape=(1, 4), transports=("json", "binary", "grpc")):
        rest, rpc = tensors(datatype, kind, values, shape)
        if datatype in ("FP16", "BF16"):
            transports = [one for one in transports if one != "json"]  # Triton has no JSON for them
        for transport in transports:
            name = f"{case}-{transport}"
            if transport == "grpc":
                self.call(name, "types", rpc, [grpc.InferRequestedOutput(datatype.lower())], request=case.startswith(("fp16", "bytes")))
            else:
                # The inputs are binary even where the answer is not.
                wanted = [http.InferRequestedOutput(datatype.lower(), binary_data=transport == "binary")]
                self.ask(name, "types", rest, wanted, request=case.startswith(("fp16", "bytes")))

    def shapes(self):
        infinite = [float("nan"), float("inf"), float("-inf"), -0.0]
        self.datatype("fp32-special", "FP32", np.float32, infinite, [*infinite[:3], 0.0], transports=("binary", "grpc"))
        self.datatype("fp32-empty", "FP32", np.float32, [], [], shape=(0, 4))
        many = np.linspace(-1, 1, 16384)
        self.datatype("fp32-long-near", "FP32", np.float32, many, many * 1.0001, shape=(128, 128), transports=("binary",))
        self.datatype("fp32-long-far", "FP32", np.float32, many[:1024], [*many[:1023], 5], shape=(16, 64))
        # Both versions answer the same values in another shape.
        rest = [http.InferInput("int32.1", [2, 3], "INT32"), http.InferInput("int32.2", [3, 2], "INT32")]
        rpc = [grpc.InferInput("int32.1", [2, 3], "INT32"), grpc.InferInput("int32.2", [3, 2], "INT32")]
        for one in rest + rpc:
            one.set_data_from_numpy(np.arange(6, dtype=np.int32).reshape(one.shape()))
        for transport, binary in (("json", False), ("binary", True)):
            self.ask(f"int32-shape-{transport}", "types", rest, [http.InferRequestedOutput("int32", binary_data=binary)])
        self.call("int32-shape-grpc", "types", rpc, [grpc.InferRequestedOutput("int32")])

    def species(self):
        flowers = {"same": [SETOSA], "flipped": [BETWEEN], "batch": [SETOSA, BETWEEN, VERSICOLOR]}
        for case, rows in flowers.items():
            rest, rpc = self.lengths(http, rows), self.lengths(grpc, rows)
            batch = case == "batch"
            as_text = [http.InferRequestedOutput(name, binary_data=False) for name in ("scores", "name", "number")]
            self.ask(f"species-{case}-json", "species", rest, as_text, request=batch)
            self.ask(f"species-{case}-binary", "species", rest, None, request=batch)
            self.call(f"species-{case}-grpc", "species", rpc, None, request=batch)
        mixed = [http.InferRequestedOutput("scores"), http.InferRequestedOutput("name", binary_data=False)]
        self.ask("species-mixed", "species", rest, mixed)
        ranked = [http.InferRequestedOutput("scores", binary_data=False, class_count=3)]
        self.ask("species-classification-json", "species", rest, ranked)
        self.ask("species-classification-binary", "species", rest, [http.InferRequestedOutput("scores", class_count=3)])
        self.call("species-classification-grpc", "species", rpc, [grpc.InferRequestedOutput("scores", class_count=3)])
        for encoding in ("gzip", "deflate"):
            self.ask(f"species-json-{encoding}", "species", rest, as_text, accept=encoding)
            self.ask(f"species-binary-{encoding}", "species", rest, None, accept=encoding)
        # Of what the client accepts Triton prefers deflate.
        self.call("species-grpc-gzip", "species", rpc, None, accept="identity, gzip", compressed=True, request=True)
        self.call("species-grpc-deflate", "species", rpc, None, accept="identity, deflate, gzip")

    def errors(self):
        unknown, wrong = self.lengths(http, [SETOSA]), self.lengths(http, [[1, 2, 3]])
        self.recorder.single("error-unknown-model.baseline", self.asked("nobody", "1", unknown, None))
        self.recorder.single("error-wrong-shape.baseline", self.asked("species", "1", wrong, None))
        half = next(tensors("FP16", np.float16, ([1, 2, 3, 4], [1, 2, 3, 4])))
        no_json = [http.InferRequestedOutput("fp16", binary_data=False)]
        self.recorder.single("error-fp16-as-json.baseline", self.asked("types", "1", half, no_json))
        self.recorder.single("error-unknown-model-grpc.baseline", self.called("nobody", "1", self.lengths(grpc, [SETOSA]), None))
        self.recorder.single("error-wrong-shape-grpc.baseline", self.called("species", "1", self.lengths(grpc, [[1, 2, 3]]), None))

    def lengths(self, client, rows):
        array = np.array(rows, dtype=np.float32)
        return [client.InferInput("lengths", list(array.shape), "FP32").set_data_from_numpy(array)]

    def ask(self, case, model, inputs, outputs, request=False, accept=None):
        answers = [self.asked(model, version, inputs, outputs, accept) for version in ("1", "2")]
        assert [one.status for one in answers] == [200, 200], answers
        self.recorder.pair(case, *answers, request=request)

    def asked(self, model, version, inputs, outputs, accept=None):
        body, json_size = http.InferenceServerClient.generate_request_body(inputs, outputs=outputs, request_id="7")
        headers = [("inference-header-content-length", str(json_size))] if json_size is not None else []
        headers += [("accept-encoding", accept)] if accept else []
        return post(self.http, f"/v2/models/{model}/versions/{version}/infer", body, headers)

    def call(self, case, model, inputs, outputs, request=False, **how):
        answers = [self.called(model, version, inputs, outputs, **how) for version in ("1", "2")]
        assert all(("grpc-status", "0") in one.trailers for one in answers), answers
        self.recorder.pair(case, *answers, request=request)

    def called(self, model, version, inputs, outputs, **how):
        message = _get_inference_request(model, inputs, version, "7", outputs, 0, False, False, 0, None, None)
        return infer(self.grpc, message.SerializeToString(), **how)
