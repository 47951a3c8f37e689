"""Clients that keep their connections, spread over all workers of a proxy."""

import itertools
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from .client import Answer, Connection
from .waiting import until


@dataclass
class Asked:
    """One request of a load: its number, when it was sent and answered (seconds since the epoch), and the answer."""

    number: int
    sent: float
    done: float
    answer: Answer


class Clients:
    """A context manager. Connections that an answer broke are made anew."""

    def __init__(self, proxy, count=6):
        self._proxy, self._connections = proxy, []
        while not self._spread(count):
            # So many idle connections that the kernel gives some to every worker.
            self._connections.append(Connection(proxy.port))
            until(lambda: sum(self._at_workers()) >= len(self._connections), "a worker to take a connection")

    def __len__(self):
        """How many there are: at least as many as were asked for, and as many as can have a request under way."""
        return len(self._connections)

    def _at_workers(self):
        """How many connections each worker has."""
        found = self._proxy.admin(r"/stats?filter=worker_\d%2B\.downstream_cx_active")
        workers = {}
        for worker, active in re.findall(r"worker_(\d+)\.downstream_cx_active: (\d+)", found):
            workers[worker] = workers.get(worker, 0) + int(active)
        return list(workers.values())

    def _spread(self, count):
        return len(self._connections) >= count and all(self._at_workers())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for connection in self._connections:
            connection.close()

    def _ask(self, lane, data):
        connection = self._connections[lane]
        answer = connection.send(data).answer()
        if not answer.complete or answer.header("connection") == "close":
            connection.close()
            self._connections[lane] = Connection(self._proxy.port)
        return answer

    def ask(self, requests):
        """Sends requests, one after the other on each connection: the answers in the order of the requests."""
        requests, lanes = list(requests), len(self._connections)
        with ThreadPoolExecutor(lanes) as pool:
            work = lambda lane: [self._ask(lane, data) for data in requests[lane::lanes]]
            parts = list(pool.map(work, range(lanes)))
        return [parts[number % lanes][number // lanes] for number in range(len(requests))]

    @contextmanager
    def asking(self, make):
        """Sends `make(0)`, `make(1)`, … on all connections at once while the block runs; gives the growing list of what was asked."""
        stop, asked, errors, numbers = threading.Event(), [], [], itertools.count()

        def work(lane):
            try:
                while not stop.is_set():
                    number = next(numbers)
                    data, sent = make(number), time.time()
                    answer = self._ask(lane, data)
                    asked.append(Asked(number, sent, time.time(), answer))
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=work, args=(lane,)) for lane in range(len(self._connections))]
        for thread in threads:
            thread.start()
        try:
            yield asked
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        assert not errors, errors
