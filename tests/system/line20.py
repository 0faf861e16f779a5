#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Twenty boxes in a line: every alert reaches every box, whatever end it comes from."""
from checks import AlertLog, line_links, node, raise_many, wait_settled_line
from lab import check, scenario

BOXES, ALERTS = 20, 50


def run(lab):
    boxes = lab.boxes(lab.line(*[f"n{i:02}" for i in range(BOXES)]))
    wait_settled_line(boxes, 60)
    first, middle, last = boxes[0], boxes[BOXES // 2], boxes[-1]
    check(node(first, last)["hops"] == BOXES - 1, "the far end is that far")
    log = AlertLog(boxes)
    log.check_exactly_once([alert_id for box in (first, middle, last) for alert_id in raise_many(box, ALERTS)], 40)
    spans = sorted(event.timestamp_ms - event.data["timestamp_ms"] for event in log.subscriptions[last.node_id].snapshot()
                   if event.data["source"] == first.node_id)
    print(f"end to end over {BOXES - 1} hops: median {spans[len(spans) // 2]} ms, worst {spans[-1]} ms")
    reply = last.call("alerts.raise", alert={"what": "gate"}, priority="critical", wait_ms=10000)
    check(len(reply["delivered"]) == BOXES - 1, f"confirmed over the whole line: {reply}")
    check(len(line_links(boxes)) == len(first.call("mesh.topology")["links"]), "no link came or went")


if __name__ == "__main__":
    scenario(run)
