#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Shells complete verbs, options, and the names of the boxes that the daemon knows."""
import shutil
import subprocess

from box import MESHCTL, clean_environment
from checks import wait_views
from lab import check, scenario

DRIVER = r"""
source <("$1" completion bash)
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_meshctl
printf '%s\n' "${COMPREPLY[@]}"
"""
# What the shell itself says of the script, and then does with it.
SYNTAX = {"bash": ["bash", "-n"], "zsh": ["zsh", "-n"], "fish": ["fish", "-n"]}
FISH = "source {script}; complete -C '{line}'"


def run(lab):
    boxes = lab.boxes(lab.lan("cam-1", "cam-2", "gate"))
    wait_views(boxes)
    a = boxes[0]
    environment = clean_environment(MESHD_SOCKET=str(a.socket))

    def bash(*words, socket=True):
        done = subprocess.run(
            ["bash", "-c", DRIVER, "bash", str(MESHCTL), str(MESHCTL), *words],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=20,
            env=environment if socket else clean_environment())
        check(not done.stderr, f"bash complains: {done.stderr}")
        return [word for word in done.stdout.split("\n") if word]

    check({"status", "state", "registry", "ping"} <= set(bash("")), f"verbs: {bash('')}")
    check(bash("pi") == ["ping"], f"pi: {bash('pi')}")
    check("put" in bash("registry", ""), "the verbs of a group")
    check("--json" in bash("nodes", "--"), "options")
    check(bash("alert", "--priority", "cr") == ["critical"], "choices")
    check(bash("ping", "") == ["cam-1", "cam-2", "gate"], f"boxes: {bash('ping', '')}")
    check(bash("trace", "cam") == ["cam-1", "cam-2"], f"cam: {bash('trace', 'cam')}")
    check(bash("--socket", str(a.socket), "trace", "g", socket=False) == ["gate"], "the socket that was typed")
    check("config.reload" in bash("rpc", "config."), "methods")
    folder = lab.directory / "files"
    folder.mkdir()
    (folder / "one two.npy").write_text("")
    check(bash("registry", "nearest", f"{folder}/o") == [f"{folder}/one two.npy"], "files")

    for shell, command in SYNTAX.items():
        script = lab.directory / f"meshctl.{shell}"
        script.write_text(a.meshctl("completion", shell).stdout)
        if not shutil.which(shell):
            print(f"{shell} is not installed: its script is not looked at")
            continue
        done = subprocess.run([*command, str(script)], stderr=subprocess.PIPE, text=True)
        check(done.returncode == 0, f"{shell}: {done.stderr}")
        if shell == "fish":
            line = f"{MESHCTL} trace cam"
            shown = subprocess.run(["fish", "-c", FISH.format(script=script, line=line)],
                                   stdout=subprocess.PIPE, text=True, env=environment).stdout
            print(f"fish: {shown!r}")


if __name__ == "__main__":
    scenario(run)
