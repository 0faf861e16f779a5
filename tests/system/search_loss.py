#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Ten boxes on a LAN that loses 10 % of all datagrams: 30 searches of 30 have the answers of all."""
import time

from checks import NodeEvents, totals, wait_settled_lan, wait_store
from lab import check, scenario
from search_checks import answered, check_complete, search

SEARCHES = 30


def run(lab):
    hosts = lab.lan(*[f"n{i}" for i in range(10)])
    boxes = lab.boxes(hosts)
    wait_settled_lan(boxes)
    for box in boxes:
        box.call("registry.put", hash="guest", type="person", metadata={"seen by": str(box)})
    wait_store(boxes)
    for host in hosts:
        host.set_loss(10)
    events = NodeEvents(boxes)
    slowest = 0.0
    for number in range(SEARCHES):
        started = time.monotonic()
        # Far above what repetitions need: what is asked is that nothing is lost.
        reply = search(boxes[number % len(boxes)], "hash", {"hash": "guest"}, timeout_ms=20000)
        slowest = max(slowest, time.monotonic() - started)
        check_complete(reply, boxes)
        check(all(len(results) == 1 for results in answered(reply).values()), str(reply))
    again, = totals(boxes, "messages_retransmitted")
    print(f"the slowest search took {1000 * slowest:.0f} ms; {again} messages sent again")
    check(again > 0, "nothing was sent again: was anything lost at all?")
    events.check_no_losses("10 % loss")


if __name__ == "__main__":
    scenario(run)
