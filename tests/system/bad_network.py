#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the network keeps away is told, survived, and taken up again: multicast filtered on the host or in
the network, a switch that forgets the group, names that do not resolve, a foreign program on the port."""
from box import Failure
from checks import alive, wait_settled_lan
from lab import GROUP, Skip, check, scenario, sh, wait_until

import json
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


def forgetful_switch(lab):
    """A switch that snoops IGMP forgets who is in the group; nobody queries. The daemons join anew."""
    hosts = lab.lan("s", "t", "u", snooping=True)
    bridge = hosts[0].interfaces[0]["bridge"]
    # It believes that somebody queries, else it would flood; but nobody does for ten minutes.
    sh("ip", "link", "set", bridge, "type", "bridge", "mcast_query_response_interval", "100",
       "mcast_query_interval", "60000", "mcast_membership_interval", "60000", "mcast_startup_query_count", "0")
    sh("ip", "link", "set", bridge, "type", "bridge", "mcast_querier", "1")
    boxes = lab.boxes(hosts)
    wait_settled_lan(boxes)

    def members():
        table = json.loads(sh("bridge", "-j", "mdb", "show", "dev", bridge))
        return sorted(entry["port"] for entry in table[0]["mdb"] if entry["grp"] == GROUP)

    wait_until(lambda: len(members()) >= 2, "the switch learns who is in the group")
    # The second report of a join comes up to a second after the first.
    time.sleep(2)
    for port in members():
        sh("bridge", "mdb", "del", "dev", bridge, "port", port, "grp", GROUP, "temp")
    before = [box.counter("udp_beacons_multicast") for box in boxes]
    beacons(boxes, 4)
    wait_until(lambda: all(warning(box, "come by broadcast only") for box in boxes), "the warning at each")
    check([box.counter("udp_beacons_multicast") for box in boxes] == before, "multicast is kept away")
    check(all(alive(box) == {"s", "t", "u"} for box in boxes), "the mesh lives")
    since = time.monotonic()
    wait_until(lambda: len(members()) == 3, lambda: f"all in the group again, not only {members()}", 30)
    print(f"the switch knows again after {time.monotonic() - since:.0f} s")
    beacons(boxes)
    wait_until(lambda: not any(warning(box, "beacons") for box in boxes), "the warnings withdrawn")
    for box in boxes:
        box.terminate()


def names(lab):
    """Bootstrap by a name that does not resolve at first, and whose address changes."""
    table = lab.directory / "hosts"
    table.write_text("127.0.0.1 localhost\n")
    try:
        sh("mount", "--bind", str(table), "/etc/hosts")
    except Failure as error:
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
    sh("ip", "link", "set", f.interfaces[0]["outside"], "master", d.interfaces[0]["bridge"])
    net = d.address.rsplit(".", 1)[0]
    lab.ip(f, f"address del {f.address}/24 dev eth0", f"address add {net}.7/24 brd + dev eth0")
    f.filter("meta pkttype { broadcast, multicast } udp dport != 0 drop")
    moved = lab.box(f).ready()
    gate.terminate()
    table.write_text(f"127.0.0.1 localhost\n{net}.7 gate.invalid\n")
    lab.ip(e, f"address del {e.address}/24 dev eth0", f"address add {net}.9/24 brd + dev eth0")
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
    forgetful_switch(lab)
    names(lab)


if __name__ == "__main__":
    scenario(run)
