#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Five boxes in a line of lossy cables: 100 alerts end to end, each exactly once."""
from checks import AlertLog, raise_many, totals, wait_settled_line
from lab import check, scenario


def run(lab):
    hosts = lab.line("a", "b", "c", "d", "e")
    for host in hosts:
        host.set_loss(10)
    boxes = lab.boxes(hosts)
    wait_settled_line(boxes)
    log = AlertLog(boxes)
    log.check_exactly_once(raise_many(boxes[0], 100, pause=0.02))
    # Larger than a datagram: fragments get lost too.
    big = {"picture": "x" * 20000}
    log = AlertLog(boxes)
    log.check_exactly_once([boxes[-1].call("alerts.raise", alert=big)["id"] for _ in range(10)])
    check(log.subscriptions["a"].snapshot()[0].data["alert"] == big, "the large alert came intact")
    again, = totals(boxes, "messages_retransmitted")
    print(f"{again} messages sent again")
    check(again > 0, "nothing was sent again: was anything lost at all?")


if __name__ == "__main__":
    scenario(run)
