#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A running open mesh moves to a key step by step: open, mixed, sealed; it stays one mesh at every step."""
import time

from checks import AlertLog, alive, wait_settled_lan, wait_views
from lab import check, scenario, wait_until
from mesh_key import make_token


def configure(box, mode):
    (box.directory / "meshd.yaml").write_text(f"security:\n  mode: {mode}\n")


def restart(box, mode):
    box.terminate()
    configure(box, mode)
    box.arguments = ["--config", str(box.directory / "meshd.yaml")]
    box.start().ready()


def reload(box, mode):
    configure(box, mode)
    check(box.call("config.reload")["applied"] == ["security.mode"], "the mode changes while it runs")


def deliver(boxes, number):
    log = AlertLog(boxes)
    for box in boxes:
        box.call("alerts.raise", alert={"step": number}, priority="high", wait_ms=5000)
    wait_until(lambda: all(len(log.counts()[box.node_id]) == len(boxes) for box in boxes),
               f"the alerts of step {number}")


def run(lab):
    *hosts, spare = lab.lan("a", "b", "c", "e")
    boxes = [lab.box(host, open_mode=True).ready() for host in hosts]
    wait_settled_lan(boxes)
    check(boxes[0].call("mesh.status")["security"] == "open", "the status says open")
    check(any("open" in warning for warning in boxes[0].warnings()), "and warns of it")
    deliver(boxes, 0)

    # 1. A key for each; nothing changes yet.
    token = boxes[0].call("keys.new")["token"]
    for box in boxes[1:]:
        box.call("keys.join", token=token)
    deliver(boxes, 1)

    # 2. One by one: speaks sealed with whoever can.
    for box in boxes:
        restart(box, "mixed")
        wait_views(boxes, 30)
        deliver(boxes, f"mixed {box}")
    check(any("mixed" in warning for warning in boxes[0].warnings()), f"mixed is warned of: {boxes[0].warnings()}")
    wait_until(lambda: all(not box.call("keys.list")["keys"][0]["lacking"] for box in boxes),
               "every box to know that all hold the key", 60)

    # 3. One by one: nobody without the key any more.
    for box in boxes:
        reload(box, "sealed")
        wait_views(boxes, 30)
        deliver(boxes, f"sealed {box}")
    check(all(box.call("mesh.status")["security"] == "sealed" for box in boxes), "all sealed")
    check(all(not box.warnings() for box in boxes), lambda: f"nothing to warn of: {boxes[0].warnings()}")

    # A box that was forgotten on the way is not let in, with a wrong key neither.
    late = lab.box(spare, open_mode=True).ready()
    time.sleep(2)
    check(alive(late) == {"e"} and "e" not in alive(boxes[0]), "the open box is alone")
    late.call("keys.join", token=make_token())
    restart(late, "mixed")
    time.sleep(2)
    check(alive(late) == {"e"} and "e" not in alive(boxes[0]), "a box with another key is alone")
    late.call("keys.replace", token=token)
    wait_views([*boxes, late], 30)


if __name__ == "__main__":
    scenario(run, hang_seconds=140)
