"""A client for HTTP/2 without TLS (prior knowledge): one request, with trailers both ways; and one that breaks the protocol."""

import socket
from dataclasses import dataclass, field

import h2.config
import h2.connection
import h2.errors
import h2.events


RESET_OF_NO_STREAM = b"\x00\x00\x04\x03\x00" + (0x7FFFFFFF).to_bytes(4, "big") + bytes(4)
"""A frame that a server may only answer by closing the connection (RFC 9113, 5.1: the stream is idle)."""


@dataclass
class AnswerH2:
    """A response as it arrived; `reset` if the stream was broken off."""

    headers: list = field(default_factory=list)
    body: bytes = b""
    trailers: list = field(default_factory=list)
    reset: bool = False

    @property
    def status(self):
        """The status code."""
        return int(dict(self.headers).get(":status", 0))


@dataclass
class Leave:
    """A client that ends its stream before it is answered, once `before` has returned; the connection stays until `after` has."""

    before: object
    after: object


def exchange_h2(port, path, body=b"", headers=(), trailers=(), leave=None):
    """Sends one POST (small enough for the initial window) and reads the answer, unless it is to `leave`."""
    link = _link()
    answer = AnswerH2()
    with socket.create_connection(("127.0.0.1", port), 30) as wire:
        link.initiate_connection()
        stream = link.get_next_available_stream_id()
        link.send_headers(stream, _head(path, headers), end_stream=not body and not trailers)
        if body:
            link.send_data(stream, body, end_stream=not trailers)
        if trailers:
            link.send_headers(stream, list(trailers), end_stream=True)
        wire.sendall(link.data_to_send())
        if leave:
            leave.before()
            link.reset_stream(stream, h2.errors.ErrorCodes.CANCEL)
            wire.sendall(link.data_to_send())
            leave.after()
            answer.reset = True
            return answer
        while data := wire.recv(1 << 16):
            for event in link.receive_data(data):
                if isinstance(event, h2.events.ResponseReceived):
                    answer.headers = list(event.headers)
                elif isinstance(event, h2.events.DataReceived):
                    answer.body += event.data
                    link.acknowledge_received_data(event.flow_controlled_length, stream)
                elif isinstance(event, h2.events.TrailersReceived):
                    answer.trailers = list(event.headers)
                elif isinstance(event, h2.events.StreamReset):
                    answer.reset = True
                    return answer
                elif isinstance(event, h2.events.StreamEnded):
                    return answer
            wire.sendall(link.data_to_send())
    raise ConnectionError("the proxy closed the connection in the middle of an answer")


def break_protocol_h2(port, path, streams, leave, headers=()):
    """Sends so many requests on one connection, and leaves by a protocol error."""
    link = _link()
    with socket.create_connection(("127.0.0.1", port), 30) as wire:
        link.initiate_connection()
        for _ in range(streams):
            link.send_headers(link.get_next_available_stream_id(), _head(path, headers), end_stream=True)
        wire.sendall(link.data_to_send())
        leave.before()
        wire.sendall(RESET_OF_NO_STREAM)
        leave.after()


def _link():
    return h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="latin-1"))


def _head(path, headers):
    return [(":method", "POST"), (":scheme", "http"), (":authority", "models.test"), (":path", path), *headers]
