#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Boxes on two networks at once: when one network fails a link moves to the other, and nobody is lost."""
import time

from checks import AlertLog, NodeEvents, pairs, raise_many, wait_settled_lan, wait_topology
from lab import check, scenario, wait_until


def networks(box):
    """{peer: which of the networks its link uses}."""
    return {peer["node_id"]: int(peer["address"].split(".")[2]) for peer in box.call("mesh.peers")["peers"]
            if peer["address"].startswith("10.77.")}


def run(lab):
    hosts = lab.lan("a", "b", "c")
    lab.lan(*hosts)
    boxes = lab.boxes(hosts)
    wait_settled_lan(boxes)
    a, b, c = boxes
    events = NodeEvents(boxes)
    ways = {
        "carrier lost": (a.host.unplug, a.host.plug_in),
        "cut behind the switch": (a.host.detach, a.host.attach),
        "interface down": (lambda nic: a.host.link(False, f"eth{nic}"), lambda nic: a.host.link(True, f"eth{nic}")),
    }
    for way, (cut, join) in ways.items():
        used = networks(a)["b"]
        started = time.monotonic()
        cut(used - 1)
        wait_until(lambda: len(networks(a)) == 2 and used not in networks(a).values(),
                   lambda: f"links over the other network: {networks(a)}", 30)
        print(f"{way}: no link on network {used} after {time.monotonic() - started:.2f} s")
        wait_topology(boxes, pairs("abc"))
        log = AlertLog(boxes)
        log.check_exactly_once(raise_many(a, 20) + raise_many(c, 20))
        join(used - 1)
        a.host.wait_up()
        time.sleep(1)
        events.check_no_losses(f"{way}, with another network")
    check(not b.drops().get("loop"), "nothing went in circles")


if __name__ == "__main__":
    scenario(run)
