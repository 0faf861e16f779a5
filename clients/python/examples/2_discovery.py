#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Discovery: who is there, and who comes and goes. Argument: seconds to watch (5)."""
import sys
import time

from meshd import Mesh

seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 5

with Mesh() as mesh:
    # Subscribed before it is asked, so that nobody can come unseen in between.
    changes = mesh.subscribe("node")
    mesh.discover()
    for node in mesh.nodes():
        print(f"{node['node_id']:20} {node['status']:12} hops {node['hops']}  {node['address'] or 'this box'}")
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        event = changes.get(end - time.monotonic())
        if event is not None:
            print(event.kind, event["node_id"])
