#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Three boxes with one key are a mesh; boxes with other keys see and tell nothing; who
listens on the wire reads nothing."""
import contextlib
import os
import pty
import stat
import time

from box import MESHCTL, clean_environment
from capture import Capture
from checks import AlertLog, alive, wait_settled_lan
from lab import check, scenario, wait_until
from mesh_key import make_token

MESH = "orchard-mesh"
WORDS = ("orchard-mesh", "cam-apple", "cam-berry", "cam-cherry", "smoke in the barn", "secret-zone", "mesh1",
         # Members of the handshake's messages, of what runs in sessions and of records.
         '"hello"', '"offer"', '"cookie"', '"echo"', '"asked"', '"session"', '"instance"', '"start"', '"features"',
         '"kind"', '"stream"', '"links"', '"addresses"', '"covers"', '"wants"', '"priority"')


def give(box, token, *command):
    """Runs meshctl with the token on standard input."""
    done = box.meshctl(*command, stdin=token + "\n", check=False)
    check(token not in done.stdout + done.stderr, "the token is not repeated")
    return done


def type_token(box, text):
    """Runs meshctl key join at a terminal and types the text when it is asked for; what the terminal showed,
    and the exit code."""
    child, terminal = pty.fork()
    if child == 0:
        os.execve(str(MESHCTL), [str(MESHCTL), "--socket", str(box.socket), "key", "join"], clean_environment())
    shown, is_typed = b"", False
    with contextlib.suppress(OSError):  # the terminal's end when the program has ended
        while piece := os.read(terminal, 4096):
            shown += piece
            if b"token" in shown and not is_typed:
                os.write(terminal, text.encode())
                is_typed = True
    os.close(terminal)
    return shown.decode(), os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def run(lab):
    hosts = lab.lan("cam-apple", "cam-berry", "cam-cherry", "stranger", "newcomer")
    capture = Capture(hosts[1])
    boxes = [lab.box(host, "--mesh", MESH, open_mode=False, key=None).ready() for host in hosts]
    three, stranger, newcomer = boxes[:3], boxes[3], boxes[4]
    first = three[0]

    time.sleep(1)
    check(not any(box.stats()["datagrams_sent"] for box in boxes), "without a key no box sends anything")
    check(all(alive(box) == {box.node_id} for box in boxes), "without a key nobody sees anybody")
    check(any("meshctl key" in warning for warning in first.warnings()), f"status says so: {first.warnings()}")
    check(first.call("mesh.status")["security"] == "sealed", "sealed is the default")

    token = first.meshctl("key", "new").stdout.strip()
    keyring = first.state_dir / "keyring"
    check(stat.S_IMODE(keyring.stat().st_mode) == 0o600, "the keyring is its owner's alone")
    check(first.meshctl("key", "new", check=False).returncode == 1, "a second first key is refused")
    done = give(three[1], token, "key", "join")
    check(done.returncode == 0 and "joined" in done.stdout, f"join: {done}")
    check(type_token(three[2], "\x03")[1] == 1, "Ctrl-C joins nothing")
    wrong = token[:-1] + ("0" if token[-1] != "0" else "1")
    shown, code = type_token(three[2], wrong + "\n")
    check(code == 1 and "checksum" in shown and wrong not in shown, f"a mistyped token: {shown}")
    shown, code = type_token(newcomer, make_token() + "\n")
    check(code == 0 and "joined" in shown and "mesh1" not in shown, f"typed, it is not shown: {shown}")
    path = lab.directory / "token"
    path.write_text(token)
    three[2].meshctl("key", "join", "--file", str(path))
    wait_settled_lan(three)
    stranger.meshctl("key", "new")

    log = AlertLog(three + [stranger])
    for box in three:
        box.call("alerts.raise", alert={"what": "smoke in the barn"}, priority="critical", wait_ms=3000)
    first.call("state.update", patch={"zone": "secret-zone"})
    wait_until(lambda: all(len(log.counts()[box.node_id]) == 3 for box in three), "the alerts everywhere")
    check(not log.counts().get(stranger.node_id), "nobody else got them")
    check(alive(stranger) == {stranger.node_id}, f"the stranger sees {alive(stranger)}")
    check(alive(first) == {box.node_id for box in three}, f"{first} sees {alive(first)}")

    def tells_of_others(box):
        return any("other key" in warning or "another key" in warning for warning in box.warnings())

    wait_until(lambda: tells_of_others(stranger), lambda: f"a word of other keys: {stranger.warnings()}", 70)

    capture.stop()
    check(len(capture.frames) > 50, f"only {len(capture.frames)} frames were heard")
    read = capture.find(*(word.encode() for word in WORDS))
    check(not read, f"on the wire stood {read}")
    logs = "".join(box.log.read_text(errors="replace") for box in boxes)
    check(token not in logs and "mesh1-" not in logs, "no token is logged")

    for box in boxes:
        box.terminate()
    os.chmod(keyring, 0o640)
    first.start()
    first.process.wait(10)
    check(first.process.returncode == 1, f"an open keyring is refused: {first.process.returncode}")
    check(f"chmod 600 {keyring}" in first.log_tail(), f"the log says how to mend it:\n{first.log_tail(5)}")
    os.chmod(keyring, 0o600)
    first.start().ready()
    three[1].start().ready()
    wait_until(lambda: alive(first) == {"cam-apple", "cam-berry"}, "the two to meet again with their kept keys")


if __name__ == "__main__":
    scenario(run)
