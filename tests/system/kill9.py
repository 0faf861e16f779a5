#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A box killed with -9 is offline for all others, and its return is noticed by all."""
import time

from checks import AlertLog, status, wait_settled_lan
from lab import check, scenario, wait_until


def run(lab):
    boxes = lab.boxes(lab.lan("a", "b", "c", "d", "e"))
    wait_settled_lan(boxes)
    *others, victim = boxes
    events = {box: box.subscribe("node", "link") for box in others}

    killed = victim.kill()
    for box in others:
        event = events[box].wait_for(lambda e: e.kind == "node.offline" and e.data["node_id"] == "e")
        check(event, f"{box} tells its subscriber that e is offline")
        print(f"{box} knew after {event.at - killed:.2f} s")
        check(status(box, "e") == "offline", f"{box} shows e as offline")
        check(not events[box].find(lambda e: e.kind == "node.left"), "a killed box has not left")
        check(not events[box].find(lambda e: e.kind == "node.offline" and e.data["node_id"] != "e"),
              f"{box} thinks that living boxes died")
        down = events[box].wait_for(lambda e: e.kind == "link.down" and e.data["node_id"] == "e")
        check(down, f"{box} tells that its link to e is down")
        check(box.call("mesh.status")["nodes_known"] == 5, "an offline box is remembered")

    reply = boxes[0].call("alerts.raise", alert={"while": "e is away"}, wait_ms=5000)
    check(sorted(reply["delivered"]) == ["b", "c", "d"], f"nobody waits for the dead: {reply}")

    started = time.monotonic()
    victim.start().ready()
    for box in others:
        event = events[box].wait_for(lambda e: e.at > started and e.data["node_id"] == "e"
                                     and e.kind in ("node.returned", "node.joined"))
        check(event and event.kind == "node.returned", f"{box} is told of e's return: {event}")
        print(f"{box} knew of the return {event.at - started:.2f} s after the start")
    wait_settled_lan(boxes)
    wait_until(lambda: victim.call("alerts.list")["alerts"], "the alert that e missed")
    log = AlertLog(boxes)
    log.check_exactly_once([victim.call("alerts.raise", alert={"back": True})["id"]])


if __name__ == "__main__":
    scenario(run)
