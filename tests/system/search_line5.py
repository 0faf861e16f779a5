#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Searches over a line of five: from its ends and its middle, many at once, and on lossy cables."""
from checks import totals, wait_settled_line, wait_store
from lab import check, scenario
from responder import Responder
from search_checks import Later, answered, check_complete, search

AT_ONCE = 8


def check_rounds(boxes, rounds, timeout_ms):
    for number in range(rounds):
        asker = boxes[number % len(boxes)]
        reply = search(asker, "hash", {"hash": "guest"}, timeout_ms=timeout_ms)
        check_complete(reply, boxes)
        check(all(len(results) == 1 for results in answered(reply).values()), str(reply))


def run(lab):
    hosts = lab.line("a", "b", "c", "d", "e")
    boxes = lab.boxes(hosts)
    wait_settled_line(boxes)
    for box in boxes:
        box.call("registry.put", hash="guest", type="person", metadata={"seen by": str(box), "big": "x" * 4000})
    wait_store(boxes)
    check_rounds(boxes, 10, 20000)

    # Many at once from both ends, each with its own answers.
    both = [Responder(box, ["echo"], lambda request: [request["query"]]) for box in (boxes[0], boxes[-1])]
    calls = {number: Later(search, boxes[-(number % 2)], "echo", {"n": number}, timeout_ms=20000)
             for number in range(AT_ONCE)}
    for number, call in calls.items():
        reply = call.result()
        check_complete(reply, boxes)
        check(answered(reply)["a"] == answered(reply)["e"] == [{"n": number}], f"{number}: {reply}")
    for responder in both:
        responder.close()

    for host in hosts:
        host.set_loss(10)
    check_rounds(boxes, 10, 30000)
    again, = totals(boxes, "messages_retransmitted")
    print(f"{again} messages sent again")
    check(again > 0, "nothing was sent again: was anything lost at all?")


if __name__ == "__main__":
    scenario(run)
