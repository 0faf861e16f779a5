#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The Python client with real daemons: calls, embeddings, each alert once over a crash, asyncio."""
import asyncio
import collections
import math
import threading

import python_box  # noqa: F401  the package is found through it
from checks import wait_settled_lan
from lab import check, scenario, wait_until
from meshd import AsyncMesh, Mesh, RpcError, UnknownEntry, UnknownNode, events


def calls(a, b):
    status = a.status()
    check((status["node_id"], status["nodes_alive"]) == ("a", 3), str(status))
    check([node["node_id"] for node in a.nodes()] == ["a", "b", "c"], "nodes")
    check(sorted(peer["node_id"] for peer in a.peers()) == ["b", "c"], "peers")
    check(len(a.topology()["links"]) == 3 and len(a.routes()) == 2, "topology and routes")
    check(a.stats()["alive_peers"] == 2, "stats")
    for call, error in ((lambda: a.node("nobody"), UnknownNode), (lambda: a.registry.get("nothing"), UnknownEntry),
                        (lambda: a.call("mesh.nodes", colour="red"), RpcError)):
        try:
            call()
            check(False, f"{error} was not raised")
        except error:
            pass
    a.state.update({"zone": "yard", "fps": 25}, activity="PROCESSING")
    a.state.update({"fps": None})
    wait_until(lambda: b.node("a")["activity"] == "PROCESSING" and b.state.get("a") == {"zone": "yard"},
               "a's state at b")
    a.shared["armed"] = True
    wait_until(lambda: b.shared.get("armed"), "the shared state at b")
    del b.shared["armed"]
    wait_until(lambda: "armed" not in a.shared.get(), "the shared member to go")


def embeddings(a, b):
    """Every box gives the same numbers, and they go in again as they came out."""
    wave = [math.sin(i) for i in range(512)]
    a.registry.put("wave", "test", wave, {"camera": 2}, durable=True)
    entry, = wait_until(lambda: b.registry.list(prefix="wave", embedding=True), "the entry at b")
    own, = a.registry.get("wave", embedding=True)
    check(own["embedding"] == entry["embedding"] and entry["metadata"] == {"camera": 2}, "the same at b")
    cosine = sum(x * y for x, y in zip(wave, entry["embedding"])) / math.hypot(*wave)
    check(abs(cosine - 1) < 1e-3, f"the cosine to what went in is {cosine}")
    b.registry.put("again", "test", entry["embedding"])
    again, = b.registry.get("again", embedding=True)
    check(again["embedding"] == entry["embedding"], "an embedding changed on its way through")
    stored = a.registry.put_many({"hash": f"many-{i:04}", "type": "test", "embedding": wave} for i in range(1200))
    check(stored == 1200 and len(a.registry.list(prefix="many-")) == 1200, f"{stored} were stored")
    check(a.registry.delete("wave") == 1, "one sighting is deleted")


def each_alert_once(a, b, box):
    """A subscriber goes on over a daemon that is killed and comes back: nothing missed, nothing twice."""
    times = collections.Counter()
    lock = threading.Lock()

    @b.on("alert")
    def count(event):
        with lock:
            times[event["id"]] += 1

    def raise_some(number):
        return [a.alert({"n": i})["id"] for i in range(number)]

    ids = raise_some(20)
    wait_until(lambda: len(times) == 20, "the first alerts")
    box.kill()
    ids += raise_some(20)
    box.start().ready()
    ids += raise_some(20)
    # Older alerts that were not on b's disk yet when it was killed arrive there anew, and are told as well.
    wait_until(lambda: set(ids) <= set(times), lambda: f"all alerts: {len(set(ids) - set(times))} are missing")
    b.status()
    check(set(times.values()) == {1}, f"told more than once: {times.most_common(3)}")


def a_slow_reader(a, b):
    """What a slow reader did not take is fetched from the daemon later: all of it, each once."""
    number, room = 400, 20
    usual, events.QUEUE_MAX = events.QUEUE_MAX, room
    try:
        with b.subscribe("alert") as alerts:
            ids = [a.alert({"n": i}, wait_ms=1000 if i == number - 1 else 0)["id"] for i in range(number)]
            wait_until(lambda: alerts._state.is_behind, "the queue to be full")
            got = [alerts.get(10)["id"] for _ in ids]
            check(sorted(got) == sorted(ids) and alerts.get(0.2) is None, f"{len(set(got))} of {number}")
            check(alerts.lost == 0, f"{alerts.lost} lost")
    finally:
        events.QUEUE_MAX = usual


async def with_asyncio(boxes):
    a, b, _ = boxes
    async with AsyncMesh(a.socket) as one, AsyncMesh(b.socket) as other:
        alerts = await other.subscribe("alert", priority="high")
        replies = await asyncio.gather(*[one.alert({"n": i}, priority="high", wait_ms=5000) for i in range(10)])
        check(all(sorted(reply["delivered"]) == ["b", "c"] for reply in replies), str(replies[0]))
        got = {(await alerts.get(10))["id"] for _ in range(10)}
        check(got == {reply["id"] for reply in replies}, "alerts by asyncio")
        b.kill()
        b.start().ready()
        check((await other.status())["node_id"] == "b", "a call after the restart")
        late = (await one.alert({"n": 10}, priority="critical"))["id"]
        check((await alerts.get(10))["id"] == late, "events after the restart")


def run(lab):
    boxes = lab.boxes(lab.lan("a", "b", "c"))
    wait_settled_lan(boxes)
    with Mesh(boxes[0].socket) as a, Mesh(boxes[1].socket) as b:
        calls(a, b)
        embeddings(a, b)
        a_slow_reader(a, b)
        each_alert_once(a, b, boxes[1])
    wait_settled_lan(boxes)
    asyncio.run(with_asyncio(boxes))


if __name__ == "__main__":
    scenario(run)
