#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What packaging/small-boxes.md advises, word for word: its packet filter, and boxes of two VLANs.

The VLANs are two switches, and an interface with a VLAN's name: what stands between them is the same."""
import pathlib
import re

from checks import AlertLog, alive, links, pairs, raise_many, wait_settled_lan, wait_views
from lab import check, scenario, wait_until

PAGE = pathlib.Path(__file__).resolve().parents[2] / "packaging/small-boxes.md"


def ruleset():
    """The one block of rules on the page, for the lab's networks."""
    blocks = [block for block in re.findall(r"```\n(.*?)```", PAGE.read_text(), re.S) if "hook input" in block]
    check(len(blocks) == 1 and "10.7.0.0/16" in blocks[0], "the page has one set of rules, for 10.7.0.0/16")
    return blocks[0].replace("10.7.0.0/16", "10.77.0.0/16")


def findings(box):
    # It also speaks of this machine's clock and memory, and ends with a number where it finds anything.
    return [line for line in box.meshctl("doctor", "--quiet", check=False).stdout.splitlines()
            if " beacons " in line or " daemon " in line or " links " in line]


def test_filter(lab):
    hosts = lab.lan("a", "b", "c")
    # Often enough that the doctor misses three of them in a few seconds.
    boxes = lab.boxes(hosts, "--set", "mesh.broadcast_interval=1s", "--set", "mesh.broadcast_interval_max=1s")
    wait_settled_lan(boxes)
    for host in hosts:
        lab.nft(host, ruleset())
    a, b, c = boxes
    # One that remembers nobody's address is heard by its beacons.
    c.kill()
    wait_until(lambda: alive(a) == alive(b) == {"a", "b"}, "c is gone")
    c.wipe()
    c.start().ready()
    wait_settled_lan(boxes)
    AlertLog(boxes).check_exactly_once(raise_many(a, 20) + raise_many(c, 20))
    for box in boxes:
        check(not findings(box), lambda: f"doctor finds nothing: {findings(box)}")
    # Closed without the rule, open again by the one line for a filter that is there.
    rule = re.search(r"^    nft (insert rule .*)$", PAGE.read_text(), re.M).group(1).replace("10.7.0.0", "10.77.0.0")
    lab.nft(b.host, "\n".join(line for line in ruleset().splitlines() if "9999" not in line) + "\n")
    wait_until(lambda: findings(b), "the doctor sees that beacons are dropped")
    lab.nft(b.host, rule + "\n")
    wait_until(lambda: not findings(b), "the doctor is content")
    wait_settled_lan(boxes)
    # Closed indeed: another port is not heard.
    with a.host.udp(4711) as closed, b.host.udp() as sender:
        sender.sendto(b"x", (a.host.address, 4711))
        try:
            closed.recvfrom(16)
            check(False, "what is not named is dropped")
        except TimeoutError:
            pass
    for box in boxes:
        box.terminate()


def vlans(lab):
    """Two networks of two boxes each, with a router between them; all behind the packet filter."""
    first = lab.lan("e", "f", "r")
    router = first.pop()
    *second, _ = lab.lan("g", "h", router)
    router.run("sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward")
    for side, own in enumerate((first, second)):
        for host in own:
            lab.ip(host, f"route add default via {router.interfaces[side]['ip']}")
            lab.nft(host, ruleset())
    return first, second


def test_routed(lab):
    (e, f), (g, h) = vlans(lab)
    boxes = lab.boxes([f, h])
    boxes.append(lab.box(e, "--bootstrap", g.address).ready())
    boxes.append(lab.box(g, "--bootstrap", e.address).ready())
    wait_views(boxes)
    AlertLog(boxes).check_exactly_once(raise_many(boxes[0], 20) + raise_many(boxes[1], 20))
    for box in boxes:
        box.terminate()


def test_bridge(lab):
    """A box with two interfaces joins two networks; one that may use the first only does not."""
    one = lab.lan("i", "k")
    two = lab.lan(one[1], "l")
    k = one[1]
    lab.ip(k, "link set eth1 down", "link set eth1 name eth0.7", "link set eth0.7 up")
    i, l = lab.boxes([one[0], two[1]])
    only = lab.box(k, "--set", "mesh.interfaces=[eth0]").ready()
    wait_until(lambda: alive(only) == alive(i) == {"i", "k"}, "eth0 is used")
    check(alive(l) == {"l"}, "eth0.7 is not")
    only.terminate()
    only.arguments = ["--set", "mesh.interfaces=[eth0.7]"]
    only.start().ready()
    wait_until(lambda: alive(only) == alive(l) == {"k", "l"}, "eth0.7 is used")
    wait_until(lambda: alive(i) == {"i"}, "eth0 is not")
    only.terminate()
    only.arguments = []
    only.start().ready()
    boxes = [i, only, l]
    wait_views(boxes)
    wait_until(lambda: links(i) == pairs("ik") | pairs("kl"), "the bridge")
    AlertLog(boxes).check_exactly_once(raise_many(i, 20) + raise_many(l, 20))


def run(lab):
    test_filter(lab)
    test_routed(lab)
    test_bridge(lab)


if __name__ == "__main__":
    scenario(run)
