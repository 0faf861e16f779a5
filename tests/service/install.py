# SPDX-License-Identifier: Apache-2.0
"""A package installed on a fresh box: the service runs and waits for a key, who may use it, what a purge leaves."""
import sys

from boxes import Site, eventually, scenario
from packages import install, package

# What a package manager and a booted system note of what they did.
NOTED = ("/proc", "/sys", "/run", "/dev", "/tmp", "/root", "/var/log", "/var/cache", "/var/lib/apt", "/var/lib/dpkg",
         "/var/lib/systemd", "/var/tmp", "/var/backups")
# Which useradd and its like make.
BACKUPS = {f"/etc/{name}{dash}" for name in ("passwd", "group", "shadow", "gshadow", "subuid", "subgid") for dash in ("", "-")}


def files(box):
    prune = " -o ".join(f"-path {path}" for path in NOTED)
    return set(box.run("sh", "-c", rf"find / \( {prune} \) -prune -o -print").splitlines())


def without_a_key(box):
    """It runs, and each place where an operator looks says what it waits for."""
    assert box.show("ActiveState") == "active", box.run("systemctl", "status", "meshd", check=False)
    assert box.run("systemctl", "is-enabled", "meshd").strip() == "enabled"
    for where, said in (("STATUS", box.show("StatusText")), ("the journal", box.journal("-u", "meshd")),
                        ("meshctl status", box.run("meshctl", "status"))):
        assert "meshctl key new" in said and "meshctl key join" in said, f"{where}: {said}"
    assert "waiting for a mesh key" in box.show("StatusText")


def shut_in(box):
    """It runs as its user, with no capability, and reaches its own directories only."""
    pid = box.daemon()
    status = dict(line.split(":\t", 1) for line in box.run("cat", f"/proc/{pid}/status").splitlines() if ":\t" in line)
    assert status["Uid"].split()[0] != "0", status["Uid"]
    for capabilities in ("CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status[capabilities], 16) == 0, (capabilities, status[capabilities])
    assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2", status
    modes = box.run("stat", "-c", "%a %U:%G %n", "/var/lib/meshd", "/run/meshd/meshd.sock", "/etc/meshd/meshd.yaml")
    assert modes.splitlines() == ["700 meshd:meshd /var/lib/meshd", "660 meshd:meshd /run/meshd/meshd.sock",
                                  "644 root:root /etc/meshd/meshd.yaml"], modes


def groups(box):
    """Members of meshd may ask, members of meshd-admin may change keys as well, others nothing."""
    for user, member_of in (("guest", ""), ("viewer", "meshd"), ("keeper", "meshd,meshd-admin")):
        box.run("useradd", user, *(["--groups", member_of] if member_of else []))

    def code(user, command):
        try:
            box.run("runuser", "-u", user, "--", "sh", "-c", command)
            return 0
        except AssertionError as failed:
            return int(str(failed).split("\n")[0].rsplit(": ", 1)[1])

    assert code("guest", "meshctl status") == 5
    assert code("viewer", "meshctl status") == 0
    assert code("viewer", "meshctl reload") == 5
    assert code("keeper", "meshctl reload") == 0
    for user in ("guest", "viewer", "keeper"):
        box.run("userdel", user)


def other_packages(box):
    """The clients find the daemon where it listens."""
    install(box, package("python3-meshd"))
    said = box.run("python3", "-c", "import meshd; print(meshd.Mesh().status()['node_id'])").strip()
    assert said.startswith("cam-1-"), said
    box.run("apt-get", "purge", "--yes", "python3-meshd")


def purged(box, before):
    """Nothing is left: no file, no user, no group, no process."""
    box.run("sh", "-c", "echo 'mesh: {max_peers: 6}' >/etc/meshd/meshd.yaml.d/own.yaml")
    box.run("apt-get", "remove", "--yes", "meshd")
    box.run("ls", "/etc/meshd/meshd.yaml", "/var/lib/meshd")  # a removed package comes back as it was
    box.run("apt-get", "purge", "--yes", "meshd")
    left = {path for path in files(box) - before if path not in BACKUPS}
    assert not left, sorted(left)
    assert not before - files(box), sorted(before - files(box))
    for database, name in (("passwd", "meshd"), ("group", "meshd"), ("group", "meshd-admin")):
        assert not box.run("getent", database, name, check=False), (database, name)
    assert not box.run("pgrep", "-x", "meshd", check=False)


def test():
    with Site("cam-1") as site:
        box = site["cam-1"]
        before = files(box)
        print(install(box, package("meshd")).splitlines()[-1])
        eventually("it runs", lambda: box.show("ActiveState") == "active")
        without_a_key(box)
        shut_in(box)
        groups(box)
        other_packages(box)
        exposure = box.run("systemd-analyze", "security", "--no-pager", "meshd").splitlines()[-1]
        print(exposure)
        purged(box, before)


if __name__ == "__main__":
    sys.exit(scenario(test))
