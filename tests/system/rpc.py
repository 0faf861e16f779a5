# SPDX-License-Identifier: Apache-2.0
"""JSON-RPC 2.0 over the daemon's Unix socket, with the standard library only.

`Rpc` is one connection with blocking calls. `Subscription` collects events; one thread reads all
subscriptions of the process and stamps every event with time.monotonic() before it parses anything, so
that times taken at different boxes can be compared.
"""
import json
import os
import selectors
import socket
import struct
import threading
import time

LINE_BYTES_MAX = 4 << 20


class RpcError(Exception):
    """The daemon answered with an error object."""

    def __init__(self, error):
        super().__init__(f"{error.get('code')}: {error.get('message')} {error.get('data', '')}")
        self.code = error.get("code")
        self.data = error.get("data")


class Rpc:
    """One connection. Not for use by several threads at once."""

    def __init__(self, path, timeout=15.0):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        # A non-blocking connect fails at once where the queue of callers is full; this one waits.
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", int(timeout), 0))
        try:
            self.sock.connect(str(path))
        except OSError:
            self.sock.close()
            raise
        self.sock.settimeout(timeout)
        self.buffer = b""
        self.next_id = 1

    def close(self):
        self.sock.close()

    def send_raw(self, data):
        self.sock.sendall(data)

    def read_line(self):
        """The next line without its newline; EOFError when the daemon closed the connection."""
        while b"\n" not in self.buffer:
            if len(self.buffer) > LINE_BYTES_MAX:
                raise ValueError("the daemon sent a line beyond all limits")
            chunk = self.sock.recv(65536)
            if not chunk:
                raise EOFError("the daemon closed the connection")
            self.buffer += chunk
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line

    def call(self, method, **params):
        """The result, or RpcError. Notifications that arrive meanwhile are dropped."""
        request_id = self.next_id
        self.next_id += 1
        request = {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params}
        self.send_raw(json.dumps(request).encode() + b"\n")
        while True:
            reply = json.loads(self.read_line())
            if reply.get("id") != request_id:
                continue
            if "error" in reply:
                raise RpcError(reply["error"])
            return reply["result"]


class Event:
    """One notification: `at` is time.monotonic() of its arrival in this process, `timestamp_ms` the wall
    time at which the daemon wrote it."""

    __slots__ = ("at", "timestamp_ms", "kind", "data", "cursor")

    def __init__(self, at, params):
        self.at = at
        self.timestamp_ms = params["timestamp_ms"]
        self.kind = params["kind"]
        self.data = params["data"]
        self.cursor = params["cursor"]

    def __repr__(self):
        return f"{self.kind} {json.dumps(self.data)}"


class Subscription:
    """All events of some kinds at one box, in order of arrival."""

    def __init__(self, path, kinds=None, **params):
        if kinds is not None:
            params["kinds"] = kinds
        self.events = []
        self.closed = False
        self.changed = threading.Condition()
        rpc = Rpc(path)
        self.cursor = rpc.call("events.subscribe", **params)["cursor"]
        self.sock, self.buffer = rpc.sock, b""
        self.sock.setblocking(False)
        # What came in one piece with the reply: more may never come.
        if rpc.buffer:
            self.take(time.monotonic(), rpc.buffer)
        _pump().add(self)

    def close(self):
        _pump().remove(self)

    def take(self, at, data):
        """Called by the pump with what one recv returned; empty means the daemon is gone."""
        with self.changed:
            if not data:
                self.closed = True
            self.buffer += data
            *lines, self.buffer = self.buffer.split(b"\n")
            for line in lines:
                message = json.loads(line)
                if message.get("method") == "event":
                    self.events.append(Event(at, message["params"]))
            self.changed.notify_all()

    def snapshot(self):
        with self.changed:
            return list(self.events)

    def find(self, predicate):
        return [event for event in self.snapshot() if predicate(event)]

    def wait_for(self, predicate, timeout=15.0):
        """The first event, old or new, that fits; None when none came in time."""
        deadline = time.monotonic() + timeout
        seen = 0
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


class _Pump(threading.Thread):
    def __init__(self):
        super().__init__(daemon=True, name="event-pump")
        self.selector = selectors.EpollSelector()
        self.start()

    def add(self, subscription):
        self.selector.register(subscription.sock, selectors.EVENT_READ, subscription)

    def remove(self, subscription):
        try:
            self.selector.unregister(subscription.sock)
        except (KeyError, ValueError):
            return
        subscription.sock.close()

    def run(self):
        while True:
            arrived = []
            for key, _ in self.selector.select(timeout=0.2):
                try:
                    data = key.fileobj.recv(1 << 18)
                except BlockingIOError:
                    continue
                except OSError:
                    data = b""
                arrived.append((key.data, time.monotonic(), data))
            for subscription, at, data in arrived:
                if not data:
                    self.remove(subscription)
                subscription.take(at, data)


_the_pump = None


def _pump():
    global _the_pump
    if _the_pump is None or not _the_pump.is_alive() or _the_pump.pid != os.getpid():
        _the_pump = _Pump()
        _the_pump.pid = os.getpid()
    return _the_pump
