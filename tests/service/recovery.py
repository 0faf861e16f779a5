# SPDX-License-Identifier: Apache-2.0
"""A daemon that hangs or dies comes back by itself, and the mesh with it."""
import sys
import time

from boxes import Site, eventually, scenario
from packages import install, node_id, package, seal, wait_for_mesh

WATCHDOG_S = 20  # packaging/systemd/meshd.service


def comes_back(box, what, pid, within):
    started = time.monotonic()
    eventually(f"{box.name} runs again after {what}", lambda: box.daemon() not in (0, pid), within)
    print(f"{what}: another process after {time.monotonic() - started:.1f} s")


def test():
    with Site("cam-1", "cam-2") as site:
        first, second = site
        for box in site:
            install(box, package("meshd"))
        seal(first, [second])
        wait_for_mesh(site, 2)
        name = node_id(second)

        pid = second.daemon()
        second.run("kill", "-STOP", str(pid))
        comes_back(second, "SIGSTOP", pid, WATCHDOG_S + 20)
        assert "Watchdog timeout" in second.journal("-u", "meshd", "_PID=1"), second.journal("-u", "meshd")
        wait_for_mesh(site, 2)

        pid = second.daemon()
        second.run("kill", "-SEGV", str(pid))
        comes_back(second, "SIGSEGV", pid, 20)
        wait_for_mesh(site, 2)
        assert node_id(second) == name
        assert int(second.show("NRestarts")) == 2, second.show("NRestarts")

        # Failures in a row are spaced out; it says so, is never given up, and an operator need not wait.
        for _ in range(4):
            pid = eventually("it runs", second.daemon, 30)
            second.run("kill", "-SEGV", str(pid))
            eventually("it ended", lambda pid=pid: second.daemon() != pid)
        eventually("it waits", lambda: "the last starts failed" in second.show("StatusText"), 30)
        started = time.monotonic()
        second.run("systemctl", "restart", "meshd")
        print(f"systemctl restart while it waits: {time.monotonic() - started:.1f} s")
        assert second.show("ActiveState") == "active"
        wait_for_mesh(site, 2)


if __name__ == "__main__":
    sys.exit(scenario(test))
