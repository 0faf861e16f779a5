#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Setup: connect to the meshd of this box, and see what it says of itself."""
import meshd

try:
    mesh = meshd.Mesh()
except meshd.NoDaemon as error:
    raise SystemExit(str(error)) from None

with mesh:
    status = mesh.status()
    print(f"this is {status['node_id']}, meshd {status['version']}, up for {status['uptime_s']} s")
    print(f"{status['nodes_alive']} of {status['nodes_known']} nodes are alive, {status['peers']} linked directly")
    for warning in status["warnings"]:
        print("warning:", warning)
