#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Two boxes started from one copied disk are told apart, say so, and both work once one has a name of
its own; boxes without a configured name never share one."""
import shutil
import time

from checks import AlertLog, alive, raise_many, wait_settled_lan, wait_views
from entries import hashes, put_many, wait_written
from lab import check, scenario, wait_until

CONFLICT_SECONDS_MAX = 40  # a hang; the time is printed


def told_of_conflict(box):
    return [w for w in box.warnings() if "uses the name" in w]


def copied_disk(lab, hosts):
    first = lab.box(hosts[0], node_id="cam", label="first").ready()
    put_many(first, [f"old-{n}" for n in range(50)], dimension=16, durable=True)
    wait_written(first)
    own = first.call("mesh.status")["instance"]
    first.terminate()
    witness = lab.box(hosts[2], node_id="witness").ready()

    second_dir = lab.directory / "second" / "state"
    second_dir.parent.mkdir()
    shutil.copytree(first.state_dir, second_dir)
    first.start().ready()
    wait_settled_lan([first, witness])
    conflicts = {box: box.subscribe("node.conflict") for box in (first, witness)}
    joined = witness.subscribe("node")

    started = time.monotonic()
    second = lab.box(hosts[1], node_id="cam", label="second").ready()
    twins = (first, second)
    check(second.call("mesh.status")["instance"] != own, "other hardware gets an instance id of its own")
    check(first.call("mesh.status")["instance"] == own, "the same hardware keeps it")
    wait_until(lambda: all(told_of_conflict(box) for box in twins),
               lambda: f"both to warn: { {str(b): b.warnings() for b in twins} }", CONFLICT_SECONDS_MAX, every=0.005)
    print(f"both had told of it {time.monotonic() - started:.2f} s after the start, "
          f"{time.monotonic() - second.ready_at:.2f} s after the clone was ready")
    check(conflicts[first].wait_for(lambda e: e.data["node_id"] == "cam"), "an event tells it")
    time.sleep(2)
    check([len(box.call("mesh.peers")["peers"]) for box in twins] == [1, 0],
          f"who was there stays, who came waits: { {str(b): b.call('mesh.peers') for b in twins} }")
    check(alive(witness) == {"cam", "witness"}, "a third box sees one of them")
    check(not joined.find(lambda e: e.kind in ("node.offline", "node.left", "node.returned")),
          f"and is not disturbed: {joined.snapshot()}")
    # Its local API works, and what it is given is not lost.
    second.call("registry.put", hash="by-second", type="thing", durable=True)
    check(hashes(second, prefix="old-") == hashes(first, prefix="old-"), "both have the data of the disk")

    second.terminate()
    second.rename("cam-2")
    second.start().ready()
    boxes = [first, second, witness]
    wait_settled_lan(boxes)
    check(not told_of_conflict(second), f"the renamed box has nothing to warn of: {second.warnings()}")
    log = AlertLog(boxes)
    log.check_exactly_once([i for box in boxes for i in raise_many(box, 10)])
    first.call("registry.put", hash="new", type="thing")
    wait_until(lambda: all({"new", "by-second"} <= hashes(box) for box in boxes), "entries of both everywhere")
    check(len(hashes(first, prefix="old-")) == 50, "nothing of the copied data is lost")
    for box in boxes:
        box.terminate()


def both_at_once(lab, hosts):
    """Two boxes of one name that start together: one is in, one waits, and it takes over."""
    twins = [lab.box(host, node_id="twin", label=f"twin-{number}") for number, host in enumerate(hosts[:2])]
    witness = lab.box(hosts[2], node_id="onlooker")
    for box in (*twins, witness):
        box.ready()
    wait_until(lambda: all(told_of_conflict(box) for box in twins) and alive(witness) == {"twin", "onlooker"},
               lambda: f"both to warn: { {str(b): b.warnings() for b in twins} }", CONFLICT_SECONDS_MAX)
    time.sleep(2)
    inside = [box for box in twins if box.call("mesh.peers")["peers"]]
    check(len(inside) == 1, f"one of them is in: {inside}")
    other, = set(twins) - set(inside)
    started = time.monotonic()
    inside[0].terminate()
    wait_views([other, witness], CONFLICT_SECONDS_MAX)
    print(f"the other was in {time.monotonic() - started:.2f} s after the one had left")
    for box in (other, witness):
        box.terminate()


def without_a_name(lab, hosts):
    boxes = [lab.box(host, is_named=False, label=f"unnamed-{number}",
                     environment={"MESHD_HARDWARE_ID": f"serial-{number}"})
             for number, host in enumerate(hosts)]
    names = [box.ready().adopt_name() for box in boxes]
    print(f"without a name: {', '.join(names)}")
    check(len(set(names)) == len(boxes), f"each has its own: {names}")
    check(len({name.rsplit('-', 1)[0] for name in names}) == 1, f"they share the host's: {names}")
    wait_settled_lan(boxes)
    boxes[0].terminate()
    boxes[0].wipe()
    boxes[0].start().ready()
    check(boxes[0].call("mesh.status")["node_id"] == names[0], "the name is the hardware's, not the disk's")
    wait_settled_lan(boxes)


def run(lab):
    hosts = lab.lan("h1", "h2", "h3")
    copied_disk(lab, hosts)
    both_at_once(lab, hosts)
    without_a_name(lab, hosts)


if __name__ == "__main__":
    scenario(run)
