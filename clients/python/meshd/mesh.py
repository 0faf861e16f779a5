# SPDX-License-Identifier: Apache-2.0
"""The synchronous client."""
import logging
import os
from typing import Any, Callable, Iterable, List, Mapping, Optional, TypeVar, Union

from . import _requests
from ._connection import Connection
from ._requests import Json, Request
from ._responder import Responder
from ._socket_path import socket_candidates
from .areas import Alerts, Notes, Registry, Shared, State
from .errors import Disconnected, MeshError, NoDaemon, Overloaded, RpcError, Timeout
from .events import Event, SubscriptionState
from .search import ANSWER_TOO_LARGE, SearchRequest, shortened
from .subscription import Subscription

log = logging.getLogger("meshd")

EventHandler = TypeVar("EventHandler", bound=Callable[[Event], Any])
SearchHandler = TypeVar("SearchHandler", bound=Callable[[SearchRequest], Any])

TIMEOUT_SECONDS = 30.0
RECONNECT_SECONDS = 5.0


class Mesh:
    """The mesh, through the meshd of this box. Any thread may use it; each process makes its own.

        mesh = Mesh()
        mesh.alert({"what": "smoke"}, priority="high")

        @mesh.on("alert")
        def show(event):
            print(event["source"], event["alert"])

    socket: path of the daemon's socket. Without it MESHD_SOCKET, else /run/meshd/meshd.sock, else
        $XDG_RUNTIME_DIR/meshd/meshd.sock: the first that connects.
    timeout: seconds a call may take beyond what the call itself asks to wait (`wait_ms`, `timeout_ms`).
    wait: seconds to wait for a daemon that is not there yet; NoDaemon then.
    reconnect: seconds later calls wait for a daemon that went away. Subscriptions are taken up again
        whenever it returns, each event handed out once.
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
        self._reconnect = reconnect
        self._subscriptions: List[Subscription] = []
        self._responder = Responder(self._answer)
        self._requests_told: Optional[Subscription] = None
        self._connection = Connection(
            socket_candidates(socket), self._restore, lambda: bool(self._subscriptions), reconnect)
        self.alerts = Alerts(self._do, self._ask)
        self.state = State(self._do, self._ask)
        self.shared = Shared(self._do, self._ask)
        self.registry = Registry(self._do, self._ask)
        self.notes = Notes(self._do, self._ask)
        self._connection.open(wait)

    def __enter__(self) -> "Mesh":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connection, all subscriptions and all serving."""
        self._connection.close()
        for subscription in list(self._subscriptions):
            subscription.close()

    def run(self) -> None:
        """Sleeps while handlers work, until close() or Ctrl-C."""
        try:
            while not self._connection.wait_closed(3600):
                pass
        except KeyboardInterrupt:
            self.close()

    @property
    def is_connected(self) -> bool:
        """True while the daemon is there, as far as is known."""
        return self._connection.is_connected

    def call(self, method: str, **params: Any) -> Json:
        """Any method of ipc/API.md: `mesh.call("mesh.node", node_id="box-1")`."""
        return self._ask(method, params)

    # --- the mesh

    def status(self) -> Json:
        """What this node is and how it is doing."""
        return self._do(_requests.status())

    def stats(self) -> Json:
        """Counters since the daemon's start."""
        return self._do(_requests.stats())

    def nodes(self, state: bool = False) -> List[Json]:
        """All known nodes, this one included; with their state documents if asked."""
        return self._do(_requests.nodes(state))

    def node(self, node_id: str) -> Json:
        """One node, in full; UnknownNode where none has this name."""
        return self._do(_requests.node(node_id))

    def peers(self) -> List[Json]:
        """The nodes linked directly, with round trip time and loss."""
        return self._do(_requests.peers())

    def routes(self) -> List[Json]:
        """The way to each reachable node."""
        return self._do(_requests.routes())

    def topology(self) -> Json:
        """The mesh as a graph: {nodes, links}."""
        return self._do(_requests.topology())

    def discover(self) -> Json:
        """Looks for other nodes now; rejoins the mesh after leave()."""
        return self._do(_requests.discover())

    def ping(self, node_id: str, timeout_ms: Optional[int] = None) -> Json:
        """Asks a node for a sign of life over the mesh: {rtt_ms, …}."""
        return self._do(_requests.ping(node_id, timeout_ms))

    def trace(self, node_id: str, timeout_ms: Optional[int] = None) -> Json:
        """The way to a node: {hops: [{hop, node_id, rtt_ms}], complete}."""
        return self._do(_requests.trace(node_id, timeout_ms))

    def leave(self, restarting: bool = False) -> Json:
        """Says goodbye to the mesh; the local API stays. For administrators."""
        return self._do(_requests.leave(restarting))

    def forget(self, node_id: str) -> Json:
        """Forgets a scrapped node on all nodes. For administrators."""
        return self._do(_requests.forget(node_id))

    def alert(
        self,
        alert: Mapping[str, Any],
        priority: Optional[str] = None,
        *,
        wait_ms: Optional[int] = None,
        dedupe_key: Optional[str] = None,
        ttl_ms: Optional[int] = None,
    ) -> Json:
        """Sends an alert to every node: {id, durable, delivered, pending, listeners, repeated}.

        priority: "low", "normal", "high" or "critical". wait_ms: how long the reply may wait until all
        nodes alive now have it. dedupe_key: raised once while one of the same key is held. ttl_ms: age at
        which all drop it.
        """
        return self._do(_requests.alert(alert, priority, wait_ms, dedupe_key, ttl_ms))

    def search(
        self,
        query: Mapping[str, Any],
        search_type: str,
        *,
        timeout_ms: Optional[int] = None,
        nodes: Union[str, Iterable[str], None] = None,
        limit: Optional[int] = None,
        stream: bool = False,
    ) -> Json:
        """Asks every node alive, or those named: {answers: [{node_id, results}], results (of all, the
        best first), silent, unreachable, complete, truncated}. Returns as soon as all have answered, at `timeout_ms` at the latest.

        search_type: "embedding", "hash" or "metadata" ask the registry; any other the processes that serve
        it (`serve`). An `embedding` in the query may be anything `registry.put` takes. limit: results of each
        node, and of all. stream: each answer is also told at once, as event "search.answer";
        with one search at a time it is known whose.
        """
        return self._do(_requests.search(query, search_type, timeout_ms, nodes, limit, stream))

    # --- events

    def subscribe(
        self,
        *kinds: str,
        since: Optional[str] = None,
        replay: bool = False,
        **filters: Any,
    ) -> Subscription:
        """Events of some kinds or groups ("alert", "node", "state.changed" …), of all where none is named,
        to iterate over.

        since: begins behind this cursor. replay: begins with all that is held. filters: `priority` (alerts
        of at least this one), `type` (of registry events) and what else events.subscribe takes.
        """
        return self._add(SubscriptionState(kinds, since, replay, filters))

    def on(
        self,
        *kinds: str,
        since: Optional[str] = None,
        replay: bool = False,
        **filters: Any,
    ) -> Callable[[EventHandler], EventHandler]:
        """Decorator: the function is called with each event, one after the other, in a thread of its own.
        What it raises is logged. Params as for `subscribe`.

        Alerts raised while the connection was gone come when it is back: `event["replayed"]` tells.
        """
        def register(handler: EventHandler) -> EventHandler:
            self._add(SubscriptionState(kinds, since, replay, filters))._handle_with(handler)
            return handler

        return register

    def serve(
        self, search_type: str, handler: Optional[SearchHandler] = None
    ) -> Union[SearchHandler, Callable[[SearchHandler], SearchHandler]]:
        """Answers searches of a type: the handler gets a SearchRequest and returns results (a list, one
        object, or None for none; a `score` from 0 to 1 is what answers are ranked by). Without `handler` a
        decorator. Requests of one type are worked off one after the other, in a thread of their own.
        """
        if handler is None:
            return lambda function: self.serve(search_type, function)  # type: ignore[return-value]
        self._responder.serve(search_type, handler)
        with self._connection.changing:
            if self._requests_told is None:
                state = SubscriptionState(["search.request"], resumes=False)
                told = self._add(state)
                told._handle_with(self._responder.take)
                self._requests_told = told
            self._serve_now()
        return handler

    def unserve(self, search_type: str) -> None:
        """Answers searches of a type no longer."""
        self._responder.remove(search_type)
        self._serve_now()

    # --- inside

    def _do(self, request: Request) -> Any:
        return _requests.pick(self._ask(request.method, request.params), request)

    def _ask(self, method: str, params: Mapping[str, Any]) -> Json:
        return self._connection.call(method, params, self.timeout + _requests.wait_seconds(params))

    def _answer(self, request: SearchRequest, results: List[Any]) -> None:
        while True:
            try:
                self.call("search.answer", search=request.search, results=results)
                return
            except RpcError as error:
                if error.code != ANSWER_TOO_LARGE or not results:
                    raise
            results = shortened(results)

    def _serve_now(self) -> None:
        self._connection.call("search.serve", {"types": self._responder.types}, self.timeout)

    def _add(self, state: SubscriptionState) -> Subscription:
        subscription = Subscription(state, self._fetch, self._forget)
        with self._connection.changing:
            self._reach()
            try:
                self._subscribe(subscription)
            except Disconnected:
                self._reach()
                self._subscribe(subscription)
            self._subscriptions.append(subscription)
        return subscription

    def _reach(self) -> None:
        if not self._connection.is_connected:
            self._connection.open(self._reconnect)

    def _subscribe(self, subscription: Subscription) -> None:
        def hook(result: Json) -> None:
            subscription._started(result)
            self._connection.route(str(result.get("subscription")), subscription._take)

        self._connection.exchange("events.subscribe", subscription._params(), self.timeout, hook)

    def _restore(self) -> None:
        """On a new connection: takes the subscriptions up where they were."""
        for subscription in list(self._subscriptions):
            try:
                self._subscribe(subscription)
            except (Disconnected, Timeout, Overloaded):
                raise
            except RpcError as error:
                self._subscriptions.remove(subscription)
                subscription._fail(error)
        if self._responder.types:
            try:
                self._connection.exchange("search.serve", {"types": self._responder.types}, self.timeout)
            except (Disconnected, Timeout, Overloaded):
                raise
            except RpcError as error:
                log.error("searches are not answered any more: %s", error)

    def _fetch(self, subscription: Subscription) -> bool:
        """Asks for what a subscription did not take in time; False where the daemon is away."""
        with self._connection.changing:
            if not subscription._state.is_behind:
                return True
            try:
                self._end(subscription)
                self._subscribe(subscription)
                return True
            except (NoDaemon, Disconnected, Timeout, Overloaded):
                return False

    def _forget(self, subscription: Subscription) -> None:
        with self._connection.changing:
            if subscription in self._subscriptions:
                self._subscriptions.remove(subscription)
            try:
                self._end(subscription)
            except MeshError:
                pass  # gone with its connection

    def _end(self, subscription: Subscription) -> None:
        name = subscription._name
        if name is not None:
            self._connection.unroute(name)
            self._connection.exchange("events.unsubscribe", {"subscription": name}, self.timeout)

