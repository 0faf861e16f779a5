#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""meshctl top and watch in a pseudo-terminal: keys, sizes, colours, and a terminal that is always as it was."""
import json
import os
import signal
import sys

from checks import wait_settled_lan
from lab import check, scenario
from terminal import Terminal

NAMES = ("a", "b", "c", "d")


def nodes_shown(screen):
    """Names in the order of the table."""
    words = [line.split(" ")[0].rstrip("*") for line in screen.splitlines() if "  mesh " not in line]
    return [word for word in words if word in NAMES]


def top(a, b):
    terminal = Terminal(a, "top", "--interval", "200ms")
    screen = terminal.wait(lambda shown: nodes_shown(shown) == list(NAMES))
    check("mesh " in screen and "4 of 4 boxes alive" in screen and "3 links" in screen, screen)
    check("q quit" in screen.splitlines()[-1] and len(screen.splitlines()) == 24, screen)
    terminal.type("r")
    terminal.wait(lambda shown: nodes_shown(shown) == list(reversed(NAMES)))
    terminal.type("rl")
    terminal.wait("by loss")
    terminal.type("h")
    screen = terminal.wait("by hops")
    check(nodes_shown(screen)[0] == "a", "this box is nearest to itself: " + screen)
    alert = b.call("alerts.raise", alert={"what": "smoke in the hall"}, priority="critical")
    check(alert["id"], str(alert))
    terminal.wait("smoke in the hall")
    for columns, rows in ((40, 8), (20, 3), (132, 43), (10, 1), (80, 24)):
        terminal.resize(columns, rows)
        screen = terminal.wait(lambda shown, r=rows: len(shown.splitlines()) <= r and "\n" in shown or r == 1)
    terminal.wait(lambda shown: "4 of 4 boxes alive" in shown and len(shown.splitlines()) == 24)
    b.freeze()
    terminal.wait(lambda shown: "offline" in shown, seconds=30)
    terminal.type("s")
    terminal.wait(lambda shown: nodes_shown(shown)[:1] == ["b"])
    b.thaw()
    terminal.wait(lambda shown: "4 of 4 boxes alive" in shown, seconds=30)
    terminal.type("q")
    check(terminal.end() == 0, "q ends it well")
    terminal.check_restored("q")
    check("\x1b[3" in terminal.sent, "a terminal has colours")
    terminal.close()


def ends(a):
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGSEGV):
        terminal = Terminal(a, "top", NO_COLOR="1")
        terminal.wait("boxes alive")
        os.kill(terminal.process_of_program(), number)
        code = terminal.end()
        check((code == 0) == (number != signal.SIGSEGV), f"{number!r}: {code}")
        terminal.check_restored(number.name)
        check("\x1b[3" not in terminal.sent, "NO_COLOR")
        terminal.close()
    terminal = Terminal(a, "top")
    terminal.wait("boxes alive")
    terminal.type("\x03")
    check(terminal.end() == 0, "Ctrl-C")
    terminal.check_restored("Ctrl-C")
    terminal.close()
    # The window closes: nobody reads any more.
    terminal = Terminal(a, "top")
    terminal.wait("boxes alive")
    process = terminal.process
    os.close(terminal.master)
    check(process.wait(20) is not None, "it ends with its terminal")
    os.close(terminal.slave)
    # A daemon that goes and comes back.
    terminal = Terminal(a, "top", "--interval", "200ms")
    terminal.wait("boxes alive")
    a.kill()
    screen = terminal.wait("no meshd answers")
    check("boxes alive" in screen, "the last picture stays")
    a.start().ready()
    terminal.wait(lambda shown: "no meshd" not in shown and "4 of 4 boxes alive" in shown, seconds=30)
    # A daemon that hangs still has its connections taken.
    a.freeze()
    screen = terminal.wait("no answer for", seconds=30)
    check("boxes alive" in screen, "the last picture stays")
    started = Terminal(a, "top", "--interval", "200ms")
    # Longer than a call waits: the connections made anew are no answer.
    started.wait("no answer for 7", seconds=30)
    a.thaw()
    for one in (terminal, started):
        one.wait(lambda shown: "no answer" not in shown and "boxes alive" in shown, seconds=30)
    started.close()
    terminal.type("\x1b")
    check(terminal.end() == 0, "Escape ends it")
    terminal.check_restored("Escape")
    terminal.close()


def once(a):
    done = a.meshctl("top", "--once")
    check("4 of 4 boxes alive" in done.stdout and "\x1b" not in done.stdout, done.stdout)
    result = json.loads(a.meshctl("top", "--json").stdout)
    check(len(result["nodes"]) == 4 and result["rates"]["bytes_in"] > 0 and result["status"]["node_id"] == "a",
          str(result))


def watch(a, b):
    terminal = Terminal(a, "watch", "alert", "note", "--node", "b", columns=100)
    # It says nothing before the first event: alerts until one is shown.
    number = 0

    def shown(screen):
        nonlocal number
        number += 1
        a.call("alerts.raise", alert={"message": f"from a {number}"})
        b.call("alerts.raise", alert={"message": f"from b {number}"}, priority="high")
        return "from b" in screen

    screen = terminal.wait(shown)
    check("from a" not in screen, "only what tells of b: " + screen)
    check("high" in terminal.sent and "\x1b[" in terminal.sent, "in colours")
    terminal.type("\x03")
    check(terminal.end() == 0, "Ctrl-C ends it well")
    terminal.close()
    terminal = Terminal(a, "watch", "alert", "--json", "--count", "2", "--replay", columns=4000)
    check(terminal.end() == 0, "it ends by itself")
    events = [json.loads(line) for line in terminal.sent.splitlines() if line.strip()]
    check(len(events) == 2 and all(event["kind"] == "alert" for event in events), str(events))
    terminal.close()


def run(lab):
    boxes = lab.boxes(lab.lan(*NAMES))
    wait_settled_lan(boxes)
    a, b, _, _ = boxes
    for part in (lambda: top(a, b), lambda: once(a), lambda: watch(a, b), lambda: ends(a)):
        part()
        sys.stdout.flush()


if __name__ == "__main__":
    scenario(run)
