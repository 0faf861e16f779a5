#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every example of ipc/API.md, copied and pasted into a shell, does what it says."""
import re
import shutil
import subprocess

from box import REPOSITORY, Failure, clean_environment
from lab import Skip, check, scenario, wait_until

BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
METHOD = re.compile(r'"method":"([\w.]+)"')
# Their examples name what this mesh does not have: that is told as an error.
MAY_BE_REFUSED = {"mesh.forget", "alerts.get", "search.answer"}


def run(lab):
    for tool in ("socat", "jq"):
        if shutil.which(tool) is None:
            raise Skip(f"the program {tool} is not installed")
    box, other = lab.boxes(lab.lan("box-1", "box-2"))
    wait_until(lambda: box.call("mesh.status")["nodes_alive"] == 2, "the two to know each other")
    box.call("alerts.raise", alert={"what": "smoke"}, priority="high")
    text = (REPOSITORY / "ipc/API.md").read_text(encoding="utf-8")
    text = text.replace("/var/backups", str(lab.directory))
    blocks = [block for block in BLOCK.findall(text) if "socat" in block]
    # What ends the node's part in the mesh comes last.
    blocks.sort(key=lambda block: '"mesh.leave"' in block)
    environment = clean_environment(MESHD_SOCKET=str(box.socket))
    box.call("registry.put", hash="a1b2", type="face")
    for block in blocks:
        method = METHOD.search(block).group(1)
        script = subprocess.Popen(["sh", "-c", block], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                  env=environment, start_new_session=True)
        if method == "events.subscribe":
            line = script.stdout.readline()
            check('"subscription"' in line, f"{method}: {line!r}")
            other.call("alerts.raise", alert={"what": "noise"}, priority="critical")
            lines = [script.stdout.readline()]
            while '"noise"' not in lines[-1] and len(lines) < 20:
                lines.append(script.stdout.readline())
            check('"noise"' in lines[-1], f"{method}: {lines}")
            subprocess.run(["kill", "--", f"-{script.pid}"], check=False)
            script.communicate()
            continue
        if method == "search.serve":
            line = script.stdout.readline()
            check('"person"' in line, f"{method}: {line!r}")
            other.call("search.query", query={"coat": "red"}, search_type="person", timeout_ms=300)
            line = script.stdout.readline()
            check('"search.request"' in line and '"red"' in line, f"{method}: {line!r}")
            subprocess.run(["kill", "--", f"-{script.pid}"], check=False)
            script.communicate()
            continue
        try:
            out, errors = script.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            raise Failure(f"{method}: its example does not end") from None
        check(script.returncode == 0 and not errors, f"{method}: {script.returncode} {errors}")
        # A list may be empty here; a null is a reply without the result.
        check(out.strip() != "null" or method in MAY_BE_REFUSED, f"{method}: no result: {block}")
    check(box.call("mesh.status")["left"], "the last example left the mesh")


if __name__ == "__main__":
    scenario(run)
