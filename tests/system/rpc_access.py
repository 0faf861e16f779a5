#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Who may use the local API, with real users and groups: needs root, and a user table of its own (in a mount
namespace, so that the machine's stays as it is)."""
import os
import pathlib
import stat
import subprocess
import sys

from box import MESHCTL, clean_environment
from lab import SKIPPED, check, scenario

DAEMON, MEMBER, ADMIN, STRANGER = 62001, 62002, 62003, 62004
GROUP, ADMIN_GROUP, OTHER_GROUP = 62101, 62102, 62103
OK, REFUSED, NOT_PERMITTED = 0, 1, 5


def has_all_users():
    with open("/proc/self/uid_map", encoding="ascii") as file:
        return os.geteuid() == 0 and int(file.read().split()[2]) > STRANGER


def groups_of_our_own(lab, with_groups):
    """Hides the machine's table of groups behind one with our groups, or without them."""
    lines = [line for line in pathlib.Path("/etc/group").read_text(encoding="utf-8").splitlines()
             if not line.startswith("meshd")]
    if with_groups:
        lines += [f"meshd:x:{GROUP}:", f"meshd-admin:x:{ADMIN_GROUP}:"]
    table = lab.directory / f"group-{with_groups}"
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    subprocess.run(["mount", "--bind", str(table), "/etc/group"], check=True)


def run(lab):
    lab.directory.chmod(0o755)
    host, = lab.lan("a")

    def meshctl(box, uid, groups, *arguments):
        """Runs it as another user; groups[0] is the primary one."""
        command = ["setpriv", f"--reuid={uid}", f"--regid={groups[0]}", f"--groups={','.join(map(str, groups[1:]))}"
                   if groups[1:] else "--clear-groups", "--"]
        return subprocess.run([*command, str(MESHCTL), "--socket", str(box.socket), *arguments],
                              capture_output=True, text=True, timeout=30, check=False, env=clean_environment())

    def expect(box, uid, groups, arguments, code, *words):
        done = meshctl(box, uid, groups, *arguments)
        check(done.returncode == code, f"meshctl {arguments} as {uid} of {groups}: {done}")
        for word in words:
            check(word in done.stderr, f"{word!r} is not in {done.stderr!r}")

    # Without the groups: the daemon's user and root alone.
    groups_of_our_own(lab, with_groups=False)
    alone, = lab.boxes([host])
    check(stat.S_IMODE(alone.socket.stat().st_mode) == 0o600, "0600 where there is no group")
    expect(alone, MEMBER, [GROUP], ["status"], NOT_PERMITTED, "root alone")
    expect(alone, 0, [0], ["status"], OK)
    alone.terminate()

    groups_of_our_own(lab, with_groups=True)
    box = lab.box(host, label="b").ready()
    info = box.socket.stat()
    check((stat.S_IMODE(info.st_mode), info.st_gid) == (0o660, GROUP), f"0660 of group meshd: {info}")
    forget = ["forget", "nobody-of-this-name"]
    # For use: the group, as the first one or as a further one.
    for groups in ([GROUP], [OTHER_GROUP, GROUP]):
        expect(box, MEMBER, groups, ["status"], OK)
        expect(box, MEMBER, groups, ["alert", "hello"], OK)
        expect(box, MEMBER, groups, forget, NOT_PERMITTED, "meshd-admin", "usermod", "log in again")
        expect(box, MEMBER, groups, ["leave"], NOT_PERMITTED, "meshd-admin")
        expect(box, MEMBER, groups, ["backup"], NOT_PERMITTED, "meshd-admin")
    expect(box, STRANGER, [OTHER_GROUP], ["status"], NOT_PERMITTED, "'meshd'", "usermod", "log in again")
    # For what harms the node: the other group in addition, in either place. The name is unknown then.
    expect(box, ADMIN, [ADMIN_GROUP, GROUP], forget, REFUSED, "no node")
    expect(box, ADMIN, [GROUP, ADMIN_GROUP], forget, REFUSED, "no node")
    expect(box, 0, [0], forget, REFUSED, "no node")
    log = box.log.read_text(encoding="utf-8")
    check(f"alerts.raise by user {MEMBER}, process " in log, "who writes stands in the log")
    check(log.count(f"alerts.raise by user {MEMBER}") == 1, "once, not for each call")
    check(f"mesh.forget by user {MEMBER}" in log and "not in group meshd-admin" in log, "and who was refused")
    check("mesh.status" not in log, "reading is not logged")


if __name__ == "__main__":
    if not has_all_users():
        print("skipped, because it needs root and all its users")
        sys.exit(SKIPPED)
    scenario(run, as_root=True)
