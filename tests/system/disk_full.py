#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Disks that are full, read-only, damaged or from the future: alerts go out all the same, status and log
say so once, and all is well by itself when the disk is."""
import os
import random
import re
import shutil
import sqlite3
import time

from checks import AlertLog, wait_settled_lan, wait_store
from entries import hashes, put_many, wait_written
from lab import check, scenario, sh, wait_until

DISK_MIB = 12
ENTRIES = 300


def log_lines(box, pattern):
    return [line for line in box.log.read_text(errors="replace").splitlines() if re.search(pattern, line)]


def warnings(box, pattern):
    return [warning for warning in box.warnings() if re.search(pattern, warning)]


def raise_one(box, name, **alert):
    return box.call("alerts.raise", alert={"name": name, **alert})


def fill(directory):
    with open(directory / "filler", "wb", buffering=0) as file:
        for size in (1 << 16, 1 << 12):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                pass


def full(a, b):
    """Alerts and entries go on while the disk is full, and are on it when there is room again."""
    events = b.subscribe("alert")
    fill(a.state_dir)
    # The log of the database may have some room left in itself.
    number, reply = 0, {"durable": True}
    while reply["durable"]:
        reply = raise_one(a, f"full-{number}", text="x" * 50_000)
        number += 1
        check(number < 600, "the disk takes more than it has")
    print(f"durable: false from alert {number} on")
    late = [raise_one(a, f"late-{n}") for n in range(20)]
    check(not any(reply["durable"] for reply in late), "none is said to be durable")
    check(not a.call("registry.put", hash="in-need", type="thing", durable=True)["durable"], "no entry either")
    for reply in late:
        check(events.wait_for(lambda e, i=reply["id"]: e.data["id"] == i), "the alert reaches the other box")
    wait_until(lambda: "in-need" in hashes(b), "the entry at the other box")
    store = a.store()
    check(store["unwritten"] > 0, f"status says what waits: {store}")
    check(warnings(a, "disk full"), f"status warns: {a.warnings()}")
    check("disk full" in a.meshctl("status").stdout, "meshctl status shows it")
    rotated = a.meshctl("key", "rotate", check=False)
    check(rotated.returncode == 1 and not rotated.stdout, f"no new key on a full disk: {rotated}")
    check(not warnings(a, "mesh keys|keyring"), f"whoever asked was told, once is enough: {a.warnings()}")
    time.sleep(2)
    check(len(log_lines(a, "disk full")) == 1, f"the log says it once: {log_lines(a, 'disk full')}")

    (a.state_dir / "filler").unlink()
    freed = time.monotonic()
    wait_written(a, 40)
    print(f"all was written {time.monotonic() - freed:.1f} s after there was room")
    check(raise_one(a, "after")["durable"], "alerts are durable again")
    check(not a.warnings(), f"nothing to warn of: {a.warnings()}")
    check(len(log_lines(a, "are kept again")) == 1, "the log says it once")

    # From the disk alone.
    wait_written(a)
    a.kill()
    b.freeze()
    a.start().ready()
    held = {alert["id"] for alert in a.call("alerts.list", limit=1000)["alerts"]}
    lost = {reply["id"] for reply in late} - held
    check(not lost, f"written later, as promised by unwritten 0; lost: {lost}")
    check("in-need" in hashes(a), "the entry too")
    b.thaw()


def freed_at_the_end(a, b):
    """There is room again just before it ends, while it waits for its next try."""
    fill(a.state_dir)
    number, reply = 0, {"durable": True}
    while reply["durable"]:
        reply = raise_one(a, f"again-{number}", text="x" * 50_000)
        number += 1
        check(number < 600, "the disk takes more than it has")
    time.sleep(4)
    late = [raise_one(a, f"last-{n}")["id"] for n in range(5)]
    (a.state_dir / "filler").unlink()
    a.terminate()
    check(not log_lines(a, "not on the disk"), f"all is written at the end: {log_lines(a, 'not on the disk')}")
    b.freeze()
    a.start().ready()
    held = {alert["id"] for alert in a.call("alerts.list", limit=1000)["alerts"]}
    check(set(late) <= held, f"kept from before the end; lost: {set(late) - held}")
    b.thaw()


def read_only(a, b, mount):
    """A start on a disk that has become read-only, and its recovery."""
    a.terminate()
    sh("mount", "-o", "remount,ro", mount)
    a.start().ready()
    wait_settled_lan([a, b])
    check(len(hashes(a)) >= ENTRIES, "what is on the disk is there")
    log = AlertLog([a, b])
    reply = raise_one(a, "read-only")
    check(reply["durable"] is False, f"alert on a read-only disk: {reply}")
    log.check_exactly_once([reply["id"]])
    check(warnings(a, "read-only"), f"status warns: {a.warnings()}")
    # The daemon lives in a copy of this mount namespace, with flags of its own on its mounts.
    sh("mount", "-o", "remount,rw", mount)
    sh("nsenter", "-t", str(a.process.pid), "-m", "mount", "-o", "remount,rw", mount)
    wait_written(a, 40)
    check(raise_one(a, "writable")["durable"], "alerts are durable again")
    check(not warnings(a, "read-only|nothing is kept"), f"the warning is gone: {a.warnings()}")


def set_aside(a, b, label, pattern, spoil):
    """A database that cannot be used is kept beside, and the data come back from the peers."""
    wait_store([a, b])
    want, alerts = hashes(b), {alert["id"] for alert in b.call("alerts.list", limit=1000)["alerts"]}
    a.terminate()
    spoil(a.state_dir / "meshd.db")
    a.log.write_text("")
    a.start().ready()
    wait_settled_lan([a, b])
    wait_until(lambda: hashes(a) == want, lambda: f"all entries: {len(hashes(a))} of {len(want)}")
    check({alert["id"] for alert in a.call("alerts.list", limit=1000)["alerts"]} == alerts, "and all alerts")
    said = log_lines(a, pattern)
    check(len(said) == 1, f"{label}: the log says it once: {said or a.log_tail()}")
    print(f"{label}: {said[0].split(' ', 2)[-1][-220:]}")
    check(warnings(a, pattern), f"{label}: status says it: {a.warnings()}")
    check(raise_one(a, label)["durable"], f"{label}: the new database works")

    # No crash loop: the next start is an ordinary one.
    wait_written(a)
    a.kill()
    a.log.write_text("")
    a.start().ready()
    wait_settled_lan([a, b])
    check(hashes(a) == want and not log_lines(a, pattern), f"{label}: the next start finds all in order")


def kept_beside(a, name):
    found = [path.name for path in a.state_dir.iterdir() if path.name.startswith(f"meshd.db.{name}")]
    check(found, f"a file {name} is kept: {os.listdir(a.state_dir)}")


def garbage_all_over(path):
    path.write_bytes(random.randbytes(path.stat().st_size))


def garbage_inside(path):
    """Pages of rows; the first pages, which say what is where, stay."""
    with open(path, "r+b") as file:
        size = path.stat().st_size
        file.seek(size // 4 // 4096 * 4096)
        file.write(random.randbytes(size // 4))


def newer_version(path):
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version = 99")
    database.close()


def run(lab):
    hosts = lab.lan("a", "b")
    directory = lab.directory / "a" / "state"
    directory.mkdir(parents=True)
    sh("mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m,mode=0700", "none", str(directory))
    try:
        a, b = boxes = lab.boxes(hosts, "--set", "store.persist_interval_others=500ms")
        wait_settled_lan(boxes)
        put_many(a, [f"a-{n}" for n in range(ENTRIES)], dimension=64, durable=True)
        full(a, b)
        wait_settled_lan(boxes)
        freed_at_the_end(a, b)
        wait_settled_lan(boxes)
        read_only(a, b, str(directory))
        # Large alerts have done their work; a fresh disk for what follows is quicker.
        set_aside(a, b, "garbage", r"meshd\.db.*set aside", garbage_all_over)
        kept_beside(a, "corrupt-")
        set_aside(a, b, "newer", r"meshd\.db.*has version 99", newer_version)
        kept_beside(a, "version-99-")
        set_aside(a, b, "damaged", r"meshd\.db.*(damaged|set aside)", garbage_inside)
        for box in boxes:
            box.terminate()
    finally:
        for box in lab.all_boxes:
            if box.is_running():
                box.kill()
        shutil.rmtree(directory, ignore_errors=True)
        sh("umount", "-l", str(directory))


if __name__ == "__main__":
    scenario(run)
