#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A ring of cables: routes follow what is cut and what is healed."""
from checks import AlertLog, alive, node, raise_many, route, status, wait_views
from lab import check, scenario, wait_until


def run(lab):
    hosts = lab.line("a", "b", "c", "d", "e")
    lab.cable(hosts[-1], hosts[0])
    boxes = lab.boxes(hosts)
    a, b, c, d, _ = boxes
    wait_views(boxes)
    wait_until(lambda: route(a, "c") == ["b", "c"] and route(a, "d") == ["e", "d"], "the short ways")

    a.host.stop_hearing(b.host)
    b.host.stop_hearing(a.host)
    wait_until(lambda: route(a, "b") == ["e", "d", "c", "b"], "the way around the cut")
    wait_until(lambda: route(b, "a") == ["c", "d", "e", "a"], "the way around the cut, from the other end")
    check(all(len(alive(box)) == 5 for box in boxes), "a cut cable kills nobody")
    log = AlertLog(boxes)
    log.check_exactly_once(raise_many(a, 20) + raise_many(b, 20))

    a.host.heal()
    b.host.heal()
    wait_until(lambda: route(a, "b") == ["b"], "the direct way, once healed")

    # Cut twice, the ring falls apart: each side says of the other that it is not reachable.
    for one, other in ((a, b), (c, d)):
        one.host.stop_hearing(other.host)
        other.host.stop_hearing(one.host)
    wait_until(lambda: all(status(a, x) in ("offline", "unreachable") for x in "bc"), "the loss of b and c")
    wait_until(lambda: all(status(b, x) in ("offline", "unreachable") for x in "ade"), "the loss of the rest")
    check(node(a, "b")["hops"] is None and node(a, "b")["activity"] == "OFFLINE", str(node(a, "b")))
    missed = a.call("alerts.raise", alert={"during": "partition"}, wait_ms=2000)
    check(sorted(missed["delivered"]) == ["d", "e"], str(missed))
    for host in hosts:
        host.heal()
    wait_views(boxes)
    wait_until(lambda: missed["id"] in [x["id"] for x in b.call("alerts.list")["alerts"]],
               "the alert that b missed")


if __name__ == "__main__":
    scenario(run)
