#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Who is alive, measured on real daemons in namespaces: tests/bench/liveness_bench.py [--only NAME]… [--json].

Build preset release first (or set MESHD_BIN_DIR). A moment at which a box knows something is the timestamp of
the event that it wrote; nothing is polled while a latency runs, unless its name says so. The daemons and this
process share the machine.
"""
import random
import signal
import statistics
import sys
import time

from measures import main, spread

from checks import (AlertLog, NodeEvents, held_alerts, pairs, raise_ahead, raise_many, route, wait_settled_lan,
                    wait_store, wait_topology, wait_views)
from lab import Failure, check, wait_until
from readiness import Readiness
import serf_peer

LONG = 120


def random_pause():
    """Else every sample would meet the timers in the same phase."""
    time.sleep(random.uniform(1.0, 3.0))


def new_boxes(lab, hosts, readiness=None):
    environment = {"NOTIFY_SOCKET": readiness.path} if readiness else None
    for host in hosts:
        host.wait_up()
    return [lab.box(host, environment=environment) for host in hosts]


def settled(lab, hosts):
    boxes = lab.boxes(hosts)
    wait_views(boxes, LONG)
    wait_store(boxes, LONG)
    return boxes


def cut_power(boxes):
    for box in boxes:
        box.signal(signal.SIGKILL)
    for box in boxes:
        box.kill()


def full_at(boxes):
    """The wall time at which the last box had been told of all others since its start."""
    want = {box.node_id for box in boxes}
    last = 0.0
    for box in boxes:
        subscription = box.subscribe("node.joined", "node.returned", replay=True)
        missing = want - {box.node_id}
        seen = 0
        while missing:
            event = subscription.wait_for(lambda e: e.data["node_id"] in missing, LONG)
            check(event, f"{box} never heard of {sorted(missing)}")
            for event in subscription.snapshot()[seen:]:
                seen += 1
                if event.data["node_id"] in missing:
                    missing.remove(event.data["node_id"])
                    last = max(last, event.timestamp_ms / 1000)
        subscription.close()
    return last


def cold_start(lab, options, number, times):
    hosts = lab.lan(*[f"c{number}-{i}" for i in range(number)])
    readiness = Readiness(lab)
    after_ready, after_start = [], []
    for _ in range(options.samples(times)):
        started = time.time()
        boxes = new_boxes(lab, hosts, readiness)
        ready = readiness.wait(number)
        full = full_at(boxes)
        after_ready.append(max(0.0, full - ready))
        after_start.append(full - started)
        wait_views(boxes, LONG)
        cut_power(boxes)
        for box in boxes:
            box.wipe()
    readiness.close()
    return {"starts": len(after_ready), **spread("views full after the last READY", after_ready),
            **spread("views full after the first start", after_start),
            **serf_peer.peer(options, serf_peer.cold_start, lab, hosts, 3)}


def power_cycle(lab, options):
    hosts = lab.lan(*[f"p{i}" for i in range(20)])
    readiness = Readiness(lab)
    boxes = new_boxes(lab, hosts, readiness)
    readiness.wait(len(boxes))
    wait_views(boxes, LONG)
    acknowledged, spans, lost = set(), [], 0
    for _ in range(options.samples(5)):
        for box in boxes[:5]:
            acknowledged.update(raise_ahead(box, 40))
        cut_power(boxes)
        started = time.time()
        for box in boxes:
            box.start()
        readiness.wait(len(boxes))
        spans.append(full_at(boxes) - started)
        wait_store(boxes, LONG)
        lost += sum(len(acknowledged - held_alerts(box)) for box in boxes)
    cut_power(boxes)
    readiness.close()
    return {"cycles": len(spans), **spread("one mesh after the first start", spans),
            "acknowledged alerts lost": lost}


def kills(lab, options, number, times):
    hosts = lab.lan(*[f"k{number}-{i}" for i in range(number)])
    boxes = settled(lab, hosts)
    every, last = [], []
    false = 0
    for turn in range(options.samples(times)):
        random_pause()
        victim = boxes[turn * 7 % number]
        others = [box for box in boxes if box is not victim]
        events = NodeEvents(others)
        killed = time.time()
        victim.kill()
        spans = [events.wait(box, "node.offline", victim.node_id, timeout=LONG).timestamp_ms / 1000 - killed
                 for box in others]
        every += spans
        last.append(max(spans))
        victim.start().ready()
        for box in others:
            events.wait(box, "node.returned", victim.node_id, timeout=LONG)
        wait_views(boxes, LONG)
        false += len(events.losses(but=[victim]))
        for subscription in events.subscriptions.values():
            subscription.close()
    cut_power(boxes)
    return {"kills": len(last), **spread("known by all others", last), **spread("known by one other", every),
            "false offline told": false,
            **serf_peer.peer(options, serf_peer.kills, lab, hosts, options.samples(5, 3))}


def cut_off(lab, options):
    boxes = settled(lab, lab.lan(*[f"o{i}" for i in range(10)]))
    result = {}
    for way, times in (("silent", 10), ("carrier lost", 10)):
        own, others_know = [], []
        for turn in range(options.samples(times)):
            random_pause()
            loner = boxes[turn * 3 % len(boxes)]
            others = [box for box in boxes if box is not loner]
            events = NodeEvents(boxes)
            cut = time.time()
            (loner.host.detach if way == "silent" else loner.host.unplug)()
            own.append(events.wait(loner, "node.isolated", timeout=LONG).timestamp_ms / 1000 - cut)
            others_know.append(max(events.wait(box, "node.offline", loner.node_id, timeout=LONG).timestamp_ms
                                   for box in others) / 1000 - cut)
            (loner.host.attach if way == "silent" else loner.host.plug_in)()
            wait_views(boxes, LONG)
            wait_settled_lan(boxes, LONG)
        result.update({f"{way}: cuts": len(own), **spread(f"{way}: the box itself knows", own),
                       **spread(f"{way}: all others know", others_know)})
    cut_power(boxes)
    return result


def partition(lab, options):
    seconds = 10 if options.quick else options.parted
    hosts = lab.lan(*[f"s{i}" for i in range(10)], parts=2)
    boxes = lab.boxes(hosts)
    wait_settled_lan(boxes, LONG)
    halves = boxes[:5], boxes[5:]
    agreed, equal = [], []
    for turn in range(options.samples(3)):
        random_pause()
        lab.trunk(False)
        for half in halves:
            wait_views(half, LONG)
            for box in half:
                box.call("state.update", patch={"turn": turn})
                raise_many(box, 20, pause=0.002)
                box.call("registry.put", hash=f"{turn} {box}", type="face")
        time.sleep(seconds)
        events = NodeEvents(boxes)
        healed_at = time.time()
        lab.trunk(True)
        returns = [events.wait(box, "node.returned", other.node_id, timeout=LONG)
                   for half, others in (halves, halves[::-1]) for box in half for other in others]
        agreed.append(max(event.timestamp_ms for event in returns) / 1000 - healed_at)
        wait_store(boxes, LONG)
        equal.append(time.time() - healed_at)
        wait_settled_lan(boxes, LONG)
        for subscription in events.subscriptions.values():
            subscription.close()
    cut_power(boxes)
    return {"partitions": len(agreed), "seconds parted": seconds, **spread("all views full", agreed),
            **spread("stores equal, polled", equal),
            **serf_peer.peer(options, serf_peer.partition, lab, hosts, options.samples(3, 1), seconds)}


def triangle(lab, prefix):
    names = [f"{prefix}{i}" for i in range(3)]
    hosts = lab.line(*names)
    lab.cable(hosts[2], hosts[0])
    boxes = lab.boxes(hosts)
    wait_views(boxes, LONG)
    wait_topology(boxes, pairs(names), LONG)
    return boxes


def pauses(lab, options):
    """Boxes that stand still for a while, as under load, and for longer than anybody waits."""
    boxes = settled(lab, lab.lan(*[f"z{i}" for i in range(10)]))
    events = NodeEvents(boxes)
    short = options.samples(20)
    for turn in range(short):
        random_pause()
        boxes[turn * 3 % 10].freeze()
        time.sleep(0.5)
        boxes[turn * 3 % 10].thaw()
    time.sleep(3)
    false = len(events.losses())
    offline, back = [], []
    for turn in range(options.samples(5)):
        sleeper = boxes[turn * 3 % 10]
        others = [box for box in boxes if box is not sleeper]
        stopped_at = time.monotonic()
        sleeper.freeze()
        offline += [events.wait(box, "node.offline", sleeper.node_id, after=stopped_at, timeout=LONG).at - stopped_at
                    for box in others]
        time.sleep(max(0.0, stopped_at + 10 - time.monotonic()))
        woken_at = time.monotonic()
        sleeper.thaw()
        back.append(max(events.wait(box, "node.returned", sleeper.node_id, after=woken_at, timeout=LONG).at
                        for box in others) - woken_at)
        wait_views(boxes, LONG)
    wrong = len(events.losses(but=[boxes[turn * 3 % 10] for turn in range(options.samples(5))])) - false
    return {"pauses of 0.5 s": short, "false offline told": false, "pauses of 10 s": len(back),
            **spread("offline for one other", offline), **spread("returned for all others", back),
            "others told offline meanwhile": wrong}


def dead_link(lab, options):
    boxes = triangle(lab, "d")
    a, b, c = boxes
    result = {}
    for way, times in (("both ways", 10), ("one way", 10)):
        around, arrived = [], []
        events = NodeEvents(boxes)
        for _ in range(options.samples(times)):
            random_pause()
            cut = time.monotonic()
            b.host.stop_hearing(a.host)
            if way == "both ways":
                a.host.stop_hearing(b.host)
            alert = a.call("alerts.raise", alert={"cut": way})["id"]
            wait_until(lambda: route(a, str(b)) == [str(c), str(b)] and route(b, str(a)) == [str(c), str(a)],
                       "the way around", LONG, every=0.002)
            around.append(time.monotonic() - cut)
            wait_until(lambda: alert in held_alerts(b), "the alert", LONG, every=0.002)
            arrived.append(time.monotonic() - cut)
            a.host.heal()
            b.host.heal()
            wait_topology(boxes, pairs(map(str, boxes)), LONG)
        result.update({f"{way}: cuts": len(around), **spread(f"{way}: way around, polled", around),
                       **spread(f"{way}: an alert raised at the cut is there, polled", arrived),
                       f"{way}: false offline told": len(events.losses())})
    cut_power(boxes)
    return result


def lossy_link(lab, _options):
    """Half of what one side of a triangle carries is lost; until both its ends route around it."""
    boxes = triangle(lab, "y")
    a, b, c = boxes
    started = time.monotonic()
    for box, interface in ((a, "eth0"), (b, "eth0")):
        box.host.filter(f'iifname "{interface}" meta l4proto udp numgen random mod 100 < 50 drop')
    events = NodeEvents(boxes)
    downs = [box.subscribe("link.down") for box in boxes]
    try:
        wait_until(lambda: route(a, str(b)) == [str(c), str(b)] and route(b, str(a)) == [str(c), str(a)],
                   "the way around", 300, every=0.1)
        span = round(time.monotonic() - started, 1)
    except Failure:
        span = "never (300 s)"
    cut_power(boxes)
    return {"way around a link that loses half s": span, "links down": sum(len(s.snapshot()) for s in downs),
            "false offline told": len(events.losses())}


def loss(lab, options, number):
    hosts = lab.lan(*[f"v{number}-{i}" for i in range(number)])
    boxes = settled(lab, hosts)
    for host in hosts:
        host.set_loss(20)
    events = NodeEvents(boxes)
    downs = [box.subscribe("link.down") for box in boxes]
    log = AlertLog(boxes)
    ids = []
    started = time.time()
    while time.time() - started < options.minutes * 60:
        time.sleep(min(5, options.minutes * 60))
        ids.append(boxes[len(ids) % number].call("alerts.raise", alert={"n": len(ids)})["id"])
    time.sleep(5)
    told = sum(len(counts) for counts in log.counts().values())
    losses = events.losses()
    for box, event in losses[:10]:
        print(f"{box} at {event.timestamp_ms / 1000 - started:.1f} s: {event}", file=sys.stderr)
    result = {"minutes": options.minutes, "false offline told": len(losses),
              "links down": sum(len(s.snapshot()) for s in downs),
              "alerts told %": round(100 * told / (len(ids) * number), 2)}
    cut_power(boxes)
    return result


MEASURES = {
    "cold_start10": lambda lab, options: cold_start(lab, options, 10, 20),
    "cold_start50": lambda lab, options: cold_start(lab, options, 50, 20),
    "power_cycle20": power_cycle,
    "kill10": lambda lab, options: kills(lab, options, 10, 30),
    "kill50": lambda lab, options: kills(lab, options, 50, 20),
    "cut_off": cut_off,
    "partition": partition,
    "pauses": pauses,
    "dead_link": dead_link,
    "lossy_link": lossy_link,
    "loss10": lambda lab, options: loss(lab, options, 10),
    "loss25": lambda lab, options: loss(lab, options, 25),
}


def add_arguments(parser):
    parser.add_argument("--minutes", type=float, default=10, help="under loss (%(default)s)")
    parser.add_argument("--parted", type=float, default=60, help="seconds of a partition (%(default)s)")


if __name__ == "__main__":
    main(MEASURES, __doc__, 7200, add_arguments)
