# SPDX-License-Identifier: Apache-2.0
"""The predecessor's values: message types, node states, peers, messages, registry entries."""
import time
from dataclasses import asdict, dataclass, field
from enum import IntEnum
from typing import Any, Dict, List, Optional


class MessageType(IntEnum):
    """Kinds of messages; the longer names mean the same."""

    HEARTBEAT = 1
    DISCOVERY = 2
    STATE_SYNC = 3
    SEARCH = 4
    ALERT = 5
    REGISTRY = 6
    BROADCAST = 7
    ACK = 8

    PEER_DISCOVERY = 2
    NODE_STATE_SYNC = 3
    SEARCH_QUERY = 4
    HASH_REGISTRY = 6
    ROUTE_BROADCAST = 7


class NodeState(IntEnum):
    """What a node is doing; OFFLINE where it is not alive."""

    ACTIVE = 1
    IDLE = 2
    PROCESSING = 3
    OFFLINE = 4


@dataclass
class PeerInfo:
    """Another node, as this one sees it. What is not known is None."""

    node_id: str
    ip_address: str = ""
    port: int = 0
    state: NodeState = NodeState.ACTIVE
    #: Wall time of its last sign of life.
    last_heartbeat: float = 0.0
    #: 1 where it is linked directly.
    hops: Optional[int] = None
    rtt_ms: Optional[float] = None
    #: Its state document; from there come the members below.
    document: Dict[str, Any] = field(default_factory=dict)
    embedding_dim: Optional[int] = None
    reid_model: Optional[str] = None
    yolo_model: Optional[str] = None
    processing_fps: Optional[float] = None
    battery_level: Optional[float] = None

    def is_alive(self, timeout: Optional[float] = None) -> bool:
        """Whether the mesh holds it for alive. A timeout is taken for old callers: the daemon knows
        better, and in a second or two."""
        return self.state is not NodeState.OFFLINE

    def to_dict(self) -> Dict[str, Any]:
        """All of it as a dictionary."""
        return asdict(self)


def peer_of(node: Dict[str, Any]) -> PeerInfo:
    """The peer for one element of mesh.nodes."""
    ip_address, _, port = (node.get("address") or "").rpartition(":")
    document = node.get("state") or {}
    activity = node.get("activity") if node.get("status") == "alive" else "OFFLINE"
    state = NodeState[activity] if activity in NodeState.__members__ else NodeState.ACTIVE
    return PeerInfo(
        node_id=node["node_id"],
        ip_address=ip_address.strip("[]"),
        port=int(port) if port.isdigit() else 0,
        state=state,
        last_heartbeat=time.time() - (node.get("last_seen_ms") or 0) / 1000,
        hops=node.get("hops"),
        rtt_ms=node.get("rtt_ms"),
        document=document,
        embedding_dim=document.get("embedding_dim"),
        reid_model=document.get("reid_model"),
        yolo_model=document.get("yolo_model"),
        processing_fps=document.get("processing_fps", document.get("fps")),
        battery_level=document.get("battery_level"),
    )


@dataclass
class MeshMessage:
    """What handlers get. `payload` by type:

    ALERT: {alert, priority, timestamp}. SEARCH: {query, search_type, timestamp}. STATE_SYNC: {node_id, state,
    timestamp}. REGISTRY: {action ("put" or "deleted"), entries: {hash: {hash_value, node_id, data_type,
    timestamp}}}. DISCOVERY: {node_id, ip_address, port, timestamp}. BROADCAST: the note, an object; one that
    is no object is {note}.
    """

    message_type: MessageType
    source_node_id: str
    timestamp: float = field(default_factory=time.time)
    sequence_number: int = 0
    payload: Dict[str, Any] = field(default_factory=dict)
    #: Node ids, the author first, this node last, where it is known.
    routing_path: List[str] = field(default_factory=list)


@dataclass
class HashRegistryEntry:
    """A node's sighting of a hash."""

    hash_value: str
    node_id: str
    #: Wall time when it was seen.
    timestamp: float
    data_type: str
    #: Of length 1: the mesh keeps directions.
    embedding: Optional[List[float]] = None
    metadata: Dict[str, Any] = field(default_factory=dict)


def entry_of(entry: Dict[str, Any]) -> HashRegistryEntry:
    """The entry for one of registry.get, its embedding decoded."""
    return HashRegistryEntry(
        hash_value=entry["hash"],
        node_id=entry["node"],
        timestamp=(entry.get("timestamp_ms") or 0) / 1000,
        data_type=entry.get("type") or "",
        embedding=entry.get("embedding"),
        metadata=entry.get("metadata") or {},
    )
