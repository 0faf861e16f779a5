#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A start that cannot work ends at once with a message that says why and the exit code for it."""
import re
import socket
import subprocess

from box import MESHD, clean_environment
from lab import check, scenario

RUNTIME, USAGE, CONFIGURATION = 1, 2, 3


def run(lab):
    host, = lab.lan("a")
    running, = lab.boxes([host])
    directory = lab.directory / "bad"
    directory.mkdir()

    def start(*arguments):
        try:
            return host.run(str(MESHD), *map(str, arguments), timeout=20, env=clean_environment())
        except subprocess.TimeoutExpired:
            check(False, f"{arguments} runs instead of failing")

    def expect(code, pattern, *arguments):
        done = start(*arguments)
        print(f"{done.returncode}: {done.stderr.strip()[-200:]}")
        check(done.returncode == code, f"{arguments}: exit {done.returncode} instead of {code}")
        check(re.search(pattern, done.stderr, re.I), f"{arguments}: no '{pattern}' in {done.stderr!r}")

    own = ("--node-id", "z", "--socket", directory / "z.sock", "--state-dir", directory / "state")
    expect(USAGE, "^meshd: .*--no-such-flag", "--no-such-flag")
    expect(USAGE, "--config: .*got nothing", "--config", "", *own)
    expect(CONFIGURATION, "node-id.*not a name!", "--node-id", "not a name!", *own[2:])
    (directory / "state").mkdir(mode=0o700)
    keyring = directory / "state" / "keyring"
    keyring.write_text("active mesh1-00000 joined\n")
    keyring.chmod(0o644)
    expect(RUNTIME, f"mode 0644.*chmod 600 {re.escape(str(keyring))}", *own)
    keyring.chmod(0o600)
    expect(RUNTIME, f"{re.escape(str(keyring))}:1: the token: too short", *own)
    check(keyring.read_text() == "active mesh1-00000 joined\n", "a damaged keyring is never written over")
    keyring.unlink()

    config = directory / "meshd.yaml"
    for text, line, column, pattern in (
            ("mesh:\n  max_peers: 5\n  max_pears: 6\n", 3, 3, "max_peers"),
            ("mesh:\n  max_peers: many\n", 2, 14, "max_peers"),
            ("mesh:\n  max_peers: 5\n  max_peers: 6\n", 3, 3, "max_peers"),
            ("mesh.max_peers: 5\nmesh:\n  max_peers: 6\n", 3, 3, "max_peers"),
            ("mash:\n  max_peers: 5\n", 1, 1, "mesh"),
            ("mesh: [\n", None, None, "meshd.yaml:")):
        config.write_text(text)
        place = f"{re.escape(str(config))}:{line}:{column}" if line else re.escape(str(config))
        expect(CONFIGURATION, place, "--config", config, *own)
        expect(CONFIGURATION, pattern, "--config", config, "--check-config")
    expect(CONFIGURATION, "no-such-file", "--config", directory / "no-such-file.yaml", *own)
    expect(CONFIGURATION, "max_pears", "--set", "mesh.max_pears=5", *own)
    config.write_text("mesh:\n  max_peers: 5\n")
    done = start("--config", config, "--check-config")
    check(done.returncode == 0, f"a right configuration: {done.returncode} {done.stderr}")

    expect(RUNTIME, re.escape(str(running.socket)), "--node-id", "z", "--socket", running.socket,
           "--state-dir", directory / "state")
    expect(RUNTIME, re.escape(str(running.state_dir)), "--node-id", "z", "--socket", directory / "z.sock",
           "--state-dir", running.state_dir)
    (directory / "file").write_text("precious")
    expect(RUNTIME, re.escape(str(directory / "file")), "--node-id", "z", "--socket", directory / "file",
           "--state-dir", directory / "state")
    check((directory / "file").read_text() == "precious", "a file that is no socket is left alone")
    expect(RUNTIME, "no/such", *own[:2], "--socket", directory / "no/such/z.sock", *own[4:])
    check(running.call("mesh.status")["node_id"] == "a", "the running daemon is not disturbed")

    # What a killed daemon leaves behind is no obstacle.
    running.kill()
    check(running.socket.exists(), "kill -9 leaves the socket behind")
    running.start().ready()

    # A foreign program on the port: the daemon lives, and says so.
    running.terminate()
    with host.inside():
        foreign = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        foreign.bind(("", 9999))
    running.start()
    try:
        running.ready()
        warnings = running.call("mesh.status")["warnings"]
        print(f"port 9999 is held by a foreign program: {warnings}")
        check("9999" in " ".join(warnings) + running.log_tail(), "the held port is named")
    finally:
        foreign.close()


if __name__ == "__main__":
    scenario(run)
