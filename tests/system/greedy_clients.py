#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Clients that open hundreds of connections, send half lines, never read or ask a hundred thousand things at
once: the others are served, and the daemon's memory stays bounded."""
import contextlib
import json
import os
import socket

from box import SANITIZED
from lab import check, scenario, wait_until
from rpc import Rpc

CONNECTIONS = 500
REQUESTS_AHEAD = 100_000
# What one user may make the daemon hold, see ipc/API.md.
BYTES_PER_USER_MAX = 64 << 20
# A daemon alone, and what the allocator keeps.
RSS_KIB_MAX = (BYTES_PER_USER_MAX >> 10) + 56 * 1024


def check_memory(box, what):
    rss = box.rss_kib()
    check(SANITIZED or rss < RSS_KIB_MAX, f"{what}: {rss} KiB are resident")


def pour(sock, data):
    """Sends what the daemon takes; False once it has closed the connection."""
    sock.settimeout(0.5)
    try:
        sock.sendall(data)
        return True
    except TimeoutError:
        return True
    except OSError:
        return False


def many_connections(box):
    before = box.rss_kib()
    clients = [Rpc(box.socket) for _ in range(CONNECTIONS)]
    for client in clients:
        check(client.call("mesh.status")["node_id"] == "a", "each connection is served")
        client.send_raw(b'{"jsonrpc":"2.0","id":1,')
    check(box.call("mesh.status")["node_id"] == "a", "others are served beside them")
    cost = box.rss_kib() - before
    check(SANITIZED or cost < 16 * 1024, f"{CONNECTIONS} clients with half a line each cost {cost} KiB")
    for client in clients:
        client.send_raw(b'"method":"mesh.status"}\n')
    for client in clients:
        check(json.loads(client.read_line())["id"] == 1, "the rest of the line makes a request")
        client.close()


def half_lines(box):
    modest = Rpc(box.socket)
    modest.send_raw(b'{"jsonrpc":"2.0","id":1,')
    clients = [Rpc(box.socket) for _ in range(90)]
    closed = sum(not pour(client.sock, b"x" * 1_000_000) for client in clients)
    for client in clients:
        client.sock.setblocking(False)
        with contextlib.suppress(BlockingIOError, ConnectionError):
            closed += client.sock.recv(1) == b""
    check(closed >= 90 - (BYTES_PER_USER_MAX // 1_000_000) - 2, f"the greediest are closed, {closed} were")
    check_memory(box, "half lines of 1 MB")
    modest.send_raw(b'"method":"mesh.status"}\n')
    check(json.loads(modest.read_line())["id"] == 1, "a modest half line is kept")
    for client in (*clients, modest):
        client.close()


def unread_events(box):
    fast = box.subscribe("registry")
    slow = [Rpc(box.socket) for _ in range(60)]
    for client in slow:
        client.call("events.subscribe", kinds=["registry"])
    rounds, size = 30, 1000
    for n in range(rounds):
        entries = [{"hash": f"h{i}", "type": "face", "metadata": {"n": n}} for i in range(size)]
        box.call("registry.put", entries=entries)
    wait_until(lambda: len(fast.snapshot()) >= rounds * size, "a subscriber that reads gets every event")
    check(all(e.kind == "registry.put" for e in fast.snapshot()), "and is told of no gap")
    check_memory(box, "60 subscribers that do not read")
    late = slow[0]
    lost, told = 0, 0
    while told + lost < rounds * size:
        message = json.loads(late.read_line())["params"]
        if message["kind"] == "lagged":
            lost += message["data"]["lost"]
        else:
            told += 1
    check(lost > 0 and told > 0 and told + lost == rounds * size, f"one that reads late is told: {told} and {lost} lost")
    for client in slow:
        client.close()


def requests_ahead(box):
    """A process of its own, so that it is not this one that is slow."""
    child = os.fork()
    if child == 0:
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(str(box.socket))
        sock.setblocking(False)
        unsent = memoryview(b'{"jsonrpc":"2.0","id":1,"method":"mesh.status"}\n' * REQUESTS_AHEAD)
        replies = 0
        while replies < REQUESTS_AHEAD:
            with contextlib.suppress(BlockingIOError):
                unsent = unsent[sock.send(unsent):] if unsent else unsent
            with contextlib.suppress(BlockingIOError):
                replies += sock.recv(1 << 20).count(b"\n")
        os._exit(0)
    modest, calls, done = Rpc(box.socket), 0, 0
    while done == 0:
        modest.call("mesh.status")
        calls += 1
        done, status = os.waitpid(child, os.WNOHANG)
    check(status == 0, "every request sent ahead is answered")
    # Served to its end, or in pieces of half a MiB, the other would have left room for ten.
    check(calls >= 50, f"beside {REQUESTS_AHEAD} requests sent ahead, another client got {calls} answers")
    modest.close()


def run(lab):
    box, = lab.boxes(lab.lan("a"))
    requests_ahead(box)
    many_connections(box)
    half_lines(box)
    unread_events(box)
    check(box.call("mesh.status")["node_id"] == "a", "and then it goes on as ever")


if __name__ == "__main__":
    scenario(run)
