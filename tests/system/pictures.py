#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the pictures of the README from a real mesh: a yard of cameras on a switch, a driveway of them behind
each other, one without power and one behind a bad radio. Usage: pictures.py DIRECTORY"""
import html
import pathlib
import sys
import time

from checks import wait_views
from lab import check, scenario, wait_until
from terminal import Terminal


def terminal_picture(command, text):
    """Text as in a terminal, as SVG."""
    lines = [f"$ {command}", *text.splitlines()]
    width, height = 16 + 8 * max(map(len, lines)), 20 + 17 * len(lines)
    rows = [f'<text x="10" y="{24 + 17 * row}">{html.escape(line)}</text>' for row, line in enumerate(lines) if line]
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" role="img" xml:space="preserve">',
        f"<title>{html.escape(command)}</title>",
        "<style>text{font:13px monospace;fill:#dddddd}</style>",
        '<rect width="100%" height="100%" rx="6" fill="#1d2329"/>', *rows, "</svg>", ""])


def run(lab):
    directory = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else lab.directory)
    yard = lab.lan("gate", "yard-1", "yard-2", "yard-3", "barn")
    drive = [lab.host(name) for name in ("drive-1", "drive-2", "drive-3", "road")]
    for one, other in zip([yard[0], *drive], drive):
        lab.cable(one, other)
    shed = lab.host("shed")
    lab.cable(yard[4], shed)
    boxes = [*lab.boxes(yard), *lab.boxes([*drive, shed])]
    wait_views(boxes, 40)
    gate = boxes[0]
    drive[3].set_loss(50)
    boxes[3].kill()
    wait_until(lambda: any(node["status"] == "offline" for node in gate.call("mesh.nodes")["nodes"]), "yard-3 is gone")

    def lossy():
        return any(link["cost"] > 10 for link in gate.call("mesh.topology")["links"])

    wait_until(lossy, "the radio of the road is told", timeout=100, every=0.5)
    boxes[7].call("alerts.raise", alert={"message": "person at the letter box"}, priority="high")
    boxes[2].call("alerts.raise", alert={"message": "smoke in the yard"}, priority="critical")
    (directory / "topology.svg").write_text(gate.meshctl("topology", "--svg").stdout)
    topology = gate.meshctl("topology").stdout
    (directory / "terminal-topology.svg").write_text(terminal_picture("meshctl topology", topology))
    terminal = Terminal(gate, "top", "--sort", "status", columns=100, rows=24, NO_COLOR="1")
    terminal.wait("smoke in the yard")
    until = time.monotonic() + 4
    while time.monotonic() < until:
        terminal.read()
    (directory / "terminal-top.svg").write_text(terminal_picture("meshctl top --sort status", terminal.screen()))
    terminal.type("q")
    check(terminal.end() == 0, "top ends")
    terminal.check_restored("q")
    for box in boxes:
        check(box is boxes[3] or box.is_running(), f"{box} runs")


if __name__ == "__main__":
    scenario(run, hang_seconds=200)
