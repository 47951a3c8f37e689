"""Answers after OpenAI's published schema: those of the scripted server in `tests/e2e/rig/openai.py`, for what no small model does."""

import json

from rig.openai import SCENARIOS, OpenAI
from rig.upstream import Upstream

from .wire import post

FORMS = {"": {}, "-stream": {"stream": True}, "-stream-usage": {"stream": True, "stream_options": {"include_usage": True}}}


def record(recorder, _folder):
    """Records every scenario in every form."""
    servers = [Upstream(OpenAI("baseline")), Upstream(OpenAI("candidate"))]
    try:
        for scenario in SCENARIOS:
            for form, more in FORMS.items():
                body = {"model": "scripted", "messages": [{"role": "user", "content": scenario}], **more}
                _keep(recorder, f"chat-{scenario}{form}", "/v1/chat/completions", body, servers)
        _keep(recorder, "embedding-dimension", "/v1/embeddings", {"model": "scripted", "input": ["a", "b"]}, servers)
        _keep(recorder, "error-unknown", "/v1/chat/completions", {"model": "m", "messages": [{"role": "user", "content": "?"}]}, servers)
    finally:
        for server in servers:
            server.stop()


def _keep(recorder, case, path, body, servers):
    headers = [("content-type", "application/json")]
    recorder.pair(case, *[post(server.port, path, json.dumps(body).encode(), headers) for server in servers])
