#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Fifty boxes started at once are one mesh of few links each; one of them killed is offline for all."""
import time

from checks import PEERS_MAX, AlertLog, NodeEvents, links, wait_store, wait_views
from lab import check, scenario, wait_until

BOXES = 50


def is_connected(nodes, edges):
    reached, edge = set(), {min(nodes)}
    while edge:
        reached |= edge
        edge = {b if a in reached else a for a, b in edges if (a in reached) != (b in reached)}
    return reached == nodes


def run(lab):
    boxes = lab.boxes(lab.lan(*[f"n{i:02}" for i in range(BOXES)]))
    ready = max(box.ready_at for box in boxes)
    print(f"all views complete {max(0.0, wait_views(boxes, 60) - ready):.2f} s after the last box was ready")
    wait_store(boxes, 60)
    nodes = {box.node_id for box in boxes}
    check(is_connected(nodes, links(boxes[0])), "the links connect all")

    def degrees():
        return sorted(box.call("mesh.status")["peers"] for box in boxes)

    wait_until(lambda: degrees()[-1] <= PEERS_MAX, lambda: f"few links each: {degrees()}", 40, every=0.5)
    print(f"links of a box: {degrees()}")
    log = AlertLog(boxes)
    log.check_exactly_once([box.call("alerts.raise", alert={"from": box.node_id})["id"]
                            for box in boxes[::10]])

    *others, victim = boxes
    events = NodeEvents(others)
    killed = time.time()
    victim.kill()
    known = [events.wait(box, "node.offline", victim.node_id).timestamp_ms / 1000 - killed for box in others]
    print(f"the last of {len(others)} knew of the death after {max(known):.2f} s")
    wait_views(others)
    events.check_no_losses("boxes that live", but=[victim])


if __name__ == "__main__":
    scenario(run)
