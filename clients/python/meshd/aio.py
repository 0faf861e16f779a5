# SPDX-License-Identifier: Apache-2.0
"""The asyncio client: `AsyncMesh`, as `Mesh` with `await`."""
import asyncio
import inspect
import logging
import os
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, TypeVar, Union

from . import _requests
from ._aio_connection import AsyncConnection
from ._requests import Json, Request
from ._socket_path import socket_candidates
from .aio_areas import AsyncAlerts, AsyncNotes, AsyncRegistry, AsyncShared, AsyncState
from .aio_subscription import AsyncSubscription
from .errors import Disconnected, MeshError, NoDaemon, Overloaded, RpcError, Timeout
from .events import Event, SubscriptionState
from .mesh import RECONNECT_SECONDS, TIMEOUT_SECONDS
from .search import ANSWER_TOO_LARGE, SearchRequest, results_of, shortened

log = logging.getLogger("meshd")

#: Searches answered at once; more wait, and their askers give up in the end.
ANSWERING_MAX = 64

EventHandler = TypeVar("EventHandler", bound=Callable[[Event], Any])
SearchHandler = TypeVar("SearchHandler", bound=Callable[[SearchRequest], Any])


class AsyncMesh:
    """The mesh, through the meshd of this box, for one event loop.

        async with AsyncMesh() as mesh:
            await mesh.alert({"what": "smoke"}, priority="high")
            async for event in await mesh.subscribe("alert"):
                print(event["source"], event["alert"])

    Params as for `Mesh`; nothing is connected before `connect()` or `async with`. Handlers may be plain
    functions or coroutine functions.
    """

    def __init__(
        self,
        socket: Union[str, "os.PathLike[str]", None] = None,
        *,
        timeout: float = TIMEOUT_SECONDS,
        wait: float = 0.0,
        reconnect: float = RECONNECT_SECONDS,
    ) -> None:
        self.timeout = timeout
        self._wait = wait
        self._reconnect = reconnect
        self._subscriptions: List[AsyncSubscription] = []
        self._handlers: Dict[str, Callable[[SearchRequest], Any]] = {}
        self._requests_told: Optional[AsyncSubscription] = None
        self._answering: "set[asyncio.Task[None]]" = set()
        #: Registrations by decorator: made at connect, or by the next call.
        self._pending: List[Callable[[], Any]] = []
        self._connection = AsyncConnection(
            socket_candidates(socket), self._restore, lambda: bool(self._subscriptions))
        self.alerts = AsyncAlerts(self._do, self._ask)
        self.state = AsyncState(self._do, self._ask)
        self.shared = AsyncShared(self._do, self._ask)
        self.registry = AsyncRegistry(self._do, self._ask)
        self.notes = AsyncNotes(self._do, self._ask)

    async def __aenter__(self) -> "AsyncMesh":
        await self.connect()
        return self

    async def __aexit__(self, *_: Any) -> None:
        await self.close()

    async def connect(self) -> None:
        """Connects, and registers what `on` and `serve` named before; NoDaemon where none answers."""
        await self._connection.open(self._wait)
        await self._settle()

    async def close(self) -> None:
        """Ends the connection, all subscriptions and all serving."""
        await self._connection.close()
        for task in list(self._answering):
            task.cancel()
        for subscription in list(self._subscriptions):
            await subscription.close()

    async def run(self) -> None:
        """Waits while handlers work, until close()."""
        await self._settle()
        await self._connection.wait_closed()

    @property
    def is_connected(self) -> bool:
        """True while the daemon is there, as far as is known."""
        return self._connection.is_connected

    async def call(self, method: str, **params: Any) -> Json:
        """Any method of ipc/API.md: `await mesh.call("mesh.node", node_id="box-1")`."""
        return await self._ask(method, params)

    # --- the mesh

    async def status(self) -> Json:
        """What this node is and how it is doing."""
        return await self._do(_requests.status())

    async def stats(self) -> Json:
        """Counters since the daemon's start."""
        return await self._do(_requests.stats())

    async def nodes(self, state: bool = False) -> List[Json]:
        """All known nodes, this one included; with their state documents if asked."""
        return await self._do(_requests.nodes(state))

    async def node(self, node_id: str) -> Json:
        """One node, in full; UnknownNode where none has this name."""
        return await self._do(_requests.node(node_id))

    async def peers(self) -> List[Json]:
        """The nodes linked directly, with round trip time and loss."""
        return await self._do(_requests.peers())

    async def routes(self) -> List[Json]:
        """The way to each reachable node."""
        return await self._do(_requests.routes())

    async def topology(self) -> Json:
        """The mesh as a graph: {nodes, links}."""
        return await self._do(_requests.topology())

    async def discover(self) -> Json:
        """Looks for other nodes now; rejoins the mesh after leave()."""
        return await self._do(_requests.discover())

    async def ping(self, node_id: str, timeout_ms: Optional[int] = None) -> Json:
        """Asks a node for a sign of life over the mesh: {rtt_ms, …}."""
        return await self._do(_requests.ping(node_id, timeout_ms))

    async def trace(self, node_id: str, timeout_ms: Optional[int] = None) -> Json:
        """The way to a node: {hops: [{hop, node_id, rtt_ms}], complete}."""
        return await self._do(_requests.trace(node_id, timeout_ms))

    async def leave(self, restarting: bool = False) -> Json:
        """Says goodbye to the mesh; the local API stays. For administrators."""
        return await self._do(_requests.leave(restarting))

    async def forget(self, node_id: str) -> Json:
        """Forgets a scrapped node on all nodes. For administrators."""
        return await self._do(_requests.forget(node_id))

    async def alert(
        self,
        alert: Mapping[str, Any],
        priority: Optional[str] = None,
        *,
        wait_ms: Optional[int] = None,
        dedupe_key: Optional[str] = None,
        ttl_ms: Optional[int] = None,
    ) -> Json:
        """Sends an alert to every node; see `Mesh.alert`."""
        return await self._do(_requests.alert(alert, priority, wait_ms, dedupe_key, ttl_ms))

    async def search(
        self,
        query: Mapping[str, Any],
        search_type: str,
        *,
        timeout_ms: Optional[int] = None,
        nodes: Union[str, Iterable[str], None] = None,
        limit: Optional[int] = None,
        stream: bool = False,
    ) -> Json:
        """Asks every node alive, or those named; see `Mesh.search`."""
        return await self._do(_requests.search(query, search_type, timeout_ms, nodes, limit, stream))

    # --- events

    async def subscribe(
        self, *kinds: str, since: Optional[str] = None, replay: bool = False, **filters: Any
    ) -> AsyncSubscription:
        """Events to iterate over by `async for`; see `Mesh.subscribe`."""
        await self._settle()
        return await self._add(SubscriptionState(kinds, since, replay, filters))

    def on(
        self, *kinds: str, since: Optional[str] = None, replay: bool = False, **filters: Any
    ) -> Callable[[EventHandler], EventHandler]:
        """Decorator: the function or coroutine function is called with each event, one after the other.
        Takes effect with connect(), or before the next call on this AsyncMesh."""
        def register(handler: EventHandler) -> EventHandler:
            async def start() -> None:
                subscription = await self._add(SubscriptionState(kinds, since, replay, filters))
                subscription._handle_with(handler)

            self._soon(start)
            return handler

        return register

    def serve(
        self, search_type: str, handler: Optional[SearchHandler] = None
    ) -> Union[SearchHandler, Callable[[SearchHandler], SearchHandler]]:
        """Answers searches of a type, by a function or a coroutine function; see `Mesh.serve`. Takes effect
        like `on`. Requests are worked off side by side."""
        if handler is None:
            return lambda function: self.serve(search_type, function)  # type: ignore[return-value]
        self._handlers[search_type] = handler
        self._soon(self._serve)
        return handler

    async def unserve(self, search_type: str) -> None:
        """Answers searches of a type no longer."""
        self._handlers.pop(search_type, None)
        await self._ask("search.serve", {"types": sorted(self._handlers)})

    # --- inside

    async def _do(self, request: Request) -> Any:
        return _requests.pick(await self._ask(request.method, request.params), request)

    async def _ask(self, method: str, params: Mapping[str, Any]) -> Json:
        await self._settle()
        timeout = self.timeout + _requests.wait_seconds(params)
        return await self._connection.call(method, params, timeout, self._reconnect)

    def _soon(self, start: Callable[[], Any]) -> None:
        self._pending.append(start)
        if self._connection.is_connected:
            self._connection.spawn(self._settle())

    async def _settle(self) -> None:
        """Makes the registrations that are pending; the calls behind them find them made."""
        if not self._pending:
            if self._connection.settling is not None:
                async with self._connection.settling:
                    pass
            return
        async with self._connection.settle_lock():
            while self._pending:
                try:
                    await self._pending[0]()
                except (ConnectionError, Timeout):
                    raise  # it stays, for the next try
                except MeshError:
                    self._pending.pop(0)
                    raise
                self._pending.pop(0)

    async def _serve(self) -> None:
        if self._requests_told is None:
            self._requests_told = await self._add(SubscriptionState(["search.request"], resumes=False))
            self._requests_told._handle_with(self._take_request)
        await self._connection.call(
            "search.serve", {"types": sorted(self._handlers)}, self.timeout, self._reconnect)

    async def _take_request(self, event: Event) -> None:
        if len(self._answering) >= ANSWERING_MAX:
            await asyncio.wait(self._answering, return_when=asyncio.FIRST_COMPLETED)
        request = SearchRequest(event.data)
        handler = self._handlers.get(request.search_type)
        if handler is not None and not request.is_late:
            task = asyncio.ensure_future(self._answer(request, handler))
            self._answering.add(task)
            task.add_done_callback(self._answering.discard)

    async def _answer(self, request: SearchRequest, handler: Callable[[SearchRequest], Any]) -> None:
        try:
            answer = handler(request)
            results = results_of(await answer if inspect.isawaitable(answer) else answer)
        except Exception:  # silence would make the asker wait
            log.exception("the handler of searches for %s failed", request.search_type)
            results = []
        try:
            await self._send_answer(request, results)
        except Disconnected as error:
            log.debug("%s not answered: %s", request, error)
        except (MeshError, TypeError, ValueError) as error:
            log.warning("%s not answered: %s", request, error)

    async def _send_answer(self, request: SearchRequest, results: List[Any]) -> None:
        while True:
            try:
                await self.call("search.answer", search=request.search, results=results)
                return
            except RpcError as error:
                if error.code != ANSWER_TOO_LARGE or not results:
                    raise
            results = shortened(results)

    async def _add(self, state: SubscriptionState) -> AsyncSubscription:
        subscription = AsyncSubscription(state, self._fetch, self._forget)
        async with self._connection.changing():
            await self._connection.reach(self._reconnect)
            try:
                await self._subscribe(subscription)
            except Disconnected:
                await self._connection.reach(self._reconnect)
                await self._subscribe(subscription)
            self._subscriptions.append(subscription)
        return subscription

    async def _subscribe(self, subscription: AsyncSubscription) -> None:
        def hook(result: Json) -> None:
            subscription._started(result)
            self._connection.sinks[str(result.get("subscription"))] = subscription._take

        params = subscription._state.params()
        await self._connection.exchange("events.subscribe", params, self.timeout, hook)

    async def _restore(self) -> None:
        for subscription in list(self._subscriptions):
            try:
                await self._subscribe(subscription)
            except (Disconnected, Timeout, Overloaded):
                raise
            except RpcError as error:
                self._subscriptions.remove(subscription)
                subscription._fail(error)
        if self._handlers and self._requests_told is not None:
            types = {"types": sorted(self._handlers)}
            try:
                await self._connection.exchange("search.serve", types, self.timeout)
            except (Disconnected, Timeout, Overloaded):
                raise
            except RpcError as error:
                log.error("searches are not answered any more: %s", error)

    async def _fetch(self, subscription: AsyncSubscription) -> bool:
        async with self._connection.changing():
            if not subscription._state.is_behind:
                return True
            try:
                await self._end(subscription)
                await self._subscribe(subscription)
                return True
            except (NoDaemon, Disconnected, Timeout, Overloaded):
                return False

    async def _forget(self, subscription: AsyncSubscription) -> None:
        async with self._connection.changing():
            if subscription in self._subscriptions:
                self._subscriptions.remove(subscription)
            try:
                await self._end(subscription)
            except MeshError:
                pass  # gone with its connection

    async def _end(self, subscription: AsyncSubscription) -> None:
        name = subscription._name
        if name is not None:
            self._connection.sinks.pop(name, None)
            await self._connection.exchange("events.unsubscribe", {"subscription": name}, self.timeout)
