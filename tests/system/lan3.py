#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Three boxes on a LAN find each other without configuration, agree, and tell each other things."""
from checks import AlertLog, alive, node, status, wait_settled_lan
from lab import check, scenario, wait_until


def run(lab):
    boxes = lab.boxes(lab.lan("a", "b", "c"))
    wait_settled_lan(boxes)
    a, b, c = boxes

    entries = {entry["node_id"]: entry for entry in a.call("mesh.nodes")["nodes"]}
    check(entries["a"]["hops"] == 0, "a node is in its own list with 0 hops")
    check(entries["b"]["hops"] == 1 and entries["c"]["hops"] == 1, f"peers are 1 hop away: {entries}")
    check(entries["b"]["address"].startswith(b.host.address), f"b is known by its address: {entries['b']}")
    wait_until(lambda: node(a, "b")["rtt_ms"] is not None, "a round trip time to b")
    overview = a.call("mesh.status")
    check((overview["nodes_alive"], overview["nodes_known"], overview["peers"]) == (3, 3, 2), str(overview))
    stats = a.stats()
    check(stats["alive_peers"] == 2 and stats["total_peers"] == 2 and stats["is_running"], str(stats))

    log = AlertLog(boxes)
    for priority in ("low", "normal", "high", "critical"):
        reply = b.call("alerts.raise", alert={"what": "smoke"}, priority=priority, wait_ms=5000)
        check(sorted(reply["delivered"]) == ["a", "c"] and reply["pending"] == [], str(reply))
        check(reply["listeners"] == 1, f"one process listens at b: {reply}")
    held = c.call("alerts.list")["alerts"]
    check([alert["priority"] for alert in held] == ["critical", "high", "normal", "low"], str(held))
    log.check_exactly_once([alert["id"] for alert in held])
    at_b = log.subscriptions["b"].snapshot()[0].data
    at_c = log.subscriptions["c"].snapshot()[0].data
    check(at_b["hops"] == 0 and at_b["path"] == ["b"], f"own alerts reach own listeners: {at_b}")
    check(at_c["hops"] == 1 and at_c["path"] == ["b", "c"] and at_c["source"] == "b", str(at_c))
    check(at_c["alert"] == {"what": "smoke"} and not at_c["replayed"], str(at_c))

    changes = c.subscribe("state")
    a.call("state.update", patch={"camera": {"fps": 25}, "zone": "north"}, activity="PROCESSING")
    a.call("state.update", patch={"zone": None})
    want = {"camera": {"fps": 25}}
    wait_until(lambda: c.call("state.get", node_id="a")["state"] == want, "a's state at c")
    check(c.call("state.get", node_id="a")["activity"] == "PROCESSING", "a's activity at c")
    check(changes.wait_for(lambda e: e.data["node_id"] == "a" and e.data["state"] == want),
          "c's subscriber is told of a's state")
    own = c.call("state.get")
    check(own["state"] == {} and own["activity"] == "ACTIVE", f"c's own state is untouched: {own}")

    c.call("mesh.leave")
    wait_until(lambda: status(a, "c") == "left" and status(b, "c") == "left", "c has left")
    check(alive(a) == {"a", "b"}, "who has left is not alive")
    c.call("mesh.discover")
    wait_settled_lan(boxes)


if __name__ == "__main__":
    scenario(run)
