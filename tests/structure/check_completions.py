# SPDX-License-Identifier: Apache-2.0
"""The completions that are packaged are those of meshctl. Usage: check_completions.py SOURCE_DIR MESHCTL"""
import pathlib
import subprocess
import sys

FILES = {"bash": "meshctl.bash", "zsh": "_meshctl", "fish": "meshctl.fish"}


def main():
    source, meshctl = map(pathlib.Path, sys.argv[1:])
    differing = 0
    for shell, name in FILES.items():
        file = source / "packaging/completions" / name
        printed = subprocess.run([meshctl, "completion", shell], stdout=subprocess.PIPE, text=True, check=True).stdout
        if file.read_text() != printed:
            print(f"{file} differs: run meshctl completion {shell} >{file}")
            differing += 1
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
