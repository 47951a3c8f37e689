"""One request and its answer, as both were on the wire once the framing of HTTP is taken off. Nothing is decoded."""

import gzip
import http.client
import struct
from dataclasses import dataclass, field

from rig.client_h2 import exchange_h2

VOLATILE = {"date", "x-request-id", "ce-time"}


@dataclass
class Exchange:
    """What was sent, and what came back. Header fields are pairs with the name in lower case."""

    path: str
    request_headers: list
    request: bytes
    status: int
    headers: list
    body: bytes
    trailers: list = field(default_factory=list)

    def request_head(self):
        """The first line and the header fields of the request."""
        return _lines([f"POST {self.path}"], self.request_headers)

    def head(self):
        """The status, the header fields, and after an empty line the trailers."""
        trailers = _lines([""], self.trailers) if self.trailers else ""
        return _lines([str(self.status)], [pair for pair in self.headers if pair[0] not in VOLATILE]) + trailers


def _lines(first, pairs):
    return "".join(line + "\n" for line in [*first, *(f"{name}: {value}" for name, value in pairs)])


def post(port, path, body, headers=()):
    """Sends a POST over HTTP/1.1; `headers` are pairs."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.putrequest("POST", path, skip_accept_encoding=True, skip_host=True)
        sent = [("host", "models.test"), *headers, ("content-length", str(len(body)))]
        for name, value in sent:
            connection.putheader(name, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        fields = [(name.lower(), value) for name, value in answer.getheaders()]
        return Exchange(path, sent, body, answer.status, fields, answer.read())
    finally:
        connection.close()


def infer(port, message, compressed=False, accept=None):
    """Calls ModelInfer with a protobuf message (bytes), gzip-compressed or not; `accept` names the encodings that the answer may have."""
    path = "/inference.GRPCInferenceService/ModelInfer"
    headers = [("content-type", "application/grpc"), ("te", "trailers")]
    if compressed:
        message = gzip.compress(message, mtime=0)
        headers.append(("grpc-encoding", "gzip"))
    if accept:
        headers.append(("grpc-accept-encoding", accept))
    body = struct.pack(">BI", compressed, len(message)) + message
    answer = exchange_h2(port, path, body, headers)
    fields = [(name, value) for name, value in answer.headers if not name.startswith(":")]
    return Exchange(path, headers, body, answer.status, fields, answer.body, answer.trailers)
