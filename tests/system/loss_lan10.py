#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Ten boxes on a LAN that loses 10 % of all datagrams: every alert reaches every box exactly once. With 20 %
lost nobody is thought dead, with or without alerts."""
import time

from checks import AlertLog, NodeEvents, raise_many, totals, wait_settled_lan, wait_views
from lab import check, scenario

HEAVY_SECONDS = 15


def run(lab):
    hosts = lab.lan(*[f"n{i}" for i in range(10)])
    for host in hosts:
        host.set_loss(10)
    boxes = lab.boxes(hosts)
    wait_settled_lan(boxes)
    events = NodeEvents(boxes)
    log = AlertLog(boxes)
    log.check_exactly_once(raise_many(boxes[0], 50, pause=0.02) + raise_many(boxes[9], 50, pause=0.02))
    events.check_no_losses("10 % loss")
    wait_views(boxes)
    again, repaired = totals(boxes, "messages_retransmitted", "records_repaired")
    print(f"{again} messages sent again, {repaired} records repaired")
    check(again > 0, "nothing was sent again: was anything lost at all?")

    for host in hosts:
        host.set_loss(20)
    time.sleep(HEAVY_SECONDS / 2)
    log = AlertLog(boxes)
    log.check_exactly_once(raise_many(boxes[5], 100, pause=HEAVY_SECONDS / 200))
    events.check_no_losses("20 % loss")
    wait_views(boxes)


if __name__ == "__main__":
    scenario(run)
