#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Boxes without a clock, and clocks that jump: nothing but the timestamps shown changes."""
import os
import pathlib
import struct
import time

from box import BIN_DIR
from checks import AlertLog, raise_many, wait_settled_lan
from lab import Skip, check, scenario, wait_until

DAY = 24 * 3600


def run(lab):
    library = pathlib.Path(os.environ.get("MESHD_SHIFTED_CLOCK", BIN_DIR.parent / "lib/libshifted_clock.so"))
    if not library.exists():
        raise Skip(f"{library} has not been built")

    def shift(name, seconds):
        # In place: a daemon has the file mapped, and to truncate it would be its end.
        file = lab.directory / f"{name}.shift"
        file.touch()
        with open(file, "r+b") as out:
            out.write(struct.pack("q", int(seconds)))

    boxes = []
    for host in lab.lan("now", "jumps", "y1970"):
        shift(host.name, -time.time() + 100 if host.name == "y1970" else 0)
        boxes.append(lab.box(host, environment={
            "LD_PRELOAD": str(library), "SHIFTED_CLOCK_FILE": str(lab.directory / f"{host.name}.shift")}))
    for box in boxes:
        box.ready()
    wait_settled_lan(boxes)
    now, jumps, y1970 = boxes
    shown = y1970.call("alerts.raise", alert={"from": "1970"})["id"]
    wait_until(lambda: now.call("alerts.list")["alerts"], "the alert of 1970")
    alert = now.call("alerts.list")["alerts"][0]
    check(alert["id"] == shown and alert["timestamp_ms"] < DAY * 1000, f"its clock is shown: {alert}")
    check(alert["age_ms"] < 60000, f"its age does not depend on clocks: {alert}")

    events = {box: box.subscribe("node", "link") for box in boxes}
    log = AlertLog(boxes)
    ids = []
    for step, offset in enumerate((DAY, -2 * DAY, 400 * DAY, 0)):
        shift("jumps", offset)
        time.sleep(1.5)
        ids += raise_many(jumps, 5) + raise_many(now, 5) + raise_many(y1970, 5)
        for box in boxes:
            box.call("state.update", patch={"step": step})
        for box in boxes:
            for other in boxes:
                wait_until(lambda: box.call("state.get", node_id=other.node_id)["state"] == {"step": step},
                           f"state of {other} at {box} after a jump by {offset} s")
    log.check_exactly_once(ids)
    for box, subscription in events.items():
        check(not subscription.snapshot(), f"{box} was shaken by a clock: {subscription.snapshot()}")


if __name__ == "__main__":
    scenario(run)
