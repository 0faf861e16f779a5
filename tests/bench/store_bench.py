#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Figures of the replicated store, with real daemons in namespaces: tests/bench/store_bench.py [--quick].

Build first: cmake --build --preset release --target meshd meshctl raw_udp (or set MESHD_BIN_DIR). Entries
have embeddings of 512 values and about 200 bytes of metadata. Raw UDP is measured in the same run, between
the same two namespaces, with datagrams of the size that meshd sent on average, at the highest rate at which
at most one in a thousand is lost; so the ratio is one of times for the same datagrams. "Sealed" is the same
where each datagram is encrypted by the one end and decrypted by the other (ChaCha20-Poly1305).
"""
import argparse
import contextlib
import json
import pathlib
import subprocess
import sys
import time

from measures import percentile, processor_seconds

from box import BIN_DIR
from checks import wait_settled_lan, wait_store, wait_views
from entries import entry, wait_entries, wait_written
from lab import check, scenario, wait_until
from rpc import Rpc

RAW_UDP = BIN_DIR / "raw_udp"
RAW_PORT = 7001
RAW_LOSS_MAX = 0.001
BATCH = 100
AHEAD = 8  # requests sent before the first reply
MISSED = 100
OVERLOADED = 900
LONG = 300


def request_lines(first, number, prefix):
    """Requests of BATCH entries each, encoded, so that a measurement is not one of this interpreter."""
    return [json.dumps({"jsonrpc": "2.0", "id": at, "method": "registry.put", "params": {
        "entries": [entry(f"{prefix}{n:07d}") for n in range(at, min(at + BATCH, first + number))]}},
        separators=(",", ":")).encode() + b"\n" for at in range(first, first + number, BATCH)]


def put_pipelined(box, first, number, prefix, ahead=AHEAD):
    """Puts entries through one socket, `ahead` requests at a time. Returns (seconds, times refused as
    overloaded). Encoding the requests, in portions, does not count."""
    rpc = Rpc(box.socket, timeout=60)
    spent, refused = 0.0, 0
    for portion in range(first, first + number, 10_000):
        lines = request_lines(portion, min(10_000, first + number - portion), prefix)
        by_id = {json.loads(line[:line.index(b',"method"')] + b"}")["id"]: line for line in lines}
        waiting, left = len(lines), list(reversed(lines))
        started = time.monotonic()
        for _ in range(min(ahead, len(left))):
            rpc.send_raw(left.pop())
        while waiting:
            reply = json.loads(rpc.read_line())
            if "error" in reply:
                check(reply["error"]["code"] == OVERLOADED, f"registry.put: {reply['error']}")
                refused += 1
                time.sleep(reply["error"]["data"]["retry_after_ms"] / 1000)
                rpc.send_raw(by_id[reply["id"]])
                continue
            waiting -= 1
            if left:
                rpc.send_raw(left.pop())
        spent += time.monotonic() - started
    rpc.close()
    return spent, refused


def raw_run(sender, receiver, count, size, rate, *seal):
    """One burst. Returns (datagrams per second received, share lost, the receiver's CPU time for each in µs)."""
    with subprocess.Popen(["ip", "netns", "exec", receiver.name, str(RAW_UDP), "receive", str(RAW_PORT), *seal],
                          stdout=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        sender.run(str(RAW_UDP), "send", receiver.address, str(RAW_PORT), str(count), str(size), str(rate),
                   *seal)
        got = json.loads(process.stdout.readline())
    return (got["datagrams"] / max(got["seconds"], 1e-9), 1 - got["datagrams"] / count,
            1e6 * got["cpu"] / max(got["datagrams"], 1))


def raw_limit(sender, receiver, size, seconds, *seal):
    """The highest rate of datagrams of this size at which next to none is lost; rate and loss without pacing,
    and the receiver's CPU time for each then. `seal`: "sealed", or nothing."""
    full, loss, cpu = raw_run(sender, receiver, 200_000, size, 0, *seal)
    flat_out = (round(full), round(100 * loss, 2))
    low, high = 0, 2 * full
    best = full if loss <= RAW_LOSS_MAX else 0
    for _ in range(8):
        if best == full:
            break
        rate = (low + high) / 2
        got, loss, _ = raw_run(sender, receiver, int(rate * seconds), size, rate, *seal)
        if loss <= RAW_LOSS_MAX:
            low, best = rate, max(best, got)
        else:
            high = rate
    return best, flat_out, cpu


COUNTERS = ("bytes_received", "bytes_sent", "datagrams_received", "datagrams_sent")
MORE_COUNTERS = ("digests_sent", "pulls_sent", "deltas_sent", "links_down", "messages_retransmitted",
                 "datagrams_lost", "records_received", "record_copies_received", "fragments_sent", "acks_sent")


def loop_seconds(box):
    """CPU time of the daemon's main thread: the rest is the writer of the database."""
    schedstat = pathlib.Path(f"/proc/{box.process.pid}/task/{box.process.pid}/schedstat")
    return int(schedstat.read_text(encoding="ascii").split()[0]) / 1e9


def sample(box):
    stats = box.stats()
    values = {name: stats[name] for name in COUNTERS}
    values.update({name: stats["counters"].get(name, 0) for name in MORE_COUNTERS})
    values["cpu"] = processor_seconds(box.process.pid)
    values["loop cpu"] = loop_seconds(box)
    values["at"] = time.monotonic()
    return values


def since(box, before):
    now = sample(box)
    return {name: now[name] - before[name] for name in now}


def joins(a, b, links, number):
    """b, which has been started, takes all entries of a, while a raises alerts. Returns figures."""
    before = sample(a)
    alerts = b.subscribe("alert", "link.down")
    up = links.wait_for(lambda e: e.kind == "link.up" and e.data["node_id"] == b.node_id, 30)
    check(up, "the link to the joiner")
    raised, done, next_alert, have = {}, None, 0.0, 0
    deadline = time.monotonic() + LONG
    while done is None:
        now = time.monotonic()
        check(now < deadline, lambda: f"the joiner has {b.store()} after {LONG} s")
        if now >= next_alert:
            raised[a.call("alerts.raise", alert={"n": len(raised), "text": "x" * 100})["id"]] = now
            next_alert = now + 0.05
        have = b.store()["entries"]
        if have >= number:
            done = time.monotonic()
        time.sleep(0.01)
    seconds = done - up.at
    at_a, at_b = since(a, before), sample(b)
    time.sleep(1)
    told = {e.data["id"]: e.at for e in alerts.find(lambda e: e.kind == "alert")}
    spans = [told[alert_id] - at for alert_id, at in raised.items() if alert_id in told]
    down = alerts.find(lambda e: e.kind == "link.down") + links.find(lambda e: e.kind == "link.down")
    alerts.close()
    return {"seconds": seconds, "a": at_a, "b": at_b, "alerts": len(raised), "spans": spans,
            "down": len(down) + at_a["links_down"] + at_b["links_down"]}


def late_joiner(lab, hosts, a, number, result):
    links = a.subscribe("link")
    b = lab.box(hosts[1])
    b.ready()
    empty = b.data_kib()
    run = joins(a, b, links, number)
    seconds, got = run["seconds"], run["b"]
    size = round(got["bytes_received"] / got["datagrams_received"])
    raw, flat_out, raw_cpu = raw_limit(hosts[0], hosts[1], size, 1.0)
    sealed, sealed_flat_out, sealed_cpu = raw_limit(hosts[0], hosts[1], size, 1.0, "sealed")
    rate = got["datagrams_received"] / seconds
    result["late joiner"] = {
        "entries": number, "seconds": round(seconds, 2), "entries/s": round(number / seconds),
        "MB received": round(got["bytes_received"] / 1e6, 1), "bytes per datagram": size,
        "datagrams/s": round(rate), "raw UDP datagrams/s, loss <= 0.1 %": round(raw),
        "raw UDP flat out, received/s and % lost": f"{flat_out[0]}, {flat_out[1]}",
        "raw sealed UDP datagrams/s, loss <= 0.1 %": round(sealed),
        "raw sealed UDP flat out, received/s and % lost": f"{sealed_flat_out[0]}, {sealed_flat_out[1]}",
        "ratio to raw UDP": round(rate / raw, 3), "ratio to raw sealed UDP": round(rate / sealed, 3),
        "of it, bytes of records": round(a.store()["bytes"] / got["bytes_received"], 3),
        "alerts meanwhile": run["alerts"], "alerts told live": len(run["spans"]),
        "alert p50 ms": round(1000 * percentile(run["spans"], 0.5), 1),
        "alert p99 ms": round(1000 * percentile(run["spans"], 0.99), 1), "links down": run["down"],
        "retransmitted": run["a"]["messages_retransmitted"], "datagrams lost": run["a"]["datagrams_lost"],
        "deltas": run["a"]["deltas_sent"], "copies received": got["record_copies_received"],
        "CPU s sender, of it loop": f'{run["a"]["cpu"]:.2f}, {run["a"]["loop cpu"]:.2f}',
        "CPU s joiner, of it loop": f'{got["cpu"]:.2f}, {got["loop cpu"]:.2f}',
        "CPU us per datagram: joiner's loop, raw, sealed":
            f'{1e6 * got["loop cpu"] / got["datagrams_received"]:.1f}, {raw_cpu:.1f}, {sealed_cpu:.1f}',
        "joiner bytes sent per byte received": round(got["bytes_sent"] / got["bytes_received"], 3),
    }
    wait_written(b, LONG)
    time.sleep(2)
    result["memory"]["joiner: KB per entry"] = round((b.data_kib() - empty) * 1.024 / number, 3)
    full = b.data_kib()
    query = entry("query")
    b.call("registry.nearest", **{name: query[name] for name in ("embedding", "space", "type")})
    result["memory"]["joiner: KB per entry, added by searches"] = round((b.data_kib() - full) * 1.024 / number, 3)
    return b


def missed(a, b, number, result):
    """b misses entries, by a cut and by being away."""
    def difference(total, before, started):
        wait_entries([a, b], total, LONG)
        took = time.monotonic() - started
        got = since(b, before) if before else sample(b)
        return got["bytes_received"], took

    def heartbeats(span):
        """What a link costs anyway, in bytes received."""
        before = sample(b)
        time.sleep(span)
        return since(b, before)["bytes_received"] / span

    idle = heartbeats(5)
    figures = result["missed 100"] = {}
    for way in ("cut", "restart"):
        if way == "cut":
            a.host.stop_hearing(b.host)
            b.host.stop_hearing(a.host)
            wait_until(lambda: not a.call("mesh.peers")["peers"] and not b.call("mesh.peers")["peers"],
                       "the cut", 30)
        else:
            wait_written(b, LONG)
            b.terminate()
        held = a.store()["bytes"]
        put_pipelined(a, number, MISSED, way)
        number += MISSED
        bytes_missed = a.store()["bytes"] - held
        before = sample(b) if way == "cut" else None
        started = time.monotonic()
        if way == "cut":
            a.host.heal()
            b.host.heal()
        else:
            b.start().ready(120)
            figures["restart: ready after s"] = round(time.monotonic() - started, 2)
        got, took = difference(number, before, started)
        wait_store([a, b], LONG)
        figures[f"{way}: bytes of the difference"] = bytes_missed
        figures[f"{way}: bytes received"] = got
        figures[f"{way}: ratio"] = round(got / bytes_missed, 3)
        figures[f"{way}: ratio without heartbeats"] = round((got - idle * took) / bytes_missed, 3)
        figures[f"{way}: seconds"] = round(took, 2)
        figures[f"{way}: copies, fragments, digests, pulls since the start"] = ", ".join(
            str(b.counter(name)) for name in ("record_copies_received", "fragments_received", "digests_sent",
                                              "pulls_sent"))
    return number


def io_bytes(box):
    for line in pathlib.Path(f"/proc/{box.process.pid}/io").read_text().splitlines():
        if line.startswith("write_bytes:"):
            return int(line.split()[1])
    return 0


def idle(boxes, seconds, disk_seconds, result):
    for box in boxes:
        wait_written(box, LONG)
    time.sleep(8)
    before = {box: sample(box) for box in boxes}
    written = {}
    with contextlib.suppress(PermissionError):
        written = {box: io_bytes(box) for box in boxes}
    time.sleep(seconds)
    spans = {box: since(box, before[box]) for box in boxes}
    figures = result["idle"] = {
        "seconds": seconds,
        **{name: sum(span[name] for span in spans.values())
           for name in ("digests_sent", "pulls_sent", "deltas_sent", "links_down")},
        "bytes sent/s per box": round(sum(s["bytes_sent"] for s in spans.values()) / seconds / len(boxes)),
        "CPU % per box": round(100 * sum(s["cpu"] for s in spans.values()) / seconds / len(boxes), 3),
    }
    if written:
        time.sleep(max(0, disk_seconds - seconds))
        each = [(io_bytes(box) - written[box]) / disk_seconds * 86400 / 1e6 for box in boxes]
        figures["disk: seconds watched"] = disk_seconds
        figures["disk: MB/day, most of a box"] = round(max(each), 2)


def mesh_of_three(lab, number, result):
    boxes = lab.boxes(lab.lan("p", "q", "r"))
    wait_settled_lan(boxes)
    spent, _ = put_pipelined(boxes[0], 0, number, "s", ahead=1)
    serial = number / spent
    wait_store(boxes, LONG)
    before = {box: sample(box) for box in boxes}
    started = time.monotonic()
    spent, refused = put_pipelined(boxes[0], 0, number, "m")
    encoding = time.monotonic() - started - spent
    wait_entries(boxes, 2 * number, LONG)
    everywhere = time.monotonic() - started - encoding
    after = {box: since(box, before[box]) for box in boxes}
    result["put, mesh of 3"] = {
        "entries": number, "entries/s, one request at a time": round(serial),
        f"entries/s, {AHEAD} requests at a time": round(number / spent), "refused as overloaded": refused,
        "entries/s until all boxes have them": round(number / everywhere),
        "links down": sum(span["links_down"] for span in after.values()),
        "CPU s": ", ".join(f"{span['cpu']:.2f}" for span in after.values()),
        "copies received": sum(after[box]["record_copies_received"] for box in boxes),
        "pulls": sum(after[box]["pulls_sent"] for box in boxes),
    }
    wait_store(boxes, LONG)
    for box in boxes:
        box.terminate()


def measure(lab, options):
    number = 20_000 if options.quick else 100_000
    result = {}
    hosts = lab.lan("a", "b")
    a, = lab.boxes(hosts[:1])
    time.sleep(1)
    empty, resident = a.data_kib(), a.rss_kib()
    before = sample(a)
    spent, _ = put_pipelined(a, 0, number, "e")
    used = since(a, before)
    result["put, one box"] = {"entries": number, "entries/s": round(number / spent),
                              "CPU s, of it loop": f'{used["cpu"]:.2f}, {used["loop cpu"]:.2f}'}
    started = time.monotonic()
    wait_written(a, LONG)
    result["put, one box"]["on disk after further s"] = round(time.monotonic() - started, 2)
    time.sleep(2)
    store = a.store()
    disk = sum(path.stat().st_size for path in a.state_dir.iterdir())
    result["memory"] = {
        "RSS MB empty": round(resident * 1.024e-3, 1), "RSS MB full": round(a.rss_kib() * 1.024e-3, 1),
        "author: KB per entry": round((a.data_kib() - empty) * 1.024 / number, 3),
        "KB per record, encoded": round(store["bytes"] / store["records"] / 1000, 3),
        "disk: KB per entry": round(disk / number / 1000, 3)}
    b = late_joiner(lab, hosts, a, number, result)
    wait_views([a, b])
    wait_store([a, b], LONG)
    missed(a, b, number, result)
    idle([a, b], 20 if options.quick else 60, 30 if options.quick else options.disk_seconds, result)
    for box in (a, b):
        box.terminate()
    mesh_of_three(lab, number // 5, result)
    return result


def show(result):
    for area, figures in result.items():
        for name, value in figures.items():
            print(f"{area:<16}{name:<52}{value:>16}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--quick", action="store_true", help="20 000 entries instead of 100 000")
    parser.add_argument("--disk-seconds", type=int, default=180, help="of idling for the disk (%(default)s)")
    options = parser.parse_args()
    sys.setswitchinterval(0.0005)

    def run(lab):
        check(RAW_UDP.exists(), f"{RAW_UDP} is missing: cmake --build --preset release --target raw_udp")
        result = measure(lab, options)
        if options.json:
            print(json.dumps(result, indent=2))
        else:
            show(result)

    scenario(run, hang_seconds=1800, closing="")


if __name__ == "__main__":
    main()
