#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Notes over a line of five: confirmed from end to end on lossy cables, up to 64 KiB; waiting for a box that is
away for a moment; with the reason where a box is gone; and to all who listen to a topic."""
import json
import time

from checks import NodeEvents, status, totals, wait_settled_line, wait_views
from lab import check, scenario, wait_until
from rpc import Rpc
from search_checks import SOCKET_SECONDS, Later, refusal

LONG_MS = 40000
# As the API has it, of the note as compact JSON.
NOTE_BYTES_MAX = 64 << 10


def send(box, node, note, **params):
    """notes.send on a connection of its own."""
    rpc = Rpc(box.socket, timeout=SOCKET_SECONDS)
    try:
        return rpc.call("notes.send", node=str(node), note=note, **params)
    finally:
        rpc.close()


def largest(number):
    """Distinct notes of exactly the most bytes."""
    frame = {"n": number, "text": ""}
    room = NOTE_BYTES_MAX - len(json.dumps(frame, separators=(",", ":")))
    return {**frame, "text": "x" * room}


def check_waits(a, e):
    """A box that is away comes back within the note's time."""
    heard = e.subscribe("note")
    events = NodeEvents([a])
    e.host.link(False)
    events.wait(a, "node.offline", "e")
    call = Later(send, a, "e", {"wait": 1}, timeout_ms=LONG_MS)
    time.sleep(1)
    check(not call.is_done(), "the note waits for a way to e")
    e.host.link(True)
    reply = call.result()
    check(reply["acknowledged"] and reply["took_ms"] >= 1000, str(reply))
    check(heard.wait_for(lambda event: event.data["note"] == {"wait": 1}), "e heard it")

    # And one that starts anew.
    e.kill()
    wait_until(lambda: status(a, "e") == "offline", "e offline", 30)
    call = Later(send, a, "e", {"wait": 2}, timeout_ms=LONG_MS)
    time.sleep(0.5)
    check(not call.is_done(), "the note waits for e to start")
    e.start().ready()
    check(call.result()["acknowledged"], "the new e has it")
    wait_views(e.lab.all_boxes)


def run(lab):
    hosts = lab.line("a", "b", "c", "d", "e")
    boxes = lab.boxes(hosts)
    wait_settled_line(boxes)
    a, b, c, d, e = boxes
    for host in hosts:
        host.set_loss(10)

    # From end to end, both ways, each once, in full.
    heard = {box: box.subscribe("note") for box in boxes}
    for number in range(10):
        for source, target in ((a, e), (e, a)):
            note = largest(number) if number % 2 else {"n": number}
            reply = send(source, target, note, timeout_ms=LONG_MS)
            check(reply["acknowledged"] is True and reply["node"] == str(target), str(reply))
    for source, target in ((a, e), (e, a)):
        def told_by(source=source, target=target):
            return heard[target].find(lambda event: event.data["source"] == str(source))

        wait_until(lambda told_by=told_by: len(told_by()) >= 10, f"ten notes at {target}")
        told = told_by()
        check([event.data["note"]["n"] for event in told] == list(range(10)), f"{len(told)} notes at {target}")
        check(all(event.data["hops"] == 4 and event.data["topic"] is None for event in told), str(told[0]))
        check(told[9].data["note"] == largest(9), "the largest came intact")
        check(told[0].data["path"] == list("abcde" if source is a else "edcba"), str(told[0].data))
    check(not any(heard[box].snapshot() for box in (b, c, d)), "no note for two is told to those between them")
    check(refusal(send, a, "e", largest(0) | {"more": 1}).code == 600, "a larger note is refused")
    check(send(a, "a", {"to": "myself"})["acknowledged"], "this box is one, too")
    # Not confirmed, but sent.
    check(send(a, "c", {"ack": "none"}, ack=False)["acknowledged"] is False, "nobody asked c")
    check(heard[c].wait_for(lambda event: event.data["note"] == {"ack": "none"}), "c heard it")
    again, = totals(boxes, "messages_retransmitted")
    print(f"{again} messages sent again")
    check(again > 0, "nothing was sent again: was anything lost at all?")
    for host in hosts:
        host.heal()

    # To all, by topic.
    doors = {box: box.subscribe("note", topic="doors") for box in (b, e)}
    lights = {box: box.subscribe("note", topic="lights") for box in (b, d)}
    every = {box: box.subscribe("note") for box in boxes}
    check(a.call("notes.broadcast", topic="doors", note={"open": 1})["nodes"] == 4, "four others")
    c.call("notes.broadcast", topic="lights", note={"on": 1})
    for subscription in (every[b], every[d], every[e]):
        for topic, source in (("doors", "a"), ("lights", "c")):
            event = subscription.wait_for(lambda event, topic=topic: event.data["topic"] == topic)
            check(event and event.data["source"] == source and event.data["broadcast"], str(event))
    for box, subscription in doors.items():
        check(subscription.wait_for(lambda event: event.data["note"] == {"open": 1}), f"{box}: doors")
    for box, subscription in lights.items():
        check(subscription.wait_for(lambda event: event.data["note"] == {"on": 1}), f"{box}: lights")
    time.sleep(0.5)
    counts = [len(s.snapshot()) for s in (*doors.values(), *lights.values(), every[b], every[d], every[e])]
    check(counts == [1, 1, 1, 1, 2, 2, 2], f"each once, and of its topic only: {counts}")

    check_waits(a, e)
    wait_settled_line(boxes)

    # A box that hangs, one that is gone with one behind it, one nobody knows.
    e.freeze()
    error = refusal(send, a, "e", {"n": 1}, timeout_ms=200)
    e.thaw()
    check(error.code == 602, str(error))
    events = NodeEvents([a])
    d.kill()
    events.wait(a, "node.offline", "d")
    events.wait(a, "node.unreachable", "e")
    error = refusal(send, a, "d", {"n": 1}, timeout_ms=300)
    check(error.code == 601 and error.data["status"] == "offline", str(error))
    error = refusal(send, a, "e", {"n": 1}, timeout_ms=300)
    check(error.code == 601 and error.data["status"] == "unreachable" and error.data["because"] == "d", str(error))
    check(refusal(send, a, "nobody", {"n": 1}).code == 100, "an unknown box is refused at once")

    # The operator's view.
    done = a.meshctl("send", "c", "hello")
    check(done.stdout.startswith("c has it, after "), done.stdout)
    done = a.meshctl("send", "e", "hello", "--wait", "300ms", check=False)
    check(done.returncode == 4 and "e is unreachable, because of d" in done.stderr, f"{done.returncode} {done.stderr}")
    check(a.meshctl("broadcast", "hello", "--topic", "doors").stdout == "sent to 2 other boxes\n", "b and c are left")


if __name__ == "__main__":
    scenario(run)
