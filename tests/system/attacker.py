# SPDX-License-Identifier: Apache-2.0
"""A hostile box on the LAN: hears all of it, and sends what it likes, as fast as it can, as whom it likes.

It knows neither key nor code of the mesh; what it sends is made of noise and of what it has heard."""
import contextlib
import os
import pathlib
import random
import socket
import struct
import subprocess
import threading

from box import BIN_DIR
from lab import Failure

FLOODER = BIN_DIR / "flooder"
PORT = 9999
OUTSIDE, SESSION = 1, 2
HEADER_BYTES = 16
ETH_P_IP = 0x0800
IPPROTO_UDP = 17
SOL_PACKET, PACKET_ADD_MEMBERSHIP, PACKET_MR_PROMISC = 263, 1, 1


class Heard:
    """One datagram of the mesh as it passed."""

    def __init__(self, source, source_port, target, data):
        self.source, self.source_port, self.target, self.data = source, source_port, target, data

    @property
    def kind(self):
        return self.data[1]


class Attacker:
    def __init__(self, lab, host):
        self.lab, self.host = lab, host
        self.random = random.Random(7)
        self.files = 0
        # A switch that has forgotten all addresses sends every frame everywhere.
        lab.ip(None, f"link set {host.interfaces[0]['bridge']} type bridge ageing_time 0")

    @contextlib.contextmanager
    def listening(self):
        """Collects what is said to the mesh's port while the block runs."""
        heard, stop = [], threading.Event()
        with self.host.inside():
            sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_IP))
            name = self.host.interfaces[0]["name"]
            sock.bind((name, ETH_P_IP))
            sock.setsockopt(SOL_PACKET, PACKET_ADD_MEMBERSHIP,
                            struct.pack("iHH8s", socket.if_nametoindex(name), PACKET_MR_PROMISC, 0, b""))
        sock.settimeout(0.1)

        def listen():
            while not stop.is_set():
                try:
                    packet = sock.recv(65536)
                except TimeoutError:
                    continue
                ip_bytes = (packet[0] & 15) * 4
                if packet[9] != IPPROTO_UDP or len(packet) < ip_bytes + 8:
                    continue
                source_port, target_port, length = struct.unpack_from("!HHH", packet, ip_bytes)
                data = packet[ip_bytes + 8:ip_bytes + length]
                if target_port == PORT and len(data) > HEADER_BYTES:
                    heard.append(Heard(socket.inet_ntoa(packet[12:16]), source_port,
                                       socket.inet_ntoa(packet[16:20]), data))

        thread = threading.Thread(target=listen)
        thread.start()
        try:
            yield heard
        finally:
            stop.set()
            thread.join()
            sock.close()

    def start(self, datagrams, target, rate, seconds, *options):
        """Sends these (bytes, or Heard with its source) in a circle to an address; returns the process."""
        if not FLOODER.exists():
            raise Failure(f"{FLOODER} is missing: build first, or set MESHD_BIN_DIR")
        self.files += 1
        path = pathlib.Path(self.lab.directory) / f"flood-{self.files}"
        with open(path, "wb") as file:
            for one in datagrams:
                is_heard = isinstance(one, Heard)
                data = one.data if is_heard else one
                file.write(socket.inet_aton(one.source if is_heard else "0.0.0.0")
                           + struct.pack("!HH", one.source_port if is_heard else 0, len(data)) + data)
        return subprocess.Popen(
            ["ip", "netns", "exec", self.host.name, str(FLOODER), str(path), target, str(PORT), str(rate),
             str(seconds), *options], stdout=subprocess.PIPE, text=True)

    def finish(self, process):
        """(datagrams sent, seconds)."""
        out, _ = process.communicate(timeout=60)
        if process.returncode != 0:
            raise Failure(f"the flooder exited with {process.returncode}")
        sent, seconds = out.split()
        return int(sent), float(seconds)

    # --- what to send

    def noise(self, number=500):
        """Bytes of all lengths."""
        return [self.random.randbytes(self.random.randrange(1, 1400)) for _ in range(number)]

    def shaped(self, heard, number=500):
        """Headers that nothing is wrong with, the present key hint among them, and noise behind."""
        result = []
        for _ in range(number):
            head = bytearray(self.random.choice(heard).data[:HEADER_BYTES])
            if head[1] == SESSION:
                head[4:8] = self.random.randbytes(4)
            result.append(bytes(head) + self.random.randbytes(self.random.randrange(384, 700)))
        return result

    def damaged(self, heard):
        """What was heard, one bit off, from whom it came."""
        result = []
        for one in heard:
            data = bytearray(one.data)
            data[self.random.randrange(HEADER_BYTES, len(data))] ^= 1 << self.random.randrange(8)
            result.append(Heard(one.source, one.source_port, one.target, bytes(data)))
        return result


def full_rate():
    """Datagrams per second: MESHD_FLOOD_RATE, for machines of any size."""
    return int(os.environ.get("MESHD_FLOOD_RATE", "30000"))
