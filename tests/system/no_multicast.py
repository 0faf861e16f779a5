#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Broadcast and multicast that pass no more, or never did: the box says so, and unicast carries on."""
import time

from checks import AlertLog, NodeEvents, alive, wait_settled_lan, wait_views
from lab import check, scenario, wait_until

# Beacons come every five seconds at first: several of them are missed.
QUIET_SECONDS = 8


def run(lab):
    *hosts, late = lab.lan("a", "b", "c", "d", "e", snooping=True)
    boxes = lab.boxes(hosts)
    wait_settled_lan(boxes)
    a, b, c, d = boxes

    # A switch that learns of no listener any more stops forwarding after minutes; here at once.
    events = NodeEvents(boxes)
    for host in hosts:
        host.hear_no_beacons()
    time.sleep(QUIET_SECONDS)
    events.check_no_losses("beacons that are not forwarded")
    log = AlertLog(boxes)
    log.check_exactly_once([box.call("alerts.raise", alert={"from": str(box)})["id"] for box in boxes])

    # Addresses on the disk and in the others' memory serve where nobody hears a beacon.
    d.kill()
    wait_views([a, b, c])
    d.start().ready()
    wait_views(boxes)
    b.kill()
    c.kill()
    b.start()
    c.start()
    b.ready()
    c.ready()
    wait_views(boxes)
    events.check_no_losses("boxes that were not killed", at=[a], but=[b, c, d])

    # A box that was never here finds nobody, and hears nothing of what it says itself: one address helps.
    late.filter("meta pkttype { broadcast, multicast } udp dport != 0 drop")
    e = lab.box(late).ready()
    wait_until(lambda: "eth0" in " ".join(e.warnings()), lambda: f"a warning: {e.warnings()}")
    print(f"said: {e.warnings()}")
    check(alive(e) == {"e"}, "without an address nobody is found")
    e.terminate()
    e.arguments += ["--bootstrap", f"{hosts[0].address}:9999"]
    e.start().ready()
    wait_views([*boxes, e])


if __name__ == "__main__":
    scenario(run)
