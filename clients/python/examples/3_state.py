#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""State: each box's own document, which all can read, and the one object that all share."""
from meshd import Mesh

with Mesh() as mesh:
    mesh.state.update({"camera": {"fps": 25, "zone": "yard"}}, activity="PROCESSING")
    mesh.state.update({"camera": {"fps": 30}})  # a merge: the zone stays
    for node in mesh.nodes(state=True):
        print(node["node_id"], node["activity"], node["state"])

    changes = mesh.subscribe("shared")
    mesh.shared["armed"] = {"by": mesh.status()["node_id"]}
    event = changes.get(timeout=5)
    if event is not None:
        print("shared:", event["key"], "=", event["value"], "by", event["by"])
    print(mesh.shared.get())
    del mesh.shared["armed"]
