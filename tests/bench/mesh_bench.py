#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Alerts, their rate and the cost of a mesh at rest, of real daemons in namespaces: tests/bench/mesh_bench.py.

Build preset release first (or set MESHD_BIN_DIR). An alert's time is from the moment before the request is
written to the socket until an event has been read from another box's socket, so that it includes two passes
through the local API and this interpreter; "as written" ends where the daemon stamped the event, to the
millisecond. Raw limits are taken on the same hosts before the daemons start.
"""
import json
import selectors
import shutil
import signal
import statistics
import subprocess
import time

from measures import main, milliseconds, processor_seconds, spread

from box import BIN_DIR, MESHCTL, MESHD
from checks import AlertLog, status, totals, wait_settled_lan, wait_settled_line, wait_store, wait_views
from lab import check, wait_until
from readiness import Readiness
from rpc import Rpc, RpcError
import serf_peer

UDP_ECHO = BIN_DIR / "udp_echo"
ECHO_PORT = 7001
ALERT_DATAGRAM_BYTES = 400  # what an alert of 100 characters takes, sealed
PAUSE_SECONDS = 0.02
LONG = 120
REST_SECONDS = 40
# Up to here all are linked with all, and nothing is pruned.
FULL_MESH = 11
OVERLOADED = 900


def raw_echo(hosts, rounds):
    """A datagram to one other host and back, and to each of the others and back."""
    if not UDP_ECHO.exists():
        return {}
    servers = []
    try:
        for host in hosts[1:]:
            server = subprocess.Popen(["ip", "netns", "exec", host.name, str(UDP_ECHO), "serve", str(ECHO_PORT)],
                                      stdout=subprocess.PIPE, text=True)
            servers.append(server)
            server.stdout.readline()
        result = {}
        addresses = [host.address for host in hosts[1:]]
        for name, some in (("raw echo", addresses[:1]), ("raw echo of all", addresses)):
            done = hosts[0].run(str(UDP_ECHO), "ask", str(ECHO_PORT), str(rounds), str(ALERT_DATAGRAM_BYTES), *some)
            got = json.loads(done.stdout)
            result.update({f"{name}: p50 ms": round(got["p50_us"] / 1000, 3),
                           f"{name}: p99 ms": round(got["p99_us"] / 1000, 3)})
        return result
    finally:
        for server in servers:
            server.kill()
            server.wait()
            server.stdout.close()


def alerts(boxes, number, priority="normal", sources=None, text="x" * 100, pause=PAUSE_SECONDS):
    """Latency of alerts, one at a time, from changing sources."""
    sources = sources or boxes
    log = AlertLog(boxes)
    others = len(boxes) - 1
    before = totals(boxes, "alert_copies_received", "alerts_received", "datagrams_sent")
    raised = {}
    for i in range(number):
        source = sources[i % len(sources)]
        at, wall = time.monotonic(), time.time()
        alert_id = source.call("alerts.raise", alert={"n": i, "text": text}, priority=priority)["id"]
        raised[alert_id] = (at, wall, source.node_id)
        time.sleep(pause)

    def told():
        return all(len(counts) >= number for counts in log.counts().values())

    deadline = time.monotonic() + 20
    while not told() and time.monotonic() < deadline:
        time.sleep(0.05)
    after = totals(boxes, "alert_copies_received", "alerts_received", "datagrams_sent")
    every, last, written, repeated, hops = [], {}, {}, 0, {}
    for name, subscription in log.subscriptions.items():
        seen = set()
        for event in subscription.snapshot():
            alert_id = event.data["id"]
            if alert_id in seen:
                repeated += 1
                continue
            seen.add(alert_id)
            at, wall, source = raised[alert_id]
            if name == source:
                continue
            every.append(event.at - at)
            last[alert_id] = max(last.get(alert_id, 0.0), event.at - at)
            written[alert_id] = max(written.get(alert_id, 0.0), event.timestamp_ms / 1000 - wall)
            hops.setdefault(event.data["hops"], []).append(event.at - at)
        subscription.close()
    return {
        "alerts": number,
        "node_p50_ms": milliseconds(every, 0.5), "node_p99_ms": milliseconds(every, 0.99),
        "last_node_p50_ms": milliseconds(last.values(), 0.5),
        "last_node_p99_ms": milliseconds(last.values(), 0.99),
        "last_node_worst_ms": milliseconds(last.values(), 1),
        "last_node_as_written_p99_ms": milliseconds(written.values(), 0.99),
        "farthest_p50_ms": milliseconds(hops[max(hops)], 0.5), "hops": max(hops),
        "delivered_percent": round(100 * len(every) / (number * others), 3), "told_twice": repeated,
        "copies_per_node": round((after[0] - before[0]) / max(1, after[1] - before[1]), 3),
        "datagrams_per_alert": round((after[2] - before[2]) / number, 1),
    }


def idle(boxes, seconds):
    def sample():
        return (time.monotonic(), sum(box.host.sent_bytes() for box in boxes),
                sum(processor_seconds(box.process.pid) for box in boxes),
                *totals(boxes, "bytes_sent", "datagrams_sent"))

    before = sample()
    time.sleep(seconds)
    after = sample()
    span = (after[0] - before[0]) * len(boxes)
    rss = [box.rss_kib() / 1024 for box in boxes]
    return {
        "idle_layer2_bytes_per_s": round((after[1] - before[1]) / span),
        "idle_udp_bytes_per_s": round((after[3] - before[3]) / span),
        "idle_datagrams_per_s": round((after[4] - before[4]) / span, 2),
        "idle_cpu_percent": round(100 * (after[2] - before[2]) / span, 3),
        "rss_mib_max": round(max(rss), 1), "rss_mib_median": round(statistics.median(rss), 1),
    }


def alert_runs(boxes, options):
    """Medians of several runs, and from where to where they go."""
    runs = [alerts(boxes, options.samples(200, 20)) for _ in range(3)]
    figures = {}
    for key in runs[0]:
        values = [run[key] for run in runs]
        figures[key] = statistics.median(values)
        if key.endswith("_ms") and len(set(values)) > 1:
            figures[f"{key}, of 3 runs"] = f"{min(values):g}..{max(values):g}"
    figures["delivered_percent"] = min(run["delivered_percent"] for run in runs)
    figures["told_twice"] = max(run["told_twice"] for run in runs)
    critical = alerts(boxes, options.samples(100, 20), "critical")
    figures.update({f"critical_{key}": critical[key] for key in ("last_node_p50_ms", "copies_per_node")})
    return figures


def lan(lab, options, number):
    """What a mesh of so many costs and how fast its alerts are."""
    hosts = lab.lan(*[f"m{number}-{i}" for i in range(number)])
    figures = raw_echo(hosts, options.samples(200, 40))
    boxes = lab.boxes(hosts)
    wait_settled_lan(boxes, LONG)
    formed = time.monotonic()
    # A fresh daemon: what it touches later stays resident.
    figures["rss_mib_fresh"] = round(statistics.median(box.rss_kib() / 1024 for box in boxes), 1)
    is_full = number <= FULL_MESH
    figures.update(alert_runs(boxes, options) if is_full else {})
    # Beacons become rarer, links are pruned and displaced; and what an alert leaves behind is settled.
    time.sleep(max(5.0, formed + REST_SECONDS - time.monotonic()))
    figures.update(idle(boxes, max(10, options.samples(40))))
    figures.update({} if is_full else alert_runs(boxes, options))
    figures["links of a box, mean"] = round(
        statistics.mean(box.call("mesh.status")["peers"] for box in boxes), 1)
    for box in boxes:
        box.kill()
    figures.update(serf_peer.peer(options, serf_peer.lan, lab, hosts, options, 5, max(10, options.samples(20))))
    return figures


def lossy10(lab, options):
    hosts = lab.lan(*[f"q{i}" for i in range(10)])
    boxes = lab.boxes(hosts)
    wait_settled_lan(boxes, LONG)
    for host in hosts:
        host.set_loss(10)
    time.sleep(2)
    figures = alerts(boxes, options.samples(500, 100))
    # As large as an alert may be, its other member and braces among the 64 KiB.
    large = alerts(boxes, options.samples(100, 20), text="x" * 65_500, pause=0.2)
    figures.update({f"64 KiB: {key}": large[key] for key in (
        "alerts", "last_node_p50_ms", "last_node_p99_ms", "last_node_worst_ms", "delivered_percent")})
    for box in boxes:
        box.kill()
    figures.update(serf_peer.peer(options, serf_peer.lossy, lab, hosts, options))
    return figures


def line(lab, options, number):
    boxes = lab.boxes(lab.line(*[f"l{number}-{i}" for i in range(number)]))
    wait_settled_line(boxes, LONG)
    return alerts(boxes, options.samples(200, 40), sources=[boxes[0], boxes[-1]])


class EventCounter:
    """Counts alert events at many sockets without parsing them: at thousands a second this interpreter would
    be what is measured."""

    MARK = b'"kind":"alert"'

    def __init__(self, selector, box):
        rpc = Rpc(box.socket)
        rpc.call("events.subscribe", kinds=["alert"])
        self.sock, self.tail, self.count = rpc.sock, rpc.buffer, 0
        self.lagged = False
        self.sock.setblocking(False)
        selector.register(self.sock, selectors.EVENT_READ, self)

    def read(self):
        try:
            data = self.tail + self.sock.recv(1 << 20)
        except BlockingIOError:
            return
        self.lagged = self.lagged or b'"kind":"lagged"' in data
        end = data.rfind(b"\n") + 1
        self.count += data.count(self.MARK, 0, end)
        self.tail = data[end:]


class Raiser:
    """Raises alerts of 200 B over one connection, several ahead of their replies."""

    AHEAD = 64

    def __init__(self, selector, box):
        self.rpc = Rpc(box.socket)
        self.sock, self.tail = self.rpc.sock, b""
        self.sent = self.done = self.refused = 0
        self.sock.setblocking(False)
        selector.register(self.sock, selectors.EVENT_READ, self)

    def send(self):
        text = "y" * 170
        self.sent += 1
        self.sock.setblocking(True)
        self.rpc.send_raw(json.dumps({"jsonrpc": "2.0", "id": self.sent, "method": "alerts.raise",
                                      "params": {"alert": {"n": self.sent, "text": text}}}).encode() + b"\n")
        self.sock.setblocking(False)

    def may_send(self):
        return self.sent - self.done - self.refused < self.AHEAD

    def read(self):
        try:
            data = self.tail + self.sock.recv(1 << 20)
        except BlockingIOError:
            return
        *lines, self.tail = data.split(b"\n")
        for one in lines:
            if b'"error"' in one:
                check(json.loads(one)["error"]["code"] == OVERLOADED, f"alerts.raise: {one[:200]}")
                self.refused += 1
            else:
                self.done += 1


def burst(boxes, rate, seconds):
    """So many alerts a second in all, from all boxes in turn, or as fast as they are taken. Returns figures."""
    selector = selectors.DefaultSelector()
    counters = [EventCounter(selector, box) for box in boxes]
    raisers = [Raiser(selector, box) for box in boxes]
    others = len(boxes) - 1
    before = sum(box.counter("alerts_received") for box in boxes)
    cpu = sum(processor_seconds(box.process.pid) for box in boxes)

    def turn(timeout):
        for key, _ in selector.select(timeout):
            key.data.read()

    started, due = time.monotonic(), 0
    while time.monotonic() - started < seconds:
        due = rate * (time.monotonic() - started) if rate else float("inf")
        for raiser in raisers:
            if raiser.may_send() and sum(r.sent for r in raisers) < due:
                raiser.send()
        turn(0.0 if sum(r.sent for r in raisers) < due and any(r.may_send() for r in raisers) else 0.001)
    while any(r.done + r.refused < r.sent for r in raisers) and time.monotonic() - started < seconds + 30:
        turn(0.05)
    spent = time.monotonic() - started
    done = sum(r.done for r in raisers)
    deadline = time.monotonic() + 20
    while any(c.count < done for c in counters) and time.monotonic() < deadline:
        turn(0.05)
    behind = time.monotonic() - started - spent
    cpu = sum(processor_seconds(box.process.pid) for box in boxes) - cpu
    received = sum(box.counter("alerts_received") for box in boxes) - before
    for one in (*counters, *raisers):
        selector.unregister(one.sock)
        one.sock.close()
    return {"acknowledged/s": round(done / spent), "refused as overloaded": sum(r.refused for r in raisers),
            "delivered %": round(100 * received / max(1, done * others), 3),
            "told %": round(100 * sum(c.count for c in counters) / max(1, done * len(boxes)), 3),
            "a subscriber lagged": any(c.lagged for c in counters),
            "last told after the last reply s": round(behind, 2),
            "CPU of a daemon us per alert": round(1e6 * cpu / max(1, done) / len(boxes), 1)}


def sustained(lab, options):
    hosts = lab.lan(*[f"u{i}" for i in range(10)])
    boxes = lab.boxes(hosts)
    wait_settled_lan(boxes, LONG)
    figures, best = {}, 0
    seconds = max(3, options.samples(10))
    for rate in (500, 1000, 2000, 3000, 0):
        got = burst(boxes, rate, seconds)
        is_whole = got["delivered %"] == 100 and got["told %"] == 100 and not got["refused as overloaded"]
        if is_whole and (not rate or got["acknowledged/s"] >= 0.95 * rate):
            best = max(best, got["acknowledged/s"])
        figures.update({f"{f'{rate}/s' if rate else 'all they take'}: {key}": value for key, value in got.items()})
        wait_store(boxes, LONG)
    figures = {"alerts of 200 B/s, all delivered": best, "seconds of each": seconds, **figures}
    for box in boxes:
        box.kill()
    figures.update(serf_peer.peer(options, serf_peer.rates, lab, hosts))
    return figures


def subscribers(lab, options):
    """What one more local subscriber costs."""
    box, = lab.boxes(lab.lan("one"))
    number = options.samples(500, 100)
    figures = {}
    for count in (1, 10, 100, 200):
        selector = selectors.DefaultSelector()
        counters = [EventCounter(selector, box) for _ in range(count)]
        rpc = Rpc(box.socket)
        before, rss = processor_seconds(box.process.pid), box.rss_kib()
        for n in range(number):
            rpc.call("alerts.raise", alert={"n": n, "text": "x" * 100})
            for key, _ in selector.select(0):
                key.data.read()
        deadline = time.monotonic() + 10
        while any(c.count < number for c in counters) and time.monotonic() < deadline:
            for key, _ in selector.select(0.01):
                key.data.read()
        check(all(c.count == number for c in counters), "a subscriber was told too little")
        spent = processor_seconds(box.process.pid) - before
        figures[f"{count} subscribers: CPU us per alert"] = round(1e6 * spent / number, 1)
        figures[f"{count} subscribers: KiB more while they listened"] = box.rss_kib() - rss
        rpc.close()
        for one in counters:
            selector.unregister(one.sock)
            one.sock.close()
    return figures


def small(lab, options):
    """One box with nothing in it."""
    host, = lab.lan("solo")
    readiness = Readiness(lab)
    box, ready = None, []
    for _ in range(options.samples(20, 5)):
        host.wait_up()
        started = time.time()
        if box is None:
            box = lab.box(host, environment={"NOTIFY_SOCKET": readiness.path})
        else:
            box.start()
        ready.append(readiness.wait(1) - started)
        box.ready()
        rss = box.rss_kib() / 1024
        box.signal(signal.SIGTERM)
        box.process.wait(10)
        box.kill()
    readiness.close()
    sizes = {}
    for program in (MESHD, MESHCTL):
        stripped = lab.directory / program.name
        subprocess.run(["strip", "-o", str(stripped), str(program)], check=shutil.which("strip") is not None)
        sizes[f"{program.name}, stripped MiB"] = round((stripped if stripped.exists() else program).stat().st_size
                                                       / 2**20, 2)
    return {"starts": len(ready), **{f"from exec to READY: {what} ms": round(1000 * value, 1) for what, value in (
        ("median", statistics.median(ready)), ("worst", max(ready)), ("best", min(ready)))},
        "RSS MiB, alone and empty": round(rss, 1), **sizes}


def clones(lab, options):
    """From the start of a copied disk on other hardware until both have told of it."""
    hosts = lab.lan("h1", "h2", "h3")
    spans, usable = [], 0
    for turn in range(options.samples(5, 2)):
        first = lab.box(hosts[0], node_id="cam", label=f"first{turn}").ready()
        first.call("registry.put", hash="old", type="thing", durable=True)
        first.terminate()
        witness = lab.box(hosts[2], node_id="witness", label=f"witness{turn}").ready()
        copy = lab.directory / f"second{turn}" / "state"
        copy.parent.mkdir()
        shutil.copytree(first.state_dir, copy)
        first.start().ready()
        wait_settled_lan([first, witness], LONG)
        started = time.monotonic()
        second = lab.box(hosts[1], node_id="cam", label=f"second{turn}").ready()
        twins = (first, second)
        wait_until(lambda: all(any("uses the name" in text for text in box.warnings()) for box in twins),
                   "both to warn", 40, every=0.005)
        spans.append(time.monotonic() - started)
        second.terminate()
        second.rename("cam-2")
        second.start().ready()
        boxes = [first, second, witness]
        wait_settled_lan(boxes, LONG)
        usable += all(status(witness, name) == "alive" for name in ("cam", "cam-2"))
        for box in boxes:
            box.terminate()
    return {"clones": len(spans), **spread("both had told of it after the clone's start", spans),
            "both usable after the answer": f"{usable} of {len(spans)}"}


MEASURES = {
    "small": small,
    "lan3": lambda lab, options: lan(lab, options, 3),
    "lan10": lambda lab, options: lan(lab, options, 10),
    "lan25": lambda lab, options: lan(lab, options, 25),
    "lan50": lambda lab, options: lan(lab, options, 50),
    "lossy10": lossy10,
    "sustained": sustained,
    "line5": lambda lab, options: line(lab, options, 5),
    "line20": lambda lab, options: line(lab, options, 20),
    "subscribers": subscribers,
    "clones": clones,
}

if __name__ == "__main__":
    main(MEASURES, __doc__, hang_seconds=1800)
