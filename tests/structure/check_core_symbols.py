#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks that the core cannot ask the system for anything: time, bytes, files, threads, chance.

Of C only the functions listed here may be called, all of them pure or about memory; of the C++
library everything but clocks, threads, streams, files and std::random_device.

Usage: check_core_symbols.py [--nm NM] ARCHIVE. Exit status 1 with one line per violation.
"""

import argparse
import re
import subprocess
import sys

ALLOWED_C = re.compile(
    r"^(mem(cpy|move|set|cmp|chr|rchr)|str(len|nlen|cmp|ncmp|chr|rchr|cpy|ncpy)|"
    r"__(mem(cpy|move|set)|str(cpy|ncpy)|v?snprintf)_chk|v?snprintf|__stack_chk_fail|bcmp|"
    r"malloc|calloc|realloc|free|aligned_alloc|"
    r"l?l?(abs|div|round|rint)f?|(exp|exp2|expm1|log|log2|log10|log1p|pow|sqrt|cbrt|ceil|floor|trunc|"
    r"round|nearbyint|rint|fmod|fmin|fmax|ldexp|frexp|scalbn|hypot)f?l?|"
    r"inet_(pton|ntop)|"                       # text of an address; no look-up
    r"crypto_\w+|sodium_(memcmp|memzero|increment|is_zero|bin2hex|hex2bin)|"
    r"__(cxa|gxx|dynamic_cast|divti|udivti|umodti|mulodi|popcount)\w*|_Unwind_\w+|__dso_handle|"
    r"__cpu_(model|features2)|"                  # instruction sets of the processor: speed, no result
    r"_GLOBAL_OFFSET_TABLE_|__tls_get_addr|__libc_single_threaded|"
    r"__(asan|ubsan|tsan|lsan|sanitizer|sancov|gcov|llvm)\w*|_?llvm_\w+|"
    r"__start_\w+|__stop_\w+)$")
FORBIDDEN_CXX = re.compile(
    r"std::(chrono::_V2::|(__cxx11::)?random_device|thread|this_thread|jthread|mutex|shared_mutex|"
    r"condition_variable|__condvar|(__cxx11::)?basic_\w*(stream|filebuf)|ios_base|basic_ios|"
    r"(c|w)?(cout|cerr|clog|cin)\b|filesystem|locale|__future_base)")

# (member of the archive, symbol): why.
EXCEPTIONS = {
    ("assert.cpp.o", "fprintf"),   # the last words of a failed assertion
    ("assert.cpp.o", "__fprintf_chk"),
    ("assert.cpp.o", "stderr"),
    ("assert.cpp.o", "abort"),
    ("json.cpp.o", "__assert_fail"),  # RapidJSON's own assertions
}


def undefined_symbols(listing):
    """(member, mangled symbol) of each undefined symbol in the output of `nm -u`."""
    member = ""
    for line in listing.splitlines():
        words = line.split()
        if len(words) == 1 and words[0].endswith(":"):
            member = words[0][:-1]
        elif len(words) >= 2 and words[-2] in ("U", "w", "v"):
            yield member, words[-1].split("@")[0]


def demangle(symbols):
    """C++ names of the mangled `symbols`, in order."""
    done = subprocess.run(["c++filt"], input="\n".join(symbols), check=True, capture_output=True,
                          text=True)
    return done.stdout.splitlines()


def is_forbidden(symbol, name):
    if symbol.startswith("_Z"):
        return FORBIDDEN_CXX.search(name.split("(")[0]) is not None
    return ALLOWED_C.match(symbol) is None


def check(nm, archive):
    """Violations in `archive`, as lines of text."""
    listing = subprocess.run([nm, "-u", archive], check=True, capture_output=True, text=True).stdout
    found = sorted(set(undefined_symbols(listing)))
    names = demangle([symbol for _, symbol in found])
    return [f"{member}: {name}" for (member, symbol), name in zip(found, names)
            if is_forbidden(symbol, name) and (member, symbol) not in EXCEPTIONS]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--nm", default="nm")
    parser.add_argument("archive")
    options = parser.parse_args()
    problems = check(options.nm, options.archive)
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
