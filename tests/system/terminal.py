# SPDX-License-Identifier: Apache-2.0
"""A program in a pseudo-terminal, and what its screen shows: enough of ECMA-48 for meshctl."""
import fcntl
import os
import re
import select
import struct
import subprocess
import termios
import time

from box import MESHCTL, clean_environment
from lab import check

ESCAPE = re.compile(r"\x1b\[([?0-9;]*)([@-~])")
# Alternate screen on and off, as the program sends them.
ENTER, LEAVE = "\x1b[?1049h", "\x1b[?1049l"


class Terminal:
    """meshctl with `arguments` before the daemon of `box`, in a terminal of this size."""

    def __init__(self, box, *arguments, columns=80, rows=24, **environment):
        self.columns, self.rows = columns, rows
        self.master, self.slave = os.openpty()
        self.resize(columns, rows, tell=False)
        self.before = termios.tcgetattr(self.slave)
        self.sent = ""
        self.lines = [""] * rows
        self.row = 0
        self.process = subprocess.Popen(
            ["setsid", "--ctty", "--wait", str(MESHCTL), "--socket", str(box.socket), *arguments],
            stdin=self.slave, stdout=self.slave, stderr=self.slave,
            env=clean_environment(TERM="xterm", **environment))

    def resize(self, columns, rows, tell=True):
        self.columns, self.rows = columns, rows
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        if tell:
            self.lines = (self.lines + [""] * rows)[:rows]

    def type(self, keys):
        os.write(self.master, keys.encode())

    def read(self, seconds=0.05):
        """Takes in what has come; false at the end of the program's terminal."""
        if not select.select([self.master], [], [], seconds)[0]:
            return True
        try:
            text = os.read(self.master, 65536).decode(errors="replace")
        except OSError:
            return False
        self.sent += text
        self._draw(text)
        return bool(text)

    def wait(self, what, seconds=20):
        """Until `what`, a text or a function of the screen, holds; returns the screen."""
        holds = what if callable(what) else (lambda screen: what in screen)
        deadline = time.monotonic() + seconds
        while not holds(self.screen()):
            self.read()
            check(time.monotonic() < deadline, f"the screen never showed {what!r}:\n{self.screen()}")
        return self.screen()

    def screen(self):
        return "\n".join(line.rstrip() for line in self.lines)

    def process_of_program(self):
        """setsid's child is meshctl itself."""
        children = f"/proc/{self.process.pid}/task/{self.process.pid}/children"
        with open(children, encoding="ascii") as file:
            words = file.read().split()
        return int(words[0]) if words else self.process.pid

    def end(self, seconds=20):
        """Waits for the end; returns the exit code."""
        deadline = time.monotonic() + seconds
        while self.process.poll() is None:
            self.read()
            check(time.monotonic() < deadline, "meshctl does not end")
        while select.select([self.master], [], [], 0.05)[0] and self.read():
            pass
        return self.process.returncode

    def check_restored(self, why):
        check(termios.tcgetattr(self.slave) == self.before, f"{why}: the terminal's modes are as before")
        check(self.sent.count(ENTER) == self.sent.count(LEAVE) and self.sent.count(ENTER) > 0,
              f"{why}: the alternate screen is left")
        check(self.sent.rfind("\x1b[?25h") > self.sent.rfind("\x1b[?25l"), f"{why}: the cursor is back")

    def close(self):
        os.close(self.master)
        os.close(self.slave)

    def _draw(self, text):
        at = 0
        while at < len(text):
            escape = ESCAPE.match(text, at)
            if escape:
                self._obey(*escape.groups())
                at = escape.end()
                continue
            if text[at] == "\n":
                self.row = min(self.row + 1, self.rows - 1)
            elif text[at] == "\r":
                self.column = 0
            elif text[at] != "\x1b" and self.row < len(self.lines):
                line = self.lines[self.row].ljust(self.column)
                self.lines[self.row] = line[:self.column] + text[at] + line[self.column + 1:]
                self.column += 1
            at += 1

    column = 0

    def _obey(self, parameters, final):
        if final == "H":
            self.row, self.column = 0, 0
        elif final == "J":
            keep = 0 if parameters == "2" else self.row + 1
            self.lines[keep:] = [""] * (len(self.lines) - keep)
        elif final == "K" and self.row < len(self.lines):
            self.lines[self.row] = self.lines[self.row][:self.column]
