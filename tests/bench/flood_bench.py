#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Alerts while a hostile box floods one of five: tests/bench/flood_bench.py [--rate N] [--seconds N] [--only NAME].

Build preset release first, with the target flooder, or set MESHD_BIN_DIR. Each attack is compared with quiet
before and after it, in one run: p99 is from the request at one box until the event at the last one. All daemons,
the attacker and this process share the machine, so that a flood also takes from them what it does not take on a
network; the line "at nobody" has the same flood at a port where nothing listens, and shows that share.
"""
import argparse
import json
import time

from measures import milliseconds

from attacker import OUTSIDE, SESSION, Attacker
from checks import AlertLog, NodeEvents, totals, wait_settled_lan
from lab import scenario, wait_until

EVERY_SECONDS = 0.02
# Of all boxes, during the flood.
COUNTED = ("datagrams_lost", "links_suspected", "links_down")


def latencies(boxes, log, seconds):
    """Milliseconds until the last box was told, of alerts from all boxes in turn; and how many got lost."""
    raised, until = {}, time.monotonic() + seconds
    while time.monotonic() < until:
        source = boxes[len(raised) % len(boxes)]
        at = time.monotonic()
        alert_id = source.call("alerts.raise", alert={"text": "x" * 100}, priority="high")["id"]
        raised[alert_id] = at
        time.sleep(EVERY_SECONDS)

    def missing():
        return [(name, one) for name, counts in log.counts().items() for one in raised if one not in counts]

    try:
        wait_until(lambda: not missing(), "all alerts", timeout=10, every=0.1)
    except Exception:  # pylint: disable=broad-except
        pass
    last = {}
    for subscription in log.subscriptions.values():
        for event in subscription.snapshot():
            if event.data["id"] in raised:
                took = event.at - raised[event.data["id"]]
                last[event.data["id"]] = max(last.get(event.data["id"], 0.0), took)
    return list(last.values()), len(missing())


def run(lab, options, report):
    *hosts, x = lab.lan("a", "b", "c", "d", "e", "x")
    attacker = Attacker(lab, x)
    boxes = lab.boxes(hosts)
    wait_settled_lan(boxes)
    target, events = boxes[0], NodeEvents(boxes)
    with attacker.listening() as heard:
        boxes[0].call("mesh.discover")
        for box in boxes:
            box.call("alerts.raise", alert={"n": 1})
            time.sleep(0.5)
        time.sleep(2)
    outside = [one for one in heard if one.kind == OUTSIDE and one.source != target.host.address]
    sessions = [one for one in heard if one.kind == SESSION and one.target == target.host.address]
    attacks = {
        "at nobody": (attacker.noise(), x.address, ()),
        "noise": (attacker.noise(), target.host.address, ()),
        "well-formed headers": (attacker.shaped(outside + sessions), target.host.address, ("vary",)),
        "forged beacons": (attacker.shaped(outside), "10.77.1.255", ("vary", "spoof")),
        "damaged sessions": (attacker.damaged(sessions), target.host.address, ()),
        "a recording": (heard, target.host.address, ()),
    }

    def quiet():
        time.sleep(1)
        values, _ = latencies(boxes, AlertLog(boxes), options.seconds / 2)
        return values

    for name, (datagrams, address, flags) in attacks.items():
        if options.only and name not in options.only:
            continue
        calm = quiet()
        rss, cpu = target.data_kib(), target.cpu_seconds()
        before = totals(boxes, *COUNTED)
        process = attacker.start(datagrams, address, options.rate, options.seconds, *flags)
        values, lost = latencies(boxes, AlertLog(boxes), options.seconds - 1)
        sent, seconds = attacker.finish(process)
        cpu = target.cpu_seconds() - cpu
        counted = {key: now - then for key, now, then in zip(COUNTED, totals(boxes, *COUNTED), before)}
        calm += quiet()
        row = {
            "sent per s": round(sent / seconds),
            "quiet p50 ms": milliseconds(calm, 0.5), "quiet p99 ms": milliseconds(calm, 0.99),
            "flood p50 ms": milliseconds(values, 0.5), "flood p99 ms": milliseconds(values, 0.99),
            "alerts": len(values), "alerts lost": lost, "target CPU %": round(100 * cpu / seconds),
            "target grew KiB": target.data_kib() - rss, "nodes told lost": len(events.losses()),
            **counted,
        }
        row["p99 ratio"] = round(row["flood p99 ms"] / max(row["quiet p99 ms"], 0.01), 2)
        report[name] = row
        if not options.json:
            print(f"{name}: " + ", ".join(f"{key} {value}" for key, value in row.items()), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=int, default=100_000, help="datagrams per second (%(default)s)")
    parser.add_argument("--seconds", type=float, default=10, help="of each attack (%(default)s)")
    parser.add_argument("--only", action="append", help="this attack, by its name in the output; may be repeated")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    report = {}

    def bench(lab):
        run(lab, options, report)
        if options.json:
            print(json.dumps(report, indent=2))

    scenario(bench, hang_seconds=900, closing="")


if __name__ == "__main__":
    main()
