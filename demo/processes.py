"""The processes of one demo: started on loopback, watched, and stopped together, whatever ends the demo.

Every process inherits an open, locked file, so that the lock tells whether any of them still runs, even if the demo itself was killed.
Run as a program, with the demo's folder as its argument, this file stops what an earlier demo left running.
"""

import contextlib
import fcntl
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

STOP_SECONDS = 10  # MLServer takes about three to shut down


class Failed(Exception):
    """The demo can't go on. The message is for the user."""


class Interrupted(BaseException):
    """A signal asked the demo to end. Not an `Exception`, so that nothing swallows it."""

    def __init__(self, number):
        super().__init__(signal.Signals(number).name)
        self.number = number


def free_ports(count):
    """Ports that were free a moment ago, all different."""
    with contextlib.ExitStack() as sockets:
        bound = [sockets.enter_context(socket.socket()) for _ in range(count)]
        for each in bound:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in bound]


class Process:
    """One started program and its log."""

    def __init__(self, name, log, popen):
        self.name, self.log, self._popen = name, log, popen

    def tail(self, lines=15):
        """The end of its log, indented."""
        return "\n".join("    " + line for line in self.log.read_text(errors="replace").splitlines()[-lines:])

    def kill(self):
        """Ends it at once, and all that it started, without a chance to clean up."""
        os.killpg(self._popen.pid, signal.SIGKILL)
        self._popen.wait()

    def require_alive(self):
        """Raises `Failed` if it has ended."""
        status = self._popen.poll()
        if status is not None:
            raise Failed(f"{self.name} ended by itself (status {status}). The end of {self.log}:\n{self.tail()}")


class Processes:
    """All that the demo starts. As a context manager it stops them at the end, unless `keep` was called."""

    def __init__(self, folder):
        self._folder = folder
        self._pids = folder / "pids"
        self._started, self._starting, self._signal, self._kept = [], False, None, False

    def __enter__(self):
        self._lock = lock(self._folder)
        if not self._lock:
            raise Failed("a demo is running already in this folder; scripts/demo --stop ends one that --keep left")
        self._pids.write_text("")
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._interrupt)
        return self

    def __exit__(self, *_):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        self._lock.close()
        if not self._kept and not stop(self._pids_started(), self._folder):
            print(f"demo: could not stop all of: {self._pids_started()}", file=sys.stderr)

    def _interrupt(self, number, _frame):
        # Between the start of a process and the note of its id, an exception would leave it running.
        self._signal = number
        if not self._starting:
            raise Interrupted(number)

    def start(self, name, command, log, environment=None, cwd=None):
        """Starts a program in a process group of its own, its output going to the file `log`.

        A shell stays above it: Envoy asks Linux for a signal when its parent dies, and must outlive the demo where it is kept.
        """
        command = ["sh", "-c", '"$@"; exit $?', "sh", *command]
        environment = {**os.environ, **(environment or {})}
        self._starting = True
        try:
            with open(log, "wb") as output:
                options = {"stdin": subprocess.DEVNULL, "stdout": output, "stderr": subprocess.STDOUT, "cwd": cwd, "env": environment}
                popen = subprocess.Popen(command, start_new_session=True, pass_fds=[self._lock.fileno()], **options)
            self._started.append(popen)
            with open(self._pids, "a") as pids:
                pids.write(f"{popen.pid}\n")
        finally:
            self._starting = False
        if self._signal:
            raise Interrupted(self._signal)
        return Process(name, log, popen)

    def _pids_started(self):
        return [popen.pid for popen in self._started]

    def keep(self):
        """Leaves them running when the demo ends."""
        self._kept = True


def wait_until(ready, processes, seconds):
    """Waits until `ready()` holds; raises `Failed` if a process ends first or the time is over."""
    end = time.monotonic() + seconds
    while not ready():
        for process in processes:
            process.require_alive()
        if time.monotonic() > end:
            logs = "\n".join(f"  {process.name}, the end of {process.log}:\n{process.tail()}" for process in processes)
            raise Failed(f"{' and '.join(process.name for process in processes)} not ready after {seconds} s.\n{logs}")
        time.sleep(0.05)
    for process in processes:  # what answered might be somebody else's, on a port that ours could not get
        process.require_alive()


def lock(folder):
    """The demo's lock, as an open file that holds it until closed; None if a demo, or a process that it started, holds it."""
    file = open(folder / "lock", "w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return file
    except BlockingIOError:
        file.close()
        return None


def stop(pids, folder):
    """Ends these process groups, politely and then by force; true once nobody holds the lock any more."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, number)
        end = time.monotonic() + STOP_SECONDS
        while time.monotonic() < end:
            if lock(folder):
                return True
            time.sleep(0.05)
    return False


def started_here(pid, folder):
    """Whether this id still belongs to one of the demo's processes: each has the demo's folder in its command line."""
    try:
        command = pathlib.Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
    except OSError:
        return not pathlib.Path("/proc/self").exists()  # without such a folder there is no telling
    return str(folder) in command


def stop_kept(folder):
    """Stops what a demo left running; true if nothing of it runs any more."""
    if not folder.exists() or lock(folder):
        print("no demo is running")
        return True
    pids = [int(line) for line in (folder / "pids").read_text().split()]
    pids = [pid for pid in pids if started_here(pid, folder)]
    ended = stop(pids, folder)
    print("stopped" if ended else f"could not stop all of: {pids}")
    return ended


if __name__ == "__main__":
    sys.exit(not stop_kept(pathlib.Path(sys.argv[1]).absolute()))
