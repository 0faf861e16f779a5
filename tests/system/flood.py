#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A hostile box on the LAN floods one of three boxes with noise, forgeries and what it has recorded: no box is
lost, every alert arrives once, nothing grows, and afterwards all is as before."""
import time

from attacker import OUTSIDE, SESSION, Attacker, Heard, full_rate
from box import SANITIZED
from checks import AlertLog, NodeEvents, known, raise_many, wait_settled_lan
from lab import check, drain, scenario, wait_until

SECONDS = 4
RSS_SLACK_KIB = 16 * 1024


def run(lab):
    a, b, c, x = lab.lan("a", "b", "c", "x")
    attacker = Attacker(lab, x)
    boxes = lab.boxes([a, b, c])
    wait_settled_lan(boxes)
    target, log, events = boxes[0], AlertLog(boxes), NodeEvents(boxes)
    links_down = {box: box.counter("links_down") for box in boxes}
    raised = []

    with attacker.listening() as heard:
        # A node that looks for others says all that can be said outside a session.
        newcomer = lab.box(x, node_id="d").ready()
        wait_settled_lan([*boxes, newcomer])
        newcomer.terminate()
        raised += raise_many(boxes[1], 20, pause=0.1)
        time.sleep(1)
    outside = [one for one in heard if one.kind == OUTSIDE]
    beacons = [one for one in outside if one.target not in (a.address, b.address, c.address, x.address)]
    sessions = [one for one in heard if one.kind == SESSION and one.target == a.address]
    print(f"heard {len(beacons)} beacons, {len(outside) - len(beacons)} datagrams of handshakes, "
          f"{len(sessions)} of sessions with the target")
    check(beacons and sessions and len(outside) > len(beacons), "the attacker hears the mesh")
    wait_until(lambda: all(known(box) == {"a", "b", "c", "d"} for box in boxes), "the newcomer to be known")
    for box in boxes:
        box.call("alerts.list", limit=1)
    expected_losses = [(box, event) for box, event in events.losses() if event.data["node_id"] == "d"]
    check(len(events.losses()) == len(expected_losses), "only the newcomer left")
    links_down.update({box: box.counter("links_down") for box in boxes})

    def in_kernel(box):
        return sum(box.counter(f"udp_{who}_dropped") for who in ("links", "strangers", "beacons"))

    def attack(name, datagrams, address, *options):
        rss = target.data_kib()
        before = target.counter("datagrams_received"), in_kernel(target)
        process = attacker.start(datagrams, address, full_rate(), SECONDS, *options)
        for _ in range(SECONDS * 5):
            for box in boxes:
                raised.append(box.call("alerts.raise", alert={"during": name}, priority="high")["id"])
            time.sleep(0.1)
        sent, seconds = attacker.finish(process)
        log.check_exactly_once(raised)
        came, dropped = target.counter("datagrams_received") - before[0], in_kernel(target) - before[1]
        grown = target.data_kib() - rss
        print(f"{name}: {sent} sent in {seconds:.1f} s, the kernel dropped {dropped}, the daemon read {came}, "
              f"memory grew by {grown} KiB")
        events.check_no_losses(name, but=["d"])
        down = {box.node_id: box.counter("links_down") - links_down[box] for box in boxes}
        check(not any(down.values()), f"{name}: links went down: {down}")
        check(SANITIZED or grown <= RSS_SLACK_KIB, f"{name}: memory grew by {grown} KiB")
        check(all(known(box) == {"a", "b", "c", "d"} for box in boxes), f"{name}: phantom nodes")

    attack("noise", attacker.noise(), a.address)
    attack("noise by broadcast", attacker.noise(), "10.77.1.255")
    attack("well-formed headers", attacker.shaped(outside + sessions), a.address, "vary")
    attack("sources of its choice", attacker.shaped(outside), a.address, "spoof", "vary")
    attack("forged beacons", attacker.damaged(beacons), "10.77.1.255")
    attack("forged sessions", attacker.damaged(sessions), a.address)
    attack("a recording", [one for one in heard if one.source != a.address], a.address)
    attack("a recording of beacons", [one for one in beacons if one.source != a.address], "10.77.1.255")
    # Once more at ease, each from elsewhere: what is a reflection would come back here.
    with x.udp() as ear:
        port = ear.getsockname()[1]
        attacker.finish(attacker.start(
            [Heard(x.address, port, a.address, one.data) for one in heard], a.address, 500, 2))
        replies = drain(ear)
    sent_back = sum(len(data) for data, _ in replies)
    print(f"a recording under its own address: {len(replies)} replies, {sent_back} bytes")
    check(sent_back <= 500 * 2 * 384, "no amplification")
    check(all(len(data) <= 384 for data, _ in replies), "no reply is longer than a greeting")

    raised.extend(raise_many(boxes[2], 10))
    log.check_exactly_once(raised)
    # Who comes after the flood gets in.
    late = lab.box(x, node_id="e").ready()
    wait_settled_lan([*boxes, late])


if __name__ == "__main__":
    scenario(run)
