# SPDX-License-Identifier: Apache-2.0
"""What scenarios say about a mesh: complete views, agreed topology, alerts exactly once."""
import json
import time

from lab import check, wait_until
from rpc import Rpc

PEERS_MAX = 10


def node(box, node_id):
    """What this box thinks of a node; None where it knows no such node."""
    for entry in box.call("mesh.nodes")["nodes"]:
        if entry["node_id"] == str(node_id):
            return entry
    return None


def status(box, node_id):
    entry = node(box, node_id)
    return entry["status"] if entry else "unknown"


def alive(box):
    return {n["node_id"] for n in box.call("mesh.nodes")["nodes"] if n["status"] == "alive"}


def known(box):
    return {n["node_id"] for n in box.call("mesh.nodes")["nodes"]}


def wait_views(boxes, timeout=20):
    """Every box sees exactly these boxes alive. Returns when (time.monotonic()) the last did."""
    want = {box.node_id for box in boxes}
    missing = list(boxes)

    def complete():
        missing[:] = [box for box in missing if alive(box) != want]
        return not missing

    wait_until(complete, lambda: "complete views: " + "; ".join(
        f"{box} lacks {sorted(want - alive(box))} and has {sorted(alive(box) - want)}"
        for box in missing), timeout, every=0.01)
    return time.monotonic()


def links(box):
    return frozenset((link["a"], link["b"]) for link in box.call("mesh.topology")["links"])


def pairs(names):
    names = sorted(names)
    return frozenset((a, b) for i, a in enumerate(names) for b in names[i + 1:])


def wait_topology(boxes, want, timeout=20):
    """Every box knows exactly these links."""
    def agreed():
        return all(links(box) == want for box in boxes)

    wait_until(agreed, lambda: "the same topology everywhere: " + "; ".join(
        f"{box} lacks {sorted(want - links(box))} and has {sorted(links(box) - want)}"
        for box in boxes if links(box) != want), timeout)


def wait_store(boxes, timeout=20):
    """All boxes hold the same records: nothing is on its way any more."""
    def agreed():
        stores = {tuple(sorted((k, v) for k, v in box.call("mesh.status")["store"].items()
                               if k in ("coverage", "live"))) for box in boxes}
        return len(stores) == 1

    wait_until(agreed, lambda: "equal stores: " + str(
        {box.node_id: box.call("mesh.status")["store"] for box in boxes}), timeout)


def wait_settled_lan(boxes, timeout=20):
    """Complete views and a full mesh of links, known to all."""
    wait_views(boxes, timeout)
    if len(boxes) <= PEERS_MAX + 1:
        wait_topology(boxes, pairs(box.node_id for box in boxes), timeout)
    wait_store(boxes, timeout)


def line_links(boxes):
    return frozenset(tuple(sorted((a.node_id, b.node_id))) for a, b in zip(boxes, boxes[1:]))


def wait_settled_line(boxes, timeout=20):
    wait_views(boxes, timeout)
    wait_topology(boxes, line_links(boxes), timeout)
    wait_store(boxes, timeout)


class NodeEvents:
    """What boxes tell of nodes from now on."""

    LOSSES = ("node.offline", "node.unreachable", "node.left")

    def __init__(self, boxes):
        self.subscriptions = {box: box.subscribe("node") for box in boxes}

    def find(self, box, kind, about=None, after=0.0):
        return self.subscriptions[box].find(
            lambda e: e.kind == kind and e.at > after and about in (None, e.data["node_id"]))

    def wait(self, box, kind, about=None, after=0.0, timeout=30):
        event = self.subscriptions[box].wait_for(
            lambda e: e.kind == kind and e.at > after and about in (None, e.data["node_id"]), timeout)
        check(event, f"{box} did not tell {kind}" + (f" of {about}" if about else ""))
        return event

    def losses(self, at=None, but=()):
        """[(box, event)] of nodes that were lost, as told by these boxes; of all but some nodes."""
        return [(box, event) for box in (at or self.subscriptions)
                for event in self.subscriptions[box].snapshot()
                if event.kind in self.LOSSES and event.data["node_id"] not in map(str, but)]

    def check_no_losses(self, why, at=None, but=()):
        wrong = self.losses(at, but)
        check(not wrong, f"{why}: {len(wrong)} losses told, as {wrong[:5]}")


def is_isolated(box):
    return box.call("mesh.status")["isolated"]


def route(box, node_id):
    """The node ids on the way to a node, itself last; None without a way."""
    for entry in box.call("mesh.routes")["routes"]:
        if entry["node_id"] == node_id:
            return entry["path"]
    return None


def held_alerts(box):
    return {alert["id"] for alert in box.call("alerts.list", limit=1000)["alerts"]}


class AlertLog:
    """Alert events at boxes from now on."""

    def __init__(self, boxes):
        self.subscriptions = {box.node_id: box.subscribe("alert") for box in boxes}

    def arrivals(self, alert_id):
        """{node id: [event]} of one alert."""
        return {name: s.find(lambda e: e.data["id"] == alert_id) for name, s in self.subscriptions.items()}

    def counts(self):
        """{node id: {alert id: times}}."""
        result = {}
        for name, subscription in self.subscriptions.items():
            counts = result[name] = {}
            for event in subscription.snapshot():
                counts[event.data["id"]] = counts.get(event.data["id"], 0) + 1
        return result

    def check_exactly_once(self, ids, timeout=20, quiet=1.0):
        """All of these alerts reach every subscribed box, none twice, and no others."""
        want = set(ids)

        def missing():
            return {name: len(want - set(counts)) for name, counts in self.counts().items()
                    if want - set(counts)}

        wait_until(lambda: not missing(), lambda: f"alerts; missing of {len(want)}: {missing()}", timeout)
        time.sleep(quiet)
        for name, counts in self.counts().items():
            twice = [alert_id for alert_id, times in counts.items() if times != 1]
            check(not twice, f"{name} was told more than once of {twice[:5]}")
            check(set(counts) == want, f"{name} was told of alerts nobody raised: {set(counts) - want}")


def raise_many(box, number, priority="normal", pause=0.01, **alert):
    """Raises alerts one after the other; returns their ids."""
    ids = []
    for i in range(number):
        ids.append(box.call("alerts.raise", alert={"number": i, **alert}, priority=priority)["id"])
        time.sleep(pause)
    return ids


def raise_ahead(box, number, ahead=32, **params):
    """Raises alerts without waiting for each reply, so that many share one write to the disk; returns their
    ids in order."""
    rpc = Rpc(box.socket)
    ids, sent = {}, 0
    while len(ids) < number:
        while sent < number and sent - len(ids) < ahead:
            rpc.send_raw(json.dumps({"jsonrpc": "2.0", "id": sent, "method": "alerts.raise",
                                     "params": {"alert": {"n": sent}, **params}}).encode() + b"\n")
            sent += 1
        reply = json.loads(rpc.read_line())
        check("result" in reply, f"alerts.raise: {reply}")
        ids[reply["id"]] = reply["result"]["id"]
    rpc.close()
    return [ids[n] for n in range(number)]


def totals(boxes, *names):
    """Sums of counters over boxes, in the order of the names."""
    return [sum(box.counter(name) for box in boxes) for name in names]


def copies_per_node(boxes, source, number, priority="normal", pause=0.02):
    """Copies of an alert that reach a node, averaged over this many alerts in the steady state."""
    others = [box for box in boxes if box is not source]
    before = totals(others, "alert_copies_received", "alerts_received")
    log = AlertLog(boxes)
    log.check_exactly_once(raise_many(source, number, priority, pause))
    after = totals(others, "alert_copies_received", "alerts_received")
    received = after[1] - before[1]
    check(received == number * len(others), f"{received} alerts received instead of {number * len(others)}")
    return (after[0] - before[0]) / received
