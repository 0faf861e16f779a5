#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A triangle of cables one of which dies silently, both ways or one way: all goes around, nobody is lost."""
import time

from checks import (AlertLog, NodeEvents, held_alerts, links, pairs, raise_many, route, wait_store,
                    wait_topology, wait_views)
from lab import check, scenario, wait_until

AROUND = frozenset({("a", "c"), ("b", "c")})


def run(lab):
    hosts = lab.line("a", "b", "c")
    lab.cable(hosts[2], hosts[0])
    boxes = lab.boxes(hosts)
    a, b, c = boxes
    wait_views(boxes)
    wait_topology(boxes, pairs("abc"))
    events = NodeEvents(boxes)

    for way in ("both ways", "one way"):
        wait_until(lambda: route(a, "b") == ["b"] and route(b, "a") == ["a"], "the direct way")
        started = time.monotonic()
        b.host.stop_hearing(a.host)
        if way == "both ways":
            a.host.stop_hearing(b.host)
        first = {a.call("alerts.raise", alert={"cut": way})["id"], b.call("alerts.raise", alert={"cut": way})["id"]}
        wait_until(lambda: route(a, "b") == ["c", "b"] and route(b, "a") == ["c", "a"], "the way around")
        print(f"dead {way}: the way around after {time.monotonic() - started:.2f} s")
        wait_until(lambda: all(first <= held_alerts(box) for box in boxes), "alerts raised as the link died")
        print(f"dead {way}: alerts raised at once had arrived after {time.monotonic() - started:.2f} s")
        wait_topology(boxes, AROUND)
        log = AlertLog(boxes)
        log.check_exactly_once(raise_many(a, 20) + raise_many(b, 20))
        check(all(links(box) == AROUND for box in boxes), "a link that is deaf at one end stays unused")
        events.check_no_losses("a dead link where there is another way")
        for host in hosts:
            host.heal()
        wait_topology(boxes, pairs("abc"))
        wait_store(boxes)
    events.check_no_losses("a link that is back")
    check(not c.drops().get("loop"), "nothing went in circles")


if __name__ == "__main__":
    scenario(run)
