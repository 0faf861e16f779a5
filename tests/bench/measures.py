# SPDX-License-Identifier: Apache-2.0
"""What the benchmarks over real daemons have in common: where the programs are, statistics, and a command line
that runs the measures one asks for, each in a lab of its own run.

A measure is a function of (lab, options) that returns {what: figure}. `options.samples(n)` is the number of
samples to take where n are wanted; `options.peer` whether another product is measured beside, on the same hosts.
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
for folder in ("tests/system", "tests/support"):
    sys.path.insert(0, str(REPOSITORY / folder))

from lab import Failure, check, scenario  # noqa: E402

LOAD = "load of the machine at the start"
SECONDS = "seconds it took"
QUICK_SHARE = 0.2


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


def milliseconds(values, share):
    return round(1000 * percentile(values, share), 2)


def times(name, values):
    """Figures of latencies in seconds."""
    return {f"{name}: p50 ms": milliseconds(values, 0.5), f"{name}: p99 ms": milliseconds(values, 0.99)}


def spread(name, values):
    """Figures of values in seconds."""
    return {f"{name}: median s": round(statistics.median(values), 3),
            f"{name}: p99 s": round(percentile(values, 0.99), 3),
            f"{name}: worst s": round(max(values), 3), f"{name}: best s": round(min(values), 3)}


def processor_seconds(process_id):
    """What all threads of a process have used, to the nanosecond: the clock ticks of /proc/PID/stat miss most of
    a process that runs for microseconds at a time."""
    total = 0
    for task in pathlib.Path(f"/proc/{process_id}/task").iterdir():
        total += int((task / "schedstat").read_text(encoding="ascii").split()[0])
    return total / 1e9


def kill_all(lab):
    for box in lab.all_boxes:
        if box.is_running():
            box.kill()


def show(name, figures):
    for what, value in figures.items():
        print(f"{name:<16}{what:<66}{value!s:>16}", flush=True)


def main(measures, document, hang_seconds, add_arguments=None):
    """The command line of a benchmark; exits."""
    parser = argparse.ArgumentParser(description=document.splitlines()[0])
    parser.add_argument("--only", action="append", choices=measures, metavar="NAME",
                        help=f"one of {', '.join(measures)}; may be repeated")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--share", type=float, default=1.0, help="of the samples to take (%(default)s)")
    parser.add_argument("--quick", action="store_true", help="a fifth of the samples, shorter waits")
    parser.add_argument("--peer", action="store_true", help="Serf too, where it is installed, on the same hosts")
    if add_arguments:
        add_arguments(parser)
    options = parser.parse_args()
    share = QUICK_SHARE if options.quick else options.share
    options.samples = lambda number, least=2: max(least, round(number * share))
    sys.setswitchinterval(0.0005)

    def run(lab):
        result, failed = {}, []
        for name in options.only or measures:
            load, started = os.getloadavg()[0], time.monotonic()
            try:
                figures = measures[name](lab, options)
            except Failure as failure:
                figures = {"failed": str(failure)[:300]}
                failed.append(name)
            kill_all(lab)
            result[name] = {**figures, LOAD: round(load, 1), SECONDS: round(time.monotonic() - started, 1)}
            if not options.json:
                show(name, result[name])
        if options.json:
            print(json.dumps(result, indent=2))
        check(not failed, f"not measured: {failed}")

    scenario(run, hang_seconds=hang_seconds, closing="")
