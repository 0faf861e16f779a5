#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""On the LAN of a sealed mesh are a box with another key and one that is open, both under the names of members, and a
program that greets, forges and makes noise: not a byte is sent to any of them, and the mesh notices nothing."""
import time

from attacker import OUTSIDE, PORT, Attacker
from checks import AlertLog, NodeEvents, alive, known, raise_many, wait_settled_lan
from datagram import datagram, item, message
from lab import check, drain, scenario, wait_until
from mesh_key import make_token

GREETING_BYTES = 384
HELLO, PADDING = 2, 0
MESH = "default"


def greeting(address, flags=0):
    """A HELLO in the open, which is a beacon where it has an address."""
    document = {"hello": [1, 1], "features": 0, "mesh": MESH, "node": "a", "instance": "00000000000000a1",
                "start": "00000000000000a2", **({"address": f"{address[0]}:{address[1]}"} if address else {})}
    hello = message(HELLO, document)
    gap = GREETING_BYTES - len(datagram(hello)) - len(item(PADDING, b""))
    return datagram(hello, item(PADDING, bytes(gap)), flags=flags)


def run(lab):
    a, b, c, x, y = lab.lan("a", "b", "c", "x", "y")
    attacker = Attacker(lab, x)
    boxes = lab.boxes([a, b, c], open_mode=False)
    wait_settled_lan(boxes)
    members = {host.address for host in (a, b, c)}
    log, events = AlertLog(boxes), NodeEvents(boxes)
    links_down = [box.counter("links_down") for box in boxes]

    with attacker.listening() as heard, x.udp() as ear:
        ask = [option for host in (a, b, c) for option in ("--bootstrap", f"{host.address}:{PORT}")]
        other = lab.box(x, *ask, node_id="a", key=make_token(), open_mode=False, label="a-other").ready()
        in_the_open = lab.box(y, *ask, node_id="b", open_mode=True, label="b-open").ready()
        boxes[2].call("mesh.discover")
        wait_until(lambda: any(one.kind == OUTSIDE and one.source == c.address for one in heard), "a beacon to copy")
        beacon = next(one for one in heard if one.kind == OUTSIDE and one.source == c.address)
        hint = int.from_bytes(beacon.data[2:4], "big")
        check(hint != 0, "the beacon is sealed")
        forged = [greeting(None), greeting((x.address, ear.getsockname()[1])), greeting(None, hint),
                  *attacker.noise(20), *attacker.shaped([beacon], 20), *(one.data for one in attacker.damaged([beacon]))]
        raised = []
        for _ in range(20):
            for target in members:
                for one in forged:
                    ear.sendto(one, (target, PORT))
            raised += raise_many(boxes[1], 2)
            for stranger in (other, in_the_open):
                stranger.call("mesh.discover")
            time.sleep(0.4)
        answers = drain(ear)
    to_boxes = [one for one in heard if one.source in members and one.target in (x.address, y.address)]
    print(f"{20 * len(members) * len(forged)} datagrams of a program, {len(heard)} on the wire: {len(answers)} answers to it, "
          f"{len(to_boxes)} datagrams to the boxes of strangers")
    check(not answers, f"a stranger was answered: {[data[:16].hex() for data, _ in answers[:5]]}")
    check(not to_boxes, f"the boxes of strangers were spoken to: {[one.data[:16].hex() for one in to_boxes[:5]]}")

    log.check_exactly_once(raised)
    events.check_no_losses("strangers")
    check(not any(events.find(box, "node.conflict") for box in boxes), "nobody was told of a conflict of names")
    check([box.counter("links_down") for box in boxes] == links_down, "no link went down")
    check(all(known(box) == {"a", "b", "c"} for box in boxes), "nobody else is known")
    check(alive(other) == {"a"} and alive(in_the_open) == {"b"}, "the strangers see themselves only")


if __name__ == "__main__":
    scenario(run)
