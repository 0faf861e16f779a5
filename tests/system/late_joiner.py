#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A box that joins late gets a registry with embeddings while alerts and heartbeats go on as ever."""
import time

from checks import AlertLog, totals, wait_settled_lan, wait_store, wait_views
from entries import embedding_of, put_many, wait_entries
from lab import check, scenario, wait_until

ENTRIES = 3000


def run(lab):
    hosts = lab.lan("a", "b", "c")
    boxes = lab.boxes(hosts[:2])
    wait_settled_lan(boxes)
    a, b = boxes
    put_many(a, [f"a-{n}" for n in range(ENTRIES // 2)])
    put_many(b, [f"b-{n}" for n in range(ENTRIES // 2)])
    wait_entries(boxes, ENTRIES)
    wait_store(boxes)

    links = [box.subscribe("link", "node.offline", "node.unreachable") for box in boxes]
    before = totals(boxes, "links_down")
    started = time.monotonic()
    late = lab.box(hosts[2])
    late.ready()
    boxes.append(late)
    links.append(late.subscribe("link", "node.offline", "node.unreachable"))
    log = AlertLog(boxes)
    wait_views(boxes)
    # Before all know the way to all, an alert may come by repair: late, and so not told as live.
    wait_until(lambda: len(late.call("mesh.peers")["peers"]) == 2, "both links of the late box")
    ids = []
    for number in range(100):
        ids.append(boxes[number % 2].call("alerts.raise", alert={"n": number})["id"])
        time.sleep(0.02)
    wait_entries(boxes, ENTRIES, 40)
    print(f"{ENTRIES} entries with embeddings were there within {time.monotonic() - started:.1f} s of the start")
    log.check_exactly_once(ids)
    wait_store(boxes)
    check(totals(boxes, "links_down") == before, "no link went down")
    for subscription in links:
        lost = subscription.find(lambda e: e.kind != "link.up")
        check(not lost, f"heartbeats were missed: {lost}")
    for name in ("a-0", f"b-{ENTRIES // 2 - 1}"):
        check(embedding_of(late, name) == embedding_of(a, name), f"{name} is the same bit by bit")


if __name__ == "__main__":
    scenario(run)
