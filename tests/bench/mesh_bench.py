#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Figures of a mesh of real daemons in namespaces: tests/bench/mesh_bench.py [--json] [--quick].

Build preset release first (or set MESHD_BIN_DIR). Times are taken in this process alone: from the moment
before a request is written to the socket until an event has been read from another box's socket, so that
they include two passes through the local API and this interpreter.
"""
import argparse
import json
import os
import pathlib
import statistics
import sys
import time

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
os.environ.setdefault("MESHD_BIN_DIR", str(REPOSITORY / "build/release/bin"))
sys.path.insert(0, str(REPOSITORY / "tests/system"))

from checks import AlertLog, status, totals, wait_settled_lan, wait_settled_line, wait_views  # noqa: E402
from lab import check, scenario, wait_until  # noqa: E402

PAUSE_SECONDS = 0.02


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def milliseconds(values, share):
    return round(1000 * percentile(values, share), 2)


def cold_starts(lab, hosts, times, prefix):
    """Seconds from the last box's readiness to complete views everywhere, and from the first start."""
    after_ready, after_start = [], []
    for host in hosts:
        host.wait_up()
    for number in range(times):
        started = time.monotonic()
        boxes = [lab.box(host, node_id=f"{prefix}{number}-{host}") for host in hosts]
        for box in boxes:
            box.ready()
        last_ready = max(box.ready_at for box in boxes)
        complete = wait_views(boxes, timeout=60)
        after_ready.append(max(0.0, complete - last_ready))
        after_start.append(complete - started)
        if number + 1 < times:
            for box in boxes:
                box.terminate()
    return boxes, {
        "starts": times,
        "views_complete_s_median": round(statistics.median(after_ready), 3),
        "views_complete_s_worst": round(max(after_ready), 3),
        "from_first_start_s_median": round(statistics.median(after_start), 3),
    }


def alerts(boxes, number, priority="normal", sources=None):
    """Latency of alerts, one at a time, from changing sources."""
    sources = sources or boxes
    log = AlertLog(boxes)
    others = len(boxes) - 1
    before = totals(boxes, "alert_copies_received", "alerts_received", "datagrams_sent")
    raised = {}
    for i in range(number):
        source = sources[i % len(sources)]
        at = time.monotonic()
        alert_id = source.call("alerts.raise", alert={"n": i, "text": "x" * 100}, priority=priority)["id"]
        raised[alert_id] = (at, source.node_id)
        time.sleep(PAUSE_SECONDS)

    def told():
        return all(len(counts) >= number for counts in log.counts().values())

    deadline = time.monotonic() + 20
    while not told() and time.monotonic() < deadline:
        time.sleep(0.05)
    after = totals(boxes, "alert_copies_received", "alerts_received", "datagrams_sent")
    every, last, repeated, hops = [], {}, 0, {}
    for name, subscription in log.subscriptions.items():
        seen = set()
        for event in subscription.snapshot():
            alert_id = event.data["id"]
            if alert_id in seen:
                repeated += 1
                continue
            seen.add(alert_id)
            at, source = raised[alert_id]
            if name == source:
                continue
            every.append(event.at - at)
            last[alert_id] = max(last.get(alert_id, 0.0), event.at - at)
            hops.setdefault(event.data["hops"], []).append(event.at - at)
        subscription.close()
    return {
        "alerts": number,
        "node_p50_ms": milliseconds(every, 0.5), "node_p99_ms": milliseconds(every, 0.99),
        "last_node_p50_ms": milliseconds(last.values(), 0.5),
        "last_node_p99_ms": milliseconds(last.values(), 0.99),
        "farthest_p50_ms": milliseconds(hops[max(hops)], 0.5), "hops": max(hops),
        "delivered_percent": round(100 * len(every) / (number * others), 3), "told_twice": repeated,
        "copies_per_node": round((after[0] - before[0]) / max(1, after[1] - before[1]), 3),
        "datagrams_per_alert": round((after[2] - before[2]) / number, 1),
    }


def idle(boxes, seconds):
    def sample():
        return (time.monotonic(), sum(box.host.sent_bytes() for box in boxes),
                sum(box.cpu_seconds() for box in boxes), *totals(boxes, "bytes_sent", "datagrams_sent"))

    before = sample()
    time.sleep(seconds)
    after = sample()
    span = (after[0] - before[0]) * len(boxes)
    rss = [box.rss_kib() / 1024 for box in boxes]
    return {
        "idle_layer2_bytes_per_s": round((after[1] - before[1]) / span),
        "idle_udp_bytes_per_s": round((after[3] - before[3]) / span),
        "idle_datagrams_per_s": round((after[4] - before[4]) / span, 2),
        "idle_cpu_percent": round(100 * (after[2] - before[2]) / span, 2),
        "rss_mib_max": round(max(rss), 1), "rss_mib_median": round(statistics.median(rss), 1),
    }


def deaths(boxes, times):
    """Seconds from kill -9 until all others have told their subscribers."""
    spans = []
    for number in range(times):
        victim = boxes[1 + number % (len(boxes) - 1)]
        others = [box for box in boxes if box is not victim]
        events = {box: box.subscribe("node.offline") for box in others}
        killed = victim.kill()
        last = 0.0
        for box in others:
            event = events[box].wait_for(lambda e: e.data["node_id"] == victim.node_id, 40)
            check(event, f"{box} did not notice the death of {victim}")
            last = max(last, event.at - killed)
            events[box].close()
        spans.append(last)
        victim.start().ready()
        wait_until(lambda: all(status(box, victim.node_id) == "alive" for box in others), "the return", 40)
        time.sleep(1)
    return {"kills": times, "all_others_know_s_median": round(statistics.median(spans), 2),
            "all_others_know_s_worst": round(max(spans), 2)}


def measure(lab, options):
    result = {}
    scale = 0.2 if options.quick else 1
    number = max(20, int(500 * scale))

    hosts = lab.lan(*[f"n{i}" for i in range(10)])
    boxes, starts = cold_starts(lab, hosts, max(2, int(10 * scale)), "lan")
    wait_settled_lan(boxes)
    result["LAN of 10"] = {**starts, **alerts(boxes, number),
                           **{f"critical_{k}": v for k, v in alerts(boxes, number // 5, "critical").items()
                              if k.endswith("p50_ms") or k == "copies_per_node"},
                           **idle(boxes, max(4, 20 * scale)), **deaths(boxes, max(2, int(10 * scale)))}
    wait_settled_lan(boxes)
    for host in hosts:
        host.set_loss(10)
    time.sleep(2)
    wait_views(boxes)
    result["LAN of 10, 10 % loss"] = alerts(boxes, number)
    for box in boxes:
        box.kill()
    for host in hosts:
        host.set_loss(10)
    boxes, starts = cold_starts(lab, hosts, max(2, int(5 * scale)), "lossy")
    result["LAN of 10, 10 % loss"].update(starts)
    for box in boxes:
        box.kill()

    hosts = lab.line(*[f"l{i}" for i in range(5)])
    boxes, starts = cold_starts(lab, hosts, max(2, int(5 * scale)), "line")
    wait_settled_line(boxes)
    ends = [boxes[0], boxes[-1]]
    result["line of 5"] = {**starts, **alerts(boxes, number, sources=ends), **idle(boxes, max(4, 10 * scale))}
    for host in hosts:
        host.set_loss(10)
    time.sleep(2)
    result["line of 5, 10 % loss"] = alerts(boxes, number, sources=ends)
    return result


def show(result):
    columns = list(result)
    rows = list(dict.fromkeys(key for column in columns for key in result[column]))
    width = max(map(len, rows))
    print(" " * width + "".join(f"{column:>23}" for column in columns))
    for row in rows:
        print(f"{row:<{width}}" + "".join(f"{result[c].get(row, ''):>23}" for c in columns))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--quick", action="store_true", help="a fifth of the samples")
    options = parser.parse_args()
    sys.setswitchinterval(0.0005)

    def run(lab):
        result = measure(lab, options)
        if options.json:
            print(json.dumps(result, indent=2))
        else:
            show(result)

    scenario(run, hang_seconds=900, closing="")


if __name__ == "__main__":
    main()
