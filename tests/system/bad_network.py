#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the network keeps away is told, survived, and taken up again: multicast filtered on the host or in
the network, names that do not resolve, a foreign program on the port."""
from checks import alive, wait_settled_lan
from lab import GROUP, Skip, check, scenario, sh, wait_until

import socket
import time


def warning(box, text):
    return next((w for w in box.warnings() if text in w), None)


def beacons(boxes, number=1):
    """Each sends that many beacons by each way, slowly enough for the rates of HELLOs."""
    for _ in range(number):
        for box in boxes:
            box.call("mesh.discover")
        time.sleep(0.3)


def filtered_here(boxes, host):
    """A packet filter of the host drops multicast: the own beacons do not come back either."""
    box = boxes[0]
    host.filter(f"ip daddr {GROUP} drop")
    beacons([box], 5)
    text = wait_until(lambda: warning(box, "own beacons by multicast are not heard back"), "the warning")
    print(text)
    check("eth0" in text, "it names the interface")
    check(all(alive(b) == {"a", "b", "c"} for b in boxes), "the mesh lives by the other ways")
    host.heal()
    beacons([box])
    wait_until(lambda: not warning(box, "beacons"), "the warning withdrawn")


def filtered_there(boxes, host):
    """The network does not forward multicast to the host, whose own kernel still loops it."""
    box = boxes[0]
    host.filter(f"ip daddr {GROUP} ip saddr != {host.address} drop")
    before = box.counter("udp_beacons_broadcast"), box.counter("udp_beacons_multicast")
    beacons(boxes[1:], 5)
    print(wait_until(lambda: warning(box, "come by broadcast only"), "the warning"))
    check(box.counter("udp_beacons_broadcast") >= before[0] + 6, "beacons by broadcast are counted")
    check(box.counter("udp_beacons_multicast") == before[1], "and none by multicast")
    host.heal()
    beacons(boxes[1:])
    wait_until(lambda: not warning(box, "beacons"), "the warning withdrawn")
    check(box.counter("udp_beacons_multicast") > before[1], "beacons by multicast are counted")
    check(box.counter("udp_beacons_own") > 0, "own beacons are counted")


def names(lab):
    """Bootstrap by a name that does not resolve at first, and whose address changes."""
    table = lab.directory / "hosts"
    table.write_text("127.0.0.1 localhost\n")
    try:
        sh("mount", "--bind", str(table), "/etc/hosts")
    except Exception as error:
        raise Skip(f"/etc/hosts cannot be replaced ({error})") from None
    d, e = lab.lan("d", "e")
    for host in (d, e):
        host.filter("meta pkttype { broadcast, multicast } udp dport != 0 drop")
    gate = lab.box(d)
    box = lab.box(e, "--bootstrap", "gate.invalid", "--bootstrap", "never.invalid:9998")
    boxes = [gate.ready(), box.ready()]
    wait_until(lambda: warning(box, "gate.invalid") and warning(box, "never.invalid"), "both names told", 40)
    print(box.warnings())
    check(alive(box) == {"e"}, "alone")

    table.write_text(f"127.0.0.1 localhost\n{d.address} gate.invalid\n")
    wait_until(lambda: all(alive(b) == {"d", "e"} for b in boxes), "the box behind the name", 40)
    check(not warning(box, "gate.invalid"), "the warning is withdrawn")
    check(warning(box, "never.invalid"), "the other name still does not resolve")

    # The name moves to another box; a new address of one's own is a reason to ask again at once.
    f, = lab.lan("f")
    sh("ip", "link", "set", "l3p1", "master", "lan2")
    lab.ip(f, "address del 10.77.3.1/24 dev eth0", "address add 10.77.2.7/24 brd + dev eth0")
    f.filter("meta pkttype { broadcast, multicast } udp dport != 0 drop")
    moved = lab.box(f).ready()
    gate.terminate()
    table.write_text("127.0.0.1 localhost\n10.77.2.7 gate.invalid\n")
    lab.ip(e, "address del 10.77.2.2/24 dev eth0", "address add 10.77.2.9/24 brd + dev eth0")
    wait_until(lambda: all(alive(b) == {"e", "f"} for b in (box, moved)), "the other box of that name", 15)
    box.terminate()
    moved.terminate()


def foreign_program(boxes, host):
    """Another program holds the port: links go by the next one, until it ends."""
    box = boxes[0]
    box.terminate()
    with host.inside():
        foreign = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        foreign.bind(("", 9999))
    box.start()
    box.ready()
    print(wait_until(lambda: warning(box, "held by another program"), "the warning"))
    wait_until(lambda: all(alive(b) == {"a", "b", "c"} for b in boxes), "the mesh, by the next port")
    foreign.close()
    wait_until(lambda: not warning(box, "held by another program"), "the port taken once it is free")
    heard = box.counter("udp_beacons_broadcast")
    beacons(boxes[1:])
    wait_until(lambda: box.counter("udp_beacons_broadcast") > heard, "beacons heard again")


def run(lab):
    hosts = lab.lan("a", "b", "c")
    boxes = lab.boxes(hosts)
    wait_settled_lan(boxes)
    filtered_here(boxes, hosts[0])
    filtered_there(boxes, hosts[0])
    foreign_program(boxes, hosts[0])
    for box in boxes:
        box.terminate()
    names(lab)


if __name__ == "__main__":
    scenario(run)
