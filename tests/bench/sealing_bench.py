#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What sealing costs: tests/bench/sealing_bench.py [--quick].

Build preset release first (or set MESHD_BIN_DIR). Two meshes of five run on the same five hosts at once, one
sealed, one open; they are measured in turns, round by round, and the ratios are medians over the rounds.
"""
import argparse
import statistics
import sys
import time

from measures import processor_seconds

from checks import totals, wait_settled_lan
from entries import wait_written
from lab import check, scenario
from mesh_bench import alerts
from store_bench import joins, put_pipelined

MODES = ("open", "sealed")
PORTS = {"open": 9998, "sealed": 9999}
# Ethernet, IPv4 and UDP headers of each datagram.
LOWER_HEADERS = 14 + 20 + 8


def start(lab, host, mode, name):
    return lab.box(host, "--set", f"mesh.udp_port={PORTS[mode]}", "--set", f"mesh.name={mode}",
                   node_id=f"{mode}-{name}", open_mode=mode == "open")


def layer2(boxes):
    sent, datagrams = totals(boxes, "bytes_sent", "datagrams_sent")
    return sent + datagrams * LOWER_HEADERS


def idle(meshes, seconds):
    """Bytes per second and box, at layer 2."""
    before = {mode: layer2(boxes) for mode, boxes in meshes.items()}
    cpu = {mode: sum(processor_seconds(box.process.pid) for box in boxes) for mode, boxes in meshes.items()}
    time.sleep(seconds)
    return {mode: {"idle bytes/s": round((layer2(boxes) - before[mode]) / seconds / len(boxes)),
                   "idle CPU %": round(100 * (sum(processor_seconds(box.process.pid) for box in boxes) - cpu[mode])
                                       / seconds / len(boxes), 2)}
            for mode, boxes in meshes.items()}


def late_join(lab, host, mode, author, number, name):
    """Entries per second that a box without any takes in."""
    links = author.subscribe("link")
    joiner = start(lab, host, mode, name)
    joiner.ready()
    run = joins(author, joiner, links, number)
    links.close()
    joiner.terminate()
    check(run["down"] == 0, f"links went down while {name} joined")
    author.call("mesh.forget", node_id=joiner.node_id)
    return number / run["seconds"]


def measure(lab, options):
    rounds, number, entries = (3, 60, 5_000) if options.quick else (7, 200, 20_000)
    hosts = lab.lan(*[f"n{i}" for i in range(5)])
    meshes = {mode: [start(lab, host, mode, str(i)) for i, host in enumerate(hosts)] for mode in MODES}
    for boxes in meshes.values():
        for box in boxes:
            box.ready()
        wait_settled_lan(boxes)
    time.sleep(10)
    figures = {mode: {} for mode in MODES}
    for mode, values in idle(meshes, 20 if options.quick else 60).items():
        figures[mode].update(values)

    latency = {mode: [] for mode in MODES}
    for number_of_round in range(rounds):
        for mode in MODES if number_of_round % 2 else reversed(MODES):
            latency[mode].append(alerts(meshes[mode], number))
    for mode in MODES:
        for key in ("node_p50_ms", "node_p99_ms", "last_node_p50_ms", "delivered_percent"):
            figures[mode][f"alert {key}"] = round(statistics.median(run[key] for run in latency[mode]), 3)
        for box in meshes[mode][1:]:
            box.terminate()

    speed = {mode: [] for mode in MODES}
    for mode in MODES:
        put_pipelined(meshes[mode][0], 0, entries, "entry")
        wait_written(meshes[mode][0], 300)
    for number_of_round in range(rounds):
        for mode in MODES if number_of_round % 2 else reversed(MODES):
            speed[mode].append(late_join(lab, hosts[1], mode, meshes[mode][0], entries, f"late{number_of_round}"))
    for mode in MODES:
        figures[mode]["late joiner entries/s"] = round(statistics.median(speed[mode]))

    ratios = {
        "alert latency p50, sealed / open": statistics.median(
            a["node_p50_ms"] / b["node_p50_ms"] for a, b in zip(latency["sealed"], latency["open"])),
        "throughput of the late joiner, sealed / open": statistics.median(
            a / b for a, b in zip(speed["sealed"], speed["open"])),
        "idle bytes, sealed / open": figures["sealed"]["idle bytes/s"] / figures["open"]["idle bytes/s"],
    }
    return figures, ratios


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer rounds and entries")
    options = parser.parse_args()
    sys.setswitchinterval(0.0005)

    def run(lab):
        figures, ratios = measure(lab, options)
        for key in figures["open"]:
            print(f"{key:<28}{figures['open'][key]:>12}{figures['sealed'][key]:>12}")
        for name, ratio in ratios.items():
            print(f"{name:<52}{ratio:.3f}")

    scenario(run, hang_seconds=900, closing="")


if __name__ == "__main__":
    main()
