# SPDX-License-Identifier: Apache-2.0
"""systemd has not a word against the unit, and it is shut in as tightly as it can be.

Usage: check_unit.py SOURCE_DIR MESHD, the built daemon. Exit 77 where systemd-analyze is not there.
"""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

EXPOSURE_MAX = 1.3  # of 10; what is left are the network, and who a caller is
INSTALLED = "/usr/sbin/meshd"


def analyze(*arguments):
    return subprocess.run(
        ["systemd-analyze", "--no-pager", *map(str, arguments)], capture_output=True, text=True
    )


def complaints(unit_text, daemon):
    """What is wrong with a unit; `daemon` stands in for the installed one."""
    if f"ExecStart={INSTALLED}\n" not in unit_text:
        return [f"ExecStart is not {INSTALLED}"]
    found = []
    with tempfile.TemporaryDirectory() as directory:
        unit = pathlib.Path(directory, "meshd.service")
        unit.write_text(unit_text.replace(INSTALLED, str(daemon)))
        # It only warns of a key it does not know, so its words count, not its exit code.
        verified = analyze("--man=no", "verify", unit)
        found += [line for line in (verified.stderr + verified.stdout).splitlines() if line]
        if verified.returncode != 0:
            found.append(f"systemd-analyze verify ended with {verified.returncode}")
        text = analyze("security", "--offline=true", unit).stdout
        exposure = re.search(r"Overall exposure level for \S+: ([0-9.]+)", text)
        if not exposure:
            found.append(f"no exposure in: {text[-300:]}")
        elif float(exposure[1]) > EXPOSURE_MAX:
            found.append(f"exposure {exposure[1]}, expected at most {EXPOSURE_MAX}")
    return found


def main():
    source, daemon = map(pathlib.Path, sys.argv[1:])
    if not shutil.which("systemd-analyze"):
        print("skipped: there is no systemd-analyze (package systemd)")
        return 77
    unit = (source / "packaging/systemd/meshd.service").read_text()
    found = complaints(unit, daemon)
    # A check that cannot fail would prove nothing.
    if not any("Frobnicate" in line for line in complaints(unit + "Frobnicate=yes\n", daemon)):
        found.append("an unknown key goes unnoticed")
    if not any("exposure" in line for line in complaints(unit.replace("ProtectSystem=", "#"), daemon)):
        found.append("a wide open file system goes unnoticed")
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
