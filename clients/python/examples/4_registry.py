#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Registry: tell all boxes what was seen, and find what is most like it."""
import random

from meshd import Mesh, UnknownEntry

rng = random.Random(7)


def embedding():
    """Stands for what a model would say of a picture."""
    return [rng.gauss(0, 1) for _ in range(512)]


with Mesh() as mesh:
    seen = embedding()
    mesh.registry.put("example-1", "person", seen, {"camera": "yard"}, space="example", durable=True)
    mesh.registry.put_many(
        {"hash": f"example-{i}", "type": "person", "embedding": embedding(), "space": "example"} for i in range(2, 50))

    for sighting in mesh.registry.get("example-1"):
        print("seen by", sighting["node"], "with", sighting["metadata"])
    print(len(mesh.registry.list(type="person", prefix="example-")), "entries")

    # The same person again, not quite the same picture.
    again = [value + rng.gauss(0, 0.2) for value in seen]
    for match in mesh.registry.nearest(again, k=3, type="person", space="example"):
        print(f"{match['hash']:12} {match['node']:12} {match['score']:.3f}")

    for entry in mesh.registry.list(prefix="example-"):
        mesh.registry.delete(entry["hash"])
    try:
        mesh.registry.get("example-1")
    except UnknownEntry:
        print("deleted, on all boxes")
