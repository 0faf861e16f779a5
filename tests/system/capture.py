# SPDX-License-Identifier: Apache-2.0
"""Everything that passes an interface of a host, as bytes."""
import contextlib
import socket
import threading

ETH_P_ALL = 3


class Capture:
    """Collects frames from now on until stop()."""

    def __init__(self, host, interface="eth0"):
        with host.inside():
            self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
            self.sock.bind((interface, 0))
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        self.sock.settimeout(0.1)
        self.frames = []
        self.is_over = False
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while not self.is_over:
            with contextlib.suppress(TimeoutError):
                self.frames.append(self.sock.recv(65536))

    def stop(self):
        """The frames; they come twice where both directions were heard."""
        self.is_over = True
        self.thread.join()
        self.sock.close()
        return self.frames

    def find(self, *words):
        """Those words (bytes) that stand in any frame."""
        return [word for word in words if any(word in frame for frame in self.frames)]
