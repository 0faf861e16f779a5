#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Five boxes in a line: routes, and alerts end to end with their path."""
from checks import AlertLog, node, raise_many, wait_settled_line
from lab import check, scenario, wait_until


def run(lab):
    boxes = lab.boxes(lab.line("a", "b", "c", "d", "e"))
    wait_settled_line(boxes)
    a, e = boxes[0], boxes[-1]

    routes = {route["node_id"]: route for route in a.call("mesh.routes")["routes"]}
    check(sorted(routes) == ["b", "c", "d", "e"], str(routes))
    check(all(route["next_peer"] == "b" for route in routes.values()), "all ways lead over b")
    check(routes["e"]["hops"] == 4 and routes["e"]["path"] == ["b", "c", "d", "e"], str(routes["e"]))
    check([p["node_id"] for p in a.call("mesh.peers")["peers"]] == ["b"], "a has one peer")
    check(node(a, "e")["hops"] == 4, "mesh.nodes shows the hops")

    log = AlertLog(boxes)
    reply = a.call("alerts.raise", alert={"what": "door"}, priority="critical", wait_ms=5000)
    check(sorted(reply["delivered"]) == ["b", "c", "d", "e"], str(reply))
    arrival = log.subscriptions["e"].wait_for(lambda event: event.data["id"] == reply["id"])
    check(arrival and arrival.data["hops"] == 4 and arrival.data["path"] == list("abcde"), str(arrival))
    check(arrival.data["source"] == "a", "the origin stays the origin over all hops")

    ids = [reply["id"]] + raise_many(a, 100) + raise_many(e, 100)
    log.check_exactly_once(ids)
    for name, hops in zip("abcde", range(5)):
        for event in log.subscriptions[name].snapshot():
            want = hops if event.data["source"] == "a" else 4 - hops
            check(event.data["hops"] == want and len(event.data["path"]) == want + 1, str(event))

    e.call("state.update", patch={"zone": "far end"})
    wait_until(lambda: a.call("state.get", node_id="e")["state"] == {"zone": "far end"}, "e's state at a")


if __name__ == "__main__":
    scenario(run)
