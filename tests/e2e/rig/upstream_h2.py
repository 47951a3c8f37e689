"""The scripted server over HTTP/2, for trailers and gRPC. Bodies must fit the initial flow-control window."""

import asyncio

import h2.config
import h2.connection
import h2.events

from .upstream import LOOP, Received, Upstream, held, on_loop

_TEXT = "latin-1"


class UpstreamH2(Upstream):
    """Like `Upstream`. `ending="reset"` resets the stream; an empty `body` with `trailers` answers with headers alone (trailers-only)."""

    http2 = True

    async def _start(self):
        return await LOOP.create_server(lambda: _Connection(self), sock=self._socket)

    def stop(self):
        """Closes the listener and all connections."""
        on_loop(self._stop())


class _Connection(asyncio.Protocol):
    def __init__(self, upstream):
        self.upstream, self.streams, self.replies = upstream, {}, {}
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding=_TEXT))

    def connection_made(self, transport):
        self.transport = transport
        self.h2.initiate_connection()
        self.flush()

    def flush(self):
        self.transport.write(self.h2.data_to_send())

    def data_received(self, data):
        for event in self.h2.receive_data(data):
            stream = getattr(event, "stream_id", None)
            if isinstance(event, h2.events.RequestReceived):
                fields = dict(event.headers)
                headers = [(name, value) for name, value in event.headers if not name.startswith(":")]
                self.streams[stream] = Received(fields[":method"], fields.get(":path", ""), [("host", fields.get(":authority", "")), *headers])
                self.upstream.seen.append(self.streams[stream])
            elif isinstance(event, h2.events.DataReceived):
                self.streams[stream].body += event.data
                self.h2.acknowledge_received_data(event.flow_controlled_length, stream)
            elif isinstance(event, h2.events.TrailersReceived):
                self.streams[stream].trailers = list(event.headers)
            elif isinstance(event, h2.events.StreamEnded):
                self.streams[stream].complete = True
                task = LOOP.create_task(self.answer(stream))
                self.upstream._tasks.add(task)
                task.add_done_callback(self.upstream._tasks.discard)
            elif isinstance(event, h2.events.StreamReset) and stream in self.streams:
                del self.streams[stream]
        self.flush()

    async def answer(self, stream):
        received = self.streams[stream]
        reply = self.upstream.reply_to(received)
        await held(reply)
        if stream not in self.streams:
            return
        if reply.ending == "reset":
            self.h2.reset_stream(stream)
        else:
            head = [(":status", str(reply.status)), ("content-type", reply.content_type), *reply.headers]
            alone = not reply.body
            self.h2.send_headers(stream, head + list(reply.trailers) if alone else head, end_stream=alone)
            if not alone:
                self.h2.send_data(stream, reply.body, end_stream=not reply.trailers)
                if reply.trailers:
                    self.h2.send_headers(stream, list(reply.trailers), end_stream=True)
        self.flush()
