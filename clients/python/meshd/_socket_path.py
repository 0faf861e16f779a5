# SPDX-License-Identifier: Apache-2.0
"""Where a client looks for the daemon."""
import os
import socket
import struct
from typing import List, Mapping, Optional, Union

from .errors import NoDaemon

CONNECT_SECONDS_MAX = 5


def socket_candidates(
    option: Union[str, "os.PathLike[str]", None] = None, environment: Optional[Mapping[str, str]] = None
) -> List[str]:
    """Sockets to try, in this order. Whoever names a socket means that one: the argument, else
    MESHD_SOCKET, is then the only one tried, so that a stopped daemon is never mistaken for its
    neighbour."""
    environment = os.environ if environment is None else environment
    if option:
        return [os.fspath(option)]
    if environment.get("MESHD_SOCKET"):
        return [environment["MESHD_SOCKET"]]
    paths = ["/run/meshd/meshd.sock"]
    if environment.get("XDG_RUNTIME_DIR"):
        paths.append(environment["XDG_RUNTIME_DIR"] + "/meshd/meshd.sock")
    return paths


def connect_first(paths: List[str]) -> socket.socket:
    """A blocking connection to the first socket that takes one; NoDaemon where none does."""
    tried = []
    for path in paths:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            # A non-blocking connect fails at once where the queue of callers is full; this one waits.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", CONNECT_SECONDS_MAX, 0))
            sock.connect(path)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 0, 0))
            return sock
        except OSError as error:
            sock.close()
            tried.append(f"{path} ({error.strerror or error})")
    raise NoDaemon(tried)
