#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The quick start of the library that meshd succeeds: only the import differs. Argument: the node's name.

It uses the meshd of this box, or starts one of its own where none runs (MESHD_BINARY names the program).
"""
import sys

from meshd import MeshProtocol, MessageType

node_id = sys.argv[1] if len(sys.argv) > 1 else "camera_1"


def on_alert(message):
    """Alerts of other boxes."""
    print(f"alert from {message.source_node_id}: {message.payload['alert']}", flush=True)


def on_search(message):
    """Questions of other boxes; what it returns is the answer."""
    return [{"name": "Ann", "seen_by": node_id, "asked": message.payload["query"]["query"]}]


protocol = MeshProtocol(node_id, port=9999)
protocol.register_message_handler(MessageType.ALERT, on_alert)
protocol.register_message_handler(MessageType.SEARCH, on_search)
protocol.start({"status": "active", "fps": 30})
try:
    for name, peer in protocol.discover_peers(timeout=5).items():
        print("peer", name, peer.ip_address, peer.state.name)
    protocol.add_hash("hash_123", "person", [0.1] * 512, {"camera": node_id})
    protocol.broadcast_alert({"type": "alert", "from": node_id}, priority="high")
    reply = protocol.broadcast_search_query({"query": "a red coat"}, search_type="person")
    for answer in reply.get("answers", []):
        print("answer", answer["node_id"], answer["results"])
    print("alive peers:", protocol.get_network_stats()["alive_peers"], flush=True)
    if len(sys.argv) > 2:  # anything: stays until standard input ends
        sys.stdin.read()
finally:
    protocol.stop()
