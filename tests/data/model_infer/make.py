"""Makes the gRPC answers in this folder: `ModelInferResponse` messages written by Google's protobuf, not by the tests' own encoder.

Run it with Python 3.11, tritonclient[grpc] 2.73.0 (for the protocol's classes) and numpy, in this folder. The values are in
src/compare/open_inference_grpc/tests.rs once more.
"""

import struct

import numpy as np
from tritonclient.grpc import service_pb2
from tritonclient.utils import serialize_byte_tensor

VALUES = {
    "BOOL": ("bool_contents", np.bool_, [True, False, True]),
    "INT8": ("int_contents", np.int8, [-128, -1, 127]),
    "INT16": ("int_contents", np.int16, [-32768, 0, 32767]),
    "INT32": ("int_contents", np.int32, [-2147483648, 300, 2147483647]),
    "INT64": ("int64_contents", np.int64, [-9223372036854775808, -1, 9223372036854775807]),
    "UINT8": ("uint_contents", np.uint8, [0, 128, 255]),
    "UINT16": ("uint_contents", np.uint16, [0, 300, 65535]),
    "UINT32": ("uint_contents", np.uint32, [0, 70000, 4294967295]),
    "UINT64": ("uint64_contents", np.uint64, [0, 1, 18446744073709551615]),
    "FP32": ("fp32_contents", np.float32, [-1.5, 0.25, float("inf")]),
    "FP64": ("fp64_contents", np.float64, [1e300, 0.1, float("-inf")]),
    "BYTES": ("bytes_contents", np.object_, [b"", b"caf\xc3\xa9", b"\x00\xff"]),
}


def response():
    message = service_pb2.ModelInferResponse(model_name="types", model_version="7", id="42")
    message.parameters["sequence_end"].bool_param = True
    return message


def output(message, datatype):
    one = message.outputs.add(name=f"a {datatype}", datatype=datatype, shape=[3, 1])
    one.parameters["binary_data_size"].int64_param = 12
    return one


def write(name, message):
    body = message.SerializeToString()
    with open(name, "wb") as file:
        file.write(struct.pack(">BI", 0, len(body)) + body)


typed, raw = response(), response()
for datatype, (field, kind, values) in VALUES.items():
    getattr(output(typed, datatype).contents, field).extend(values)
    output(raw, datatype)
    array = np.array(values, dtype=kind)
    raw.raw_output_contents.append(serialize_byte_tensor(array).item() if datatype == "BYTES" else array.tobytes())
write("typed.bin", typed)
write("raw.bin", raw)
