#!/usr/bin/env python
"""The whole mission in front of your eyes: two servers, a live writer, the bootstrap, the proof.

Ends with a report, and with exit code 1 if a single row differs.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import pathlib
import re
import subprocess
import sys
import time
import typing as t

ROOT = pathlib.Path(__file__).resolve().parent.parent
DEMO = ROOT / "demo"
NETWORK = "multimaster-demo"
SIDES = ("here", "there")
DATABASE = "shop"


def container(side: str) -> str:
    return f"multimaster-demo-{side}"


def say(text: str) -> None:
    print(f"\n\033[1m== {text}\033[0m" if sys.stdout.isatty() else f"\n== {text}", flush=True)


def docker(*args: str, check: bool = True, stdin: str | None = None) -> str:
    done = subprocess.run(
        ["docker", *args], capture_output=True, text=True, check=False, input=stdin
    )
    if check and done.returncode:
        raise SystemExit(f"docker {args[0]} failed: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout.strip()


def clean() -> None:
    """Remove the containers and the network of an earlier run."""
    for side in SIDES:
        docker("rm", "--force", "--volumes", container(side), check=False)
    docker("network", "rm", NETWORK, check=False)


def start_containers(image: str) -> None:
    docker("network", "create", NETWORK)
    for side in SIDES:
        docker(
            *["run", "--detach", "--name", container(side), "--hostname", side, "--init"],
            *["--network", NETWORK, "--network-alias", side, image, "sleep", "infinity"],
        )


def play(*args: str) -> dict[str, float]:
    """Run a playbook, show its output as it comes, and return the seconds that its steps took."""
    command = ["ansible-playbook", "-i", str(DEMO / "inventory.yml"), *args]
    steps: dict[str, float] = {}
    began = time.monotonic()
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        step = ""
        for line in process.stdout:
            print(line, end="", flush=True)
            # The tasks of bootstrap.yml that start a step are called "1 Preflight" and so on.
            found = re.search(r"^(?:\x1b\[[0-9;]*m)*TASK \[(\d .+?)\] \*", line)
            if found or line.startswith("PLAY RECAP"):
                now = time.monotonic()
                if step:
                    steps[step] = now - began
                step, began = found.group(1) if found else "", now
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed; `make demo-clean` removes the containers")
    return steps


def query(side: str, statement: str) -> list[list[str]]:
    """Rows of a statement, asked with psql inside the container: not by the code under test."""
    output = docker(
        *["exec", "--interactive", "--user", "postgres", container(side), "psql", "--no-psqlrc"],
        *["--tuples-only", "--no-align", "--field-separator=\t", "--set=ON_ERROR_STOP=1"],
        *["--dbname", DATABASE],
        stdin=statement,
    )
    return [line.split("\t") for line in output.splitlines() if line]


class Writer:
    """The application: a client process inside one side's container."""

    def __init__(self, side: str, scale: float, rate: float) -> None:
        self.side = side
        self.report_file = f"/tmp/writer-{side}.json"
        docker("cp", str(ROOT / "tests/workload/writer.py"), f"{container(side)}:/opt/writer.py")
        self.process = subprocess.Popen(
            [
                *["docker", "exec", "--user", "postgres", container(side)],
                *["python3", "/opt/writer.py", "--dsn", f"dbname={DATABASE}", "--label", side],
                *["--side", str(SIDES.index(side)), "--scale", str(scale), "--rate", str(rate)],
                *["--seconds", "3000", "--report", self.report_file],
            ]
        )

    def figures(self) -> dict[str, t.Any]:
        text = docker("exec", container(self.side), "cat", self.report_file, check=False)
        return dict(json.loads(text)) if text else {"writes": 0, "longest_ms": 0.0}

    def stop(self) -> dict[str, t.Any]:
        """End the writer and return its figures."""
        docker(
            "exec", container(self.side), "pkill", "-TERM", "--full", self.report_file, check=False
        )
        try:
            code = self.process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise SystemExit(f"The writer on {self.side} does not stop") from None
        if code:
            raise SystemExit(f"The writer on {self.side} failed with exit code {code}")
        return self.figures()


def tables() -> list[str]:
    """All tables that are replicated, quoted."""
    return [
        row[0]
        for row in query(
            "here",
            "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c"
            " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r'"
            " AND n.nspname !~ '^pg_' AND c.relname <> 'import_staging'"
            " AND n.nspname NOT IN ('information_schema', 'bucardo', 'multimaster') ORDER BY 1",
        )
    ]


def fingerprints(side: str, names: list[str]) -> dict[str, tuple[int, str]]:
    """Rows and an MD5 over all rows in order, for each table, in one snapshot."""
    statement = "BEGIN ISOLATION LEVEL REPEATABLE READ;\nSET TimeZone = 'UTC';\n" + "\n".join(
        f"SELECT $n${name}$n$, count(*), coalesce(md5(string_agg(md5(r::text), '' "
        f"ORDER BY r::text COLLATE \"C\")), '') FROM {name} r;"
        for name in names
    )
    rows = query(side, statement + "\nCOMMIT;")
    return {row[0]: (int(row[1]), row[2]) for row in rows if len(row) == 3}


def compare() -> tuple[bool, list[str]]:
    """An independent proof, with md5 and order instead of the hash sums of the collection."""
    names = tables()
    here, there = fingerprints("here", names), fingerprints("there", names)
    lines = [f"{'table':<34}{'here':>10}{'there':>10}   equal"]
    equal = bool(names)
    for name in names:
        same = name in here and here[name] == there.get(name)
        equal = equal and same
        lines.append(
            f"{name:<34}{here.get(name, (0, ''))[0]:>10}{there.get(name, (0, ''))[0]:>10}   "
            + ("yes" if same else "NO")
        )
    return equal, lines


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--image", default="multimaster/postgresql:bookworm")
    parser.add_argument("--scale", type=float, default=1, help="1: about 400,000 rows")
    parser.add_argument("--rate", type=float, default=0, help="writes per second, 0: full speed")
    parser.add_argument("--both-seconds", type=float, default=15, help="writing on both sides")
    parser.add_argument("--verbose", "-v", action="count", default=0)
    parser.add_argument("--clean", action="store_true", help="only remove what a run left")
    return parser.parse_args()


def report_writers(figures: list[dict[str, t.Any]]) -> bool:
    """Show what became of the writers; returns whether no write of two failed."""
    for figure in figures:
        print(
            f"Writer on {figure['label']:<20}{figure['writes']:>8} writes, longest"
            f" {figure['longest_ms']:.1f} ms, failed: {figure['failed'] or 'none'}"
        )
    return len(figures) == 2 and not any(figure["failed"] for figure in figures)


def main() -> int:
    args = arguments()
    clean()
    if args.clean:
        return 0

    began = time.monotonic()
    os.environ.setdefault("ANSIBLE_LOCALHOST_WARNING", "False")
    if sys.stdout.isatty():
        os.environ.setdefault("ANSIBLE_FORCE_COLOR", "1")
    say("Two servers: here (live) and there (new)")
    start_containers(args.image)
    play(str(DEMO / "servers.yml"), "-e", f"workload_scale={args.scale}")

    say("A writer works on here, all the time")
    here = Writer("here", args.scale, args.rate)
    there: Writer | None = None
    try:
        time.sleep(3)
        before = here.figures()["writes"]

        say("ansible-playbook multimaster.bucardo.bootstrap")
        step = time.monotonic()
        verbosity = ["-" + "v" * args.verbose] if args.verbose else []
        steps = play("multimaster.bucardo.bootstrap", *verbosity)
        bootstrap_seconds = time.monotonic() - step
        during = here.figures()

        say(f"Writers on both masters for {args.both_seconds:.0f} seconds")
        there = Writer("there", args.scale, args.rate)
        time.sleep(args.both_seconds)
    finally:
        with contextlib.suppress(SystemExit):
            figures = [writer.stop() for writer in (here, there) if writer]

    say("ansible-playbook multimaster.bucardo.verify")
    play("multimaster.bucardo.verify")

    equal, lines = compare()
    say("Report")
    print("\n".join(lines))
    print(f"\nWrites during the bootstrap   {during['writes'] - before:>8}")
    print(f"Longest single write          {during['longest_ms']:>8.1f} ms")
    print(f"Bootstrap                     {bootstrap_seconds:>8.1f} s")
    for name, seconds in steps.items():
        print(f"  {name:<28}{seconds:>8.1f} s")
    sound = report_writers(figures)
    print(f"Whole demo                    {time.monotonic() - began:>8.1f} s")
    masters = "Both masters hold the same rows." if equal else "THE MASTERS DIFFER: see above."
    print(f"\n{masters}")
    return 0 if equal and sound else 1


if __name__ == "__main__":
    sys.exit(main())
