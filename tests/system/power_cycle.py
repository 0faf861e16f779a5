#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Twenty boxes lose power and get it back together: one mesh, and what was acknowledged is there."""
import signal
import time

from checks import held_alerts, raise_ahead, wait_store, wait_views
from lab import check, scenario

BOXES = 20
EARLY, LATE = 5, 40


def run(lab):
    boxes = lab.boxes(lab.lan(*[f"n{i:02}" for i in range(BOXES)]))
    wait_views(boxes, 40)
    alerts, entries = set(), set()
    for box in boxes:
        box.call("state.update", patch={"zone": f"of {box}"})
        for number in range(EARLY):
            entry = {"hash": f"{box}-{number}", "type": "face", "metadata": {"by": str(box)}}
            reply = box.call("registry.put", durable=True, **entry)
            check(reply["durable"], f"{box} has no disk: {reply}")
            entries.add((entry["hash"], str(box)))
    wait_store(boxes, 40)
    # These hardly had time to reach anybody else.
    for box in boxes[:5]:
        alerts.update(raise_ahead(box, LATE))

    for box in boxes:
        box.signal(signal.SIGKILL)
    for box in boxes:
        box.kill()
    started = time.monotonic()
    for box in boxes:
        box.start()
    for box in boxes:
        box.ready()
    ready = max(box.ready_at for box in boxes)
    complete = wait_views(boxes, 60)
    print(f"one mesh {complete - started:.2f} s after the first start, "
          f"{max(0.0, complete - ready):.2f} s after the last box was ready")
    wait_store(boxes, 40)
    for box in boxes:
        lost = alerts - held_alerts(box)
        check(not lost, f"{box} lacks {len(lost)} acknowledged alerts of {len(alerts)}")
        held = {(e["hash"], e["node"]) for e in box.call("registry.list", limit=1000)["entries"]}
        check(entries <= held, f"{box} lacks {len(entries - held)} acknowledged entries of {len(entries)}")


if __name__ == "__main__":
    scenario(run)
