#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A scrapped box is forgotten by all at one box's word, also by one that was away; the living are not."""
import json
import time

from checks import known, status, wait_settled_lan, wait_store
from lab import check, scenario, wait_until

OK, REFUSED = 0, 1
# What a node waits before it takes a record of a forgotten start for one of the dead.
SETTLE_SECONDS = 5


def wait_offline(viewers, box):
    wait_until(lambda: all(status(viewer, box) == "offline" for viewer in viewers), f"{box} offline")


def wait_forgotten(viewers, box):
    started = time.monotonic()
    wait_until(lambda: all(status(viewer, box) == "unknown" for viewer in viewers), f"{box} forgotten")
    return time.monotonic() - started


def run(lab):
    boxes = lab.boxes(lab.lan("a", "b", "c"))
    wait_settled_lan(boxes)
    a, b, c = boxes

    def refused(node, words):
        done = a.meshctl("forget", node, check=False)
        check(done.returncode == REFUSED and words in done.stderr, f"forget {node}: {done}")

    refused("c", "is alive: stop it first")
    refused("a", "is this node itself")
    refused("nobody", "no node of this name is known")
    check(known(a) == {"a", "b", "c"}, "nothing is forgotten by what was refused")

    c.call("registry.put", hash="seen by c", type="person")
    wait_store(boxes)
    c.kill()
    wait_offline([a, b], c)
    events = {box: box.subscribe("node") for box in (a, b)}
    done = a.meshctl("forget", "c", "--json")
    check(json.loads(done.stdout) == {"node_id": "c", "forgotten": True}, str(done))
    print(f"forgotten by both after {wait_forgotten([a, b], c):.2f} s")
    for box, subscription in events.items():
        event = subscription.wait_for(lambda e: e.kind == "node.forgotten")
        check(event and event.data == {"node_id": "c", "because": None, "by": "a"}, f"{box}: {event}")
        check(box.call("mesh.status")["nodes_known"] == 2, f"{box} knows of two nodes")
        check(len(box.call("registry.get", hash="seen by c")["entries"]) == 1, "what it saw stays")
        subscription.close()
    wait_store([a, b])

    # It was in a drawer after all.
    c.start().ready()
    wait_settled_lan(boxes)
    time.sleep(SETTLE_SECONDS + 1)
    check(status(a, "c") == status(b, "c") == "alive", "a new start is welcome")

    # b is away while c is scrapped and forgotten: it still has the old record when it returns.
    b.host.filter("udp dport 9999 drop")
    wait_offline([a], b)
    c.kill()
    wait_offline([a], c)
    check("forgot c" in a.meshctl("forget", "c").stdout, "words for a person")
    wait_forgotten([a], c)
    check(status(b, "c") != "unknown", "b has not heard of it")
    b.host.heal()
    wait_settled_lan([a, b])
    wait_forgotten([a, b], c)
    time.sleep(SETTLE_SECONDS + 1)
    check(known(a) == known(b) == {"a", "b"}, f"nobody brings c back: {known(a)} {known(b)}")
    wait_store([a, b])


if __name__ == "__main__":
    scenario(run)
