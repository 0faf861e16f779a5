#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the parts of the man pages that come from elsewhere: verbs from the help of meshctl, keys from
etc/meshd.yaml, methods from ipc/API.md, message kinds from proto/PROTOCOL.md, flags from the help of
meshd. The rest of the pages is written by hand; so is everything outside the marked parts.

    packaging/man/generate.py BIN_DIR            writes the pages anew
    packaging/man/generate.py BIN_DIR --check    says which are out of date; exit code 1 where any is
"""
import pathlib
import re
import subprocess
import sys
import textwrap

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
WIDTH = 74
# Where a sentence ends, a line ends: mdoc(7) sets the space.
SENTENCE = re.compile(r"(?<=[.!?])(\)?) +(?=[A-Z0-9\[/(\"$*-])")


def escape(line):
    line = line.replace("\\", "\\e")
    return "\\&" + line if line[:1] in (".", "'") else line


def prose(text):
    """Lines of text as mdoc wants them: one sentence a line, none too long."""
    text = re.sub(r"\s+", " ", text).strip().replace("…", "...")
    lines = []
    for sentence in SENTENCE.sub(r"\1\n", text).split("\n"):
        lines += textwrap.wrap(sentence, WIDTH, break_long_words=False, break_on_hyphens=False)
    return [escape(line) for line in lines]


def literal(lines):
    return [".Bd -literal -offset indent", *(escape(line) for line in lines), ".Ed"]


def run(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout


def rows(block):
    """"  name  help" lines as pairs."""
    found = []
    for line in block:
        match = re.match(r"  (\S.*?)(?:  +(\S.*))?$", line)
        if match:
            found.append((match[1], match[2] or ""))
    return found


def usage_macros(usage):
    """One line of mdoc for each part of a usage line."""
    lines = []
    for part in re.findall(r"\[[^]]*\](?:\.\.\.)?|\S+", usage):
        many = part.endswith("...")
        part = part[:-3] if many else part
        optional = part.startswith("[")
        words = part.strip("[]").split(" ")
        dots = many or words[-1].endswith("...")
        words[-1] = words[-1].removesuffix("...")
        macro = []
        for word in words:
            macro.append(f"Fl \\-{word[2:]}" if word.startswith("--") else f"Ar {word}")
        line = " ".join(macro) + (" ..." if dots else "")
        lines.append(f".Op {line}" if optional else f".{line}")
    return lines


def option_macros(form):
    """"-c, --count N" as mdoc."""
    parts = []
    for word in form.replace(",", "").split(" "):
        if word.startswith("--"):
            parts.append(f"Fl \\-{word[2:]}")
        elif word.startswith("-"):
            parts.append(f"Fl {word[1:]} ,")
        else:
            parts.append(f"Ar {word.strip('[]').removesuffix('...')}")
    return " ".join(parts)


def help_sections(text):
    """Title → lines; "" has what stands before any title, "notes" the paragraphs without one."""
    sections, current = {"": []}, ""
    for line in text.rstrip("\n").split("\n"):
        title = re.fullmatch(r"(Usage|Verbs|Arguments|Options|Options of every verb|Example):(.*)", line)
        if title:
            current = title[1]
            sections[current] = [title[2].strip()] if title[2].strip() else []
        elif line and not line.startswith(" ") and current not in ("", "notes"):
            current = "notes"
            sections.setdefault("notes", []).append(line)
        elif current == "notes" and re.match(r"Example", line):
            current = "Example"
        else:
            sections[current].append(line)
    return sections


def verb_names(meshctl):
    return [name for name, _ in rows(help_sections(run(meshctl, "--help"))["Verbs"])]


def page_verbs(programs):
    out = [".Bl -tag -width Ds"]
    for name in verb_names(programs / "meshctl"):
        parts = help_sections(run(programs / "meshctl", *name.split(), "--help"))
        usage = re.sub(r"\s+", " ", " ".join(parts["Usage"])).removeprefix(f"meshctl {name}").strip()
        out += [".It Xo", f".Cm {name}", *usage_macros(usage), ".Xc", *prose(" ".join(parts[""]))]
        given = rows(parts.get("Arguments", [])) + rows(parts.get("Options", []))
        if given:
            out += [".Pp", ".Bl -tag -width Ds -compact"]
            for form, text in given:
                out += [f".It {option_macros(form)}", *prose(text[:1].upper() + text[1:] + ".")]
            out.append(".El")
        notes = "\n".join(parts.get("notes", [])).strip()
        for paragraph in re.split(r"\n\s*\n", notes) if notes else []:
            is_table = any(line.startswith("  ") for line in paragraph.split("\n"))
            out += literal(paragraph.split("\n")) if is_table else [".Pp", *prose(paragraph)]
        out += literal([line.strip() for line in parts["Example"] if line.strip()])
    out.append(".El")
    return out


def page_global_options(programs):
    out = [".Bl -tag -width Ds"]
    for form, text in rows(help_sections(run(programs / "meshctl", "--help"))["Options of every verb"]):
        out += [f".It {option_macros(form)}", *prose(text[:1].upper() + text[1:] + ".")]
    return [*out, ".El"]


def page_flags(programs):
    out = [".Bl -tag -width Ds"]
    text = run(programs / "meshd", "--help")
    for line in text[text.index("Options:"):].split("\n")[1:]:
        match = re.match(r"  (?:-h,)?(--\S+) ?(\S+)?( \.\.\.)?  +(\S.*)$", line)
        if match:
            value = f" Ar {match[2]}" if match[2] else ""
            out += [f".It Fl \\-{match[1][2:]}{value}", *prose(match[4] + ".")]
    return [*out, ".El"]


def page_keys(_programs):
    out, comment, section = [], [], ""
    is_open = False
    for line in (ROOT / "etc/meshd.yaml").read_text().split("\n")[1:]:
        title = re.fullmatch(r"(\w+):", line)
        key = re.fullmatch(r"( *)# (\w+): (.*)", line)
        known = key and (key[1] or key[2] in ("state", "state_dir")) and re.fullmatch(
            r'""|\[\]|\{\}|[\w.]+', key[3])
        if title:
            out += [*([".El"] if is_open else []), f".Ss {title[1]}", ".Bl -tag -width Ds"]
            section, is_open = title[1] + ".", True
        elif known and comment:
            if not key[1] and section:
                out += [".El", ".Ss Outside the sections", ".Bl -tag -width Ds"]
                section = ""
            default = key[3].replace('""', "empty")
            out += [f".It Cm {section}{key[2]} Pq default : {default}", *prose(" ".join(comment))]
            comment = []
        elif line.strip().startswith("#") and (is_open or not out):
            comment.append(line.strip()[1:].strip())
        else:
            comment = []
    return [*out, ".El"]


def page_methods(_programs):
    out = [".Bl -tag -width Ds -compact"]
    for name, text in re.findall(r"^### (\w+\.\w+)\n\n(.*?)\n\n", (ROOT / "ipc/API.md").read_text(),
                                 re.M | re.S):
        first = SENTENCE.split(re.sub(r"[`*]", "", re.sub(r"\s+", " ", text)))[0]
        out += [f".It Cm {name}", *prose(first.rstrip(":") + ("" if first.endswith(".") else "."))]
    return [*out, ".El"]


def page_kinds(_programs):
    out = [".Bl -column \"16, 17\" \"push of a node, state or shared record\" \"outside a session\""]
    text = (ROOT / "proto/PROTOCOL.md").read_text()
    table = re.search(r"\| kind \| message \| sent \| acknowledged \|\n\|[-|]+\n((?:\|.*\n)+)", text)[1]
    for row in table.strip().split("\n"):
        kind, message, sent = [cell.strip() for cell in row.strip("|").split("|")][:3]
        out.append(f".It {kind.replace(', ', ',')} Ta {message.split(':')[0]} Ta {sent}")
    return [*out, ".El"]


PARTS = {
    "verbs": page_verbs,
    "global options": page_global_options,
    "flags": page_flags,
    "keys": page_keys,
    "methods": page_methods,
    "kinds": page_kinds,
}


def renew(text, programs):
    def part(match):
        return "\n".join([match[1], *PARTS[match[2]](programs), match[3]])
    return re.sub(r'(?ms)^(\.\\" begin ([\w ]+))\n.*?^(\.\\" end)$', part, text)


def main():
    programs = pathlib.Path(sys.argv[1]).resolve()
    is_check = "--check" in sys.argv
    stale = []
    for page in sorted(HERE.glob("*.[1-8]")):
        before = page.read_text()
        after = renew(before, programs)
        if before != after:
            stale.append(page.name)
            if not is_check:
                page.write_text(after)
    if is_check and stale:
        print(f"out of date: {', '.join(stale)}; run packaging/man/generate.py {sys.argv[1]}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
