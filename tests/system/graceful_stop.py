#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""SIGTERM and SIGINT say goodbye: everybody knows at once that the box has left, also behind hops."""
import json
import signal

from checks import status, wait_settled_line
from lab import check, scenario, wait_until
from rpc import Rpc, RpcError


def is_refused(box, method):
    try:
        box.call(method)
    except RpcError:
        return True
    return False


def run(lab):
    boxes = lab.boxes(lab.line("a", "b", "c", "d"))
    wait_settled_line(boxes)
    *others, last = boxes
    for number in (signal.SIGTERM, signal.SIGINT):
        events = {box: box.subscribe("node") for box in others}
        if number == signal.SIGTERM:
            at = last.terminate()
        else:
            last.signal(number)
            at = None
            last.process.wait(15)
        check(last.process.returncode == 0, f"exit code {last.process.returncode}")
        for box in others:
            event = events[box].wait_for(lambda e: e.data["node_id"] == "d")
            check(event and event.kind in ("node.left", "node.restarting"),
                  f"the first that {box} hears is the goodbye: {event}")
            if at:
                print(f"{box} knew {1000 * (event.at - at):.0f} ms after the signal")
            check(status(box, "d") == "left", f"{box} shows d as left")
            check(not events[box].find(lambda e: e.kind == "node.offline"), "left is not offline")
        check(not last.socket.exists(), "the socket is removed")
        for subscription in events.values():
            subscription.close()
        last.start().ready()
        wait_settled_line(boxes)

    # `timeout` signals twice at once: that is still one stop, with its goodbye.
    events = others[0].subscribe("node")
    last.signal(signal.SIGTERM)
    last.signal(signal.SIGTERM)
    wait_until(lambda: not last.is_running(), "the end after two signals")
    event = events.wait_for(lambda e: e.data["node_id"] == "d")
    check(event and event.kind == "node.left", f"two signals at once are a goodbye: {event}")
    check("second signal" not in last.log_tail(), "two signals at once are one")
    last.start().ready()
    wait_settled_line(boxes)

    # A stop during mesh.leave waits for the goodbye that is under way, and its caller hears of it.
    others[-1].freeze()
    leaving = Rpc(last.socket)
    leaving.send_raw(b'{"jsonrpc":"2.0","id":1,"method":"mesh.leave","params":{}}\n')
    wait_until(lambda: is_refused(last, "mesh.discover"), "mesh.leave under way")
    last.signal(signal.SIGTERM)
    reply = json.loads(leaving.read_line())
    check(reply.get("result") == {"left": True}, f"mesh.leave is answered before the end: {reply}")
    wait_until(lambda: not last.is_running(), "the end after mesh.leave")
    leaving.close()


if __name__ == "__main__":
    scenario(run)
