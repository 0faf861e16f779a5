#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Ten boxes on a LAN: everybody sees everybody, few copies of an alert, little memory."""
import time

from checks import copies_per_node, wait_settled_lan, wait_views
from lab import check, scenario

COPIES_MAX = 1.5
RSS_KIB_MAX = 12 * 1024


def run(lab):
    boxes = lab.boxes(lab.lan(*[f"n{i}" for i in range(10)]))
    ready = time.monotonic()
    complete = wait_views(boxes)
    print(f"all views complete {max(0.0, complete - ready):.2f} s after the last box was ready")
    wait_settled_lan(boxes)
    for box in boxes:
        routes = box.call("mesh.routes")["routes"]
        check(len(routes) == 9 and all(r["hops"] == 1 for r in routes), f"routes of {box}: {routes}")

    for source in (boxes[0], boxes[7]):
        copies = copies_per_node(boxes, source, 50)
        print(f"copies of an alert of {source} per node: {copies:.2f}")
        check(copies <= COPIES_MAX, f"{copies:.2f} copies per node")

    rss = sorted(box.rss_kib() for box in boxes)
    print(f"RSS: {rss[0] / 1024:.1f} to {rss[-1] / 1024:.1f} MiB")


if __name__ == "__main__":
    scenario(run)
