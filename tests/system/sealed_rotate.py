#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The key of a mesh changes under load and no alert is lost; a box that was away gets the new one when it
returns; the old one is removed; a replaced key expels who has not got it."""
import threading
import time

from checks import AlertLog, alive, status, wait_settled_lan, wait_views
from lab import check, scenario, wait_until
from rpc import Rpc, RpcError

PAUSE_SECONDS = 0.01


class Load:
    """Raises alerts at every box in turn until stopped; each reply is an acknowledged alert."""

    def __init__(self, boxes):
        self.boxes = boxes
        self.ids = []
        self.is_over = False
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        connections = [Rpc(box.socket) for box in self.boxes]
        while not self.is_over:
            rpc = connections[len(self.ids) % len(connections)]
            self.ids.append(rpc.call("alerts.raise", alert={"number": len(self.ids)})["id"])
            time.sleep(PAUSE_SECONDS)

    def stop(self):
        self.is_over = True
        self.thread.join()
        return set(self.ids)


def active(box):
    return box.call("keys.list")["active"]


def refusal(box, method, **params):
    try:
        box.call(method, **params)
    except RpcError as error:
        return error.code
    return 0


def run(lab):
    hosts = lab.lan("a", "b", "c", "d")
    boxes = [lab.box(host, open_mode=False).ready() for host in hosts]
    a, b, c, d = boxes
    here = [a, b, c]
    wait_settled_lan(boxes)
    old = active(a)
    check(all(active(box) == old for box in boxes), "one key at all")

    d.kill()
    wait_until(lambda: status(a, "d") == "offline", "d offline")
    log = AlertLog(here)
    load = Load(here)
    time.sleep(1)
    done = a.meshctl("key", "rotate", "--wait", "60", timeout=70)
    new = active(a)
    check(new != old and "all boxes that are alive" in done.stderr, f"rotated: {done}")
    wait_until(lambda: all(active(box) == new for box in here), "the new key in use everywhere", 30)
    time.sleep(2)
    ids = load.stop()
    wait_until(lambda: all(ids <= set(log.counts()[box.node_id]) for box in here),
               lambda: f"alerts: {len(ids)} raised, " + ", ".join(
                   f"{box} lacks {len(ids - set(log.counts()[box.node_id]))}" for box in here))
    twice = {box.node_id: sum(n > 1 for n in log.counts()[box.node_id].values()) for box in here}
    check(not any(twice.values()), f"none comes twice: {twice}")
    print(f"{len(ids)} alerts during the rotation, none lost")
    check(all(alive(box) == {"a", "b", "c"} for box in here), "nobody was taken for lost")

    check(refusal(a, "keys.remove", id=old) == 704, "the old key stays while d lacks the new one")
    check("d (offline)" in a.meshctl("key", "rm", old, check=False).stderr, "d is named")
    check("d (offline)" in a.meshctl("key", "ls").stdout, "and in the list")
    d.start().ready()
    wait_views(boxes, 30)
    wait_until(lambda: active(d) == new, "d to have the new key", 60)
    check(d.call("keys.list")["keys"][-1]["origin"] == "received", "it was given to it")
    for box in boxes:
        wait_until(lambda box=box: not box.call("keys.list")["keys"][-1]["lacking"], "all to be known to hold it", 30)
        box.meshctl("key", "rm", old)
        check([key["id"] for key in box.call("keys.list")["keys"]] == [new], "the new key alone is left")
    check(refusal(a, "keys.remove", id=new) == 703, "the active key cannot be removed")
    wait_views(boxes)

    # d is stolen: the others leave the key behind.
    token = a.call("keys.replace")["token"]
    for box in (b, c):
        box.call("keys.replace", token=token)
    wait_until(lambda: all(alive(box) == {"a", "b", "c"} for box in here), "a mesh without d", 60)
    wait_until(lambda: alive(d) == {"d"}, "d alone", 60)
    stolen = AlertLog([d])
    a.call("alerts.raise", alert={"what": "d is stolen"}, wait_ms=3000)
    time.sleep(1)
    check(not stolen.counts().get("d"), "d hears nothing any more")


if __name__ == "__main__":
    scenario(run, hang_seconds=140)
