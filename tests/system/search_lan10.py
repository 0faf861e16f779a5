#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Ten boxes on a LAN are asked: by hash, by metadata, by embedding, and programs beside them for what only
these know. A box that is gone is told, and its entries are found all the same, marked stale."""
import json
import math
import struct

from checks import status, wait_settled_lan, wait_store
from lab import check, scenario, wait_until
from responder import Responder
from search_checks import answered, check_complete, refusal, search, stale


def direction(degrees):
    return [math.cos(math.radians(degrees)), math.sin(math.radians(degrees))]


def run(lab):
    boxes = lab.boxes(lab.lan(*[f"n{i}" for i in range(10)]))
    wait_settled_lan(boxes)
    for number, box in enumerate(boxes):
        box.call("registry.put", entries=[
            {"hash": "guest", "type": "person", "metadata": {"camera": number}},
            {"hash": f"only-{number}", "type": "face", "embedding": direction(10 * number), "space": "flat",
             "metadata": {"camera": number, "colour": "red" if number % 2 else "blue"}}])
    wait_store(boxes)
    asker, others = boxes[3], [box for box in boxes if box is not boxes[3]]

    # By hash: every box has seen the guest, one only has seen each of the faces.
    reply = search(asker, "hash", {"hash": "guest"})
    check_complete(reply, boxes)
    # Many boxes' sightings of one hash are one result.
    check(len(reply["results"]) == 1 and sorted(reply["results"][0]["nodes"]) == sorted(map(str, boxes)), str(reply))
    for name, results in answered(reply).items():
        check([r["hash"] for r in results] == ["guest"] and results[0]["metadata"]["camera"] == int(name[1:]),
              f"{name} answered {results}")
    reply = search(asker, "hash", {"hash": "only-7"})
    check_complete(reply, boxes)
    check([name for name, results in answered(reply).items() if results] == ["n7"], str(reply))
    check(reply["results"][0]["hash"] == "only-7" and reply["results"][0]["nodes"] == ["n7"], str(reply))

    # By metadata: equality, range, type.
    reply = search(asker, "metadata", {"metadata": {"colour": "red", "camera": {"min": 3, "max": 7}}})
    check_complete(reply, boxes)
    check(sorted(r["hash"] for r in reply["results"]) == ["only-3", "only-5", "only-7"], str(reply))
    reply = search(asker, "metadata", {"metadata": {"camera": 4}, "type": "person"})
    check([r["hash"] for r in reply["results"]] == ["guest"], str(reply))

    # By embedding: best first, over all boxes; the same as the registry here finds.
    reply = search(asker, "embedding", {"embedding": direction(52), "space": "flat"}, limit=3)
    check_complete(reply, boxes)
    best = ["only-5", "only-6", "only-4"]
    check([r["hash"] for r in reply["results"]][:3] == best, str(reply["results"]))
    nearest = asker.call("registry.nearest", embedding=direction(52), space="flat", k=3)
    check([m["hash"] for m in nearest["matches"]] == best, str(nearest))
    # A box alone ranks its own few; what it says of them is what this one computes.
    scores = {r["hash"]: r["score"] for r in reply["results"]}
    check(all(abs(scores[m["hash"]] - m["score"]) < 1e-3 for m in nearest["matches"]), f"{scores} {nearest}")

    # Only some are asked.
    reply = search(asker, "hash", {"hash": "guest"}, nodes=["n1", "n9"])
    check_complete(reply, [boxes[1], boxes[9]])
    error = refusal(search, asker, "hash", {"hash": "guest"}, nodes=["n1", "n11"])
    check(error.code == 100, str(error))

    # Programs beside the boxes.
    def look(request):
        return [{"name": f"{request['query']['coat']} coat", "score": 0.5}]

    responders = [Responder(boxes[i], ["person"], look) for i in (2, 3, 8)]
    reply = search(asker, "person", {"coat": "red"})
    check_complete(reply, boxes)
    check(sorted(name for name, results in answered(reply).items() if results) == ["n2", "n3", "n8"], str(reply))
    check({r["name"] for r in reply["results"]} == {"red coat"} and len(reply["results"]) == 3, str(reply))
    check(responders[0].requests[0]["source"] == "n3", str(responders[0].requests))
    # One of them ends: its box answers without it at once.
    responders.pop(0).close()
    reply = search(asker, "person", {"coat": "blue"})
    check_complete(reply, boxes)
    check(sorted(name for name, results in answered(reply).items() if results) == ["n3", "n8"], str(reply))
    # One tells more than anybody wants.
    flood = Responder(boxes[5], ["person"], lambda _: [{"n": i, "text": "x" * 500} for i in range(90)])
    reply = search(asker, "person", {"coat": "green"}, limit=4)
    check_complete(reply, boxes)
    many = [a for a in reply["answers"] if a["node_id"] == "n5"][0]
    check(len(many["results"]) == 4 and many["truncated"], str(many)[:500])
    check(len(answered(reply)["n8"]) == 1, "the others are heard beside it")
    flood.close()

    # The operator's view, and the program's.
    done = asker.meshctl("search", "--metadata", "colour=red", "--metadata", "camera=..3")
    check("only-1" in done.stdout and "only-3" in done.stdout and "only-5" not in done.stdout, done.stdout)
    check("answered by 10 boxes" in done.stderr, done.stderr)
    done = asker.meshctl("search", "person", "--query", '{"coat":"red"}', "--json")
    check(sorted(n for n, r in answered(json.loads(done.stdout)).items() if r) == ["n3", "n8"], done.stdout)

    vector = lab.directory / "v.npy"
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }\n"
    vector.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header
                       + struct.pack("<2d", *direction(52)))
    for verb in (["registry", "nearest", str(vector), "-k3"], ["search", "--embedding", str(vector), "--limit=3"]):
        rows = [line.split() for line in asker.meshctl(*verb, "--space", "flat").stdout.splitlines()]
        check([row[1] for row in rows[1:]] == best, f"{verb}: {rows}")

    # A box is gone.
    boxes[7].kill()
    wait_until(lambda: all(status(box, "n7") == "offline" for box in others if box.is_running()), "n7 offline", 30)
    left = [box for box in boxes if box is not boxes[7]]
    reply = search(asker, "hash", {"hash": "only-7"})
    check(reply["unreachable"] == ["n7"] and not reply["silent"], str(reply))
    check(sorted(answered(reply)) == sorted(map(str, left)), str(reply))
    check([r["hash"] for r in stale(reply)["n7"]] == ["only-7"], str(reply))
    check(reply["results"][0]["hash"] == "only-7" and reply["results"][0]["nodes"] == ["n7"], str(reply))
    done = asker.meshctl("search", "--hash", "only-7", check=False)
    check("n7 (stale)" in done.stdout and "unreachable: 1 box: n7" in done.stderr, done.stdout + done.stderr)
    check(done.returncode == (0 if reply["complete"] else 4), f"{done.returncode} {reply['complete']}")
    for responder in responders:
        responder.close()


if __name__ == "__main__":
    scenario(run)
