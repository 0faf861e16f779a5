# SPDX-License-Identifier: Apache-2.0
"""Each call as method and params, once for the synchronous and the asyncio client."""
import logging
from typing import Any, Dict, Iterable, List, Mapping, NamedTuple, Optional, Union

from .embedding import Embedding, decode_embedding, encode_embedding

log = logging.getLogger("meshd")

Json = Dict[str, Any]
PAGE_MAX = 1000


class Request(NamedTuple):
    """A call; `pick` names the member of the result that is the answer (None: all of it)."""

    method: str
    params: Json
    pick: Optional[str] = None


def given(**params: Any) -> Json:
    """Only what was given: the daemon knows the defaults."""
    return {name: value for name, value in params.items() if value is not None}


def wait_seconds(params: Mapping[str, Any]) -> float:
    """How long the daemon itself may take, as the caller asked."""
    waits = [params.get(name) for name in ("wait_ms", "timeout_ms")]
    return max([float(wait) for wait in waits if isinstance(wait, (int, float))], default=0.0) / 1000


def pick(result: Json, request: Request) -> Any:
    """The part of a result that a call returns; embeddings of entries as lists of numbers."""
    if request.method.startswith("registry."):
        for entries in (result.get("entries"), result.get("matches"), *_groups(result)):
            decode_entries(entries or [])
        if result.get("truncated"):
            log.warning("%s: the reply was too large, and the last matches are missing", request.method)
        if request.pick == "results":
            return _groups(result)
    return result if request.pick is None else result.get(request.pick)


def _groups(result: Json) -> List[List[Json]]:
    """The matches of each embedding, where several were asked."""
    return [group.get("matches") or [] for group in result.get("results") or []]


def decode_entries(entries: List[Any]) -> None:
    """Replaces the embeddings of entries by lists of numbers."""
    for entry in entries:
        if isinstance(entry, dict) and isinstance(entry.get("embedding"), dict):
            entry["embedding"] = decode_embedding(entry["embedding"])


# --- mesh


def status() -> Request:
    return Request("mesh.status", {})


def stats() -> Request:
    return Request("mesh.stats", {})


def nodes(state: bool) -> Request:
    return Request("mesh.nodes", {"state": True} if state else {}, "nodes")


def node(node_id: str) -> Request:
    return Request("mesh.node", {"node_id": node_id})


def peers() -> Request:
    return Request("mesh.peers", {}, "peers")


def routes() -> Request:
    return Request("mesh.routes", {}, "routes")


def topology() -> Request:
    return Request("mesh.topology", {})


def discover() -> Request:
    return Request("mesh.discover", {})


def ping(node_id: str, timeout_ms: Optional[int]) -> Request:
    return Request("mesh.ping", given(node=node_id, timeout_ms=timeout_ms))


def trace(node_id: str, timeout_ms: Optional[int]) -> Request:
    return Request("mesh.trace", given(node=node_id, timeout_ms=timeout_ms))


def leave(restarting: bool) -> Request:
    return Request("mesh.leave", {"restarting": True} if restarting else {})


def forget(node_id: str) -> Request:
    return Request("mesh.forget", {"node_id": node_id})


# --- alerts


def alert(
    what: Mapping[str, Any],
    priority: Optional[str],
    wait_ms: Optional[int],
    dedupe_key: Optional[str],
    ttl_ms: Optional[int],
) -> Request:
    params = given(priority=priority, wait_ms=wait_ms, dedupe_key=dedupe_key, ttl_ms=ttl_ms)
    return Request("alerts.raise", {"alert": dict(what), **params})


def alerts_page(node_id: Optional[str], priority: Optional[str], since_ms: Optional[int], limit: int) -> Request:
    params = given(node_id=node_id, priority=priority, since_ms=since_ms, limit=limit)
    return Request("alerts.list", params, "alerts")


def alert_by_id(alert_id: str) -> Request:
    return Request("alerts.get", {"id": alert_id})


# --- state


def state_get(node_id: Optional[str]) -> Request:
    return Request("state.get", given(node_id=node_id), "state")


def state_update(patch: Optional[Mapping[str, Any]], activity: Optional[str]) -> Request:
    return Request("state.update", given(patch=patch, activity=activity), "state")


def shared_get(key: Optional[str]) -> Request:
    return Request("state.get", given(scope="mesh", key=key), "state")


def shared_update(patch: Mapping[str, Any]) -> Request:
    return Request("state.update", {"scope": "mesh", "patch": dict(patch)}, "state")


# --- registry


def entry(
    hash: str,
    type: str,
    embedding: Optional[Embedding],
    space: Optional[str],
    metadata: Optional[Mapping[str, Any]],
    ttl_ms: Optional[int],
    timestamp_ms: Optional[int],
) -> Json:
    """One entry as registry.put takes it."""
    coded = None if embedding is None else encode_embedding(embedding)
    return given(hash=hash, type=type, embedding=coded, space=None if coded is None else space or "default",
                 metadata=metadata, ttl_ms=ttl_ms, timestamp_ms=timestamp_ms)


def put(what: Json, durable: bool) -> Request:
    return Request("registry.put", {**what, "durable": True} if durable else what)


def put_many(entries: Iterable[Mapping[str, Any]], durable: bool) -> List[Request]:
    """As many calls as it takes; each is stored whole or not at all."""
    coded = []
    for one in entries:
        one = dict(one)
        if one.get("embedding") is not None:
            one["embedding"] = encode_embedding(one["embedding"])
            one.setdefault("space", "default")
        coded.append(given(**one))
    # A request is at most 1 MiB: a full entry has 8 KiB of metadata and 11 KiB of embedding.
    requests: List[Request] = []
    batch: List[Json] = []
    size = 0
    for one in coded:
        bytes_of_one = len(repr(one).encode("utf-8"))
        if batch and (size + bytes_of_one > 700_000 or len(batch) == PAGE_MAX):
            requests.append(put({"entries": batch}, durable))
            batch, size = [], 0
        batch.append(one)
        size += bytes_of_one
    if batch:
        requests.append(put({"entries": batch}, durable))
    return requests


def registry_get(hash: str, embedding: bool) -> Request:
    return Request("registry.get", {"hash": hash, "embedding": embedding}, "entries")


def registry_delete(hash: str, node: Optional[str]) -> Request:
    return Request("registry.delete", given(hash=hash, node=node), "deleted")


def registry_list(
    type: Optional[str],
    node: Optional[str],
    prefix: Optional[str],
    max_age_ms: Optional[int],
    embedding: bool,
) -> Request:
    params = given(type=type, node=node, prefix=prefix, max_age_ms=max_age_ms)
    return Request("registry.list", {**params, "embedding": True} if embedding else params, "entries")


def nearest(
    embedding: Embedding,
    space: Optional[str],
    k: Optional[int],
    type: Optional[str],
    nodes: Union[str, Iterable[str], None],
    max_age_ms: Optional[int],
    with_embedding: bool,
) -> Request:
    params = _nearest(space, k, type, nodes, max_age_ms, with_embedding)
    return Request("registry.nearest", {"embedding": encode_embedding(embedding), **params}, "matches")


def nearest_many(
    embeddings: Iterable[Embedding],
    space: Optional[str],
    k: Optional[int],
    type: Optional[str],
    nodes: Union[str, Iterable[str], None],
    max_age_ms: Optional[int],
    with_embedding: bool,
) -> Request:
    params = _nearest(space, k, type, nodes, max_age_ms, with_embedding)
    coded = [encode_embedding(embedding) for embedding in embeddings]
    return Request("registry.nearest", {"embeddings": coded, **params}, "results")


def _nearest(
    space: Optional[str],
    k: Optional[int],
    type: Optional[str],
    nodes: Union[str, Iterable[str], None],
    max_age_ms: Optional[int],
    with_embedding: bool,
) -> Json:
    return given(space=space or "default", k=k, type=type, nodes=_names(nodes), max_age_ms=max_age_ms,
                 with_embedding=with_embedding or None)


def _names(nodes: Union[str, Iterable[str], None]) -> Optional[List[str]]:
    """One name is a list of one, not of its letters."""
    if nodes is None:
        return None
    return [nodes] if isinstance(nodes, str) else list(nodes)


# --- search


def search(
    query: Mapping[str, Any],
    search_type: str,
    timeout_ms: Optional[int],
    nodes: Union[str, Iterable[str], None],
    limit: Optional[int],
    stream: bool,
) -> Request:
    query = dict(query)
    if query.get("embedding") is not None:
        query["embedding"] = encode_embedding(query["embedding"])
        query.setdefault("space", "default")
    params = given(timeout_ms=timeout_ms, nodes=_names(nodes), limit=limit, stream=stream or None)
    return Request("search.query", {"query": query, "search_type": search_type, **params})


# --- notes


def note_send(node: str, note: Mapping[str, Any], ack: bool, timeout_ms: Optional[int]) -> Request:
    return Request("notes.send", given(node=node, note=dict(note), ack=ack, timeout_ms=timeout_ms))


def note_broadcast(topic: str, note: Mapping[str, Any]) -> Request:
    return Request("notes.broadcast", {"topic": topic, "note": dict(note)})
