"""The scripted server keeps to OpenAI's schema: the official client's models accept each of its answers, and know every member of it."""

import pathlib

import pytest
from openai import BaseModel
from openai.types import CreateEmbeddingResponse
from openai.types.chat import ChatCompletion, ChatCompletionChunk

FOLDER = pathlib.Path(__file__).parents[1] / "data/answers/openai-schema"
ANSWERS = sorted(FOLDER.glob("[!e]*.body")) + sorted(FOLDER.glob("embedding-*.body"))


def unknown_members(model, at="$"):
    """Paths of members that the schema does not know."""
    if isinstance(model, list):
        return [path for index, one in enumerate(model) for path in unknown_members(one, f"{at}[{index}]")]
    if not isinstance(model, BaseModel):
        return []
    unknown = [f"{at}.{name}" for name in model.model_extra or {}]
    return unknown + [path for name in type(model).model_fields for path in unknown_members(getattr(model, name), f"{at}.{name}")]


def events(body):
    """The data of a stream's events."""
    found = [event.removeprefix("data: ") for event in body.split("\n\n") if event]
    assert found[-1] == "[DONE]"
    return found[:-1]


@pytest.mark.parametrize("file", ANSWERS, ids=lambda file: file.stem)
def test_follows_the_schema(file):
    text = file.read_text()
    if file.name.startswith("embedding"):
        models = [CreateEmbeddingResponse.model_validate_json(text)]
    elif "-stream" in file.name:
        models = [ChatCompletionChunk.model_validate_json(event) for event in events(text)]
    else:
        models = [ChatCompletion.model_validate_json(text)]
    assert models and not [path for model in models for path in unknown_members(model)]


def test_members_that_the_schema_does_not_know_are_seen():
    answer = (FOLDER / "chat-empty.baseline.body").read_text().replace('"index"', '"indices": 1, "index"', 1)
    with_error = ChatCompletion.model_validate_json(answer)
    assert unknown_members(with_error) == ["$.choices[0].indices"]
