# SPDX-License-Identifier: Apache-2.0
"""The synchronous client's connection: calls from any thread, events to their subscriptions, and back again
when it broke."""
import itertools
import logging
import socket
import threading
import time
from typing import Any, Callable, Dict, List, Mapping, Optional

from . import _wire
from ._socket_path import connect_first
from .errors import Disconnected, MeshError, NoDaemon, Overloaded, RpcError, Timeout, error_from

log = logging.getLogger("meshd")

RETRY_SECONDS_MIN = 0.05
RETRY_SECONDS_MAX = 2.0

#: Takes the result of a call in the reading thread, before anything behind it is read.
ResultHook = Callable[[Dict[str, Any]], None]
EventSink = Callable[[Mapping[str, Any]], None]


class _Waiting:
    """A call without a reply yet."""

    __slots__ = ("done", "result", "error", "hook")

    def __init__(self, hook: Optional[ResultHook]) -> None:
        self.done = threading.Event()
        self.result: Dict[str, Any] = {}
        self.error: Optional[MeshError] = None
        self.hook = hook


class Connection:
    """One daemon, over as many connections as it takes.

    restore: called with each new connection, before calls use it: subscribes anew.
    is_wanted: whether the connection is made again by itself where it broke.
    reconnect: seconds for which a call waits for a daemon that is away.
    """

    def __init__(
        self,
        paths: List[str],
        restore: Callable[[], None],
        is_wanted: Callable[[], bool],
        reconnect: float,
    ) -> None:
        self.paths = paths
        self._restore = restore
        self._is_wanted = is_wanted
        self._reconnect = reconnect
        self._ids = itertools.count(1)
        self._lock = threading.Lock()
        #: Held while a connection is made, and while subscriptions change.
        self.changing = threading.RLock()
        self._sending = threading.Lock()
        self._sock: Optional[socket.socket] = None
        self._waiting: Dict[int, _Waiting] = {}
        self._sinks: Dict[str, EventSink] = {}
        self._closed = threading.Event()

    @property
    def is_closed(self) -> bool:
        """True after close()."""
        return self._closed.is_set()

    @property
    def is_connected(self) -> bool:
        """True while a connection stands, as far as is known."""
        return self._sock is not None

    def wait_closed(self, seconds: float) -> bool:
        """True once close() was called; waits so long for it."""
        return self._closed.wait(seconds)

    def open(self, wait: float) -> None:
        """Connects, for at most `wait` seconds; NoDaemon where that fails."""
        deadline = time.monotonic() + wait
        pause = RETRY_SECONDS_MIN
        while True:
            if self.is_closed:
                raise Disconnected("this Mesh is closed")
            try:
                return self._connect()
            except (NoDaemon, Disconnected, Overloaded):
                left = deadline - time.monotonic()
                if left <= 0:
                    raise
            self._closed.wait(min(pause, left))
            pause = min(pause * 2, RETRY_SECONDS_MAX)

    def close(self) -> None:
        """Ends the connection for good; calls that wait fail."""
        self._closed.set()
        sock = self._sock
        if sock is not None:
            self._drop(sock, Disconnected("this Mesh is closed"))

    def call(
        self,
        method: str,
        params: Mapping[str, Any],
        timeout: float,
        hook: Optional[ResultHook] = None,
    ) -> Dict[str, Any]:
        """The result. Waits for a daemon that is away; what changes nothing is asked again where the
        connection ended before the reply."""
        deadline = time.monotonic() + timeout
        while True:
            if self._sock is None:
                self.open(min(self._reconnect, max(0.0, deadline - time.monotonic())))
            try:
                return self.exchange(method, params, max(0.0, deadline - time.monotonic()), hook)
            except Disconnected:
                if self.is_closed or method not in _wire.REPEATABLE or time.monotonic() >= deadline:
                    raise

    def exchange(
        self,
        method: str,
        params: Mapping[str, Any],
        timeout: float,
        hook: Optional[ResultHook] = None,
    ) -> Dict[str, Any]:
        """One request and its reply over the connection that stands; Disconnected where none does."""
        request_id = next(self._ids)
        line = _wire.encode_request(request_id, method, params)
        waiting = _Waiting(hook)
        with self._lock:
            sock = self._sock
            if sock is None:
                raise Disconnected("the connection to meshd is gone")
            self._waiting[request_id] = waiting
        try:
            with self._sending:
                sock.sendall(line)
        except OSError as error:
            self._drop(sock, Disconnected(f"the connection to meshd ended: {error.strerror or error}"))
        if not waiting.done.wait(timeout):
            with self._lock:
                self._waiting.pop(request_id, None)
            if not waiting.done.is_set():
                raise Timeout(f"no reply to {method} within {timeout:g} s")
        if waiting.error is not None:
            raise waiting.error
        return waiting.result

    def route(self, subscription: str, sink: EventSink) -> None:
        """From now on this subscription's events go to `sink`. For hooks."""
        with self._lock:
            self._sinks[subscription] = sink

    def unroute(self, subscription: str) -> None:
        """Drops what still comes for a subscription."""
        with self._lock:
            self._sinks.pop(subscription, None)

    def _connect(self) -> None:
        with self.changing:
            if self._sock is not None:
                return
            sock = connect_first(self.paths)
            # Names of subscriptions are of one connection: what an older one still tells finds no other's.
            sinks: Dict[str, EventSink] = {}
            with self._lock:
                self._sinks = sinks
                self._sock = sock
            threading.Thread(target=self._read, args=(sock, sinks), daemon=True, name="meshd-reader").start()
            # close() may have looked for a connection just before there was this one.
            if self.is_closed:
                self._drop(sock, Disconnected("this Mesh is closed"))
            try:
                self._restore()
            except MeshError as error:
                self._drop(sock, Disconnected(f"the connection to meshd ended: {error}"))
                raise

    def _drop(self, sock: socket.socket, reason: MeshError) -> bool:
        """Ends a connection and fails what waits for it; False where another did."""
        with self._lock:
            if self._sock is not sock:
                return False
            self._sock = None
            waiting, self._waiting = self._waiting, {}
        # Wakes the reading thread, which closes the socket.
        try:
            sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        for one in waiting.values():
            one.error = reason
            one.done.set()
        return True

    def _read(self, sock: socket.socket, sinks: Dict[str, EventSink]) -> None:
        reader = _wire.LineReader()
        reason: MeshError = Disconnected("meshd closed the connection")
        try:
            while self._sock is sock:
                data = sock.recv(1 << 18)
                if not data:
                    break
                for message in reader.feed(data):
                    refusal = self._dispatch(message, sinks)
                    if refusal is not None:
                        reason = refusal
        except OSError as error:
            reason = Disconnected(f"the connection to meshd ended: {error.strerror or error}")
        except MeshError as error:
            log.error("%s; connecting anew", error)
            reason = Disconnected(str(error))
        self._drop(sock, reason)
        sock.close()
        self._come_back()

    def _dispatch(self, message: Dict[str, Any], sinks: Dict[str, EventSink]) -> Optional[RpcError]:
        """Hands a message on; returns what the daemon says of the whole connection, if it does."""
        if message.get("method") == "event":
            params = message.get("params")
            if isinstance(params, dict):
                with self._lock:
                    sink = sinks.get(str(params.get("subscription")))
                if sink is not None:
                    sink(params)
            return None
        error = message.get("error")
        failure = error_from(error) if isinstance(error, dict) else None
        request_id = message.get("id")
        if request_id is None:
            return failure
        with self._lock:
            waiting = self._waiting.pop(request_id, None)
        if waiting is not None:
            waiting.error = failure
            waiting.result = message.get("result") or {}
            if failure is None and waiting.hook is not None:
                waiting.hook(waiting.result)
            waiting.done.set()
        return None

    def _come_back(self) -> None:
        """In the thread that read the broken connection: makes a new one, for as long as one is wanted."""
        pause = RETRY_SECONDS_MIN
        while not self.is_closed and self._sock is None and self._is_wanted():
            try:
                return self._connect()
            except (MeshError, OSError) as error:
                log.debug("not connected yet: %s", error)
            self._closed.wait(pause)
            pause = min(pause * 2, RETRY_SECONDS_MAX)
