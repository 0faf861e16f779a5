#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""meshctl against real daemons: every verb, text and --json, and its exit codes."""
import json
import subprocess

from box import MESHCTL, clean_environment
from checks import wait_settled_line
from lab import check, scenario, wait_until

OK, REFUSED, USAGE, NO_DAEMON, PARTIAL = 0, 1, 2, 3, 4


def run(lab):
    boxes = lab.boxes(lab.line("a", "b", "c"))
    wait_settled_line(boxes)
    a, b, c = boxes

    def text(*arguments, code=OK):
        done = a.meshctl(*arguments, check=False)
        check(done.returncode == code, f"meshctl {arguments}: exit {done.returncode}, not {code}: {done}")
        return done.stdout if code == OK else done.stderr

    def document(*arguments):
        return json.loads(text(*arguments, "--json"))

    for verb in ("status", "nodes", "peers", "routes", "topology", "alerts", "stats", "version", "discover"):
        check(text(verb).strip(), f"{verb} prints something")
        check(isinstance(document(verb), dict), f"{verb} --json prints an object")
    check([n["node_id"] for n in document("nodes")["nodes"]] == ["a", "b", "c"], "nodes")
    check(document("nodes", "c")["hops"] == 2, "one node in full")
    check(document("routes")["routes"][1]["path"] == ["b", "c"], str(document("routes")))
    picture = text("topology", "--ascii")
    check(all(name in picture for name in "abc"), picture)

    watch = subprocess.Popen([str(MESHCTL), "--socket", str(c.socket), "watch", "alert", "--count", "1", "--json"],
                             stdout=subprocess.PIPE, text=True, env=clean_environment())
    alert = None
    while watch.poll() is None:
        alert = document("alert", '{"what":"smoke"}', "--priority", "critical", "--wait", "5s")
        check(sorted(alert["delivered"]) == ["b", "c"], str(alert))
        try:
            watch.wait(0.2)
        except subprocess.TimeoutExpired:
            continue
    told = json.loads(watch.stdout.read())
    check(watch.returncode == OK and "smoke" in json.dumps(told), str(told))
    check("smoke" in text("alerts") and document("alerts", "--limit", "1")["alerts"][0]["id"] == alert["id"],
          "the alert is listed")

    text("state", "set", '{"zone":"gate","fps":25}')
    text("state", "set", '{"fps":null}')
    check(document("state", "get")["state"] == {"zone": "gate"}, "a state is patched")
    wait_until(lambda: "gate" in b.meshctl("state", "get", "a").stdout, "a's state at b")
    check(json.loads(text("rpc", "mesh.node", '{"node_id":"b"}'))["node_id"] == "b", "any method by rpc")

    check("nobody" in text("nodes", "nobody", code=REFUSED), "an unknown node is named")
    text("rpc", "mesh.statsu", code=REFUSED)
    text("no-such-verb", code=USAGE)
    text("nodes", "--no-such-flag", code=USAGE)
    c.freeze()
    text("alert", "anyone there?", "--wait", "300ms", code=PARTIAL)
    c.thaw()
    b.freeze()
    done = b.meshctl("--timeout", "0.5", "status", check=False)
    check(done.returncode == PARTIAL, f"a daemon that does not answer: {done}")
    b.thaw()
    wait_settled_line(boxes)
    text("leave")
    text("alert", "gone", code=REFUSED)
    a.kill()
    check(str(a.socket) in text("status", code=NO_DAEMON), "the socket that was tried is named")


if __name__ == "__main__":
    scenario(run)
