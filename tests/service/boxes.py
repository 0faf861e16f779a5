#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Boxes for the service tests: systemd booted in containers, on one bridge, in namespaces of their own.

Each box is an overlay over one cached Debian root (packaging/roots.sh), so that it is as fresh as a new
machine and keeps what is installed in it until the test ends. A test uses no network but its bridge; the
root is made by `tests/service/boxes.py --prepare`, which may download.
"""
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

SOURCE = pathlib.Path(__file__).resolve().parents[2]
CGROUPS = pathlib.Path("/sys/fs/cgroup")
BOOT_S = 90
SKIPPED = 77


def run(*command, check=True, **options):
    """A command on the host; its output."""
    done = subprocess.run([str(one) for one in command], capture_output=True, text=True, **options)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def shell(script):
    return ["bash", "-c", f'source "{SOURCE}/scripts/common.sh"; source "{SOURCE}/packaging/roots.sh"; {script}']


def eventually(what, question, within=15.0, every=0.1):
    """The first true answer of question(); fails with `what` after `within` seconds."""
    end = time.monotonic() + within
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"not within {within} s: {what}")
        time.sleep(every)


def why_not():
    """The reason why no box can boot here; empty where one can."""
    if os.geteuid() != 0:
        return "booting systemd in a container needs root"
    for program, package in (("systemd-nspawn", "systemd-container"), ("ip", "iproute2"), ("unshare", "util-linux")):
        if not shutil.which(program):
            return f"there is no {program} (package {package})"
    if not own_groups():
        return "there is no control group file system to give a box a group of its own in"
    root = cached_root()
    if not root:
        return "the Debian root is not made yet: tests/service/boxes.py --prepare (downloads about 100 MB)"
    return ""


def cached_root():
    """The root, or None where it is not made, or by another recipe than today's."""
    said = run(*shell('root=$cache/service; made "$root" "$(service_recipe)" && printf %s "$root"'), check=False)
    return pathlib.Path(said) if said else None


def own_groups():
    """The hierarchies in which systemd keeps its units."""
    if (CGROUPS / "cgroup.procs").exists():
        return [CGROUPS]
    return [path for path in (CGROUPS / "unified", CGROUPS / "systemd") if (path / "cgroup.procs").exists()]


class CannotBoot(Exception):
    """Of a box in which nothing of ours is installed yet: a matter of the machine."""


class Box:
    """One machine: a booted systemd with a network card, and nothing of ours installed."""

    def __init__(self, site, name, root):
        self.name = name
        self.site = site
        self.folder = site.folder / name
        self.root = self.folder / "root"
        self.namespace = f"{site.prefix}-{name}"
        self.log = site.folder / f"{name}.console"
        self.groups = [path / f"{site.prefix}-{name}" for path in own_groups()]
        for part in ("root", "upper", "work"):
            (self.folder / part).mkdir(parents=True)
        run("mount", "-t", "overlay", "overlay", "-o",
            f"lowerdir={root},upperdir={self.folder}/upper,workdir={self.folder}/work", self.root)
        (self.root / "etc/hostname").write_text(name + "\n")
        (self.root / "etc/machine-id").write_text("")

    def boot(self):
        for group in self.groups:
            group.mkdir()

        def enter_groups():
            for group in self.groups:
                (group / "cgroup.procs").write_text("0")

        self.process = subprocess.Popen(
            ["systemd-nspawn", "--quiet", f"--directory={self.root}", "--boot", "--register=no", "--keep-unit",
             f"--machine={self.namespace}", f"--hostname={self.name}", "--console=pipe",
             f"--network-namespace-path=/run/netns/{self.namespace}", "--kill-signal=SIGRTMIN+4"],
            stdin=subprocess.DEVNULL, stdout=self.log.open("w"), stderr=subprocess.STDOUT, preexec_fn=enter_groups)

    def wait_until_up(self):
        try:
            self.leader = eventually(f"{self.name} starts", self.find_leader, BOOT_S)
            eventually(f"{self.name} is up", self.is_up, BOOT_S)
        except AssertionError as failed:
            raise CannotBoot(f"{failed}\n{self.log.read_text()[-2000:]}") from failed

    def find_leader(self):
        """PID 1 of the box, as the host sees it."""
        if self.process.poll() is not None:
            raise AssertionError(f"the container of {self.name} ended")
        for child in run("pgrep", "-P", self.process.pid, check=False).split():
            status = pathlib.Path("/proc", child, "status")
            if status.exists() and re.search(r"^NSpid:\s+\d+\s+1$", status.read_text(), re.M):
                return int(child)
        return None

    def is_up(self):
        return self.run("systemctl", "is-system-running", check=False).strip() in ("running", "degraded")

    def run(self, *command, check=True, **options):
        """A command in the box, as root of it; its output."""
        return run("nsenter", "-t", self.leader, "-m", "-u", "-i", "-n", "-p", "-C", "--", "/usr/bin/env", "-i",
                   "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C.UTF-8",
                   *command, check=check, **options)

    def show(self, *properties, unit="meshd"):
        """Properties of a unit, as systemd has them."""
        said = self.run("systemctl", "show", unit, *(f"--property={one}" for one in properties))
        values = dict(line.split("=", 1) for line in said.splitlines())
        return values[properties[0]] if len(properties) == 1 else values

    def daemon(self):
        """The daemon's process id, as the box sees it; 0 where it does not run."""
        return int(self.show("MainPID"))

    def journal(self, *matches):
        return self.run("journalctl", "--no-pager", "--quiet", "--output=cat", *matches, check=False)

    def bring(self, *files):
        """Copies files into the box; their paths there."""
        for file in files:
            shutil.copy(file, self.root / "root")
        return [f"/root/{pathlib.Path(file).name}" for file in files]

    def end(self):
        if getattr(self, "process", None) and self.process.poll() is None:
            leader = getattr(self, "leader", None)
            if leader:
                os.kill(leader, signal.SIGKILL)  # nothing in it is to be kept
            else:
                self.process.kill()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)
        run("umount", "--lazy", self.root, check=False)
        for group in self.groups:
            for path in sorted(group.rglob("*"), reverse=True) + [group]:
                if path.is_dir():
                    try:
                        path.rmdir()
                    except OSError:
                        pass


class Site:
    """Some boxes on one bridge. Use: with Site("cam-1", "cam-2") as site: site["cam-1"].run(…)"""

    def __init__(self, *names):
        self.prefix = f"meshd-{os.getpid()}"
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="meshd-service-"))
        self.names = names
        self.boxes = {}
        self.namespaces = []

    def __enter__(self):
        try:
            run("mount", "-t", "tmpfs", "-o", "size=1g,mode=755", "tmpfs", self.folder)
            root = cached_root()
            hub = self.add_namespace("hub")
            run("ip", "-n", hub, "link", "add", "bridge", "type", "bridge")
            run("ip", "-n", hub, "link", "set", "bridge", "up")
            for number, name in enumerate(self.names, 1):
                box = self.boxes[name] = Box(self, name, root)
                self.add_namespace(name)
                run("ip", "-n", hub, "link", "add", f"to{number}", "type", "veth", "peer", "name", "eth0",
                    "netns", box.namespace)
                run("ip", "-n", hub, "link", "set", f"to{number}", "master", "bridge", "up")
                run("ip", "-n", box.namespace, "address", "add", f"10.77.0.{number}/24", "brd", "+", "dev", "eth0")
                for interface in ("lo", "eth0"):
                    run("ip", "-n", box.namespace, "link", "set", interface, "up")
                box.boot()
            for box in self:
                box.wait_until_up()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for box in self.boxes.values():
            box.end()
        for namespace in self.namespaces:
            run("ip", "netns", "delete", namespace, check=False)
        run("umount", "--lazy", self.folder, check=False)
        self.folder.rmdir()

    def __getitem__(self, name):
        return self.boxes[name]

    def __iter__(self):
        return iter(self.boxes.values())

    def add_namespace(self, name):
        namespace = f"{self.prefix}-{name}"
        run("ip", "netns", "add", namespace)
        self.namespaces.append(namespace)
        return namespace


def scenario(test):
    """Runs a test of this folder; 77 with the reason where no box can boot here."""
    reason = why_not()
    if reason:
        print(f"skipped: {reason}")
        return SKIPPED
    try:
        test()
    except CannotBoot as failed:
        print(f"skipped: systemd does not boot in a container here: {failed}")
        return SKIPPED
    print("passed")
    return 0


if __name__ == "__main__":
    if sys.argv[1:] == ["--prepare"]:
        sys.exit(subprocess.run(shell("install_missing \"${service_packages[@]}\"; service_root >/dev/null")).returncode)
    print(why_not() or "boxes can boot here")
