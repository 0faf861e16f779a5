#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The Python client with real daemons: calls, embeddings, each alert once over a crash, asyncio."""
import asyncio
import collections
import math
import random
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


def nearest(a, b):
    """The same matches with the same scores on every box."""
    rng = random.Random(1)
    points = [[rng.gauss(0, 1) for _ in range(64)] for _ in range(50)]
    a.registry.put_many({"hash": f"p{i}", "type": "point", "embedding": point, "space": "plane"}
                        for i, point in enumerate(points))
    wait_until(lambda: len(b.registry.list(type="point")) == 50, "the points at b")
    at_a, at_b = (box.registry.nearest(points[7], k=3, type="point", space="plane", with_embedding=True)
                  for box in (a, b))
    check(at_a[0]["hash"] == "p7" and at_a[0]["score"] > 0.999, str(at_a[0]["hash"]))
    check([(m["hash"], m["node"], m["score"], m["embedding"]) for m in at_a]
          == [(m["hash"], m["node"], m["score"], m["embedding"]) for m in at_b], "the same at both")
    many = b.registry.nearest_many(points[:5], k=1, space="plane")
    check([matches[0]["hash"] for matches in many] == [f"p{i}" for i in range(5)], str(many))


def searches(a, b, c):
    """Responders on two boxes answer; who serves nothing answers with nothing."""
    b.serve("person", lambda request: {"name": "Ann", "coat": request["coat"], "score": 0.5})

    @c.serve("person")
    def find(request):
        return [{"name": "Ben", "score": 0.9}, {"name": "Cleo", "score": 0.1}]

    def ask():
        return a.search({"coat": "red"}, "person", timeout_ms=5000)

    wait_until(lambda: len(ask()["results"]) == 3, "answers of both")
    reply = ask()
    answers = {answer["node_id"]: answer["results"] for answer in reply["answers"]}
    check(reply["complete"] and reply["silent"] == [] and reply["unreachable"] == [], str(reply))
    check([one["name"] for one in answers["c"]] == ["Ben", "Cleo"], str(reply))
    check(answers["b"][0]["coat"] == "red", str(reply))
    only = a.search({"coat": "red"}, "person", nodes="b", limit=1)
    check([answer["node_id"] for answer in only["answers"]] == ["b"], str(only))
    a.registry.put("red-coat", "person", [1.0] * 8, {"coat": "red"}, space="s")
    by_hash = wait_until(lambda: b.search({"hash": "red-coat"}, "hash")["results"], "a search by hash")
    check(by_hash[0]["hash"] == "red-coat", str(by_hash))
    check(b.search({"metadata": {"coat": "red"}}, "metadata")["results"][0]["hash"] == "red-coat", "by metadata")
    like = b.search({"embedding": [1.0] * 8, "space": "s"}, "embedding", limit=1)["results"]
    check(like[0]["hash"] == "red-coat", str(like))
    with a.subscribe("search.answer") as streamed:
        a.search({"coat": "red"}, "person", stream=True)
        check({streamed.get(5)["node_id"] for _ in range(3)} == {"a", "b", "c"}, "streamed answers")
    b.unserve("person")
    c.unserve("person")
    wait_until(lambda: ask()["results"] == [], "nobody to serve any more")


def notes(a, b):
    with b.subscribe("note") as at_b, b.subscribe("note", topic="other") as other:
        reply = a.notes.send("b", {"n": 1}, timeout_ms=5000)
        check(reply["acknowledged"], str(reply))
        a.notes.broadcast("greetings", {"n": 2})
        a.notes.broadcast("other", {"n": 3})
        got = [at_b.get(10) for _ in range(3)]
        check([event["note"]["n"] for event in got] == [1, 2, 3] and got[1]["topic"] == "greetings", str(got))
        check(got[0]["source"] == "a", str(got[0]))
        check(other.get(10)["note"] == {"n": 3}, "only the topic asked for")
    try:
        a.notes.send("nobody", {})
        check(False, "a note to nobody")
    except UnknownNode:
        pass
    check(a.ping("b")["rtt_ms"] > 0 and a.trace("b")["hops"][-1]["node_id"] == "b", "ping and trace")


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


async def answer(request):
    return {"colour": request["colour"]}


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
        notes_at_b = await other.subscribe("note")
        other.serve("car", answer)
        await other.status()
        await one.notes.send("b", {"hello": "b"})
        check((await notes_at_b.get(10))["note"] == {"hello": "b"}, "a note by asyncio")
        reply = await one.search({"colour": "blue"}, "car", timeout_ms=5000)
        check([result["colour"] for result in reply["results"]] == ["blue"], str(reply))
        late = (await one.alert({"n": 10}, priority="critical"))["id"]
        check((await alerts.get(10))["id"] == late, "events after the restart")


def run(lab):
    boxes = lab.boxes(lab.lan("a", "b", "c"))
    wait_settled_lan(boxes)
    with Mesh(boxes[0].socket) as a, Mesh(boxes[1].socket) as b:
        calls(a, b)
        embeddings(a, b)
        nearest(a, b)
        notes(a, b)
        with Mesh(boxes[2].socket) as c:
            searches(a, b, c)
        a_slow_reader(a, b)
        each_alert_once(a, b, boxes[1])
    wait_settled_lan(boxes)
    asyncio.run(with_asyncio(boxes))


if __name__ == "__main__":
    scenario(run)
