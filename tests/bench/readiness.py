# SPDX-License-Identifier: Apache-2.0
"""Hears the daemons' READY=1, so that nobody has to ask."""
import os
import socket
import time

SECONDS_MAX = 120


class Readiness:
    def __init__(self, lab):
        self.path = str(lab.directory / "notify")
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(self.path)
        self.sock.settimeout(SECONDS_MAX)

    def wait(self, number):
        """The wall time of the last of so many."""
        while number:
            if b"READY=1" in self.sock.recv(4096):
                number -= 1
        return time.time()

    def close(self):
        self.sock.close()
        os.unlink(self.path)
