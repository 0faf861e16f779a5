#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Alerts: raise one, and know who has it. Run it with `listen` on another box first.

    5_alerts.py listen [COUNT]    prints alerts as they come
    5_alerts.py                   raises one
"""
import sys

from meshd import Mesh

with Mesh() as mesh:
    if sys.argv[1:2] == ["listen"]:
        count = int(sys.argv[2]) if len(sys.argv) > 2 else 0
        alerts = mesh.subscribe("alert", priority="normal")
        print("listening", flush=True)
        for number, event in enumerate(alerts, 1):
            print(f"{event['source']} [{event['priority']}] over {event['hops']} hops: {event['alert']}", flush=True)
            if number == count:
                break
    else:
        reply = mesh.alert({"type": "intrusion", "camera": "yard"}, priority="high", wait_ms=5000)
        print("alert", reply["id"], "on disk" if reply["durable"] else "in memory only")
        print("delivered to", ", ".join(reply["delivered"]) or "nobody")
        if reply["pending"]:
            print("still on its way to", ", ".join(reply["pending"]))
