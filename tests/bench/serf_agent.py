# SPDX-License-Identifier: Apache-2.0
"""A Serf agent in a host of the lab, and its RPC stream: https://github.com/hashicorp/serf, whose protocol is
MessagePack over TCP. Only what the comparison needs."""
import base64
import shutil
import socket
import struct
import subprocess
import threading
import time

from box import Box, clean_environment
from lab import Failure
from rpc import _pump

PROGRAM = shutil.which("serf")
RPC_PORT = 7373
GOSSIP_PORT = 7946
KEY = base64.b64encode(bytes(range(32))).decode()
READY_SECONDS_MAX = 30.0


class Incomplete(Exception):
    """More bytes are needed."""


def encode(value):
    if value is None:
        return b"\xc0"
    if isinstance(value, bool):
        return b"\xc3" if value else b"\xc2"
    if isinstance(value, int):
        return bytes([value]) if 0 <= value < 128 else b"\xd3" + struct.pack(">q", value)
    if isinstance(value, (str, bytes)):
        data = value.encode() if isinstance(value, str) else value
        return (bytes([0xA0 | len(data)]) if len(data) < 32 else b"\xda" + struct.pack(">H", len(data))) + data
    if isinstance(value, dict):
        return bytes([0x80 | len(value)]) + b"".join(encode(k) + encode(v) for k, v in value.items())
    return bytes([0x90 | len(value)]) + b"".join(encode(item) for item in value)


class Decoder:
    """Objects out of a stream of bytes."""

    _NUMBERS = {0xCA: ">f", 0xCB: ">d", 0xCC: ">B", 0xCD: ">H", 0xCE: ">I", 0xCF: ">Q",
                0xD0: ">b", 0xD1: ">h", 0xD2: ">i", 0xD3: ">q"}
    _BYTES = {0xD9: ">B", 0xDA: ">H", 0xDB: ">I", 0xC4: ">B", 0xC5: ">H", 0xC6: ">I"}

    def __init__(self):
        self.data, self.at = b"", 0

    def feed(self, data):
        self.data = self.data[self.at:] + data
        self.at = 0

    def next(self):
        """The next object; Incomplete, and nothing is taken."""
        start = self.at
        try:
            return self._object()
        except Incomplete:
            self.at = start
            raise

    def _take(self, count):
        if self.at + count > len(self.data):
            raise Incomplete
        self.at += count
        return self.data[self.at - count:self.at]

    def _number(self, form):
        return struct.unpack(form, self._take(struct.calcsize(form)))[0]

    def _object(self):
        kind = self._take(1)[0]
        if kind < 0x80:
            return kind
        if kind < 0x90:
            return self._map(kind & 15)
        if kind < 0xA0:
            return [self._object() for _ in range(kind & 15)]
        if kind < 0xC0:
            return self._take(kind & 31)
        if kind >= 0xE0:
            return kind - 256
        if kind in (0xC0, 0xC2, 0xC3):
            return {0xC0: None, 0xC2: False, 0xC3: True}[kind]
        if kind in self._NUMBERS:
            return self._number(self._NUMBERS[kind])
        if kind in self._BYTES:
            return self._take(self._number(self._BYTES[kind]))
        if kind in (0xDC, 0xDD):
            return [self._object() for _ in range(self._number(">H" if kind == 0xDC else ">I"))]
        if kind in (0xDE, 0xDF):
            return self._map(self._number(">H" if kind == 0xDE else ">I"))
        raise ValueError(f"MessagePack of kind {kind:#x}")

    def _map(self, count):
        result = {}
        for _ in range(count):
            key = self._object()
            result[key.decode()] = self._object()
        return result


class SerfRpc:
    """One connection with blocking calls."""

    def __init__(self, host):
        with host.inside():
            self.sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            self.sock.settimeout(30)
            self.sock.connect(("127.0.0.1", RPC_PORT))
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.decoder, self.seq = Decoder(), 0
            self.send("handshake", {"Version": 1})
            self.header()
        except OSError:
            self.sock.close()
            raise

    def close(self):
        self.sock.close()

    def send(self, command, body=None):
        self.seq += 1
        self.sock.sendall(encode({"Command": command, "Seq": self.seq}) + (encode(body) if body else b""))

    def object(self):
        while True:
            try:
                return self.decoder.next()
            except Incomplete:
                data = self.sock.recv(1 << 16)
                if not data:
                    raise EOFError("the agent closed the connection") from None
                self.decoder.feed(data)

    def header(self):
        header = self.object()
        if header["Error"]:
            raise Failure(f"Serf: {header['Error'].decode()}")
        return header

    def members(self):
        """{name: status}"""
        self.send("members")
        self.header()
        return {m["Name"].decode(): m["Status"].decode() for m in self.object()["Members"]}

    def event(self, name, payload):
        self.send("event", {"Name": name, "Payload": payload, "Coalesce": False})
        self.header()

    def query(self, name, timeout_s):
        """Acknowledgements of all agents: (seconds until each, names), until all or the timeout."""
        started = time.monotonic()
        self.send("query", {"Name": name, "Payload": b"", "RequestAck": True, "Timeout": int(timeout_s * 1e9)})
        self.header()
        arrivals = {}
        while True:
            self.header()
            record = self.object()
            kind = record["Type"]
            if kind == b"done":
                return arrivals
            if kind == b"ack":
                arrivals[record["From"].decode()] = time.monotonic() - started


class SerfEvent:
    __slots__ = ("at", "kind", "names", "payload")

    def __init__(self, at, record):
        self.at = at
        self.kind = record["Event"].decode()
        self.names = [member["Name"].decode() for member in record.get("Members") or []]
        self.payload = record.get("Payload")


class SerfStream:
    """Events of one agent from now on, stamped as those of meshd are."""

    def __init__(self, host):
        rpc = SerfRpc(host)
        rpc.send("stream", {"Type": "*"})
        rpc.header()
        self.sock, self.decoder = rpc.sock, rpc.decoder
        self.sock.setblocking(False)
        self.events, self.header, self.closed = [], None, False
        self.changed = threading.Condition()
        self.take(time.monotonic(), None)
        _pump().add(self)

    def close(self):
        _pump().remove(self)

    def take(self, at, data):
        """Called by the pump with what one recv returned; empty means the agent is gone."""
        with self.changed:
            self.closed = self.closed or data == b""
            self.decoder.feed(data or b"")
            try:
                while True:
                    if self.header is None:
                        self.header = self.decoder.next()
                    self.events.append(SerfEvent(at, self.decoder.next()))
                    self.header = None
            except Incomplete:
                pass
            self.changed.notify_all()

    def wait_for(self, predicate, timeout):
        """The first event, old or new, that fits; None when none came in time."""
        deadline, seen = time.monotonic() + timeout, 0
        with self.changed:
            while True:
                while seen < len(self.events):
                    if predicate(self.events[seen]):
                        return self.events[seen]
                    seen += 1
                left = deadline - time.monotonic()
                if left <= 0 or self.closed:
                    return None
                self.changed.wait(left)

    def snapshot(self):
        with self.changed:
            return list(self.events)


class Agent:
    """One agent, sealed, with the profile for local networks; `seed` is the address of the first."""

    rss_kib = Box.rss_kib
    _memory_kib = Box._memory_kib  # pylint: disable=protected-access

    def __init__(self, lab, host, seed):
        self.host, self.name = host, host.name
        self.log = lab.directory / f"serf-{host.name}.log"
        # Asks again every second, else one that starts before its seed waits for half a minute.
        join = ["-retry-join", seed, "-retry-interval", "1s"] if seed != host.address else []
        self.command = [
            "setpriv", "--pdeathsig", "KILL", "--", "ip", "netns", "exec", host.name, PROGRAM, "agent",
            "-node", self.name, "-bind", f"{host.address}:{GOSSIP_PORT}", "-rpc-addr", f"127.0.0.1:{RPC_PORT}",
            "-profile", "lan", "-encrypt", KEY, "-log-level", "err", *join]
        self.process = self.rpc = self.stream = None
        self.start()

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            start_new_session=True, env=clean_environment())
        return self

    def ready(self):
        """Waits for its RPC, and hears its events from then on."""
        deadline = time.monotonic() + READY_SECONDS_MAX
        while True:
            if self.process.poll() is not None:
                raise Failure(f"the Serf agent of {self.name} ended: {self.log.read_text()[-300:]}")
            try:
                self.rpc = SerfRpc(self.host)
                self.stream = SerfStream(self.host)
                return self
            except (OSError, EOFError):
                if time.monotonic() > deadline:
                    raise Failure(f"the Serf agent of {self.name} does not answer") from None
                time.sleep(0.005)

    def alive(self):
        return {name for name, status in self.rpc.members().items() if status == "alive"}

    def kill(self):
        """kill -9; returns the time of the kill."""
        at = time.monotonic()
        self.process.kill()
        self.process.wait(10)
        if self.stream:
            self.stream.close()
        if self.rpc:
            self.rpc.close()
        self.rpc = self.stream = None
        return at
