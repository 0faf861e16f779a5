#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The registry across a line of three boxes, by JSON-RPC and by meshctl."""
import base64
import json
import struct
import time

from checks import wait_settled_line
from entries import embedding_of, entry, f16_embedding, hashes, list_all, put_many, wait_entries
from lab import check, scenario, wait_until
from rpc import RpcError

INVALID_PARAMS, UNKNOWN_ENTRY, TOO_LARGE, DIMENSION_MISMATCH = -32602, 300, 301, 302
PAGED = 2500


def f32(*values):
    return {"f32": base64.b64encode(struct.pack(f"<{len(values)}f", *values)).decode()}


def sightings(box, name):
    try:
        return box.call("registry.get", hash=name)["entries"]
    except RpcError as error:
        check(error.code == UNKNOWN_ENTRY, f"registry.get of {name}: {error}")
        return []


def embeddings_travel_bit_by_bit(a, b, c):
    a.call("registry.put", hash="vector", type="face", space="demo", embedding=f32(3, 0, -4, 0.001))
    wait_until(lambda: sightings(c, "vector"), "the entry at c")
    text = embedding_of(a, "vector")
    values = struct.unpack("<4e", base64.b64decode(text))
    check(abs(values[0] - 0.6) < 1e-3 and abs(values[2] + 0.8) < 1e-3, f"normalised: {values}")
    check(embedding_of(c, "vector") == text, "another box holds the same bits")
    found, = sightings(c, "vector")
    check((found["node"], found["dimension"], found["space"]) == ("a", 4, "demo"), str(found))
    c.call("registry.put", hash="copy", type="face", space="demo", embedding={"f16": text})
    b.call("registry.put", hash="large", type="person", space="arcface-r50", embedding=f16_embedding())
    wait_until(lambda: sightings(a, "copy") and sightings(a, "large"), "entries of c and b at a")
    check(embedding_of(a, "copy") == text, "what came out goes in unchanged")
    check(embedding_of(a, "large") == embedding_of(b, "large") == embedding_of(c, "large"), "512 values")


def wrong_entries_are_refused_by_field(a):
    nan, infinite = float("nan"), float("inf")
    good = {"hash": "good", "type": "face", "space": "demo", "embedding": f32(1, 0, 0, 0)}

    def refuse(code, field, params):
        try:
            reply = a.call("registry.put", **params)
        except RpcError as error:
            check(error.code == code and (error.data or {}).get("field") == field,
                  f"{params}: {error}, instead of {code} at {field}")
            return
        check(False, f"{params} is taken: {reply}")

    for code, field, members in (
            (DIMENSION_MISMATCH, "embedding", {"embedding": f32(1, 2, 3)}),
            (INVALID_PARAMS, "embedding", {"embedding": f32(1, nan, 3, 4)}),
            (INVALID_PARAMS, "embedding", {"embedding": f32(1, infinite, 3, 4)}),
            (INVALID_PARAMS, "embedding", {"embedding": f32(0, 0, 0, 0)}),
            (INVALID_PARAMS, "embedding", {"embedding": [0, 0, 0, 0]}),
            (INVALID_PARAMS, "embedding", {"embedding": []}),
            (INVALID_PARAMS, "embedding", {"embedding": {"f16": "AAA"}}),
            (INVALID_PARAMS, "space", {"space": None}),
            (INVALID_PARAMS, "embedding", {"embedding": None}),
            (INVALID_PARAMS, "hash", {"hash": ""}),
            (INVALID_PARAMS, "type", {"type": None}),
            (INVALID_PARAMS, "ttl_ms", {"ttl_ms": 0}),
            (INVALID_PARAMS, "metadata", {"metadata": ["list"]}),
            (TOO_LARGE, "metadata", {"metadata": {"text": "x" * 9000}})):
        wrong = {**good, **members}
        # Absence is told of the field that is there too much or too little, whichever the daemon names.
        if members.get("space", 1) is None or members.get("embedding", 1) is None:
            wrong = {key: value for key, value in wrong.items() if value is not None}
            for prefix, params in (("", wrong), ("entries[1].", {"entries": [good, wrong]})):
                try:
                    a.call("registry.put", **params)
                    check(False, f"{params} is taken")
                except RpcError as error:
                    check(error.data.get("field") in (prefix + "space", prefix + "embedding"), f"{params}: {error}")
            continue
        refuse(code, field, wrong)
        refuse(code, f"entries[1].{field}", {"entries": [good, wrong]})
    check(not sightings(a, "good"), "a put of many is stored whole or not at all")


def sightings_and_deletes(a, b, c):
    events = c.subscribe("registry")
    for number, box in enumerate((a, b, c)):
        time.sleep(0.3)  # each goes by its own clock, and these are not equal to the millisecond
        box.call("registry.put", hash="seen", type="person", metadata={"n": number})
        wait_until(lambda n=number: len(sightings(a, "seen")) == n + 1, "one more sighting at a")
    wait_until(lambda: len(sightings(c, "seen")) == 3, "all sightings at c")
    check([s["node"] for s in sightings(c, "seen")] == ["c", "b", "a"], f"newest first: {sightings(c, 'seen')}")
    time.sleep(0.3)
    a.call("registry.put", hash="seen", type="person", metadata={"n": "again"})
    wait_until(lambda: sightings(c, "seen")[0]["metadata"] == {"n": "again"}, "the newer sighting of a at c")
    check(len(sightings(c, "seen")) == 3, "a newer sighting takes the place of the older")
    check(events.wait_for(lambda e: e.kind == "registry.put" and e.data["node"] == "a"), "registry.put is told")

    check(c.call("registry.delete", hash="seen", node="a")["deleted"] == 1, "another node's sighting is deleted")
    wait_until(lambda: all({s["node"] for s in sightings(x, "seen")} == {"b", "c"} for x in (a, b, c)),
               "a's sighting to be gone everywhere")
    check(a.call("registry.delete", hash="seen")["deleted"] == 2, "all others")
    wait_until(lambda: not any(sightings(x, "seen") for x in (a, b, c)), "all sightings to be gone everywhere")
    deleted = events.wait_for(lambda e: e.kind == "registry.deleted" and e.data["by"] == "a")
    check(deleted and deleted.data["hash"] == "seen", f"registry.deleted is told: {deleted}")
    check(a.call("registry.delete", hash="seen")["deleted"] == 0, "there is none any more")
    b.call("registry.put", hash="seen", type="person")
    wait_until(lambda: all(sightings(x, "seen") for x in (a, b, c)), "what was deleted may be put again")


def ttl_expires_everywhere(a, b, c):
    b.call("registry.put", hash="short", type="person", ttl_ms=2500)
    wait_until(lambda: sightings(a, "short") and sightings(c, "short"), "the entry everywhere")
    check(sightings(a, "short")[0]["ttl_ms"] == 2500, "its ttl is shown")
    wait_until(lambda: not any(sightings(x, "short") for x in (a, b, c)), "it to expire everywhere")


def pages(a, c):
    before = len(list_all(a))
    put_many(c, [f"page-{n:05d}" for n in range(PAGED)], dimension=0, batch=500)
    wait_entries([a, c], before + PAGED)
    found = list_all(a, prefix="page-")
    check([e["hash"] for e in found] == [f"page-{n:05d}" for n in range(PAGED)], "each once and in order")
    check(len(list_all(a, type="thing", node="c")) == PAGED and not list_all(a, node="b", type="thing"), "filters")
    keys = [(e["hash"], e["node"]) for e in list_all(a)]
    check(keys == sorted(keys), "all in order of hash and node")


def verbs(lab, a, b, c):
    def text(box, *arguments, code=0):
        done = box.meshctl("registry", *arguments, check=False)
        check(done.returncode == code, f"meshctl registry {arguments}: exit {done.returncode}: {done}")
        return done.stdout

    vector = lab.directory / "vector.f32"
    vector.write_bytes(struct.pack("<4f", 1, 2, 3, 4))
    text(a, "put", "by-hand", "--type", "face", "--embedding", str(vector), "--space", "demo", "--metadata",
         '{"camera":3}', "--durable")
    wait_until(lambda: sightings(c, "by-hand"), "the entry at c")
    found, = json.loads(text(c, "get", "by-hand", "--embedding", "--json"))["entries"]
    check(found["metadata"] == {"camera": 3} and found["embedding"]["f16"] == embedding_of(a, "by-hand"), str(found))
    check("by-hand" in text(b, "ls", "--type", "face"), "ls")
    text(b, "put", "by-hand", "--type", "face", "--metadata", "[1]", code=2)
    text(b, "put", "by-hand", "--type", "face", "--space", "demo", code=2)

    # 30 with embeddings, exported at one end, deleted, and imported at the other.
    names = [f"moved-{n:02d}" for n in range(30)]
    a.call("registry.put", entries=[entry(name) for name in names])
    wait_until(lambda: len(hashes(c, prefix="moved-")) == len(names), "the entries at c")
    vectors = {name: embedding_of(a, name) for name in names}
    file = lab.directory / "moved.ndjson"
    text(c, "export", str(file), "--prefix", "moved-")
    check(len(file.read_text().splitlines()) == len(names), "a line each")
    for name in names:
        text(b, "rm", name)
    text(b, "rm", names[0], code=1)
    wait_until(lambda: not any(hashes(x, prefix="moved-") for x in (a, b, c)), "them to be gone")
    text(c, "import", str(file), "--durable")
    wait_until(lambda: len(hashes(a, prefix="moved-")) == len(names), "what was imported at a")
    for name in names:
        check(embedding_of(a, name, "c") == vectors[name], f"{name} is as it was, bit by bit")
    text(c, "import", str(file))
    check(len(hashes(c, prefix="moved-")) == len(names), "importing twice does no harm")


def run(lab):
    boxes = lab.boxes(lab.line("a", "b", "c"))
    wait_settled_line(boxes)
    a, b, c = boxes
    embeddings_travel_bit_by_bit(a, b, c)
    wrong_entries_are_refused_by_field(a)
    sightings_and_deletes(a, b, c)
    ttl_expires_everywhere(a, b, c)
    pages(a, c)
    verbs(lab, a, b, c)


if __name__ == "__main__":
    scenario(run)
