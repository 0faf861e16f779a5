# SPDX-License-Identifier: Apache-2.0
"""Edge boxes that act as one system: the Python client of meshd.

    from meshd import Mesh

    mesh = Mesh()
    mesh.alert({"what": "smoke"}, priority="high")
    print([node["node_id"] for node in mesh.nodes()])

`Mesh` is synchronous, `AsyncMesh` for asyncio, `MeshProtocol` takes the place of the Python library that
meshd succeeds. Standard library only.
"""
from .aio import AsyncMesh
from .aio_subscription import AsyncSubscription
from .embedding import decode_embedding, encode_embedding
from .errors import (
    Disconnected,
    InvalidParams,
    MeshError,
    MethodNotFound,
    NoAnswer,
    NoDaemon,
    NodeUnreachable,
    NotAcknowledged,
    NotPermitted,
    Overloaded,
    RpcError,
    Timeout,
    Undeliverable,
    UnknownAlert,
    UnknownEntry,
    UnknownNode,
    UnknownSearch,
)
from .events import Event
from .mesh import Mesh
from .messages import HashRegistryEntry, MeshMessage, MessageType, NodeState, PeerInfo
from .process import OwnDaemon
from .protocol import HashRegistry, MeshProtocol, NameMismatch
from .search import SearchRequest
from .subscription import Subscription

__version__ = "0.1.0"

__all__ = [
    "AsyncMesh",
    "AsyncSubscription",
    "Disconnected",
    "Event",
    "HashRegistry",
    "HashRegistryEntry",
    "InvalidParams",
    "Mesh",
    "MeshError",
    "MeshMessage",
    "MeshProtocol",
    "MessageType",
    "MethodNotFound",
    "NameMismatch",
    "NoAnswer",
    "NoDaemon",
    "NodeState",
    "NodeUnreachable",
    "NotAcknowledged",
    "NotPermitted",
    "Overloaded",
    "OwnDaemon",
    "PeerInfo",
    "RpcError",
    "SearchRequest",
    "Subscription",
    "Timeout",
    "Undeliverable",
    "UnknownAlert",
    "UnknownEntry",
    "UnknownNode",
    "UnknownSearch",
    "decode_embedding",
    "encode_embedding",
]
