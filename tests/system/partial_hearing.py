#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Two boxes of a LAN cannot hear each other, neither way or one way only; a third relays."""
from checks import AlertLog, links, node, raise_many, wait_topology, wait_views
from lab import check, scenario, wait_until


def run(lab):
    a_host, b_host, c_host = lab.lan("a", "b", "c")
    a_host.stop_hearing(c_host)
    c_host.stop_hearing(a_host)
    boxes = lab.boxes([a_host, b_host, c_host])
    a, _, c = boxes
    wait_views(boxes)
    wait_topology(boxes, frozenset({("a", "b"), ("b", "c")}))
    check(node(a, "c")["hops"] == 2, "c is reached over b")
    log = AlertLog(boxes)
    log.check_exactly_once(raise_many(a, 30) + raise_many(c, 30, priority="critical"))
    check(log.subscriptions["c"].snapshot()[0].data["path"] == ["a", "b", "c"], "the alert goes over b")

    # c hears a now, a does not hear c: still no link, for a link needs both directions.
    c_host.heal()
    ids = raise_many(a, 100, pause=0.03)
    check(all(links(box) == {("a", "b"), ("b", "c")} for box in boxes), "no link of one direction")

    a_host.heal()
    wait_until(lambda: ("a", "c") in links(a) and ("a", "c") in links(c), "the link once both hear")
    everything = {alert["id"] for alert in c.call("alerts.list", limit=1000)["alerts"]}
    check(set(ids) <= everything, f"{len(set(ids) - everything)} alerts of 100 were lost")


if __name__ == "__main__":
    scenario(run)
