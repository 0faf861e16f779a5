# SPDX-License-Identifier: Apache-2.0
"""What a box writes to its disk: bytes per hour while idle, and while one alert a second is raised.

Usage: write_bench.py [--minutes M] [--config FILE] [--folder DIR]. Three sealed daemons over loopback, their
data below DIR, which must be on a disk (tmpfs counts nothing). Bytes are write_bytes of /proc/PID/io: pages
handed to the disk, in units of 4 KiB, before what the file system and the card add. MESHD_BIN_DIR has the programs.
"""
import argparse
import os
import pathlib
import subprocess
import tempfile
import time

PROGRAMS = pathlib.Path(os.environ.get("MESHD_BIN_DIR", "build/release/bin"))
PORT = int(os.environ.get("MESHD_BENCH_PORT", "29171"))
SETTLE_S = 15


def written(process):
    lines = pathlib.Path(f"/proc/{process.pid}/io").read_text().splitlines()
    values = dict(line.split(": ") for line in lines)
    return int(values["write_bytes"]) - int(values["cancelled_write_bytes"])


def resident_kib(process):
    text = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    return int(text.split("VmRSS:")[1].split()[0])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--config")
    parser.add_argument("--folder", default="/var/tmp")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="meshd-write-", dir=given.folder) as folder:
        boxes = []
        config = given.config or f"{folder}/empty.yaml"
        if not given.config:
            pathlib.Path(config).touch()

        def ctl(name, *arguments, **options):
            return subprocess.run([PROGRAMS / "meshctl", "--socket", f"{folder}/{name}.sock", *arguments],
                                  capture_output=True, text=True, check=True, **options).stdout

        try:
            for name in "abc":
                boxes.append(subprocess.Popen(
                    [PROGRAMS / "meshd", "--config", config, "--node-id", name, "--socket", f"{folder}/{name}.sock",
                     "--state-dir", f"{folder}/{name}", "--set", "mesh.interfaces=[lo]", "--set", f"mesh.udp_port={PORT}"],
                    stderr=subprocess.DEVNULL))
            for name in "abc":
                while subprocess.run([PROGRAMS / "meshctl", "--socket", f"{folder}/{name}.sock", "status"],
                                     capture_output=True).returncode != 0:
                    time.sleep(0.2)
            token = ctl("a", "key", "new").strip().splitlines()[-1]
            for name in "bc":
                ctl(name, "key", "join", input=token + "\n")
            ctl("a", "wait", "--nodes", "3")
            time.sleep(SETTLE_S)
            for what, alerts in (("idle", 0), ("1 alert/s", 1)):
                before, started, raised = [written(one) for one in boxes], time.monotonic(), 0
                while time.monotonic() - started < given.minutes * 60:
                    if alerts:
                        ctl("a", "alert", '{"type":"intrusion","camera":"yard","confidence":0.93}')
                        raised += 1
                    time.sleep(max(0.0, started + raised + 1 - time.monotonic()) if alerts else 1)
                hours = (time.monotonic() - started) / 3600
                rates = [(written(one) - was) / hours / 1e6 for one, was in zip(boxes, before)]
                print(f"{what:10} a {rates[0]:7.2f}  b {rates[1]:7.2f}  c {rates[2]:7.2f} MB/h"
                      f"{f'; {raised} alerts raised at a' if alerts else ''}", flush=True)
            print("resident:", ", ".join(f"{resident_kib(one) / 1024:.1f} MiB" for one in boxes))
        finally:
            for one in boxes:
                one.terminate()
            for one in boxes:
                one.wait(10)


if __name__ == "__main__":
    main()
