#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Pings and traces over a line of five: hops, path and round trip of each; on lossy cables; and who is gone."""
import json

from checks import NodeEvents, wait_settled_line
from lab import check, scenario
from search_checks import refusal

LONG_MS = 14000


def check_trace(box, target, want):
    trace = box.call("mesh.trace", node=target, timeout_ms=LONG_MS)
    check(trace["complete"] is True and trace["node_id"] == target, str(trace))
    check([hop["node_id"] for hop in trace["hops"]] == want, str(trace))
    check([hop["hop"] for hop in trace["hops"]] == list(range(1, len(want) + 1)), str(trace))
    return trace


def run(lab):
    hosts = lab.line("a", "b", "c", "d", "e")
    boxes = lab.boxes(hosts)
    wait_settled_line(boxes)
    a, _, c, d, _ = boxes

    for hops, name in enumerate("abcde"):
        ping = a.call("mesh.ping", node=name, timeout_ms=LONG_MS)
        check(ping["node_id"] == name and ping["hops"] == hops, str(ping))
        check(ping["path"] == list("abcde")[:hops + 1] and ping["rtt_ms"] >= 0, str(ping))
    trace = check_trace(a, "e", list("bcde"))
    check(all(hop["rtt_ms"] > 0 for hop in trace["hops"]), str(trace))
    print("hops of a to e: " + ", ".join(f"{hop['rtt_ms']:.2f} ms" for hop in trace["hops"]))
    check_trace(c, "a", list("ba"))

    done = a.meshctl("ping", "e", "-c", "3", "-i", "20ms")
    lines = done.stdout.splitlines()
    check(len(lines) == 5 and lines[0].startswith("e: number 1, 4 hops, ") and lines[0].endswith("by b, c, d")
          and lines[3] == "e: 3 sent, 3 answered, 0 % lost", done.stdout)
    done = a.meshctl("ping", "c", "-c", "2", "-i", "20ms", "--json")
    check([json.loads(line)["hops"] for line in done.stdout.splitlines()] == [2, 2], done.stdout)
    rows = [line.split() for line in a.meshctl("trace", "e").stdout.splitlines()]
    check(rows[0] == ["HOP", "NODE", "RTT"] and [row[:2] for row in rows[1:]] == [
        ["1", "b"], ["2", "c"], ["3", "d"], ["4", "e"]], str(rows))
    done = a.meshctl("ping", "ee", "-c", "1", check=False)
    check(done.returncode == 1, f"{done.returncode} {done.stderr}")

    for host in hosts:
        host.set_loss(10)
    answered = 0
    for _ in range(20):
        answered += a.call("mesh.ping", node="e", timeout_ms=LONG_MS)["hops"] == 4
    check(answered == 20, f"{answered} of 20 pings")
    check_trace(a, "e", list("bcde"))
    for host in hosts:
        host.heal()

    # A box that is gone, and the one behind it.
    events = NodeEvents([a])
    d.kill()
    events.wait(a, "node.offline", "d")
    events.wait(a, "node.unreachable", "e")
    for name, state in (("d", "offline"), ("e", "unreachable")):
        for method in ("mesh.ping", "mesh.trace"):
            error = refusal(a.call, method, node=name, timeout_ms=300)
            check(error.code == 103 and error.data["status"] == state, str(error))
    check(refusal(a.call, "mesh.ping", node="nobody").code == 100, "an unknown box is refused at once")
    for verb in (["ping", "e", "-c", "1", "--wait", "300ms"], ["trace", "e", "--wait", "300ms"]):
        done = a.meshctl(*verb, check=False)
        check(done.returncode == 4 and "e is unreachable, because of d" in done.stdout + done.stderr,
              f"{verb}: {done.returncode} {done.stdout}{done.stderr}")

    # Stopped for a moment: known as alive, and without an answer.
    c.freeze()
    try:
        error = refusal(a.call, "mesh.ping", node="c", timeout_ms=200)
    finally:
        c.thaw()
    check(error.code == 104, str(error))


if __name__ == "__main__":
    scenario(run)
