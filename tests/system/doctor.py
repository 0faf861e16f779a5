#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""From a dead camera to its cause: meshctl doctor before real troubles, one after the other."""
import json

from checks import wait_settled_lan
from lab import check, scenario, wait_until

OK, PROBLEMS, NO_DAEMON, WARNINGS = 0, 1, 3, 4


def findings(box):
    """Check → what it says, of what is not well; and the exit code."""
    done = box.meshctl("doctor", "--json", check=False)
    told = json.loads(done.stdout)
    found = {}
    for one in told["findings"]:
        if one["severity"] not in ("ok", "note"):
            found.setdefault(one["check"], []).append(one)
    return found, done.returncode


def wait_for(box, check_name, words, remedy):
    """Until the doctor of this box finds that."""

    def has():
        found, code = findings(box)
        return any(words in one["what"] and remedy in (one["remedy"] or "") and code in (PROBLEMS, WARNINGS)
                   for one in found.get(check_name, []))

    wait_until(has, lambda: f"{check_name}: {words} / {remedy} in {findings(box)}", timeout=75, every=0.3)


def run(lab):
    hosts = lab.lan("a", "b", "c", "d", "e")
    boxes = lab.boxes(hosts[:3])
    wait_settled_lan(boxes)
    a, b, c = boxes
    wait_until(lambda: findings(a)[1] == OK, lambda: f"nothing is wrong: {findings(a)}", every=0.3)
    text = a.meshctl("doctor").stdout
    check("all known boxes are alive" in text, text)
    check(a.meshctl("doctor", "--quiet").stdout == "", "nothing to tell")

    # A camera without power.
    c.kill()
    wait_for(a, "nodes", "c is offline", "ping -c3 10.")
    c.start().ready()
    wait_until(lambda: findings(a)[1] == OK, lambda: f"c is back: {findings(a)}", timeout=30, every=0.3)

    # Another mesh on the same cable, which a newcomer has joined by mistake.
    d = lab.box(hosts[3], "--mesh", "farm").ready()
    wait_for(d, "other meshes", "this one is 'farm'", "mesh.name: farm")
    done = a.meshctl("doctor")
    check("mesh 'farm' is heard from" in done.stdout, done.stdout)
    d.terminate()

    # A packet filter that lets nothing in, not even what this box says itself.
    hosts[4].filter("meta pkttype { broadcast, multicast } udp dport != 0 drop")
    e = lab.box(hosts[4]).ready()
    wait_for(e, "beacons", "are not heard back", "nft insert rule inet filter input udp dport 9999 accept")

    # A box that hears the others, and whose word they do not hear.
    e.terminate()
    for host in hosts[:3]:
        host.stop_hearing(hosts[4])
    hosts[4].rules = []
    hosts[4]._apply()
    e.start().ready()
    wait_for(e, "one-way", "which does not answer", "udp dport")
    e.terminate()
    for host in hosts[:3]:
        host.heal()

    # A name that does not resolve.
    d.arguments = ["--open", "--bootstrap", "no-such-host.invalid:9999"]
    d.start().ready()
    wait_for(d, "bootstrap", "no-such-host.invalid", "getent hosts no-such-host.invalid;")

    # No daemon at all, and one that hangs.
    d.terminate()
    done = d.meshctl("doctor", check=False)
    check(done.returncode == NO_DAEMON and str(d.socket) in done.stdout and "start" in done.stdout, str(done))
    b.freeze()
    done = b.meshctl("--timeout", "0.5", "doctor", check=False)
    check(done.returncode == PROBLEMS and "did not answer in time" in done.stdout, str(done))
    b.thaw()

    # One whose socket somebody deleted.
    b.socket.unlink()
    done = b.meshctl("doctor", check=False)
    check(done.returncode == NO_DAEMON and "its socket file was deleted" in done.stdout, str(done))
    check(f"restart process {b.process.pid}" in done.stdout, str(done))


if __name__ == "__main__":
    scenario(run, hang_seconds=170)
