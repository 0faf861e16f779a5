# SPDX-License-Identifier: Apache-2.0
"""The asyncio client's connection; see _connection.py, of which this is the twin."""
import asyncio
import itertools
import logging
import time
from typing import Any, Awaitable, Callable, Coroutine, Dict, List, Mapping, Optional

from . import _wire
from ._connection import RETRY_SECONDS_MAX, RETRY_SECONDS_MIN, EventSink, ResultHook
from ._socket_path import CONNECT_SECONDS_MAX
from .errors import Disconnected, MeshError, NoDaemon, Overloaded, Timeout, error_from

log = logging.getLogger("meshd")

#: Calls on their way at once; more wait for a reply to one of them. A daemon lets 64 of a connection wait, and
#: refuses more as overload; those beyond are for subscriptions.
CALLS_MAX = 56


class _Waiting:
    __slots__ = ("future", "hook")

    def __init__(self, hook: Optional[ResultHook]) -> None:
        self.future: "asyncio.Future[Dict[str, Any]]" = asyncio.get_running_loop().create_future()
        # A call that was cancelled never asks for what became of it.
        self.future.add_done_callback(lambda future: future.cancelled() or future.exception())
        self.hook = hook


class AsyncConnection:
    """One daemon, over as many connections as it takes, within one event loop."""

    def __init__(
        self, paths: List[str], restore: Callable[[], Awaitable[None]], is_wanted: Callable[[], bool]
    ) -> None:
        self.paths = paths
        self.sinks: Dict[str, EventSink] = {}
        self._restore = restore
        self._is_wanted = is_wanted
        self._ids = itertools.count(1)
        self._writer: Optional[asyncio.StreamWriter] = None
        self._waiting: Dict[int, _Waiting] = {}
        self._tasks: "set[asyncio.Task[Any]]" = set()
        self.is_closed = False
        # Made within the loop: before Python 3.10 they belong to the loop of the moment.
        self._changing: Optional[asyncio.Lock] = None
        self._turns: Optional[asyncio.Semaphore] = None
        self._closed: Optional[asyncio.Event] = None
        self.settling: Optional[asyncio.Lock] = None

    @property
    def is_connected(self) -> bool:
        """True while a connection stands, as far as is known."""
        return self._writer is not None

    def changing(self) -> asyncio.Lock:
        """Held while a connection is made, and while subscriptions change."""
        if self._changing is None:
            self._changing = asyncio.Lock()
        return self._changing

    def settle_lock(self) -> asyncio.Lock:
        """Held while registrations are made."""
        if self.settling is None:
            self.settling = asyncio.Lock()
        return self.settling

    def spawn(self, work: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        """A task that is kept until it is done."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            log.error("%s", error)

    async def open(self, wait: float) -> None:
        """Connects, for at most `wait` seconds; NoDaemon where that fails."""
        async with self.changing():
            await self.reach(wait)

    async def reach(self, wait: float) -> None:
        """As open(), for those who hold `changing`."""
        if self._closed is None:
            self._closed = asyncio.Event()
        deadline = time.monotonic() + wait
        pause = RETRY_SECONDS_MIN
        while True:
            if self.is_closed:
                raise Disconnected("this AsyncMesh is closed")
            if self._writer is not None:
                return
            try:
                return await self._connect()
            except (NoDaemon, Disconnected, Overloaded):
                left = deadline - time.monotonic()
                if left <= 0:
                    raise
            await asyncio.sleep(min(pause, left))
            pause = min(pause * 2, RETRY_SECONDS_MAX)

    async def close(self) -> None:
        """Ends the connection for good; calls that wait fail."""
        self.is_closed = True
        if self._closed is not None:
            self._closed.set()
        if self._writer is not None:
            self._drop(self._writer, Disconnected("this AsyncMesh is closed"))
        own = asyncio.current_task()
        tasks = [task for task in self._tasks if task is not own]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def wait_closed(self) -> None:
        """Returns after close()."""
        if self._closed is None:
            self._closed = asyncio.Event()
        await self._closed.wait()

    async def call(
        self, method: str, params: Mapping[str, Any], timeout: float, reconnect: float
    ) -> Dict[str, Any]:
        """The result; see Connection.call. Its time counts from when it is its turn."""
        if self._turns is None:
            self._turns = asyncio.Semaphore(CALLS_MAX)
        async with self._turns:
            return await self._call(method, params, timeout, reconnect)

    async def _call(
        self, method: str, params: Mapping[str, Any], timeout: float, reconnect: float
    ) -> Dict[str, Any]:
        deadline = time.monotonic() + timeout
        while True:
            if self._writer is None:
                await self.open(min(reconnect, max(0.0, deadline - time.monotonic())))
            try:
                return await self.exchange(method, params, max(0.0, deadline - time.monotonic()))
            except Disconnected:
                if self.is_closed or method not in _wire.REPEATABLE or time.monotonic() >= deadline:
                    raise

    async def exchange(
        self, method: str, params: Mapping[str, Any], timeout: float, hook: Optional[ResultHook] = None
    ) -> Dict[str, Any]:
        """One request and its reply over the connection that stands; Disconnected where none does."""
        request_id = next(self._ids)
        line = _wire.encode_request(request_id, method, params)
        writer = self._writer
        if writer is None:
            raise Disconnected("the connection to meshd is gone")
        waiting = self._waiting[request_id] = _Waiting(hook)

        async def send_and_wait() -> Dict[str, Any]:
            try:
                writer.write(line)
                await writer.drain()
            except OSError as error:
                self._drop(writer, Disconnected(f"the connection to meshd ended: {error.strerror or error}"))
            return await waiting.future

        try:
            return await asyncio.wait_for(send_and_wait(), timeout)
        except asyncio.TimeoutError:
            raise Timeout(f"no reply to {method} within {timeout:g} s") from None
        finally:
            self._waiting.pop(request_id, None)

    async def _connect(self) -> None:
        reader, writer = await self._open_first()
        self.sinks = {}
        self._writer = writer
        self.spawn(self._read(reader, writer))
        if self.is_closed:
            self._drop(writer, Disconnected("this AsyncMesh is closed"))
        try:
            await self._restore()
        except MeshError as error:
            self._drop(writer, Disconnected(f"the connection to meshd ended: {error}"))
            raise

    async def _open_first(self) -> Any:
        tried = []
        for path in self.paths:
            try:
                return await asyncio.wait_for(asyncio.open_unix_connection(path), CONNECT_SECONDS_MAX)
            except asyncio.TimeoutError:
                tried.append(f"{path} (it does not answer)")
            except OSError as error:
                tried.append(f"{path} ({error.strerror or error})")
        raise NoDaemon(tried)

    def _drop(self, writer: asyncio.StreamWriter, reason: MeshError) -> None:
        if self._writer is not writer:
            return
        self._writer = None
        writer.close()
        waiting, self._waiting = self._waiting, {}
        for one in waiting.values():
            if not one.future.done():
                one.future.set_exception(reason)

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines = _wire.LineReader()
        reason: MeshError = Disconnected("meshd closed the connection")
        try:
            while True:
                data = await reader.read(1 << 18)
                # Names of subscriptions are of one connection: what an older one still tells is not for now.
                if not data or self._writer is not writer:
                    break
                for message in lines.feed(data):
                    reason = self._dispatch(message) or reason
        except OSError as error:
            reason = Disconnected(f"the connection to meshd ended: {error.strerror or error}")
        except MeshError as error:
            log.error("%s; connecting anew", error)
            reason = Disconnected(str(error))
        finally:
            self._drop(writer, reason)
        await self._come_back()

    def _dispatch(self, message: Dict[str, Any]) -> Optional[MeshError]:
        if message.get("method") == "event":
            params = message.get("params")
            sink = self.sinks.get(str(params.get("subscription"))) if isinstance(params, dict) else None
            if sink is not None:
                sink(params)
            return None
        error = message.get("error")
        failure = error_from(error) if isinstance(error, dict) else None
        request_id = message.get("id")
        if request_id is None:
            return failure
        waiting = self._waiting.pop(request_id, None)
        if waiting is not None and not waiting.future.done():
            if failure is not None:
                waiting.future.set_exception(failure)
            else:
                result = message.get("result") or {}
                if waiting.hook is not None:
                    waiting.hook(result)
                waiting.future.set_result(result)
        return None

    async def _come_back(self) -> None:
        pause = RETRY_SECONDS_MIN
        while not self.is_closed and self._writer is None and self._is_wanted():
            try:
                async with self.changing():
                    if self._writer is None:
                        await self._connect()
                return
            except (MeshError, OSError) as error:
                log.debug("not connected yet: %s", error)
            await asyncio.sleep(pause)
            pause = min(pause * 2, RETRY_SECONDS_MAX)
