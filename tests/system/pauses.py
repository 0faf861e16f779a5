#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A box paused for half a second is missed by nobody; one paused for ten is, and returns by itself."""
import time

from checks import NodeEvents, alive, is_isolated, wait_settled_lan
from lab import check, scenario

SHORT_SECONDS, LONG_SECONDS = 0.5, 10


def run(lab):
    boxes = lab.boxes(lab.lan("a", "b", "c", "d", "e"))
    wait_settled_lan(boxes)
    *others, paused = boxes
    events = NodeEvents(boxes)
    for box in (paused, boxes[0]):
        box.freeze()
        time.sleep(SHORT_SECONDS)
        box.thaw()
        time.sleep(1.5)
    events.check_no_losses("a pause of half a second")

    started = time.time()
    paused.freeze()
    for box in others:
        told = events.wait(box, "node.offline", paused.node_id)
        print(f"{box} knew after {told.timestamp_ms / 1000 - started:.2f} s")
    time.sleep(max(0.0, started + LONG_SECONDS - time.time()))
    thawed = time.monotonic()
    paused.thaw()
    wait_settled_lan(boxes)
    for box in others:
        told = events.wait(box, "node.returned", paused.node_id)
        print(f"{box} knew of the return {told.at - thawed:.2f} s after it")
    events.check_no_losses("boxes that never paused", at=others, but=[paused])
    accused = [event.data["node_id"] for _, event in events.losses(at=[paused])]
    print(f"the paused box told of losses: {accused or 'none'}")
    for name in accused:
        events.wait(paused, "node.returned", name)
    check(len(alive(paused)) == 5, "the box that was paused sees everybody")
    check(not is_isolated(paused), "and is not alone")


if __name__ == "__main__":
    scenario(run)
