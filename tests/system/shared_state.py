#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The state that all boxes share: every box writes it, all agree, and it outlives every process."""
import json
import threading

from checks import wait_settled_lan, wait_store, wait_views
from entries import wait_written
from lab import check, scenario, wait_until
from rpc import Rpc

WRITES = 60


def shared(box):
    return box.call("state.get", scope="mesh")["state"]


def update(box, **patch):
    return box.call("state.update", scope="mesh", patch=patch)


def agree(boxes, want):
    wait_until(lambda: all(shared(box) == want for box in boxes),
               lambda: f"{want} everywhere: { {str(box): shared(box) for box in boxes} }")


def concurrent_writers(boxes):
    """Each box writes members of its own and one that all fight for."""
    def write(box):
        rpc = Rpc(box.socket)
        for number in range(WRITES):
            rpc.call("state.update", scope="mesh",
                     patch={f"{box}-{number % 10}": number, "contested": {"by": str(box), "n": number}})
        rpc.close()

    threads = [threading.Thread(target=write, args=(box,)) for box in boxes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wait_store(boxes)
    state = shared(boxes[0])
    agree(boxes, state)
    for box in boxes:
        for last in range(WRITES - 10, WRITES):
            check(state.get(f"{box}-{last % 10}") == last, f"{box}'s last write {last} is there: {state}")
    check(state["contested"]["n"] == WRITES - 1, f"the newest of the fight is the last of somebody: {state}")
    for box in boxes:
        boxes[0].call("state.update", scope="mesh", patch={f"{box}-{n}": None for n in range(10)})


def run(lab):
    hosts = lab.lan("a", "b", "c", "d")
    boxes = lab.boxes(hosts[:3])
    wait_settled_lan(boxes)
    a, b, c = boxes
    events = c.subscribe("shared")

    reply = update(a, mode="night", limits={"speed": 30})
    check(reply["changed"] == 2 and reply["state"] == {"mode": "night", "limits": {"speed": 30}}, str(reply))
    agree(boxes, reply["state"])
    event = events.wait_for(lambda e: e.data["key"] == "limits")
    check(event and event.data["value"] == {"speed": 30} and event.data["by"] == "a", f"shared.changed: {event}")
    update(b, limits={"height": 4})
    agree(boxes, {"mode": "night", "limits": {"speed": 30, "height": 4}})
    members = a.call("state.get", scope="mesh")["members"]
    check((members["limits"]["by"], members["mode"]["by"]) == ("b", "a"), f"who wrote what: {members}")
    check(a.call("state.get")["state"] == {}, "the node's own state is another one")

    update(c, mode=None, limits={"speed": None})
    agree(boxes, {"limits": {"height": 4}})
    event = events.wait_for(lambda e: e.data["key"] == "mode" and e.data["value"] is None)
    check(event and event.data["by"] == "c", f"the deletion is told: {event}")

    concurrent_writers(boxes)
    last = shared(a)["contested"]
    agree(boxes, {"limits": {"height": 4}, "contested": last})

    b.meshctl("state", "set", "--mesh", "mode=day", "contested=null")
    wait_until(lambda: "day" in c.meshctl("state", "get", "--mesh").stdout, "the mode at c by meshctl")
    want = {"limits": {"height": 4}, "mode": "day"}
    check(json.loads(a.meshctl("state", "get", "--mesh", "--json").stdout)["state"] == want, "meshctl state get")

    late = lab.box(hosts[3])
    late.ready()
    agree([late], want)
    update(late, late=True)
    boxes.append(late)
    want["late"] = True
    agree(boxes, want)

    for box in boxes:
        wait_written(box)
    for box in boxes:
        box.kill()
    for box in boxes:
        box.start()
    for box in boxes:
        box.ready()
    wait_views(boxes)
    agree(boxes, want)


if __name__ == "__main__":
    scenario(run)
