# SPDX-License-Identifier: Apache-2.0
"""Events of the daemon as the predecessor's messages."""
from typing import Any, Callable, Dict, Optional

from .events import Event
from .messages import MeshMessage, MessageType, PeerInfo

#: Event kinds behind each type that handlers can get. A note of topic message.<number> is of that type.
HANDLED_KINDS = {
    MessageType.ALERT: ("alert",),
    MessageType.STATE_SYNC: ("state.changed",),
    MessageType.REGISTRY: ("registry.put", "registry.deleted"),
    MessageType.DISCOVERY: ("node.joined", "node.returned"),
    MessageType.BROADCAST: ("note",),
}

FindPeer = Callable[[str], Optional[PeerInfo]]


def message_of(message_type: MessageType, event: Event, find_peer: FindPeer) -> Optional[MeshMessage]:
    """The message for an event; None where it is none of this type."""
    data = event.data
    timestamp = data.get("timestamp_ms", event.timestamp_ms) / 1000
    message = MeshMessage(message_type, "", timestamp)
    if message_type is MessageType.ALERT:
        message.source_node_id = data["source"]
        message.sequence_number = data.get("seq") or 0
        message.routing_path = list(data.get("path") or [])
        message.payload = {"alert": data["alert"], "priority": data["priority"], "timestamp": timestamp}
    elif message_type is MessageType.STATE_SYNC:
        message.source_node_id = data["node_id"]
        message.payload = {"node_id": data["node_id"], "state": data.get("state") or {}, "timestamp": timestamp}
    elif message_type is MessageType.REGISTRY:
        message.source_node_id = data.get("by") or data["node"]
        message.payload = _registry_payload(event, timestamp)
    elif message_type is MessageType.DISCOVERY:
        peer = find_peer(data["node_id"])
        message.source_node_id = data["node_id"]
        message.payload = {"node_id": data["node_id"], "ip_address": peer.ip_address if peer else "",
                           "port": peer.port if peer else 0, "timestamp": timestamp}
    else:
        note = data.get("note")
        topic = data.get("topic")
        # One sent to a single node has no topic of its own.
        if topic is None and isinstance(note, dict) and str(note.get("topic", "")).startswith("message."):
            topic, note = note["topic"], note.get("payload")
        message.source_node_id = data["source"]
        message.message_type = _type_of(topic)
        message.payload = note if isinstance(note, dict) else {"note": note}
    return message


def _registry_payload(event: Event, timestamp: float) -> Dict[str, Any]:
    data = event.data
    seen = timestamp - (data.get("age_ms") or 0) / 1000
    entry = {"hash_value": data["hash"], "node_id": data["node"], "data_type": data.get("type") or "",
             "timestamp": seen}
    return {"action": event.kind.rpartition(".")[2], "entries": {data["hash"]: entry}}


def _type_of(topic: Optional[str]) -> MessageType:
    number = (topic or "").rpartition("message.")[2]
    try:
        return MessageType(int(number))
    except ValueError:
        return MessageType.BROADCAST
