#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A restarted box speaks at once and is heard: its new numbers do not look old, its state is new."""
from checks import AlertLog, raise_many, status, wait_settled_lan, wait_store
from lab import check, scenario, wait_until


def run(lab):
    boxes = lab.boxes(lab.lan("a", "b", "c"))
    wait_settled_lan(boxes)
    a, b, c = boxes
    raise_many(c, 50, pause=0.002)
    c.call("state.update", patch={"run": 1, "only": "first"})
    wait_until(lambda: a.call("state.get", node_id="c")["state"].get("run") == 1, "c's state at a")
    old = c.call("mesh.status")

    for run_number in (2, 3):
        if run_number == 2:
            c.kill()
        else:
            c.terminate()
        c.start().ready()
        new = c.call("mesh.status")
        check(new["instance"] == old["instance"], "the instance id is kept over a restart")
        check(new["start"] != old["start"], "each start has its own id")
        # Before anything has settled: what a fresh process says first must already count.
        first = c.call("alerts.raise", alert={"first": run_number})["id"]
        c.call("state.update", patch={"run": run_number})
        wait_settled_lan(boxes)
        log = AlertLog([a, b])
        ids = raise_many(c, 20)
        log.check_exactly_once(ids)
        for box in (a, b):
            held = {alert["id"] for alert in box.call("alerts.list", limit=1000)["alerts"]}
            check({first, *ids} <= held, f"{box} lacks alerts of the restarted box")
            check(len(held) >= 50, f"{box} has forgotten alerts of the former run: {len(held)}")
            wait_until(lambda: box.call("state.get", node_id="c")["state"] == {"run": run_number},
                       f"the new state at {box}")
            check(status(box, "c") == "alive", "the restarted box is alive")
        wait_store(boxes)
        old = new
        for box in (a, b):
            check(box.call("mesh.status")["nodes_known"] == 3, "a restart makes no second node")


if __name__ == "__main__":
    scenario(run)
