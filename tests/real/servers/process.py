"""Programs on loopback: started with a log, awaited, and stopped with all their children."""

import contextlib
import http.client
import os
import pathlib
import signal
import socket
import subprocess
import time

STOP_SECONDS = 15.0


class Endpoint:
    """A port of a server, in the shape in which the rig wants an upstream."""

    def __init__(self, port, http2=False):
        self.port, self.http2 = port, http2


def free_ports(count):
    """Ports that were free a moment ago, all different."""
    with contextlib.ExitStack() as sockets:
        bound = [sockets.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [each.getsockname()[1] for each in bound]


def answers(port, path):
    """Whether a GET of `path` is answered with 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


class Process:
    """A running program. It has a process group of its own, and Linux ends it (`setpriv`) should whoever started it die first."""

    def __init__(self, command, folder, ready, environment=None, patience=120.0):
        """Starts `command` in `folder`, its output going to the file `log` there, and waits until `ready()` holds."""
        self.log = pathlib.Path(folder) / "log"
        command = ["setpriv", "--pdeathsig", "TERM", *map(str, command)]
        with self.log.open("wb") as output:
            options = {"stdin": subprocess.DEVNULL, "stdout": output, "stderr": subprocess.STDOUT, "cwd": folder}
            self._process = subprocess.Popen(command, start_new_session=True, env={**os.environ, **(environment or {})}, **options)
        try:
            self._wait(ready, patience)
        except BaseException as error:
            self.stop()
            error.add_note(self.log.read_text(errors="replace")[-4000:])
            raise

    def _wait(self, ready, patience):
        end = time.monotonic() + patience
        while not ready():
            if self._process.poll() is not None:
                raise RuntimeError(f"{self._process.args} left with {self._process.returncode}")
            if time.monotonic() > end:
                raise TimeoutError(f"{self._process.args} is not ready after {patience} s")
            time.sleep(0.05)

    def stop(self):
        """Ends the program, politely and then by force, and whatever of its group is left."""
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_SECONDS)
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
