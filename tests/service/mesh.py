# SPDX-License-Identifier: Apache-2.0
"""The README's installation on three fresh boxes: a sealed mesh, an alert, a reload, and a journal that can be asked."""
import json
import sys
import time

from boxes import Site, eventually, scenario
from packages import follow_readme, node_id

SIZE_MAX = 3_000_000
# Eight ninths of it are code, libraries included: what was used once stays, so that a box that was asked more
# than the others has a megabyte more.
RESIDENT_KIB_MAX = 10 << 10


def entries(box, *matches):
    return [json.loads(line) for line in box.run("journalctl", "--output=json", "--quiet", *matches).splitlines()]


def test():
    with Site("cam-1", "cam-2", "cam-3") as site:
        started = time.monotonic()
        first, *others = site
        said = follow_readme(list(site))
        print(f"three fresh boxes to a sealed mesh of three: {time.monotonic() - started:.0f} s")
        names = {box.name: node_id(box) for box in site}
        eventually("STATUS counts", lambda: first.show("StatusText").startswith("3 of 3 nodes alive, 2 links, "))
        assert first.show("StatusText").endswith("sealed"), first.show("StatusText")

        assert "cam-3" in said["meshctl nodes"], said
        for box in others:
            alerts = json.loads(box.run("meshctl", "alerts", "--json"))["alerts"]
            assert any("door open" in json.dumps(alert) for alert in alerts), alerts

        # journalctl MESHD_PEER=…: what this box says of that one.
        second = names["cam-2"]
        found = entries(first, f"MESHD_PEER={second}", "MESHD_EVENT=link.up")
        assert found and found[0]["MESHD_NODE"] == names["cam-1"], found
        assert found[0]["SYSLOG_IDENTIFIER"] == "meshd" and found[0]["PRIORITY"] == "6", found[0]
        assert found[0]["_SYSTEMD_UNIT"] == "meshd.service", found[0]

        # A reload is over when systemctl returns to the prompt or soon after; the process stays.
        pid = first.daemon()
        first.run("sh", "-c", "echo 'log: {level: debug}' >/etc/meshd/meshd.yaml.d/own.yaml")
        first.run("systemctl", "reload", "meshd")
        eventually("the new level is in force", lambda: "debug" in first.run("meshctl", "config"))
        eventually("the reload is over", lambda: first.show("ActiveState") == "active")
        first.run("sh", "-c", "echo 'log: {level: loud}' >/etc/meshd/meshd.yaml.d/own.yaml")
        first.run("systemctl", "reload", "meshd")
        eventually("what is wrong is said", lambda: "own.yaml:1" in first.journal("-u", "meshd"))
        eventually("the reload is over", lambda: first.show("ActiveState") == "active")
        assert first.daemon() == pid

        for box in site:
            text = box.run("cat", f"/proc/{box.daemon()}/status")
            resident = int(text.split("VmRSS:")[1].split()[0])
            print(f"{box.name}: {resident / 1024:.1f} MiB resident")
            assert resident <= RESIDENT_KIB_MAX, resident
        size = int(first.run("stat", "-c", "%s", "/usr/sbin/meshd"))
        print(f"/usr/sbin/meshd: {size / 1e6:.2f} MB")
        assert size <= SIZE_MAX, size

        # A stop is a goodbye.
        others[1].run("systemctl", "stop", "meshd")
        eventually("left is known", lambda: entries(first, f"MESHD_PEER={names['cam-3']}", "MESHD_EVENT=node.left"))


if __name__ == "__main__":
    sys.exit(scenario(test))
