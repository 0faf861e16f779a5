# SPDX-License-Identifier: Apache-2.0
"""The Python client in the lab: its package, and its programs beside a box or in a host without one."""
import os
import subprocess
import sys
import threading

from box import MESHD, REPOSITORY, clean_environment
from lab import Failure

PACKAGE = REPOSITORY / "clients/python"
EXAMPLES = PACKAGE / "examples"
sys.path.insert(0, str(PACKAGE))


def environment(box=None, **extra):
    """What a Python program sees: the package, and this box's socket."""
    socket = {} if box is None else {"MESHD_SOCKET": str(box.socket)}
    return clean_environment(PYTHONPATH=str(PACKAGE), PYTHONDONTWRITEBYTECODE="1", PYTHONUNBUFFERED="1",
                             MESHD_BINARY=str(MESHD), **socket, **extra)


def run_example(box, name, *arguments, timeout=30):
    """Runs an example beside a box to its end; returns what it printed."""
    done = subprocess.run([sys.executable, str(EXAMPLES / name), *arguments], capture_output=True, text=True,
                          timeout=timeout, check=False, env=environment(box))
    if done.returncode != 0:
        raise Failure(f"{name} {arguments} exited with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


class Program:
    """A Python program that goes on while others are looked at: beside a box, or within a host."""

    def __init__(self, path, *arguments, box=None, host=None, **extra):
        inside = [] if host is None else ["ip", "netns", "exec", host.name]
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "--", *inside, sys.executable, str(path), *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env=environment(box, **extra))
        self.name = os.path.basename(str(path))
        self.lines = []
        self.changed = threading.Condition()
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        for line in self.process.stdout:
            with self.changed:
                self.lines.append(line.rstrip("\n"))
                self.changed.notify_all()

    def text(self):
        """What it has printed so far."""
        with self.changed:
            return "\n".join(self.lines)

    def wait_for(self, words, timeout=20):
        """Waits until a line with these words was printed; returns it."""
        def found():
            return next((line for line in self.lines if words in line), None)

        with self.changed:
            if not self.changed.wait_for(found, timeout):
                raise Failure(f"{self.name} did not print '{words}' but:\n" + "\n".join(self.lines))
            return found()

    def finish(self, timeout=20):
        """Ends its standard input, waits for its end, and returns what it printed."""
        self.process.stdin.close()
        code = self.process.wait(timeout)
        self.thread.join(timeout)
        if code != 0:
            raise Failure(f"{self.name} exited with {code}:\n{self.text()}")
        return self.text()

    def end(self):
        """Ends a program that would go on."""
        self.process.terminate()
        self.process.wait(10)
