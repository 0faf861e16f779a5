#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Notes and routing: a word to one box or all, and the way it takes.

    7_notes_and_routing.py listen [COUNT]   prints notes as they come
    7_notes_and_routing.py [NODE]           sends some, and traces the way to NODE (or to any other)
"""
import sys

from meshd import Mesh

with Mesh() as mesh:
    if sys.argv[1:2] == ["listen"]:
        count = int(sys.argv[2]) if len(sys.argv) > 2 else 0
        notes = mesh.subscribe("note")
        print("listening", flush=True)
        for number, event in enumerate(notes, 1):
            print(f"{event['source']} {event.get('topic') or 'to us'}: {event['note']}", flush=True)
            if number == count:
                break
    else:
        others = [node["node_id"] for node in mesh.nodes() if node["hops"] and node["status"] == "alive"]
        if not others:
            raise SystemExit("nobody else is here")
        target = sys.argv[1] if len(sys.argv) > 1 else others[0]
        mesh.notes.send(target, {"hello": target}, ack=True, timeout_ms=2000)
        print(target, "has the note")
        mesh.notes.broadcast("greetings", {"hello": "everybody"})
        for route in mesh.routes():
            print(f"to {route['node_id']}: {route['hops']} hops by {' > '.join(route['path'])}")
        print(f"ping {target}: {mesh.ping(target)['rtt_ms']} ms")
        for hop in mesh.trace(target)["hops"]:
            print(f"  {hop['node_id']} {hop['rtt_ms']} ms")
