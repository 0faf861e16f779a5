# SPDX-License-Identifier: Apache-2.0
"""One meshd process in one host of the lab: start, ask, freeze, kill, restart."""
import os
import pathlib
import shutil
import signal
import subprocess
import time

from mesh_key import write_keyring
from rpc import Rpc, RpcError, Subscription

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
BIN_DIR = pathlib.Path(os.environ.get("MESHD_BIN_DIR", REPOSITORY / "build/dev/bin")).resolve()
MESHD = BIN_DIR / "meshd"
MESHCTL = BIN_DIR / "meshctl"

# Memory of sanitized daemons says nothing.
SANITIZED = os.environ.get("MESHD_LAB_SANITIZED") == "1"
# A box that is not ready by then hangs; nothing here measures speed.
READY_SECONDS_MAX = 20.0
STOP_SECONDS_MAX = 15.0


class Failure(Exception):
    """A scenario did not hold."""


def clean_environment(**extra):
    """What a daemon or client of the lab sees: nothing of the caller's own mesh."""
    keep = ("PATH", "HOME", "LANG", "LC_ALL", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS")
    environment = {key: os.environ[key] for key in keep if key in os.environ}
    environment.setdefault("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
    environment.update(extra)
    return environment


class Box:
    """A daemon with its own state directory, socket and log. Start it from the main thread only: the
    kernel ends it when the thread that started it ends.

    `key` is the token of the mesh key that it has from the start, also after wipe(); None: it has none.

    `label` tells boxes of one name apart. Without `node_id` the daemon names itself: it has `label` as
    `node_id` until then, see adopt_name()."""

    def __init__(self, lab, host, node_id, arguments, environment=None, label=None, key=None):
        self.lab = lab
        self.host = host
        self.label = label or node_id
        self.node_id = node_id or self.label
        self.is_named = node_id is not None
        self.arguments = list(arguments)
        self.key = key
        self.environment = {"MESHD_HARDWARE_ID": f"lab-{host.name}-{self.label}", **(environment or {})}
        self.directory = lab.directory / self.label
        self.directory.mkdir(parents=True, exist_ok=True)
        self.state_dir = self.directory / "state"
        self.socket = self.directory / "meshd.sock"
        self.log = self.directory / "log"
        self.process = None
        self.ready_at = None
        self.subscriptions = []
        self._rpc = None

    def __repr__(self):
        return self.label

    def start(self):
        """Starts the process and returns at once."""
        if self.key and not (self.state_dir / "keyring").exists():
            write_keyring(self.state_dir, self.key)
        command = [
            "setpriv", "--pdeathsig", "KILL", "--",
            "ip", "netns", "exec", self.host.name,
            str(MESHD), "--socket", str(self.socket), "--state-dir", str(self.state_dir),
            *(["--node-id", self.node_id] if self.is_named else []), *self.arguments,
        ]
        level = os.environ.get("MESHD_LAB_LOG")
        if level:
            command += ["--log-level", level]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                env=clean_environment(**self.environment))
        self.ready_at = None
        return self

    def ready(self, timeout=READY_SECONDS_MAX):
        """Waits until the daemon answers on its socket."""
        deadline = time.monotonic() + timeout
        while True:
            if self.process.poll() is not None:
                raise Failure(f"{self} exited with {self.process.returncode} instead of starting")
            try:
                self.call("mesh.status")
                self.ready_at = time.monotonic()
                return self
            except (OSError, EOFError):
                self._drop_rpc()
            if time.monotonic() > deadline:
                raise Failure(f"{self} does not answer on its socket after {timeout} s")
            time.sleep(0.005)

    def adopt_name(self):
        """Takes the name that the daemon gave itself; returns it."""
        self.node_id = self.call("mesh.status")["node_id"]
        return self.node_id

    def rename(self, node_id):
        """Takes effect at the next start."""
        self.node_id, self.is_named = node_id, True

    def call(self, method, **params):
        if self._rpc is None:
            self._rpc = Rpc(self.socket)
        try:
            return self._rpc.call(method, **params)
        except RpcError:
            raise
        except (OSError, EOFError):
            self._drop_rpc()
            raise

    def subscribe(self, *kinds, **params):
        subscription = Subscription(self.socket, list(kinds) or None, **params)
        self.subscriptions.append(subscription)
        return subscription

    def meshctl(self, *arguments, check=True, timeout=30, stdin=None):
        """Runs meshctl against this box and returns the finished process with text output. `stdin`: text
        for its standard input."""
        done = subprocess.run(
            [str(MESHCTL), "--socket", str(self.socket), *arguments], capture_output=True, text=True,
            input=stdin, timeout=timeout, check=False, env=clean_environment())
        if check and done.returncode != 0:
            raise Failure(f"meshctl {' '.join(arguments)} exited with {done.returncode}:\n"
                          f"{done.stdout}{done.stderr}")
        return done

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def signal(self, number):
        if self.is_running():
            self.process.send_signal(number)

    def kill(self):
        """kill -9; returns the time of the kill."""
        at = time.monotonic()
        self.signal(signal.SIGKILL)
        self.process.wait(STOP_SECONDS_MAX)
        self._close()
        return at

    def terminate(self):
        """SIGTERM; returns the time of the signal. `process.returncode` has the exit code."""
        at = time.monotonic()
        self.signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            raise Failure(f"{self} still runs {STOP_SECONDS_MAX} s after SIGTERM") from None
        self._close()
        return at

    def wipe(self):
        """Empties the state directory of a box that does not run."""
        shutil.rmtree(self.state_dir)

    def store(self):
        return self.call("mesh.status")["store"]

    def warnings(self):
        return self.call("mesh.status")["warnings"]

    def freeze(self):
        self.signal(signal.SIGSTOP)

    def thaw(self):
        self.signal(signal.SIGCONT)

    def stats(self):
        return self.call("mesh.stats")

    def counter(self, name):
        """A counter of mesh.stats by its name, wherever it stands; 0 where it does not appear."""
        stats = self.stats()
        if name in stats:
            return stats[name]
        if name.startswith("drop_"):
            return stats["drops"].get(name.removeprefix("drop_"), 0)
        return stats["counters"].get(name, 0)

    def drops(self):
        return {reason: count for reason, count in self.stats()["drops"].items() if count}

    def rss_kib(self):
        return self._memory_kib("VmRSS:")

    def data_kib(self):
        """Resident memory that holds data. Code comes in as it is first used, long after the start."""
        return self._memory_kib("RssAnon:")

    def _memory_kib(self, what):
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(what):
                return int(line.split()[1])
        return 0

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def log_tail(self, lines=30):
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        except OSError:
            return "(no log)"

    def _drop_rpc(self):
        if self._rpc is not None:
            self._rpc.close()
            self._rpc = None

    def _close(self):
        self._drop_rpc()
        for subscription in self.subscriptions:
            subscription.close()
        self.subscriptions = []
