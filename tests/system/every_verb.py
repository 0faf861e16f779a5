#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every verb of meshctl against live daemons: its text, its JSON, with --quiet, and without a daemon. Verbs come
from meshctl itself, so that none is without a case here."""
import json
import os
import subprocess
import time

from box import MESHCTL, clean_environment
from checks import wait_settled_lan, wait_views
from lab import check, scenario, wait_until

OK, REFUSED, USAGE, NO_DAEMON, PARTIAL = 0, 1, 2, 3, 4
# Verbs with scenarios of their own.
ELSEWHERE = ("key", "completion")

ENTRY = '{"hash":"h2","type":"person","metadata":{},"ttl_ms":null}\n'


class Case:
    """`arguments` behind the verb; `keys` that each line of --json has, `words` that its text has."""

    def __init__(self, *arguments, keys=(), words="", stdin="", repeat=(), code=OK):
        self.arguments, self.keys, self.words = arguments, keys, words
        self.stdin, self.repeat, self.code = stdin, repeat, code


CASES = {
    "status": Case(keys=("node_id", "version", "store", "warnings"), words="uptime"),
    "doctor": Case(keys=("worst", "findings"), words="all known boxes are alive"),
    "nodes": Case(keys=("nodes",), words="NODE"),
    "peers": Case(keys=("peers",), words="RTT"),
    "routes": Case(keys=("routes",), words="b"),
    "topology": Case(keys=("nodes", "links"), words="linked to each other"),
    "ping": Case("b", "-c1", keys=("rtt_ms", "hops", "path"), words="1 answered"),
    "trace": Case("b", keys=("complete", "hops"), words="HOP"),
    "alert": Case('{"what":"smoke"}', keys=("id", "durable", "delivered")),
    "alerts": Case(keys=("alerts", "next"), words="smoke"),
    "search": Case("--hash", "h1", keys=("answers", "silent", "complete")),
    "send": Case("b", "hello", keys=("node", "acknowledged"), words="b has it"),
    "broadcast": Case("hello", keys=("nodes",), words="other box"),
    "state get": Case(keys=("node_id", "activity", "state")),
    "state set": Case("zone=gate", keys=("state",), words="gate"),
    "registry put": Case("h1", "--type", "person", keys=("stored", "durable"), words="stored h1"),
    "registry get": Case("h1", keys=("entries",), words="h1"),
    "registry rm": Case("h1", keys=("deleted",), words="deleted", repeat=("registry", "put", "h1", "--type", "person")),
    "registry ls": Case(keys=("entries",), words="h1"),
    "registry nearest": Case("-", "--space", "demo", keys=("matches", "scanned"), stdin="[1,0]"),
    "registry export": Case(keys=("hash", "type", "node"), words="h1"),
    "registry import": Case("-", keys=("stored", "refused"), stdin=ENTRY, words="1"),
    "top": Case("--once", keys=("status", "stats", "nodes", "peers", "rates"), words="boxes alive"),
    "watch": Case("alert", "--replay", "--count", "1", keys=("kind", "cursor", "data"), words="smoke"),
    "wait": Case("--nodes", "3", "--node", "b", keys=("reached", "nodes_alive", "missing"), words="3 boxes are alive"),
    "discover": Case(keys=("discovering",), words="looking for other boxes"),
    "forget": Case("d", keys=("forgotten",), code=None),
    "reload": Case(keys=("applied", "restart"), words="nothing has changed"),
    "backup": Case(keys=("path", "bytes"), words="size"),
    "config": Case(keys=("keys",), words="mesh.max_peers"),
    "stats": Case(keys=("counters", "drops"), words="datagrams_sent"),
    "metrics": Case(keys=("metrics",), words='meshd_nodes{status="alive"}'),
    "rpc": Case("mesh.status", keys=("node_id",), words="node_id"),
    "version": Case(keys=("meshctl", "meshd"), words="meshd 0."),
    "leave": Case(keys=("left",), words="left the mesh", repeat=("discover",)),
}


def verbs():
    text = subprocess.run([str(MESHCTL), "--help"], capture_output=True, text=True, check=True).stdout
    block = text.split("Verbs:\n")[1].split("\n\n")[0]
    return [line.strip().split("  ")[0] for line in block.splitlines()]


def run_verb(socket, verb, case, *options):
    return subprocess.run([str(MESHCTL), "--socket", str(socket), *verb.split(), *case.arguments, *options],
                          input=case.stdin, capture_output=True, text=True, timeout=40, check=False,
                          env=clean_environment())


def check_verb(box, verb, case):
    def again():
        # A backup's name has the second.
        time.sleep(1.1 if verb == "backup" else 0)
        if case.repeat:
            wait_until(lambda: box.meshctl(*case.repeat, check=False).returncode == OK, f"{case.repeat}", every=0.2)

    what = f"meshctl {verb} {' '.join(case.arguments)}"
    done = run_verb(box.socket, verb, case, "--no-color")
    check(done.returncode == case.code, f"{what}: {done}")
    check(case.words in done.stdout and "\x1b" not in done.stdout, f"{what}: {case.words!r} in {done}")
    again()
    done = run_verb(box.socket, verb, case, "--json")
    check(done.returncode == case.code, f"{what} --json: {done}")
    lines = done.stdout.splitlines()
    check(lines, f"{what} --json prints something: {done}")
    for line in lines:
        result = json.loads(line)
        check(isinstance(result, dict) and all(key in result for key in case.keys), f"{what} --json: {line}")
    again()
    done = run_verb(box.socket, verb, case, "--quiet")
    check(done.returncode == case.code and not done.stderr, f"{what} --quiet: {done}")
    again()


def check_absence(lab, verb, case):
    nowhere = lab.directory / "nowhere.sock"
    done = run_verb(nowhere, verb, case, "--timeout", "0.2")
    if verb == "version":
        check(done.returncode == OK and "no meshd answers" in done.stderr, str(done))
        return
    check(done.returncode == NO_DAEMON, f"{verb} without a daemon: {done}")
    check(str(nowhere) in done.stderr + done.stdout, f"{verb} names the socket: {done}")
    check("-> meshd" in done.stdout or "\n  meshd" in done.stderr, f"{verb} says how to start one: {done}")


def check_help(verb, case):
    done = run_verb("/nowhere", verb, Case(), "--help")
    check(done.returncode == OK and "Example:\n  meshctl " + verb in done.stdout, f"{verb} --help: {done}")
    done = run_verb("/nowhere", verb, case, "--no-such-option")
    check(done.returncode == USAGE and "unknown option" in done.stderr and not done.stdout, f"{verb}: {done}")


def run(lab):
    names = [verb for verb in verbs() if verb.split()[0] not in ELSEWHERE]
    check(sorted(names) == sorted(CASES), f"verbs without a case, or cases without a verb: {set(names) ^ set(CASES)}")
    boxes = lab.boxes(lab.lan("a", "b", "c"))
    wait_settled_lan(boxes)
    wait_views(boxes)
    a = boxes[0]
    a.meshctl("registry", "put", "h1", "--type", "person")
    a.meshctl("alert", '{"what":"smoke"}')
    # What is right for a box that is dead, and for one that never was.
    check(a.meshctl("forget", "d", check=False).returncode == REFUSED, "an unknown box is not forgotten")
    wait_until(lambda: a.meshctl("doctor", check=False).returncode == OK,
               lambda: a.meshctl("doctor", check=False).stdout, every=0.3)
    for verb, case in CASES.items():
        check_help(verb, case)
        check_absence(lab, verb, case)
        if case.code is not None:
            check_verb(a, verb, case)
    if os.geteuid() == 0:
        boxes[2].kill()
        wait_until(lambda: a.meshctl("forget", "c", check=False).returncode == OK, "c is forgotten", every=0.3)
    done = a.meshctl("wait", "--node", "c", "--timeout", "0.3", check=False)
    check(done.returncode == PARTIAL and "c " in done.stderr, str(done))


if __name__ == "__main__":
    scenario(run)
