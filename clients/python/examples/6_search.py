#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Search: ask all boxes a question that their own programs answer.

    6_search.py answer            answers searches for persons, on as many boxes as you like
    6_search.py ask COLOUR        asks them
"""
import sys

from meshd import Mesh

PERSONS = [{"name": "Ann", "coat": "red"}, {"name": "Ben", "coat": "green"}]

with Mesh() as mesh:
    if sys.argv[1:2] == ["answer"]:
        @mesh.serve("person")
        def find(request):
            """Called for each question; what it returns is this box's answer."""
            return [{**person, "score": 0.9} for person in PERSONS if person["coat"] == request["coat"]]

        print("answering", flush=True)
        mesh.run()
    else:
        colour = sys.argv[2] if len(sys.argv) > 2 else "red"
        reply = mesh.search({"coat": colour}, "person", timeout_ms=2000)
        for answer in reply["answers"]:
            print(answer["node_id"], answer["results"])
        print("complete" if reply["complete"] else f"silent: {reply['silent']}, unreachable: {reply['unreachable']}")
