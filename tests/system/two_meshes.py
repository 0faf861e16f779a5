#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Two meshes of different names on one LAN ignore each other."""
import time

from checks import AlertLog, known, wait_settled_lan
from lab import check, scenario


def run(lab):
    a, b, c, d, e = lab.lan("a", "b", "c", "d", "e")
    north = [lab.box(host, "--mesh", "north") for host in (a, b)]
    south = [lab.box(host, "--mesh", "south") for host in (c, d)]
    for box in north + south:
        box.ready()
    wait_settled_lan(north)
    wait_settled_lan(south)
    log = AlertLog(north + south)
    ids = {box.call("alerts.raise", alert={"from": box.node_id}, priority="critical")["id"]: mesh
           for mesh in (north, south) for box in mesh}
    time.sleep(2)
    for name, counts in log.counts().items():
        mine = {i for i, mesh in ids.items() if name in [box.node_id for box in mesh]}
        check(set(counts) == mine, f"{name} got {set(counts)} instead of {mine}")
    check(known(north[0]) == {"a", "b"} and known(south[0]) == {"c", "d"}, "no nodes of the other mesh")
    check(north[0].call("mesh.status")["mesh"] == "north", "the status names the mesh")
    # The name counts, not the address: pointing at a box of another mesh changes nothing.
    pushy = lab.box(e, "--mesh", "east", "--bootstrap", f"{a.address}:9999").ready()
    time.sleep(1.5)
    check(known(pushy) == {"e"} and known(north[0]) == {"a", "b"}, "bootstrap does not join another mesh")


if __name__ == "__main__":
    scenario(run)
