# SPDX-License-Identifier: Apache-2.0
"""What can go wrong, as exceptions. All are `MeshError`.

Numbers below are values of `RpcError.code`; ipc/API.md of meshd has the whole table.
"""
from typing import Any, Mapping, Optional, Sequence


class MeshError(Exception):
    """Anything this package raises about the daemon or the mesh."""


class NoDaemon(MeshError, ConnectionError):
    """No meshd answers. `tried` has each socket with the reason."""

    def __init__(self, tried: Sequence[str]) -> None:
        self.tried = list(tried)
        super().__init__("no meshd answers: " + "; ".join(self.tried) + ". Start one: meshd")


class Disconnected(MeshError, ConnectionError):
    """The connection ended before the reply: whether the call took effect is not known."""


class Timeout(MeshError, TimeoutError):
    """No reply in time: whether the call took effect is not known."""


class RpcError(MeshError):
    """The daemon refused a call. `code` and `data` are those of the JSON-RPC error."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        self.code = code
        self.message = message
        self.data = data
        text = f"{message} ({code})"
        super().__init__(f"{text}: {data}" if data is not None else text)


class MethodNotFound(RpcError):
    """This daemon has no such method (-32601): it is older than what was asked of it."""


class InvalidParams(RpcError):
    """A parameter is wrong (-32602): `data` has `field`, `got` and `expected`."""

    @property
    def field(self) -> Optional[str]:
        """Name of the parameter, where the daemon says."""
        return self.data.get("field") if isinstance(self.data, Mapping) else None


class UnknownNode(RpcError):
    """No node of this name is known (100)."""


class NodeUnreachable(RpcError):
    """There is no way to the node (103): `data` has its `status`, and `because` of whom."""


class NoAnswer(RpcError):
    """The node did not answer in time (104)."""


class UnknownEntry(RpcError):
    """The registry holds no such entry (300)."""


class UnknownAlert(RpcError):
    """No alert of this id is held (401)."""


class UnknownSearch(RpcError):
    """No such search waits for an answer (any more) (500)."""


class Undeliverable(RpcError):
    """A note had no way to its node until the timeout (601); the message has the reason."""


class NotAcknowledged(RpcError):
    """A note was sent, and the node did not say that it has it (602): it may have it."""


class Overloaded(RpcError):
    """Try again after `retry_after_ms`; nothing has happened (900)."""

    @property
    def retry_after_ms(self) -> int:
        """When to try again; 1000 where the daemon does not say."""
        value = self.data.get("retry_after_ms") if isinstance(self.data, Mapping) else None
        return int(value) if isinstance(value, (int, float)) else 1000


class NotPermitted(RpcError):
    """This user may not use the method (901); the message says who may."""


_BY_CODE = {
    -32601: MethodNotFound,
    -32602: InvalidParams,
    100: UnknownNode,
    103: NodeUnreachable,
    104: NoAnswer,
    300: UnknownEntry,
    401: UnknownAlert,
    500: UnknownSearch,
    601: Undeliverable,
    602: NotAcknowledged,
    900: Overloaded,
    901: NotPermitted,
}


def error_from(error: Mapping[str, Any]) -> RpcError:
    """The exception for a JSON-RPC error object."""
    code = int(error.get("code", -32603))
    return _BY_CODE.get(code, RpcError)(code, str(error.get("message", "")), error.get("data"))
