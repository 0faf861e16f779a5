# SPDX-License-Identifier: Apache-2.0
"""A synchronous client's subscription: an iterator of events, or a thread that calls a handler."""
import logging
import threading
import time
from collections import deque
from typing import Any, Callable, Deque, Dict, Iterator, Mapping, Optional

from .events import Event, SubscriptionState

log = logging.getLogger("meshd")

FETCH_AGAIN_SECONDS = 0.2


class Subscription:
    """Events in order, each once. Made by `Mesh.subscribe` and `Mesh.on`.

    for event in subscription: …       # until close()
    event = subscription.get(timeout)  # None when none came
    """

    def __init__(
        self,
        state: SubscriptionState,
        fetch: Callable[["Subscription"], bool],
        forget: Callable[["Subscription"], None],
    ) -> None:
        self._state = state
        self._fetch = fetch
        self._forget = forget
        self._changed = threading.Condition()
        self._queue: Deque[Event] = deque()
        self._closed = False
        self._error: Optional[Exception] = None
        self._handed: Optional[str] = None
        self._worked_off = state.cursor
        self._thread: Optional[threading.Thread] = None
        #: Its name on the connection that stands.
        self._name: Optional[str] = None

    @property
    def cursor(self) -> Optional[str]:
        """Behind the last event that was worked off (asked for the next, or handler returned). Kept over a
        restart of the program, `since=cursor` misses no alert."""
        return self._worked_off

    @property
    def lost(self) -> int:
        """Events the daemon could not tell any more, as far as it knows how many."""
        return self._state.lost

    def get(self, timeout: Optional[float] = None) -> Optional[Event]:
        """The next event; None where none comes within `timeout` seconds, or after close()."""
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._changed:
            if self._handed is not None:
                self._worked_off, self._handed = self._handed, None
            while not self._queue:
                if self._error is not None:
                    raise self._error
                if self._closed:
                    return None
                if self._state.is_behind and self._fetch_rest():
                    continue
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    return None
                # A daemon that is away now is asked for the rest again.
                wake = FETCH_AGAIN_SECONDS if self._state.is_behind else left
                self._changed.wait(wake if left is None or wake is None else min(left, wake))
            event = self._queue.popleft()
            self._handed = event.cursor or None
            return event

    def __iter__(self) -> Iterator[Event]:
        while True:
            event = self.get()
            if event is None:
                return
            yield event

    def close(self) -> None:
        """Ends it, here and at the daemon; a handler that runs is not interrupted."""
        with self._changed:
            if self._closed:
                return
            self._closed = True
            self._changed.notify_all()
        self._forget(self)

    def __enter__(self) -> "Subscription":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    # --- for Mesh

    def _handle_with(self, handler: Callable[[Event], Any]) -> None:
        """Calls `handler` with each event, one after the other, in a thread of its own."""
        def work() -> None:
            try:
                for event in self:
                    try:
                        handler(event)
                    except Exception:  # a handler's mistake must not end the others' events
                        log.exception("the handler of %s failed", event.kind)
            except Exception as error:
                log.error("no more events of %s: %s", self._state.kinds or "all kinds", error)

        self._thread = threading.Thread(target=work, daemon=True, name="meshd-handler")
        self._thread.start()

    def _started(self, result: Dict[str, Any]) -> None:
        with self._changed:
            self._name = result.get("subscription")
            self._state.started(result)
            if self._worked_off is None:
                self._worked_off = self._state.cursor
            self._changed.notify_all()

    def _take(self, params: Mapping[str, Any]) -> None:
        with self._changed:
            event = self._state.take(params, len(self._queue))
            if event is not None:
                self._queue.append(event)
            self._changed.notify_all()

    def _fail(self, error: Exception) -> None:
        with self._changed:
            self._error = error
            self._changed.notify_all()

    def _fetch_rest(self) -> bool:
        """Subscribes anew behind the last event taken; without the lock, since events come meanwhile."""
        self._changed.release()
        try:
            return self._fetch(self)
        finally:
            self._changed.acquire()

    def _params(self) -> Dict[str, Any]:
        with self._changed:
            return self._state.params()
