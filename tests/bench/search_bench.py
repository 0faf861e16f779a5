#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Searches, notes and pings between real daemons in namespaces: tests/bench/search_bench.py [--only NAME]… [--json].

Build preset release first (or set MESHD_BIN_DIR). A search takes from before the request is written to the
socket until its reply is read, so that the local API and this interpreter are in it; a ping's time is the
daemon's own. The daemons and this process share the machine.
"""
import random
import statistics
import time

from measures import main, milliseconds, times

from checks import NodeEvents, wait_settled_lan, wait_settled_line, wait_store, wait_views
from lab import check
from responder import Responder
from rpc import Rpc, RpcError
from search_checks import Later

LONG = 60
ENTRIES = 100
DIMENSION = 128


def fill(boxes):
    """Entries of every box: one that all have, and its own with vectors and metadata."""
    random.seed(1)
    for number, box in enumerate(boxes):
        box.call("registry.put", entries=[{"hash": "guest", "type": "person"}] + [
            {"hash": f"{number}-{i}", "type": "face", "space": "bench", "metadata": {"camera": i % 10, "box": number},
             "embedding": [random.uniform(-1, 1) for _ in range(DIMENSION)]} for i in range(ENTRIES)])
    wait_store(boxes, LONG)


def is_full(reply, number):
    return reply["complete"] and len(reply["answers"]) == number


class Asker:
    """A connection that stays, as a program's would."""

    def __init__(self, box):
        self.rpc = Rpc(box.socket, timeout=LONG)

    def __call__(self, search_type, query, **params):
        """(seconds, reply)"""
        started = time.monotonic()
        reply = self.rpc.call("search.query", search_type=search_type, query=query, **params)
        return time.monotonic() - started, reply


QUERIES = {
    "hash": lambda: {"hash": "guest"},
    "metadata": lambda: {"metadata": {"camera": {"min": 2, "max": 3}}, "type": "face"},
    "embedding": lambda: {"embedding": [random.uniform(-1, 1) for _ in range(DIMENSION)], "space": "bench"},
    "programs": lambda: {"coat": "red"},
}


def searches(boxes, number, types=tuple(QUERIES), **params):
    askers = [Asker(box) for box in boxes]
    result = {}
    for search_type in types:
        spans, full = [], 0
        for turn in range(number):
            span, reply = askers[turn % len(askers)](search_type, QUERIES[search_type](), **params)
            spans.append(span)
            full += is_full(reply, len(boxes))
            time.sleep(0.01)
        result.update({**times(search_type, spans), f"{search_type}: complete": f"{full} of {number}"})
    for asker in askers:
        asker.rpc.close()
    return result


def lan10(lab, options):
    boxes = lab.boxes(lab.lan(*[f"s{i}" for i in range(10)]))
    wait_settled_lan(boxes, LONG)
    fill(boxes)
    responders = [Responder(box, ["programs"], lambda _: [{"score": 1}]) for box in boxes]
    result = searches(boxes, options.samples(200))
    # One program that says nothing at one box; what others ask meanwhile.
    hung = Responder(boxes[1], ["hung"], lambda _: None)
    waiting = Later(Asker(boxes[2]), "hung", {}, timeout_ms=60000)
    spans = [Asker(boxes[0])("hash", {"hash": "guest"})[0] for _ in range(options.samples(50))]
    check(not waiting.is_done(), "nobody hung")
    result.update(times("hash, while a program hangs", spans))
    for responder in [hung, *responders]:
        responder.close()
    for box in boxes:
        box.kill()
    return result


def lossy10(lab, options):
    hosts = lab.lan(*[f"q{i}" for i in range(10)])
    boxes = lab.boxes(hosts)
    wait_settled_lan(boxes, LONG)
    fill(boxes)
    for host in hosts:
        host.set_loss(10)
    time.sleep(2)
    result = searches(boxes, max(30, options.samples(90)), ("hash",))
    for box in boxes:
        box.kill()
    return result


def killed(lab, options):
    boxes = lab.boxes(lab.lan(*[f"k{i}" for i in range(10)]))
    wait_settled_lan(boxes, LONG)
    fill(boxes)
    after_kill, after_known = [], []
    for turn in range(options.samples(20)):
        time.sleep(random.uniform(1.0, 2.0))
        asker, victim = boxes[0], boxes[1 + turn % 9]
        events = NodeEvents([asker])
        killed_at = time.time()
        victim.kill()
        span, reply = Asker(asker)("hash", {"hash": "guest"}, timeout_ms=30000)
        returned_at = time.time()
        check(reply["unreachable"] == [victim.node_id] and len(reply["answers"]) >= 9, f"{reply}"[:300])
        known = events.wait(asker, "node.offline", victim.node_id, timeout=LONG)
        after_kill.append(returned_at - killed_at)
        after_known.append(max(0.0, returned_at - known.timestamp_ms / 1000))
        events.subscriptions[asker].close()
        victim.start().ready()
        wait_views(boxes, LONG)
        wait_store(boxes, LONG)
    for box in boxes:
        box.kill()
    return {"kills": len(after_kill), "returned after the kill: median s": round(statistics.median(after_kill), 2),
            "returned after the kill: worst s": round(max(after_kill), 2),
            **times("returned after it was known", after_known)}


def sent(rpc, node, note, number, timeout_ms=10000):
    spans, lost = [], 0
    for _ in range(number):
        started = time.monotonic()
        try:
            rpc.call("notes.send", node=str(node), note=note, timeout_ms=timeout_ms)
            spans.append(time.monotonic() - started)
        except RpcError:
            lost += 1
        time.sleep(0.01)
    return spans, lost


def line5(lab, options):
    hosts = lab.line(*[f"l{i}" for i in range(5)])
    boxes = lab.boxes(hosts)
    wait_settled_line(boxes, LONG)
    fill(boxes)
    rpc = Rpc(boxes[0].socket, timeout=LONG)
    small, large = {"text": "x" * 100}, {"text": "x" * 65000}
    result = {}
    for loss in (0, 10):
        words = ", 10 % loss" if loss else ""
        for host in hosts:
            host.set_loss(loss)
        if loss:
            time.sleep(2)
        for hops in (1, 4):
            rtts = [rpc.call("mesh.ping", node=str(boxes[hops]), timeout_ms=10000)["rtt_ms"] / 1000
                    for _ in range(options.samples(100))]
            result.update(times(f"ping over {hops} hops{words}", rtts))
            spans, lost = sent(rpc, boxes[hops], small, options.samples(100))
            result.update(times(f"note of 100 B, confirmed, over {hops} hops{words}", spans))
            result[f"note of 100 B over {hops} hops{words}: not confirmed"] = lost
        spans, lost = sent(rpc, boxes[4], large, options.samples(50))
        result.update(times(f"note of 64 KiB, confirmed, over 4 hops{words}", spans))
        result[f"note of 64 KiB over 4 hops{words}: not confirmed"] = lost
        figures = searches([boxes[0], *boxes[1:]], options.samples(50), ("hash",))
        result.update({f"{what}{words}": value for what, value in figures.items()})
    rpc.close()
    for box in boxes:
        box.kill()
    return result


MEASURES = {"lan10": lan10, "lossy10": lossy10, "killed": killed, "line5": line5}


if __name__ == "__main__":
    main(MEASURES, __doc__, hang_seconds=1800)
