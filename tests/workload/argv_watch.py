#!/usr/bin/env python
"""Looks at the arguments of all processes, over and over, for texts that must not be there.

Reads the texts from standard input, one a line, since its own arguments are looked at as well; says
"watching" after the first look, and on SIGTERM or the end of standard input writes what it saw as
JSON: how often it looked, which programs ran, and each process that had one of the texts.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time

# Seconds between two looks: few programs end within them.
PAUSE = 0.002
# A process gets its arguments a moment after it begins, and a few change them later.
LOOKS_AT_A_NEW_ONE = 10
LOOKS_BETWEEN_OLD_ONES = 200


def newest(loadavg: int) -> int:
    """The number that was given last to a process or thread: proc(5), /proc/loadavg.

    To ask for it is much cheaper than to list all processes, some hundred times a second.
    """
    return int(os.pread(loadavg, 100, 0).split()[-1])


def arguments(pid: int) -> bytes:
    """A process's arguments, joined by NUL."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read()
    except OSError:
        return b""  # it has ended


def main() -> None:
    needles = []
    for line in sys.stdin.buffer:
        if line == b"\n":
            break
        needles.append(line.rstrip(b"\n"))
    if not needles:
        sys.exit("no text to look for")
    stopped = []
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(True))
    began, looks, programs, hits = time.monotonic(), 0, set(), {}
    # How often each is still to be looked at.
    due: dict[int, int] = {}
    loadavg = os.open("/proc/loadavg", os.O_RDONLY)
    last = newest(loadavg)
    while not stopped:
        before, last = last, newest(loadavg)
        due.update((pid, LOOKS_AT_A_NEW_ONE) for pid in range(before + 1, last + 1))
        # Numbers begin anew at some time.
        if last < before or looks % LOOKS_BETWEEN_OLD_ONES == 0:
            for name in os.listdir("/proc"):
                if name.isdigit():
                    due.setdefault(int(name), 1)
        for pid in due:
            text = arguments(pid)
            words = text.split(b"\0")
            programs.add(os.path.basename(words[0]).decode(errors="replace"))
            for needle in needles:
                if needle in text:
                    hits[pid] = [word.decode(errors="replace") for word in words]
        due = {pid: looks_left - 1 for pid, looks_left in due.items() if looks_left > 1}
        looks += 1
        if looks == 1:
            print("watching", flush=True)
        if select.select([sys.stdin], [], [], PAUSE)[0] and not sys.stdin.buffer.read(1):
            break
    print(
        json.dumps(
            {
                "looks": looks,
                "seconds": time.monotonic() - began,
                "programs": sorted(programs),
                "hits": list(hits.values()),
            }
        ),
        flush=True,
    )


if __name__ == "__main__":
    main()
