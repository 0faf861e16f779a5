#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Each example of the Python client, and the one for the shell, with three real daemons."""
import re
import shutil
import subprocess

from box import REPOSITORY, clean_environment
from checks import wait_settled_line
from lab import check, scenario
from python_box import EXAMPLES, Program, run_example


def expect(text, *patterns):
    for pattern in patterns:
        check(re.search(pattern, text, re.M), f"'{pattern}' is not in:\n{text}")


def shell(box):
    missing = [tool for tool in ("socat", "jq") if shutil.which(tool) is None]
    if missing:
        print(f"the shell example was not run, because {' and '.join(missing)} is not installed")
        return
    done = subprocess.run([str(REPOSITORY / "clients/shell/example.sh")], capture_output=True, text=True, timeout=60,
                          check=False, env=clean_environment(MESHD_SOCKET=str(box.socket)))
    check(done.returncode == 0, f"exit {done.returncode}:\n{done.stdout}{done.stderr}")
    expect(done.stdout, r"^c alive 2 hops$", r'^alert \{"what":"smoke"\}$', r"^delivered to b, c$", r'"zone":"yard"')


def run(lab):
    a, b, c = boxes = lab.boxes(lab.line("a", "b", "c"))
    wait_settled_line(boxes)

    expect(run_example(a, "1_setup.py"), r"^this is a, meshd \S+", r"^3 of 3 nodes are alive, 1 linked directly")
    expect(run_example(a, "2_discovery.py", "0.2"), r"^a +alive +hops 0", r"^c +alive +hops 2")
    expect(run_example(a, "3_state.py"), r"^a PROCESSING \{'camera': \{'fps': 30, 'zone': 'yard'\}\}",
           r"^shared: armed = \{'by': 'a'\} by a", r"^c ACTIVE")

    expect(run_example(a, "4_registry.py"), r"^seen by a with \{'camera': 'yard'\}", r"^49 entries",
           r"^example-1 +a +0\.9\d\d$", r"^deleted, on all boxes")

    listener = Program(EXAMPLES / "5_alerts.py", "listen", "1", box=c)
    listener.wait_for("listening")
    expect(run_example(a, "5_alerts.py"), r"on disk$", r"^delivered to b, c$")
    expect(listener.finish(), r"^a \[high\] over 2 hops: \{'type': 'intrusion', 'camera': 'yard'\}")

    responders = [Program(EXAMPLES / "6_search.py", "answer", box=box) for box in (b, c)]
    for responder in responders:
        responder.wait_for("answering")
    expect(run_example(a, "6_search.py", "ask", "red"), r"^b .*'name': 'Ann'", r"^c .*'name': 'Ann'", r"^complete$")
    for responder in responders:
        responder.end()

    listener = Program(EXAMPLES / "7_notes_and_routing.py", "listen", "2", box=c)
    listener.wait_for("listening")
    expect(run_example(a, "7_notes_and_routing.py", "c"), r"^c has the note", r"^to c: 2 hops by b > c",
           r"^ping c: [\d.]+ ms", r"^  b [\d.]+ ms", r"^  c [\d.]+ ms")
    expect(listener.finish(), r"^a to us: \{'hello': 'c'\}", r"^a greetings: \{'hello': 'everybody'\}")
    expect(run_example(a, "8_statistics.py", "2", "0.5"), r"^2/2 others alive, \d+ B/s out", r"^  b +")
    shell(a)


if __name__ == "__main__":
    scenario(run)
