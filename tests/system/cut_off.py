#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A box whose cable is out knows that it is alone, and so do the others; plugged in, it is back."""
import time

from checks import NodeEvents, alive, held_alerts, is_isolated, status, wait_settled_lan, wait_views
from lab import check, scenario, wait_until


def run(lab):
    boxes = lab.boxes(lab.lan("a", "b", "c", "d", "e"))
    wait_settled_lan(boxes)
    *others, loner = boxes
    host = loner.host
    check(not any(is_isolated(box) for box in boxes), "nobody is alone at first")
    ways = {
        "interface down": (lambda: host.link(False), lambda: host.link(True)),
        "carrier lost": (host.unplug, host.plug_in),
        "cut behind the switch": (host.detach, host.attach),
    }
    for way, (cut, join) in ways.items():
        events = NodeEvents(boxes)
        cut_at = time.time()
        cut()
        alone = events.wait(loner, "node.isolated")
        wait_until(lambda: is_isolated(loner), "a status that says so")
        known = [events.wait(box, "node.offline", loner.node_id) for box in others]
        print(f"{way}: the box knew after {alone.timestamp_ms / 1000 - cut_at:.2f} s, the last of the others "
              f"after {max(event.timestamp_ms for event in known) / 1000 - cut_at:.2f} s")
        wait_until(lambda: alive(loner) == {loner.node_id}, "nobody else alive for the box that is alone")
        check(all(status(box, loner.node_id) == "offline" for box in others), "offline is what others show")
        missed = loner.call("alerts.raise", alert={"while": way}, wait_ms=100)
        check(missed["delivered"] == [], f"nobody is reached: {missed}")
        events.check_no_losses("boxes that are together", at=others, but=[loner])
        check(not any(is_isolated(box) for box in others), "four boxes are not alone")

        joined = time.monotonic()
        join()
        wait_views(boxes)  # a link lost three times is not made again at once
        print(f"{way}: one mesh {time.monotonic() - joined:.2f} s after the cable was in")
        events.wait(loner, "node.rejoined")
        for box in others:
            events.wait(box, "node.returned", loner.node_id)
            wait_until(lambda: missed["id"] in held_alerts(box), "the alert raised alone")
        check(not is_isolated(loner), "the status no longer says so")


if __name__ == "__main__":
    scenario(run)
