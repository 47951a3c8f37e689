"""A client that writes exactly the bytes it is told to, over HTTP/1.1."""

import concurrent.futures
import socket
import struct
from dataclasses import dataclass

CHUNKED = object()
"""As `body`: the caller appends the chunks."""


def chunk(data):
    """One chunk of a chunked body; of no bytes: the end of it."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def request(path="/v1/x", body=b'{"x": 1}', method="POST", headers=(), chunks=None, close=True):
    """The bytes of a request. `headers` are pairs of text (latin-1) or bytes; `chunks` (a list) replaces `body` with a chunked one;
    `body=None` sends none and no `content-length`."""
    lines = [f"{method} {path} HTTP/1.1".encode(), b"host: models.test"]
    lines += [_bytes(name) + b": " + _bytes(value) for name, value in (headers.items() if isinstance(headers, dict) else headers)]
    if close:
        lines.append(b"connection: close")
    if chunks is not None:
        lines.append(b"transfer-encoding: chunked")
        payload = b"".join(chunk(part) for part in chunks) + chunk(b"")
    elif body is None:
        payload = b""
    elif body is CHUNKED:
        lines.append(b"transfer-encoding: chunked")
        payload = b""
    else:
        lines.append(b"content-length: %d" % len(body))
        payload = body
    return b"\r\n".join(lines) + b"\r\n\r\n" + payload


def _bytes(text):
    return text if isinstance(text, bytes) else text.encode("latin-1")


@dataclass
class Answer:
    """A response as it arrived; `complete` is false if it was broken off."""

    status: int
    headers: list
    body: bytes
    complete: bool

    def header(self, name):
        """The first value of a header, or None."""
        return next((value for key, value in self.headers if key == name), None)


class Connection:
    """A connection to a proxy, for those who leave early or send slowly."""

    def __init__(self, port, timeout=30):
        self._socket = socket.create_connection(("127.0.0.1", port), timeout)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self._socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send(self, data):
        """Sends bytes."""
        self._socket.sendall(data)
        return self

    def receive(self, count):
        """Reads exactly so many bytes (fewer at the end of the connection)."""
        return self._file.read(count)

    def close(self):
        """Closes properly."""
        self._file.close()
        self._socket.close()

    def abort(self):
        """Closes with a reset."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def answer(self, method="POST"):
        """Reads one response."""
        status = self._head_line()
        headers = []
        while line := self._file.readline().strip(b"\r\n"):
            name, value = line.decode("latin-1").split(":", 1)
            headers.append((name, value.strip()))
        answer = Answer(int(status[1]), headers, b"", False)
        try:
            self._body(answer, method)
        except ConnectionResetError:
            pass
        return answer

    def _head_line(self):
        line = self._file.readline()
        if not line:
            raise ConnectionError("the proxy closed the connection without an answer")
        return line.decode("latin-1").split(" ", 2)

    def _body(self, answer, method):
        if method == "HEAD" or answer.status in (101, 204, 304):
            answer.complete = True
        elif answer.header("transfer-encoding") == "chunked":
            while size := self._file.readline():
                part = self._file.read(int(size, 16))
                answer.body += part
                if len(part) < int(size, 16) or not self._file.readline():
                    return
                if not part:
                    answer.complete = True
                    return
        else:
            length = int(answer.header("content-length") or 0)
            answer.body = self._file.read(length)
            answer.complete = len(answer.body) == length


def exchange(port, data):
    """Sends one request on a connection of its own and reads the answer."""
    with Connection(port) as connection:
        try:
            connection.send(data)
        except ConnectionError:
            pass  # answered (and closed) before the request was out: the answer says so
        return connection.answer(data.split(b" ", 1)[0].decode())


def many(port, requests, workers=8):
    """Sends requests concurrently; the answers in the order of the requests."""
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        return list(pool.map(lambda data: exchange(port, data), requests))
