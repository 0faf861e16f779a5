# SPDX-License-Identifier: Apache-2.0
"""JSON-RPC 2.0, one JSON text a line: bytes in, messages out. No socket in here."""
import json
from typing import Any, Dict, List, Mapping

from .errors import MeshError

#: A reply is at most 16 MiB as the daemon counts; an event less.
LINE_BYTES_MAX = 32 << 20

#: Calls that change nothing may be sent again where the connection ended before the reply.
REPEATABLE = frozenset((
    "mesh.status", "mesh.stats", "mesh.nodes", "mesh.node", "mesh.peers", "mesh.routes", "mesh.topology",
    "mesh.discover", "mesh.ping", "mesh.trace", "state.get", "registry.get", "registry.list",
    "registry.nearest", "search.query", "alerts.list", "alerts.get", "config.get", "rpc.discover",
))


def encode_request(request_id: int, method: str, params: Mapping[str, Any]) -> bytes:
    """One request as a line. TypeError or ValueError where a param is no JSON."""
    message = {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params}
    text = json.dumps(message, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8") + b"\n"


class LineReader:
    """Collects what was received until lines are whole."""

    def __init__(self) -> None:
        self._parts: List[bytes] = []
        self._bytes = 0

    def feed(self, data: bytes) -> List[Dict[str, Any]]:
        """The messages that `data` completes. MeshError where the peer is no meshd."""
        if b"\n" not in data:
            self._parts.append(data)
            self._bytes += len(data)
            if self._bytes > LINE_BYTES_MAX:
                raise MeshError("the daemon sent a line beyond all limits")
            return []
        *lines, rest = b"".join((*self._parts, data)).split(b"\n")
        self._parts, self._bytes = [rest], len(rest)
        return [message for line in lines for message in _parse(line)]


def _parse(line: bytes) -> List[Dict[str, Any]]:
    if not line.strip():
        return []
    try:
        message = json.loads(line)
    except ValueError as error:
        raise MeshError(f"the daemon sent no JSON: {error}") from None
    if not isinstance(message, dict):
        raise MeshError("the daemon sent no JSON-RPC message")
    return [message]
