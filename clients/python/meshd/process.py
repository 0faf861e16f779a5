# SPDX-License-Identifier: Apache-2.0
"""A meshd process of one's own, for programs on boxes where none runs."""
import os
import shutil
import signal
import subprocess
import tempfile
import time
from typing import List, Mapping, Optional, Sequence

from .errors import MeshError, NoDaemon
from .mesh import Mesh

READY_SECONDS_MAX = 15.0
STOP_SECONDS_MAX = 10.0

# Standard input is a pipe that closes with the program that started this, however that ends: then the daemon
# is asked to go, and says goodbye to the mesh. The exit code is the daemon's.
WATCHED = """
exec 3<&0 </dev/null
"$@" 3<&- &
daemon=$!
{ read -r _ <&3; kill "$daemon" 2>/dev/null; } &
watch=$!
exec 3<&-
wait "$daemon"
status=$?
kill "$watch" 2>/dev/null
exit "$status"
"""


def find_meshd() -> Optional[str]:
    """The program: MESHD_BINARY, else meshd in PATH or where Debian puts daemons; None where there is none."""
    named = os.environ.get("MESHD_BINARY")
    if named:
        return named
    path = os.environ.get("PATH", os.defpath) + ":/usr/local/sbin:/usr/sbin:/usr/bin"
    return shutil.which("meshd", path=path)


def default_state_dir(node_id: str) -> str:
    """Where a node of this name keeps its data: $XDG_STATE_HOME or ~/.local/state, meshd-python/<node id>."""
    home = os.environ.get("XDG_STATE_HOME") or os.path.join(os.path.expanduser("~"), ".local", "state")
    return os.path.join(home, "meshd-python", node_id)


class OwnDaemon:
    """One meshd with a private socket; it ends with stop(), or with this program, however that ends.

    arguments: further flags of meshd. state_dir: where it keeps its data, so that after a restart it is the
    same box; two at once cannot share one.
    """

    def __init__(
        self,
        node_id: str,
        arguments: Sequence[str] = ("--open",),
        *,
        settings: Optional[Mapping[str, str]] = None,
        state_dir: Optional[str] = None,
        binary: Optional[str] = None,
    ) -> None:
        program = binary or find_meshd()
        if program is None:
            raise NoDaemon(["no program meshd in PATH (MESHD_BINARY names one elsewhere)"])
        self.node_id = node_id
        self.state_dir = state_dir or default_state_dir(node_id)
        # A socket's path has 107 bytes at most: it cannot lie in just any state directory.
        self._directory = tempfile.mkdtemp(prefix="meshd-")
        self.socket = os.path.join(self._directory, "meshd.sock")
        self.log = os.path.join(self._directory, "log")
        command: List[str] = [program, "--node-id", node_id, "--socket", self.socket, "--state-dir", self.state_dir]
        for key, value in (settings or {}).items():
            command += ["--set", f"{key}={value}"]
        try:
            os.makedirs(self.state_dir, mode=0o700, exist_ok=True)
            self._start([*command, *arguments])
        except OSError as error:
            shutil.rmtree(self._directory, ignore_errors=True)
            raise NoDaemon([f"{program} cannot be started: {error}"]) from None

    def _start(self, command: List[str]) -> None:
        with open(self.log, "wb") as log:
            # A session of its own: Ctrl-C is for this program, which then says stop.
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", WATCHED, "meshd", *command],
                stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True)

    @property
    def is_running(self) -> bool:
        """False once the process has ended."""
        return self._process.poll() is None

    def connect(self, timeout: float = READY_SECONDS_MAX) -> Mesh:
        """A Mesh for it, once it answers; MeshError with the end of its log where it does not."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                return Mesh(self.socket)
            except NoDaemon:
                if not self.is_running or time.monotonic() > deadline:
                    words = self.log_tail()
                    self.stop()
                    raise MeshError(f"meshd did not start as {self.node_id}: {words}") from None
            time.sleep(0.02)

    def log_tail(self, lines: int = 5) -> str:
        """The last lines it logged."""
        try:
            with open(self.log, encoding="utf-8", errors="replace") as log:
                return "\n".join(log.read().splitlines()[-lines:])
        except OSError:
            return "(no log)"

    def stop(self) -> None:
        """Ends it in good order: it says goodbye to the mesh. What it holds stays in `state_dir`."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        shutil.rmtree(self._directory, ignore_errors=True)
