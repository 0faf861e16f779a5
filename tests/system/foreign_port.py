#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A foreign program holds the port: the box runs, says so, works by addresses, and recovers by itself."""
import socket

from checks import AlertLog, alive, wait_views
from lab import scenario, wait_until


def run(lab):
    hosts = lab.lan("a", "b", "c")
    with hosts[1].inside():
        foreign = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        foreign.bind(("", 9999))
    a = lab.box(hosts[0]).ready()
    b = lab.box(hosts[1], "--bootstrap", f"{hosts[0].address}:9999").ready()
    said = wait_until(lambda: [w for w in b.warnings() if "9999" in w], "a warning that names the port")
    print(f"said: {said}")
    wait_views([a, b], 40)
    log = AlertLog([a, b])
    log.check_exactly_once([a.call("alerts.raise", alert={})["id"], b.call("alerts.raise", alert={})["id"]])

    foreign.close()
    wait_until(lambda: not [w for w in b.warnings() if "9999" in w], "the port, once it is free", 40)
    # It hears beacons again: those of a box that neither has an address of.
    a.kill()
    c = lab.box(hosts[2]).ready()
    wait_until(lambda: alive(b) == alive(c) >= {"b", "c"}, "two boxes that find each other by beacons", 40)


if __name__ == "__main__":
    scenario(run)
