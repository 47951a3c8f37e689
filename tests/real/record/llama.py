"""llama.cpp's answers: chat and plain completions whole and streamed, several choices, JSON, embeddings.

Temperature 0 makes the texts repeat; the candidate agrees with the baseline for a while ("same" asks for no more than that).
"""

import json
from contextlib import ExitStack

from servers.llama import Llama

from .wire import post

USAGE = {"stream": True, "stream_options": {"include_usage": True}}
TRIP_SCHEMA = {
    "type": "object",
    "properties": {"city": {"enum": ["Oslo", "Rome"]}, "days": {"enum": [1, 2, 3]}},
    "required": ["city", "days"],
}
TRIP = {"type": "json_schema", "json_schema": {"name": "trip", "schema": TRIP_SCHEMA}}
CHATS = {
    "same": {"content": "hi", "max_tokens": 5},
    "stop-word": {"content": "hi", "max_tokens": 5, "stop": ["V"]},
    # The baseline comes to an end by itself, the candidate is cut.
    "stopped": {"content": "hi", "max_tokens": 16},
    "text": {"content": "Tell a story.", "max_tokens": 12},
    "choices": {"content": "Tell a story.", "max_tokens": 9, "n": 2},
    "json": {"content": "hi", "max_tokens": 60, "response_format": TRIP},
    "logprobs": {"content": "hi", "max_tokens": 2, "logprobs": True, "top_logprobs": 2},
}
COMPLETIONS = {
    "same": {"prompt": "One", "max_tokens": 4},
    "text": {"prompt": "Once upon a time", "max_tokens": 12},
    "prompts": {"prompt": ["One", "Two"], "max_tokens": 4},
}


def record(recorder, folder):
    """Records everything."""
    with ExitStack() as running:

        def started(*what):
            server = Llama(folder, *what)
            running.callback(server.stop)
            return server

        def keep(case, path, body, servers, status=200):
            answers = [post(server.port, path, json.dumps(body).encode(), [("content-type", "application/json")]) for server in servers]
            assert all(one.status == status for one in answers), answers
            recorder.pair(case, *answers, request=case in ("chat-same", "chat-same-stream-usage", "embedding-near"))

        chat = [started("baseline"), started("candidate")]
        for case, body in CHATS.items():
            body = {"model": "chat", "temperature": 0, "messages": [{"role": "user", "content": body["content"]}], **body}
            del body["content"]
            keep(f"chat-{case}", "/v1/chat/completions", body, chat)
            keep(f"chat-{case}-stream", "/v1/chat/completions", {**body, "stream": True}, chat)
            keep(f"chat-{case}-stream-usage", "/v1/chat/completions", {**body, **USAGE}, chat)
        for case, body in COMPLETIONS.items():
            body = {"model": "chat", "temperature": 0, **body}
            keep(f"completion-{case}", "/v1/completions", body, chat)
            keep(f"completion-{case}-stream", "/v1/completions", {**body, **USAGE}, chat)
        keep("error-no-messages", "/v1/chat/completions", {"model": "chat"}, chat, 400)

        near = [started("baseline", "embedding"), started("twin", "embedding")]
        far = [near[0], started("stranger", "embedding")]
        for case, servers in (("near", near), ("far", far)):
            body = {"model": "embed", "input": ["A sundial", "Der Schatten"]}
            keep(f"embedding-{case}", "/v1/embeddings", body, servers)
            keep(f"embedding-{case}-base64", "/v1/embeddings", {**body, "encoding_format": "base64"}, servers)
