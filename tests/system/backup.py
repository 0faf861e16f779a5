#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A backup made while writing is whole; restored on a wiped box it has all there was, and an old one
restored later brings back nothing that was deleted since."""
import json
import os
import shutil
import sqlite3
import threading
import time

from checks import wait_settled_lan, wait_store
from entries import embedding_of, hashes, put_many, wait_written
from lab import check, scenario, wait_until
from rpc import Rpc

BEFORE = 400


def restore(box, backup):
    """As etc/meshd.yaml says, into an empty state directory."""
    box.wipe()
    box.state_dir.mkdir(mode=0o700)
    shutil.copyfile(backup, box.state_dir / "meshd.db")
    os.chmod(box.state_dir / "meshd.db", 0o600)


def back_up_while_writing(box, path):
    """A backup with writes before, during and after; returns its reply."""
    stop, written = threading.Event(), []

    def write():
        rpc = Rpc(box.socket)
        while not stop.is_set():
            name = f"meanwhile-{len(written)}"
            check(rpc.call("registry.put", hash=name, type="thing", durable=True)["durable"], "a put is durable")
            written.append(name)
        rpc.close()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        wait_until(lambda: len(written) >= 20, "writes before the backup")
        reply = json.loads(box.meshctl("backup", str(path), "--json").stdout)
        during = len(written)
        wait_until(lambda: len(written) >= during + 20, "writes after the backup")
    finally:
        stop.set()
        writer.join()
    return reply


def check_file(path, reply):
    check(path.stat().st_size == reply["bytes"], f"its size: {path.stat().st_size}, {reply}")
    check(path.stat().st_mode & 0o077 == 0, "nobody else may read it")
    copy = sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)
    check(copy.execute("PRAGMA integrity_check").fetchall() == [("ok",)], "the file is whole")
    records, = copy.execute("SELECT count(*) FROM records").fetchone()
    copy.close()
    check(records == reply["records"], f"{records} records in {reply}")


def run(lab):
    a, b = boxes = lab.boxes(lab.lan("a", "b"))
    wait_settled_lan(boxes)
    before = [f"before-{n}" for n in range(BEFORE)]
    put_many(a, before, dimension=64, durable=True)
    a.call("state.update", scope="mesh", patch={"mode": "night", "gone": True})
    alert = a.call("alerts.raise", alert={"what": "before"})["id"]
    vector = embedding_of(a, before[0])
    wait_written(a)

    backup = lab.directory / "mesh.db"
    reply = back_up_while_writing(a, backup)
    print(f"{reply['records']} records, {reply['bytes']} bytes, while entries were put")
    check_file(backup, reply)
    refused = a.meshctl("backup", str(backup), check=False)
    check(refused.returncode == 1 and str(backup) in refused.stderr, f"a file that is there stays: {refused}")
    own = json.loads(a.meshctl("backup", "--json").stdout)
    check(os.path.dirname(own["path"]) == str(a.state_dir), f"without a path: {own}")
    wait_store(boxes)
    everything = hashes(a)

    # Alone, so that nothing can come from the other box.
    for box in boxes:
        box.terminate()
    restore(a, backup)
    a.start().ready()
    check(set(before) <= hashes(a), f"the restored box has {len(hashes(a))} entries")
    check(embedding_of(a, before[0]) == vector, "an embedding is as it was")
    check(a.call("alerts.get", id=alert)["alert"] == {"what": "before"}, "the alert is there")
    check(a.call("state.get", scope="mesh")["state"]["mode"] == "night", "the shared state is there")
    check(not a.warnings(), f"nothing to warn of: {a.warnings()}")
    b.start().ready()
    wait_settled_lan(boxes)
    check(hashes(a) == hashes(b) == everything, "what came after the backup comes back from the other box")

    # Deleted by either box, and the deletions known to both; then one goes back to before them.
    for name in before[:100]:
        check(a.call("registry.delete", hash=name)["deleted"] == 1, f"{name} is deleted")
    for name in before[100:200]:
        check(b.call("registry.delete", hash=name)["deleted"] == 1, f"{name} is deleted")
    b.call("state.update", scope="mesh", patch={"gone": None, "mode": "day"})
    wait_store(boxes)
    left = everything - set(before[:200])
    for victim, other in ((a, b), (b, a)):
        victim.terminate()
        restore(victim, backup)
        victim.start().ready()
        wait_settled_lan(boxes)
        time.sleep(1)
        for box in boxes:
            back = hashes(box) - left
            check(not back, f"{box} has {len(back)} deleted entries again after {victim} was set back")
            check(hashes(box) == left, f"{box} lacks entries after {victim} was set back")
            state = box.call("state.get", scope="mesh")["state"]
            check(state == {"mode": "day"}, f"{box}'s shared state after {victim} was set back: {state}")
        check(not other.warnings(), f"{other} has nothing to warn of: {other.warnings()}")


if __name__ == "__main__":
    scenario(run)
