#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Several daemons on one host share its loopback: each takes its own port, none steals another's."""
from checks import AlertLog, wait_settled_lan
from lab import check, scenario


def run(lab):
    host = lab.host("h")
    boxes = [lab.box(host, "--set", "mesh.interfaces=[lo]", node_id=f"n{i}") for i in range(4)]
    for box in boxes:
        box.ready()
    wait_settled_lan(boxes)
    entries = boxes[0].call("mesh.nodes")["nodes"]
    addresses = [entry["address"] for entry in entries if entry["node_id"] != "n0"]
    check(len(set(addresses)) == 3, f"each daemon has its own port: {addresses}")
    log = AlertLog(boxes)
    log.check_exactly_once([box.call("alerts.raise", alert={"from": box.node_id})["id"] for box in boxes])


if __name__ == "__main__":
    scenario(run)
