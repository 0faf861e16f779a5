#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Neither broadcast nor multicast passes: boxes find each other by configured addresses."""
from checks import AlertLog, alive, wait_settled_lan
from lab import check, scenario, wait_until

import time


def run(lab):
    hosts = lab.lan("a", "b", "c")
    for host in hosts:
        host.filter("meta pkttype { broadcast, multicast } udp dport != 0 drop")
    a, b, c = hosts
    first = lab.box(a).ready()
    silent = lab.box(c).ready()
    time.sleep(1.5)
    check(alive(first) == {"a"} and alive(silent) == {"c"}, "without addresses nobody is found")
    silent.terminate()

    # b knows a, c knows b; a and c learn of each other from the node records.
    second = lab.box(b, "--bootstrap", f"{a.address}:9999")
    silent.arguments += ["--bootstrap", f"{b.address}:9999"]
    silent.start()
    boxes = [first, second.ready(), silent.ready()]
    wait_until(lambda: all(alive(box) == {"a", "b", "c"} for box in boxes), "three boxes by bootstrap")
    log = AlertLog(boxes)
    log.check_exactly_once([box.call("alerts.raise", alert={"from": box.node_id})["id"] for box in boxes])

    # A bootstrap address is tried for ever: the box behind it may come back much later.
    first.kill()
    wait_until(lambda: alive(second) == {"b", "c"}, "a is offline")
    first.start().ready()
    wait_until(lambda: all(alive(box) == {"a", "b", "c"} for box in boxes), "a is back")


if __name__ == "__main__":
    scenario(run)
