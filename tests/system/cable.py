#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The network of a running daemon changes: cable out and in, at either end; another address; an address
that goes; an interface that appears later, the only one in the list or none at all at the start."""
from checks import alive, status, wait_settled_lan
from lab import check, scenario, sh, wait_until

import time

# The "within a second" is of the daemon; a scenario shares its machine with others.
SECONDS_MAX = 5.0


def plug_late(host, neighbour, number):
    """The next interface of a host whose daemon runs, on the first LAN of a neighbour."""
    address = f"10.77.1.{number}/24"
    entry = host.plug(address)
    sh("ip", "link", "add", f"late{number}", "type", "veth", "peer", "name", entry["name"],
       "address", entry["mac"], "netns", host.name)
    sh("ip", "link", "set", f"late{number}", "master", neighbour.interfaces[0]["bridge"], "up")
    host.bring_up(entry, address)


def address_of(box, node_id):
    return next((p["address"] for p in box.call("mesh.peers")["peers"] if p["node_id"] == node_id), None)


def has_warning(box, text):
    return any(text in warning for warning in box.warnings())


def told(box, text):
    return box.log.read_text(errors="replace").count(text)


def wait_back(boxes, what):
    since = time.monotonic()
    wait_until(lambda: all(alive(box) == {b.node_id for b in boxes} for box in boxes), what, SECONDS_MAX)
    print(f"{what}: {time.monotonic() - since:.2f} s")


def check_warns_once(box, before):
    wait_until(lambda: has_warning(box, "no usable network interface"), "the warning in mesh.status", SECONDS_MAX)
    check(told(box, "no usable network interface") == before + 1, "it is logged once")


def cable_out_and_in(boxes, host):
    box = boxes[0]
    for turn in range(2):
        before = told(box, "no usable network interface")
        host.link(False)
        check_warns_once(box, before)
        wait_until(lambda: status(boxes[1], "a") in ("offline", "unreachable"), "b misses a")
        check(box.is_running(), "a runs without a network")
        host.link(True)
        # The kernel takes the addresses of IPv4 along; nothing else is done.
        wait_back(boxes, f"cable of a in again, turn {turn + 1}")
        wait_until(lambda: not has_warning(box, "no usable"), "the warning withdrawn", SECONDS_MAX)


def carrier_out_and_in(boxes):
    """The far end of the cable: the interface stays up and keeps its address, without a carrier."""
    box = boxes[0]
    before = told(box, "no usable network interface")
    far_end = box.host.interfaces[0]["outside"]
    sh("ip", "link", "set", far_end, "down")
    check_warns_once(box, before)
    wait_until(lambda: status(boxes[1], "a") in ("offline", "unreachable"), "b misses a")
    sh("ip", "link", "set", far_end, "up")
    wait_back(boxes, "carrier of a back")
    wait_until(lambda: not has_warning(box, "no usable"), "the warning withdrawn", SECONDS_MAX)


def other_address(lab, boxes, host):
    box = boxes[0]
    lab.ip(host, "address del 10.77.1.1/24 dev eth0", "address add 10.77.1.99/24 brd + dev eth0")
    wait_until(lambda: (address_of(boxes[1], "a") or "").startswith("10.77.1.99:"),
               "b links with a at its new address", SECONDS_MAX)
    wait_back(boxes, "a with another address")
    check(told(box, "addresses now: eth0 10.77.1.99:9999") == 1, "the change is logged")
    # A second address beside it changes nothing.
    before = told(box, "addresses now:")
    lab.ip(host, "address add 10.99.0.1/24 brd + dev eth0")
    time.sleep(1)
    check(told(box, "addresses now:") == before, "a second address of the interface is not used")
    check(alive(box) == {"a", "b", "c"}, "and nobody is lost")
    lab.ip(host, "address del 10.99.0.1/24 dev eth0")
    # Nor does a link-local one, which the kernel lists before the others.
    lab.ip(host, "address add 169.254.7.7/16 brd + scope link dev eth0")
    time.sleep(1)
    check(told(box, "addresses now:") == before, "a link-local address beside it is not used")
    check(alive(box) == {"a", "b", "c"}, "and nobody is lost")
    lab.ip(host, "address del 169.254.7.7/16 dev eth0")


def storm(lab, boxes, host):
    """Interfaces that come and go by the hundred, as where containers start, cost nobody a link."""
    downs = [box.counter("links_down") for box in boxes]
    for _ in range(50):
        lab.ip(host, "link add veth9 type veth peer name veth10", "link del veth9")
    check(alive(boxes[0]) == {"a", "b", "c"}, "nobody is lost in a storm of news")
    check([box.counter("links_down") for box in boxes] == downs, "no link fell")


def lost_news(lab, boxes, host):
    """The kernel drops news that a daemon does not read in time; what changed meanwhile shows all the same."""
    box = boxes[0]
    box.freeze()
    for _ in range(150):
        lab.ip(host, "link add veth9 type veth peer name veth10", "link del veth9")
    lab.ip(host, "address del 10.77.1.99/24 dev eth0", "address add 10.77.1.98/24 brd + dev eth0")
    box.thaw()
    wait_until(lambda: told(box, "addresses now: eth0 10.77.1.98:9999"), "the address that nobody told", SECONDS_MAX)
    wait_back(boxes, "a after lost news")


def interface_later(lab, boxes):
    """Started without any interface; then one appears."""
    host = lab.host("d")
    box = lab.box(host)
    box.ready()
    check(has_warning(box, "no usable network interface"), "the warning in mesh.status")
    check(told(box, "no usable network interface") == 1, "it is logged once")
    check(alive(box) == {"d"}, "alone, and it answers")
    box.call("alerts.raise", alert={"from": "alone"})
    plug_late(host, boxes[0].host, 4)
    wait_back([*boxes, box], "an interface appeared after the start")
    wait_until(lambda: not has_warning(box, "no usable"), "the warning withdrawn", SECONDS_MAX)
    wait_until(lambda: boxes[0].call("alerts.list", limit=10)["alerts"], "the alert that was raised alone")
    return box


def allowed_only(lab, boxes):
    """Of two interfaces only the one in the list is used, also when it comes later than the other."""
    (host,) = lab.lan("e")
    box = lab.box(host, "--set", "mesh.interfaces=[eth1*]")
    box.ready()
    wait_until(lambda: has_warning(box, "mesh.interfaces (eth1*)"), "the warning names the list")
    plug_late(host, boxes[0].host, 5)
    wait_back([*boxes, box], "the allowed interface appeared")
    check(box.log_tail().count("addresses now: eth1 ") == 1, "by eth1, not by eth0")


def run(lab):
    hosts = lab.lan("a", "b", "c")
    boxes = lab.boxes(hosts)
    wait_settled_lan(boxes)
    cable_out_and_in(boxes, hosts[0])
    wait_settled_lan(boxes)
    carrier_out_and_in(boxes)
    wait_settled_lan(boxes)
    storm(lab, boxes, hosts[0])
    other_address(lab, boxes, hosts[0])
    wait_settled_lan(boxes)
    lost_news(lab, boxes, hosts[0])
    wait_settled_lan(boxes)
    boxes.append(interface_later(lab, boxes))
    allowed_only(lab, boxes)


if __name__ == "__main__":
    scenario(run)
