# SPDX-License-Identifier: Apache-2.0
"""An asyncio client's subscription: an asynchronous iterator of events, or a task that calls a handler."""
import asyncio
import inspect
import logging
import time
from collections import deque
from typing import Any, Awaitable, Callable, Deque, Dict, Mapping, Optional

from .events import Event, SubscriptionState
from .subscription import FETCH_AGAIN_SECONDS

log = logging.getLogger("meshd")


class AsyncSubscription:
    """Events in order, each once. Made by `AsyncMesh.subscribe` and `AsyncMesh.on`.

    async for event in subscription: …       # until close()
    event = await subscription.get(timeout)  # None when none came
    """

    def __init__(
        self,
        state: SubscriptionState,
        fetch: Callable[["AsyncSubscription"], Awaitable[bool]],
        forget: Callable[["AsyncSubscription"], Awaitable[None]],
    ) -> None:
        self._state = state
        self._fetch = fetch
        self._forget = forget
        self._queue: Deque[Event] = deque()
        self._changed = asyncio.Event()
        self._closed = False
        self._error: Optional[Exception] = None
        self._handed: Optional[str] = None
        self._worked_off = state.cursor
        self._task: "Optional[asyncio.Task[None]]" = None
        self._name: Optional[str] = None

    @property
    def cursor(self) -> Optional[str]:
        """Behind the last event that was worked off; see `Subscription.cursor`."""
        return self._worked_off

    @property
    def lost(self) -> int:
        """Events the daemon could not tell any more, as far as it knows how many."""
        return self._state.lost

    async def get(self, timeout: Optional[float] = None) -> Optional[Event]:
        """The next event; None where none comes within `timeout` seconds, or after close()."""
        deadline = None if timeout is None else time.monotonic() + timeout
        if self._handed is not None:
            self._worked_off, self._handed = self._handed, None
        while not self._queue:
            if self._error is not None:
                raise self._error
            if self._closed:
                return None
            if self._state.is_behind and await self._fetch(self):
                continue
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                return None
            if self._state.is_behind:
                left = FETCH_AGAIN_SECONDS if left is None else min(left, FETCH_AGAIN_SECONDS)
            if self._queue or self._closed:
                continue
            self._changed.clear()
            try:
                await asyncio.wait_for(self._changed.wait(), left)
            except asyncio.TimeoutError:
                pass
        event = self._queue.popleft()
        self._handed = event.cursor or None
        return event

    def __aiter__(self) -> "AsyncSubscription":
        return self

    async def __anext__(self) -> Event:
        event = await self.get()
        if event is None:
            raise StopAsyncIteration
        return event

    async def close(self) -> None:
        """Ends it, here and at the daemon."""
        if self._closed:
            return
        self._closed = True
        self._changed.set()
        await self._forget(self)

    async def __aenter__(self) -> "AsyncSubscription":
        return self

    async def __aexit__(self, *_: Any) -> None:
        await self.close()

    # --- for AsyncMesh

    def _handle_with(self, handler: Callable[[Event], Any]) -> None:
        async def work() -> None:
            try:
                async for event in self:
                    try:
                        outcome = handler(event)
                        if inspect.isawaitable(outcome):
                            await outcome
                    except Exception:  # a handler's mistake must not end the others' events
                        log.exception("the handler of %s failed", event.kind)
            except Exception as error:
                log.error("no more events of %s: %s", self._state.kinds or "all kinds", error)

        self._task = asyncio.ensure_future(work())

    def _started(self, result: Dict[str, Any]) -> None:
        self._name = result.get("subscription")
        self._state.started(result)
        if self._worked_off is None:
            self._worked_off = self._state.cursor
        self._changed.set()

    def _take(self, params: Mapping[str, Any]) -> None:
        event = self._state.take(params, len(self._queue))
        if event is not None:
            self._queue.append(event)
        self._changed.set()

    def _fail(self, error: Exception) -> None:
        self._error = error
        self._changed.set()
