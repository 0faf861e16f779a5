#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A LAN of ten falls into halves and is healed: all agree, and hold what both sides wrote meanwhile."""
import time

from checks import NodeEvents, held_alerts, is_isolated, raise_many, wait_settled_lan, wait_store, wait_views
from lab import check, scenario

PARTED_SECONDS = 6


def run(lab):
    boxes = lab.boxes(lab.lan(*[f"n{i}" for i in range(10)], parts=2))
    wait_settled_lan(boxes)
    left, right = boxes[:5], boxes[5:]
    left[0].call("registry.put", hash="both", type="face")
    wait_store(boxes)
    events = NodeEvents(boxes)
    parted = time.monotonic()
    lab.trunk(False)
    wait_views(left)
    wait_views(right)
    print(f"both sides agreed {time.monotonic() - parted:.2f} s after the cut")
    check(not any(is_isolated(box) for box in boxes), "five boxes are not alone")
    for side, other in ((left, right), (right, left)):
        events.check_no_losses("boxes of one side", at=side, but=other)

    alerts, entries = set(), set()
    for number, side in enumerate((left, right)):
        for box in side:
            alerts.update(raise_many(box, 10, pause=0.002))
            box.call("registry.put", hash=f"of-{box}", type="face")
            entries.add(f"of-{box}")
        side[0].call("state.update", scope="mesh", patch={"mode": number, f"side {number}": True})
    right[1].call("registry.delete", hash="both")
    time.sleep(max(0.0, parted + PARTED_SECONDS - time.monotonic()))

    healed = time.monotonic()
    lab.trunk(True)
    wait_views(boxes)
    print(f"views complete {time.monotonic() - healed:.2f} s after the healing")
    wait_store(boxes)
    print(f"stores equal {time.monotonic() - healed:.2f} s after the healing")
    wait_settled_lan(boxes)
    shared = boxes[0].call("state.get", scope="mesh")["state"]
    check(shared["side 0"] and shared["side 1"], f"members of both sides: {shared}")
    for box in boxes:
        check(alerts <= held_alerts(box), f"{box} lacks alerts of a side")
        hashes = {entry["hash"] for entry in box.call("registry.list", limit=1000)["entries"]}
        check(hashes == entries, f"{box} holds {sorted(hashes)}")
        check(box.call("state.get", scope="mesh")["state"] == shared, f"{box} has another shared state")


if __name__ == "__main__":
    scenario(run)
