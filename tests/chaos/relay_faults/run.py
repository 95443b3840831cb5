"""Breaks a relay in every way there is a row for, under load, and reports what was lost, invented, doubled or reordered.

usage: python -m tests.chaos.relay_faults.run [--short] [--seed N] [--only NAME...] [--delivery LEVEL...] [--list]

Exit code 0: every row that was run holds; 1: one does not; 130: interrupted. Nothing is left running.
Results are kept as JSON below .run/relay-faults, by level; those of the same seed are kept together. --report
writes the report from those of all levels.
"""
import argparse
import dataclasses
import json
import pathlib
import secrets
import signal
import sys
import time

from deploy.dev.process import StackError
from tests.chaos import storm
from tests.chaos.relay_faults import matrix, report

ROOT = pathlib.Path(__file__).resolve().parents[3]


def parser():
    made = argparse.ArgumentParser(prog="relay_faults", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--short", action="store_true", help="the rows and times of `make test`")
    made.add_argument("--seed", help="repeats a run; default: a new one, which is printed")
    made.add_argument("--only", nargs="+", default=[], metavar="NAME", help="these rows; --list names them")
    made.add_argument("--delivery", nargs="+", default=["deduplicated"], choices=matrix.LEVELS, metavar="LEVEL",
                      help=f"levels of delivery, of {', '.join(matrix.LEVELS)} (default: deduplicated)")
    made.add_argument("--report", type=pathlib.Path, metavar="FILE", help="write the report there")
    made.add_argument("--run-dir", type=pathlib.Path, default=ROOT / ".run" / "relay-faults", help="where everything is kept")
    made.add_argument("--plant", choices=matrix.PLANTS, help="spoil what was read, so that rows must fail: tests this program")
    made.add_argument("--list", action="store_true", help="name the rows and end")
    return made


def terminated(*_):
    raise KeyboardInterrupt


def run_level(delivery, arguments, seed):
    began = time.monotonic()
    faults = matrix.chosen(delivery, arguments.short, arguments.only)
    print(f"relay faults: delivery {delivery}, {len(faults)} rows, seed {seed} (--seed {seed} repeats it)", flush=True)
    runner = matrix.Matrix(arguments.run_dir / f"stack-{delivery}", seed, delivery, arguments.short, arguments.plant,
                           say=lambda text: print(text, flush=True))
    results = []
    try:
        for result in runner.run(faults):
            results.append(result)
    finally:
        keep(delivery, results, arguments, seed)
    states = [result.state for result in results]
    print(f"delivery {delivery}: {states.count('passed')} passed, {states.count('failed')} failed, "
          f"{states.count('not run')} not run, {time.monotonic() - began:.0f} s", flush=True)
    return "failed" not in states and "passed" in states


def keep(delivery, results, arguments, seed):
    """Rows of an earlier run of the same seed stay, unless they were run again: each row has a seed of its own."""
    file = arguments.run_dir / f"{delivery}.json"
    kept = {"delivery": delivery, "seed": seed, "short": arguments.short, "versions": report.versions()}
    rows = {row["name"]: row for row in earlier(file, kept)}
    rows.update({result.name: dataclasses.asdict(result) for result in results})
    order = [fault.name for fault in matrix.FAULTS if fault.name in rows]
    file.write_text(json.dumps({**kept, "rows": [rows[name] for name in order]}, indent=1))


def earlier(file, kept):
    if not file.exists():
        return []
    before = json.loads(file.read_text())
    return before.pop("rows") if {name: before.get(name) for name in kept} == kept else []


def main(words=None):
    arguments = parser().parse_args(words)
    known = {fault.name for fault in matrix.FAULTS}
    if unknown := set(arguments.only) - known:
        print(f"no such row: {', '.join(sorted(unknown))}; --list names them", file=sys.stderr)
        return 2
    if arguments.list:
        for fault in matrix.FAULTS:
            print(f"{fault.name:32} {fault.what}")
        return 0
    arguments.run_dir.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, terminated)
    seed = arguments.seed or secrets.token_hex(4)
    try:
        good = [run_level(delivery, arguments, seed) for delivery in arguments.delivery]
    except KeyboardInterrupt:
        print("interrupted; everything is stopped", file=sys.stderr)
        return 130
    except StackError as error:
        print(error, file=sys.stderr)
        return 1
    if arguments.report:
        report.write(report.load(arguments.run_dir, matrix.LEVELS), arguments.report, storm.KEYS)
        print(f"report: {arguments.report}", flush=True)
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
