"""The requests of the demo, and two ways to send them: as clients do, through the proxy, and to a model directly, to learn what is right.

The plan is the same in every run: it depends on nothing but the number of requests.
"""

import dataclasses
import http.client
import itertools
import json
import random
import threading
import time

PATH = "/v2/models/digits/infer"
USERS = 400
CLIENTS = 8  # at a time


@dataclasses.dataclass(frozen=True)
class Request:
    """What a client asks: the digit on one image.

    `named` tells whether it gives its question an id, which the model then repeats; `pinned`, whether it is a tester who asks for v2.
    """

    id: str
    user: str
    image: int
    named: bool
    pinned: bool = False


@dataclasses.dataclass(frozen=True)
class Answer:
    """What came back. A request that got no answer has status 0 and the reason as its body."""

    status: int
    body: bytes
    sent: float = 0.0  # seconds of a clock that only goes forwards
    received: float = 0.0


def plan(count, images, name="request", pinned=0.0):
    """`count` requests, each of a user drawn at random, and of a tester with this chance; the images take turns; half of them are named."""
    draw = random.Random(count)

    def request(n):
        return Request(f"{name}-{n}", f"user-{draw.randrange(USERS)}", n % images, draw.random() < 0.5, draw.random() < pinned)

    return [request(n) for n in range(count)]


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
            sent = time.monotonic()
            try:
                connection.request("POST", PATH, content, {"content-type": "application/json", **headers})
                response = connection.getresponse()
                answers[number] = Answer(response.status, response.read(), sent, time.monotonic())
            except (OSError, http.client.HTTPException) as problem:
                connection.close()
                answers[number] = Answer(0, repr(problem).encode(), sent, time.monotonic())
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

    def question(request):
        headers = {"x-request-id": request.id, "x-user-id": request.user, **({"x-model-pin": "v2"} if request.pinned else {})}
        return headers, body(images[request.image], request.id if request.named else None)

    return ask_all(port, [question(request) for request in requests], progress)


def ask_directly(port, images):
    """What the model behind this port says about each image, when asked by the id `direct`."""
    return ask_all(port, [({}, body(pixels, "direct")) for pixels in images])
