"""Sees what a real server receives: forwards connections to it byte by byte, and reads the requests in what went by."""

import asyncio
import socket

import h2.config
import h2.connection
import h2.events

from rig.upstream import LOOP, Received, on_loop, read_body, read_head
from rig.waiting import until

WINDOW = (1 << 31) - 1


class Tap:
    """Stands before an endpoint, in the shape in which the rig wants an upstream."""

    def __init__(self, endpoint):
        self.http2, self._target, self._wires, self._tasks = endpoint.http2, endpoint.port, [], set()
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self._socket.getsockname()[1]
        self._server = on_loop(self._start())

    async def _start(self):
        return await asyncio.start_server(self._connection, sock=self._socket)

    async def _connection(self, reader, writer):
        task = asyncio.current_task()
        self._tasks.add(task)
        wire = bytearray()
        self._wires.append(wire)
        try:
            server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self._target)
            try:
                await asyncio.gather(_pump(reader, server_writer, wire), _pump(server_reader, writer))
            finally:
                server_writer.close()
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    @property
    def seen(self):
        """All requests that have arrived whole, in the order of their connections."""
        read = _requests_h2 if self.http2 else _requests
        return [received for wire in list(self._wires) for received in read(bytes(wire))]

    def wait(self, count=1):
        """Waits until `count` requests have arrived whole, and returns them all."""
        return until(lambda: len(self.seen) >= count and self.seen, f"{count} requests at a server")

    def stop(self):
        """Closes the listener and all connections."""
        on_loop(self._stop())

    async def _stop(self):
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _pump(reader, writer, wire=None):
    while data := await reader.read(1 << 16):
        if wire is not None:
            wire += data
        writer.write(data)
        await writer.drain()
    writer.write_eof()


def _requests(wire):
    return asyncio.run_coroutine_threadsafe(_read_all(wire), LOOP).result(10)


async def _read_all(wire):
    reader, found = asyncio.StreamReader(limit=1 << 26), []
    reader.feed_data(wire)
    reader.feed_eof()
    try:
        while True:
            received = await read_head(reader)
            await read_body(reader, received)
            found.append(received)
    except asyncio.IncompleteReadError:
        return found


def _requests_h2(wire):
    link = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="latin-1"))
    # What the real server allowed is not known here: as much as can be.
    link.local_settings.initial_window_size = WINDOW
    link.local_settings.acknowledge()
    link.initiate_connection()
    link.increment_flow_control_window(WINDOW - (1 << 16))
    streams = {}
    for event in link.receive_data(wire):
        stream = getattr(event, "stream_id", None)
        if isinstance(event, h2.events.RequestReceived):
            fields = dict(event.headers)
            headers = [(name, value) for name, value in event.headers if not name.startswith(":")]
            streams[stream] = Received(fields[":method"], fields[":path"], [("host", fields[":authority"]), *headers])
        elif isinstance(event, h2.events.DataReceived):
            streams[stream].body += event.data
            link.acknowledge_received_data(event.flow_controlled_length, stream)
        elif isinstance(event, h2.events.StreamEnded):
            streams[stream].complete = True
    return [received for received in streams.values() if received.complete]
