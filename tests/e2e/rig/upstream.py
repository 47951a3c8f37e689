"""An HTTP/1.1 server that follows a script and records every request exactly.

All servers run on one asyncio loop in a thread of their own, so that tests stay plain sequential code.
"""

import asyncio
import socket
import threading
import time
from dataclasses import dataclass, field

from .waiting import until

LOOP = asyncio.new_event_loop()
threading.Thread(target=LOOP.run_forever, daemon=True, name="upstreams").start()


def on_loop(coroutine, timeout=10):
    """Runs a coroutine on the upstreams' loop and waits for its result."""
    return asyncio.run_coroutine_threadsafe(coroutine, LOOP).result(timeout)


class Gate:
    """Holds answers back until the test opens it."""

    def __init__(self):
        self._event = asyncio.Event()

    def open(self):
        """Lets all that wait, and all that come later, through."""
        LOOP.call_soon_threadsafe(self._event.set)

    async def passed(self):
        """Returns once the gate is open."""
        await self._event.wait()


class Pause:
    """Holds an answer back for a while, in the place of a `Gate`."""

    def __init__(self, seconds):
        self._seconds = seconds

    async def passed(self):
        """Returns when the time is over."""
        await asyncio.sleep(self._seconds)


@dataclass
class Received:
    """A request as it arrived. Header names in lower case, values as latin-1 (which loses nothing), in order."""

    method: str
    path: str
    headers: list
    body: bytes = b""
    trailers: list = field(default_factory=list)
    complete: bool = False

    def values(self, name):
        """All values of a header."""
        return [value for key, value in self.headers if key == name]

    def header(self, name):
        """The first value of a header, or None."""
        return next(iter(self.values(name)), None)


@dataclass(frozen=True)
class Reply:
    """What to answer. `ending` says how: `complete`; `reset` without a word; `half` of the body, then reset; `stall` after half
    of it; `hang` without a word. `gate` holds the answer back, `middle` the second half of the body."""

    body: bytes = b"{}"
    status: int = 200
    headers: tuple = ()
    content_type: str = "application/json"
    chunked: bool = False
    ending: str = "complete"
    delay: float = 0
    gate: Gate | None = None
    middle: Gate | Pause | None = None
    trailers: tuple = ()


class Ledger:
    """A script that remembers what it answered: `said` is {x-request-id: reply}, `at` when (seconds since the epoch)."""

    def __init__(self, script=Reply()):
        self.script, self.said, self.at = script, {}, {}

    def __call__(self, received):
        """What the script says."""
        reply = self.script(received) if callable(self.script) else self.script
        identity = received.header("x-request-id")
        self.said[identity], self.at[identity] = reply, time.time() + reply.delay
        return reply


async def held(reply):
    """Waits as long as the reply is to be held back."""
    if reply.delay:
        await asyncio.sleep(reply.delay)
    if reply.gate:
        await reply.gate.passed()
    if reply.ending == "hang":
        await asyncio.Event().wait()


class Upstream:
    """A server on a free port. `script` is a `Reply`, or a function from `Received` to one; `early` makes it answer before it reads
    the request's body."""

    http2 = False

    def __init__(self, script=Reply(), early=False):
        self.script, self.early, self.seen, self._tasks = script, early, [], set()
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self._socket.getsockname()[1]
        self._server = on_loop(self._start())

    async def _start(self):
        return await asyncio.start_server(self._connection, sock=self._socket, limit=1 << 26)

    def reply_to(self, received):
        """The scripted answer to a request."""
        return self.script(received) if callable(self.script) else self.script

    def wait(self, count=1):
        """Waits until `count` requests have arrived whole, and returns them all."""
        return until(lambda: sum(r.complete for r in list(self.seen)) >= count and list(self.seen), f"{count} requests at an upstream")

    def stop(self):
        """Closes the listener and all connections."""
        on_loop(self._stop())

    async def _stop(self):
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connection(self, reader, writer):
        task = asyncio.current_task()
        self._tasks.add(task)
        # asyncio does so only where a socket names its protocol; without it each body waits 40 ms for the acknowledgement of its head.
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            while await self._exchange(reader, writer):
                pass
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError, TimeoutError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _exchange(self, reader, writer):
        received = await read_head(reader)
        self.seen.append(received)
        if not self.early:
            await read_body(reader, received)
        alive = await _write(writer, received, self.reply_to(received), reader)
        if self.early and alive:
            await read_body(reader, received)
        return alive


async def read_head(reader):
    """The next request of a connection, up to its body."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, path, _ = head[0].split(" ", 2)
    pairs = [line.split(":", 1) for line in head[1:] if line]
    return Received(method, path, [(name.lower(), value.strip(" ")) for name, value in pairs])


async def read_body(reader, received):
    """The rest of it, into `received`."""
    if "chunked" in (received.header("transfer-encoding") or ""):
        while size := int((await reader.readuntil(b"\n")).split(b";")[0], 16):
            received.body += await reader.readexactly(size)
            await reader.readuntil(b"\n")
        while line := (await reader.readuntil(b"\n")).strip():
            name, value = line.decode("latin-1").split(":", 1)
            received.trailers.append((name.lower(), value.strip()))
    elif length := int(received.header("content-length") or 0):
        while len(received.body) < length:
            part = await reader.read(min(length - len(received.body), 1 << 16))
            if not part:
                raise asyncio.IncompleteReadError(received.body, length)
            received.body += part
    received.complete = True


async def _write(writer, received, reply, reader):
    """Writes the answer; returns whether the connection can go on."""
    await held(reply)
    if reply.ending == "reset":
        writer.transport.abort()
        return False
    head = [f"HTTP/1.1 {reply.status} Scripted"]
    upgraded = reply.status == 101
    if upgraded:
        head += ["connection: Upgrade", "upgrade: websocket"]
    else:
        head += [f"content-type: {reply.content_type}"] if reply.content_type else []
        head += ["transfer-encoding: chunked" if reply.chunked else f"content-length: {len(reply.body)}"]
    head += [f"{name}: {value}" for name, value in reply.headers]
    writer.write(("\r\n".join(head) + "\r\n\r\n").encode("latin-1"))
    if upgraded:
        return await _echo(reader, writer)
    if received.method == "HEAD":
        return True
    cut = len(reply.body) // 2
    await _body_part(writer, reply, reply.body[:cut])
    if reply.middle:
        await reply.middle.passed()
    if reply.ending == "stall":
        await asyncio.Event().wait()
    if reply.ending == "half":
        # Let what was written leave before the reset discards it.
        while writer.transport.get_write_buffer_size():
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        writer.transport.abort()
        return False
    await _body_part(writer, reply, reply.body[cut:])
    if reply.chunked:
        writer.write(b"0\r\n" + b"".join(f"{k}: {v}\r\n".encode() for k, v in reply.trailers) + b"\r\n")
    await writer.drain()
    return True


async def _body_part(writer, reply, part):
    if part:
        writer.write(b"%x\r\n%b\r\n" % (len(part), part) if reply.chunked else part)
    await writer.drain()


async def _echo(reader, writer):
    while data := await reader.read(1 << 16):
        writer.write(data)
        await writer.drain()
    return False


class Refusing:
    """A port that is taken, so that nobody else gets it, but refuses every connection."""

    http2 = False

    def __init__(self):
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]

    def stop(self):
        """Gives the port back."""
        self._socket.close()
