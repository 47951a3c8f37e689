"""The requests of the demo, and two ways to send them: as clients do, through the proxy, and to a model directly, to learn what is right.

The plan is the same in every run: it depends on nothing but the number of requests.
"""

import dataclasses
import http.client
import itertools
import json
import random
import threading

PATH = "/v2/models/digits/infer"
USERS = 400
CLIENTS = 8  # at a time


@dataclasses.dataclass(frozen=True)
class Request:
    """What a client asks: the digit on one image. `named` tells whether it gives its question an id, which the model then repeats."""

    id: str
    user: str
    image: int
    named: bool


@dataclasses.dataclass(frozen=True)
class Answer:
    """What came back. A request that got no answer has status 0 and the reason as its body."""

    status: int
    body: bytes


def plan(count, images):
    """`count` requests, each of a user drawn at random; the images take turns; every other request is named."""
    draw = random.Random(count)
    return [Request(f"request-{n}", f"user-{draw.randrange(USERS)}", n % images, draw.random() < 0.5) for n in range(count)]


def body(pixels, name=None):
    """An inference request of the Open Inference Protocol that asks for the digit and for the probability of each digit."""
    question = {
        "inputs": [{"name": "pixels", "shape": [1, len(pixels)], "datatype": "FP64", "data": pixels}],
        "outputs": [{"name": "predict"}, {"name": "predict_proba"}],
    }
    return json.dumps(question if name is None else {"id": name, **question}, separators=(",", ":")).encode()


def ask_all(port, questions, progress=lambda done: None):
    """Posts every `(headers, body)` over some connections at a time; the answers in the same order. `progress` is told how many are in."""
    answers = [None] * len(questions)
    numbers, done, over = itertools.count(), threading.Semaphore(0), threading.Event()

    def client():
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        while not over.is_set() and (number := next(numbers)) < len(questions):
            headers, content = questions[number]
            try:
                connection.request("POST", PATH, content, {"content-type": "application/json", **headers})
                response = connection.getresponse()
                answers[number] = Answer(response.status, response.read())
            except (OSError, http.client.HTTPException) as problem:
                connection.close()
                answers[number] = Answer(0, repr(problem).encode())
            done.release()
        connection.close()

    clients = [threading.Thread(target=client, daemon=True) for _ in range(CLIENTS)]
    try:
        for each in clients:
            each.start()
        for number in range(len(questions)):
            done.acquire()
            progress(number + 1)
    finally:
        over.set()
    return answers


def send(port, requests, images, progress):
    """Sends the plan through the proxy."""
    return ask_all(
        port, [({"x-request-id": r.id, "x-user-id": r.user}, body(images[r.image], r.id if r.named else None)) for r in requests], progress
    )


def ask_directly(port, images):
    """What the model behind this port says about each image, when asked by the id `direct`."""
    return ask_all(port, [({}, body(pixels, "direct")) for pixels in images])
