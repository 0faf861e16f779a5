#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Statistics, with asyncio: counters and links while time passes. Arguments: samples (3), seconds between (1)."""
import asyncio
import sys

from meshd import AsyncMesh


async def main(samples: int, pause: float) -> None:
    async with AsyncMesh() as mesh:
        before = await mesh.stats()
        for _ in range(samples):
            await asyncio.sleep(pause)
            stats, peers = await asyncio.gather(mesh.stats(), mesh.peers())
            sent = stats["bytes_sent"] - before["bytes_sent"]
            received = stats["bytes_received"] - before["bytes_received"]
            print(f"{stats['alive_peers']}/{stats['total_peers']} others alive, "
                  f"{sent / pause:.0f} B/s out, {received / pause:.0f} B/s in, "
                  f"{stats['heartbeats_sent'] - before['heartbeats_sent']} heartbeats")
            for peer in peers:
                rtt = "?" if peer["rtt_ms"] is None else f"{peer['rtt_ms']:.2f}"
                print(f"  {peer['node_id']:20} {rtt} ms, {peer['loss'] * 100:.0f} % lost")
            before = stats


asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 3, float(sys.argv[2]) if len(sys.argv) > 2 else 1))
