# SPDX-License-Identifier: Apache-2.0
"""The areas of the asyncio client: `mesh.alerts`, `mesh.state`, `mesh.shared`, `mesh.registry`,
`mesh.notes`. Names and units are those of ipc/API.md; what is not given is the daemon's default."""
from typing import Any, AsyncIterator, Awaitable, Callable, Iterable, List, Mapping, Optional, Union

from . import _requests
from ._requests import Json, Request
from .embedding import Embedding

Do = Callable[[Request], Awaitable[Any]]
Call = Callable[[str, Mapping[str, Any]], Awaitable[Json]]


class _Area:
    def __init__(self, do: Do, call: Call) -> None:
        self._do = do
        self._call = call

    async def _pages(self, request: Request, limit: Optional[int]) -> AsyncIterator[Any]:
        """The items of a listing, page by page."""
        params = dict(request.params)
        told = 0
        while limit is None or told < limit:
            params["limit"] = _requests.PAGE_MAX if limit is None else min(_requests.PAGE_MAX, limit - told)
            result = await self._call(request.method, params)
            page = _requests.pick(result, request)
            for item in page:
                yield item
            told += len(page)
            params["after"] = result.get("next")
            if params["after"] is None:
                return


class AsyncAlerts(_Area):
    """Alerts held here. To raise one: `mesh.alert(…)`."""

    async def list(
        self,
        node_id: Optional[str] = None,
        priority: Optional[str] = None,
        since_ms: Optional[int] = None,
        limit: Optional[int] = 100,
    ) -> List[Json]:
        """Newest first; of one author, of at least a priority, of at most an age. limit None: all."""
        request = _requests.alerts_page(node_id, priority, since_ms, 1)
        return [item async for item in self._pages(request, limit)]

    async def get(self, alert_id: str) -> Json:
        """One alert; UnknownAlert where it is not held (any more)."""
        return await self._do(_requests.alert_by_id(alert_id))


class AsyncState(_Area):
    """The state documents: each box changes its own, all can read it."""

    async def get(self, node_id: Optional[str] = None) -> Json:
        """The document of a node; of this one where none is named."""
        return await self._do(_requests.state_get(node_id))

    async def update(self, patch: Optional[Mapping[str, Any]] = None, activity: Optional[str] = None) -> Json:
        """Merges a patch into this node's document (RFC 7396: None deletes a member), sets its activity
        (ACTIVE, IDLE or PROCESSING), or both. Returns the document after it."""
        return await self._do(_requests.state_update(patch, activity))


class AsyncShared(_Area):
    """One object that every box may change, member by member; of two changes to one, the newer wins."""

    async def get(self, key: Optional[str] = None, default: Any = None) -> Any:
        """All of it, or one member; `default` where there is no such member."""
        state = await self._do(_requests.shared_get(key))
        return state if key is None else state.get(key, default)

    async def update(self, patch: Mapping[str, Any]) -> Json:
        """Merges a patch (None deletes). Returns all members after it, None where they are too large."""
        return await self._do(_requests.shared_update(patch))

    async def delete(self, key: str) -> None:
        """Deletes a member, everywhere."""
        await self._do(_requests.shared_update({key: None}))


class AsyncRegistry(_Area):
    """What the boxes have seen, held by all of them: per hash one sighting of each node."""

    async def put(
        self,
        hash: str,
        type: str,
        embedding: Optional[Embedding] = None,
        metadata: Optional[Mapping[str, Any]] = None,
        *,
        space: Optional[str] = None,
        ttl_ms: Optional[int] = None,
        timestamp_ms: Optional[int] = None,
        durable: bool = False,
    ) -> Json:
        """Tells all nodes what this one has seen. Returns {stored, durable}.

        embedding: see `meshd.encode_embedding`. space: name of the model that made it, "default" where not
        given; one type and space has embeddings of one dimension. durable: wait for the disk.
        """
        entry = _requests.entry(hash, type, embedding, space, metadata, ttl_ms, timestamp_ms)
        return await self._do(_requests.put(entry, durable))

    async def put_many(self, entries: Iterable[Mapping[str, Any]], durable: bool = False) -> int:
        """Many at once, each a mapping with `hash`, `type` and what `put` takes. Returns how many were
        stored. They go in several calls where they are many; RpcError says which entry of its call is
        refused, and nothing of that call was stored."""
        stored = 0
        for request in _requests.put_many(entries, durable):
            stored += (await self._do(request))["stored"]
        return stored

    async def get(self, hash: str, embedding: bool = False) -> List[Json]:
        """All sightings of a hash, newest first; UnknownEntry where no node has seen it. `embedding`: with
        the embeddings, as lists of numbers that go back in bit by bit."""
        request = _requests.registry_get(hash, embedding)
        result = await self._call(request.method, request.params)
        entries: List[Json] = _requests.pick(result, request)
        while result.get("next") is not None:
            result = await self._call(request.method, {**request.params, "after": result["next"]})
            entries += _requests.pick(result, request)
        return entries

    async def delete(self, hash: str, node: Optional[str] = None) -> int:
        """Deletes the sightings of a hash, of all nodes or of one, everywhere. Returns how many."""
        return await self._do(_requests.registry_delete(hash, node))

    async def list(
        self,
        type: Optional[str] = None,
        node: Optional[str] = None,
        prefix: Optional[str] = None,
        max_age_ms: Optional[int] = None,
        limit: Optional[int] = None,
        embedding: bool = False,
    ) -> List[Json]:
        """Entries by hash and node; all that fit where there is no limit. `iterate` takes less memory."""
        return [entry async for entry in self.iterate(type, node, prefix, max_age_ms, limit, embedding)]

    def iterate(
        self,
        type: Optional[str] = None,
        node: Optional[str] = None,
        prefix: Optional[str] = None,
        max_age_ms: Optional[int] = None,
        limit: Optional[int] = None,
        embedding: bool = False,
    ) -> AsyncIterator[Json]:
        """As `list`, asking page by page."""
        request = _requests.registry_list(type, node, prefix, max_age_ms, embedding)
        return self._pages(request, limit)

    async def nearest(
        self,
        embedding: Embedding,
        k: Optional[int] = None,
        type: Optional[str] = None,
        *,
        space: Optional[str] = None,
        nodes: Union[str, Iterable[str], None] = None,
        max_age_ms: Optional[int] = None,
        with_embedding: bool = False,
    ) -> List[Json]:
        """The k entries most alike by cosine, the best first: [{hash, node, score, …}]. Exact. `nodes`:
        only sightings of these."""
        request = _requests.nearest(embedding, space, k, type, nodes, max_age_ms, with_embedding)
        return await self._do(request)

    async def nearest_many(
        self,
        embeddings: Iterable[Embedding],
        k: Optional[int] = None,
        type: Optional[str] = None,
        *,
        space: Optional[str] = None,
        nodes: Union[str, Iterable[str], None] = None,
        max_age_ms: Optional[int] = None,
        with_embedding: bool = False,
    ) -> List[List[Json]]:
        """As `nearest` for up to 64 embeddings of one dimension at once, which takes less time than one by
        one. Returns the matches of each."""
        request = _requests.nearest_many(embeddings, space, k, type, nodes, max_age_ms, with_embedding)
        return await self._do(request)


class AsyncNotes(_Area):
    """Messages to one box or all, not stored. Received by `@mesh.on("note")`."""

    async def send(
        self, node: str, note: Mapping[str, Any], ack: bool = True, timeout_ms: Optional[int] = None
    ) -> Json:
        """Sends a note to one node. `ack`: wait until it has it, for at most `timeout_ms`: Undeliverable
        or NotAcknowledged then, with the reason. A note is an object."""
        return await self._do(_requests.note_send(node, note, ack, timeout_ms))

    async def broadcast(self, topic: str, note: Mapping[str, Any]) -> Json:
        """Sends a note to all nodes, at most once each."""
        return await self._do(_requests.note_broadcast(topic, note))

