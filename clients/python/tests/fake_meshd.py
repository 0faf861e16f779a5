#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A program that takes meshd's flags and answers on its socket; FAKE_MESHD_TRACE is a file in which it says
how it was started and that it ended in good order."""
import os
import signal
import sys
import threading

from fake_daemon import FakeDaemon


def main():
    flags = sys.argv[1:]
    if "--fail" in flags:
        print("meshd: port 9999 is held by another program", file=sys.stderr)
        return 1
    node_id = flags[flags.index("--node-id") + 1]
    with open(os.environ["FAKE_MESHD_TRACE"], "a", encoding="utf-8") as trace:
        print(" ".join(flags), file=trace)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    methods = {"mesh.status": lambda params: {"node_id": node_id, "left": False},
               "state.update": lambda params: {"state": {}}}
    with FakeDaemon(flags[flags.index("--socket") + 1], **methods):
        stop.wait(60)
    with open(os.environ["FAKE_MESHD_TRACE"], "a", encoding="utf-8") as trace:
        print("ended", file=trace)
    return 0


if __name__ == "__main__":
    sys.exit(main())
