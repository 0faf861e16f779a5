#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Malformed lines at the local socket get the error that is specified, and harm nobody else."""
import json
import socket

from box import SANITIZED
from lab import check, scenario, wait_until
from rpc import Rpc, RpcError

LINE_BYTES_MAX = 1 << 20


def run(lab):
    box, = lab.boxes(lab.lan("a"))
    one = Rpc(box.socket)

    def answer(line):
        one.send_raw(line + b"\n")
        return json.loads(one.read_line())

    def expect(line, code, request_id=None):
        reply = answer(line)
        got = reply.get("error", {}).get("code")
        check(got == code, f"{line[:80]!r}: {reply} instead of {code}")
        check(reply["jsonrpc"] == "2.0" and "result" not in reply, str(reply))
        check(reply["id"] == request_id, f"{line[:80]!r}: the id of {reply} is not {request_id}")
        return reply["error"]

    for line in (b"nonsense", b"{", b'{"jsonrpc":"2.0","id":1,"method":"mesh.status"', b"\xff\xfe", b"'a'",
                 b'{"jsonrpc":"2.0","id":1,"id":2,"method":"mesh.status"}', b"{} {}", b"nan",
                 b'{"jsonrpc":"2.0","id":1,"method":"mesh.\xc3\x28"}'):
        expect(line, -32700)
    for line in (b"{}", b"[]", b"1", b'"mesh.status"', b"null", b'{"id":1,"method":"mesh.status"}'):
        reply = answer(line)
        check(reply["error"]["code"] == -32600, f"{line!r}: {reply}")
    expect(b'{"jsonrpc":"2.0","id":3,"method":7}', -32600, 3)
    expect(b'{"jsonrpc":"2.0","id":4,"method":"mesh.status","params":"x"}', -32600, 4)
    reply = answer(b'{"jsonrpc":"2.0","id":{},"method":"mesh.status"}')
    check(reply["error"]["code"] == -32600 and reply["id"] is None, str(reply))
    hint = expect(b'{"jsonrpc":"2.0","id":"x","method":"mesh.statsu"}', -32601, "x")
    check(hint["data"]["did_you_mean"] in ("mesh.status", "mesh.stats"), str(hint))
    for params, field in (({"sate": True}, "sate"), ({"state": "yes"}, "state"), ({"state": 1}, "state")):
        line = json.dumps({"jsonrpc": "2.0", "id": 5, "method": "mesh.nodes", "params": params}).encode()
        check(expect(line, -32602, 5)["data"]["field"] == field, f"{params}: the field is named")
    for params in ({}, {"alert": "text"}, {"alert": {}, "priority": "urgent"}, {"alert": {}, "wait_ms": -1},
                   {"alert": {}, "wait_ms": 60001}, {"alert": {}, "wait_ms": 1.5}):
        expect(json.dumps({"jsonrpc": "2.0", "id": 6, "method": "alerts.raise",
                           "params": params}).encode(), -32602, 6)
    expect(b'{"jsonrpc":"2.0","id":7,"method":"mesh.node","params":{"node_id":"nobody"}}', 100, 7)
    expect(b'{"jsonrpc":"2.0","id":8,"method":"state.get","params":["nobody"]}', 100, 8)
    big = json.dumps({"jsonrpc": "2.0", "id": 9, "method": "alerts.raise",
                      "params": {"alert": {"x": "y" * 70000}}}).encode()
    expect(big, 400, 9)
    deep = b'{"jsonrpc":"2.0","id":10,"method":"state.update","params":{"patch":' + b'{"a":' * 40 + b"1"
    expect(deep + b"}" * 42, 200, 10)
    check(answer(b"[" * 100 + b"]" * 100)["error"]["code"] in (-32600, -32700), "nested too deep")

    batch = answer(b'[{"jsonrpc":"2.0","id":1,"method":"mesh.status"},3,'
                   b'{"jsonrpc":"2.0","method":"mesh.status"},{"jsonrpc":"2.0","id":2,"method":"no"}]')
    check(sorted(str(r.get("error", {}).get("code", r["id"])) for r in batch) == ["-32600", "-32601", "1"],
          str(batch))
    many = json.dumps([{"jsonrpc": "2.0", "id": i, "method": "mesh.status"} for i in range(257)]).encode()
    check(answer(many)["error"]["code"] == -32600, "a batch of 257 is too long")

    # A notification is never answered, not even a wrong one; empty lines are none.
    one.send_raw(b'\n\r\n  \n{"jsonrpc":"2.0","method":"nonsense"}\n')
    check(answer(b' {"jsonrpc":"2.0","id":11,"method":"mesh.status"} \r')["id"] == 11, "white space")

    # Pipelined, cut anywhere, and half-closed.
    piped = Rpc(box.socket)
    text = b"".join(b'{"jsonrpc":"2.0","id":%d,"method":"mesh.status"}\n' % i for i in range(50))
    for i in range(0, len(text), 7):
        piped.send_raw(text[i:i + 7])
    piped.sock.shutdown(socket.SHUT_WR)
    ids = sorted(json.loads(piped.read_line())["id"] for _ in range(50))
    check(ids == list(range(50)), "every pipelined request is answered")

    # A line beyond all limits ends that connection and only that.
    greedy = Rpc(box.socket)
    try:
        greedy.send_raw(b"x" * (LINE_BYTES_MAX + 70000) + b"\n")
    except OSError:
        pass
    try:
        reply = json.loads(greedy.read_line())
        check(reply["error"]["code"] == -32600, f"a line too long: {reply}")
        greedy.read_line()
        check(False, "the connection of a line too long stays open")
    except (EOFError, OSError):
        pass

    # Callers that never read, and callers that vanish.
    lazy = Rpc(box.socket)
    lazy.sock.setblocking(False)
    try:
        for _ in range(20000):
            lazy.send_raw(b'{"jsonrpc":"2.0","id":1,"method":"rpc.discover"}\n')
    except OSError:
        pass
    for _ in range(200):
        gone = Rpc(box.socket)
        gone.send_raw(b'{"jsonrpc":"2.0","id":1,"method":"alerts.raise","params":{"alert":{},"wait_ms":9}}\n{')
        gone.close()
    check(box.call("mesh.status")["node_id"] == "a", "others are served all the while")
    lazy.close()
    wait_until(lambda: SANITIZED or box.rss_kib() < 64 * 1024, lambda: f"little memory, it is {box.rss_kib()} KiB")

    try:
        box.call("events.subscribe", kinds=["weather"])
        check(False, "an unknown kind is refused")
    except RpcError as error:
        check(error.code == -32602, str(error))


if __name__ == "__main__":
    scenario(run)
