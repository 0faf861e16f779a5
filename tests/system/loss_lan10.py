#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Ten boxes on a LAN that loses 10 % of all datagrams: every alert reaches every box exactly once."""
from checks import AlertLog, raise_many, totals, wait_settled_lan, wait_views
from lab import check, scenario


def run(lab):
    hosts = lab.lan(*[f"n{i}" for i in range(10)])
    for host in hosts:
        host.set_loss(10)
    boxes = lab.boxes(hosts)
    wait_settled_lan(boxes)
    offline = {box: box.subscribe("node") for box in boxes}
    log = AlertLog(boxes)
    log.check_exactly_once(raise_many(boxes[0], 50, pause=0.02) + raise_many(boxes[9], 50, pause=0.02))
    wrong = [event for s in offline.values() for event in s.find(lambda e: e.kind == "node.offline")]
    check(not wrong, f"boxes were thought dead because of loss: {wrong}")
    wait_views(boxes)
    again, repaired = totals(boxes, "messages_retransmitted", "records_repaired")
    print(f"{again} messages sent again, {repaired} records repaired")
    check(again > 0, "nothing was sent again: was anything lost at all?")


if __name__ == "__main__":
    scenario(run)
