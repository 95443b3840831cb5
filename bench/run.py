"""Runs the benchmarks and prints a table; comparisons with other programs only if they are named.

usage: python -m bench.run [--only NAME] [--rounds N] [--seconds S] [--list]

Every figure is a ratio or a difference within one run, or says which machine state it needs: the
cores here may be shared. Exit code 0 unless a benchmark could not run; a missed bound is shown, not
hidden.
"""
import argparse
import importlib
import pathlib
import sys
import time

from bench import frame

MODULES = ["signup", "signup_latency", "login_otp", "introspect", "relay_backlog", "relay_live", "relay_restart", "relay_failover", "relay_rss",
           "relay_table", "otp_send", "start_up", "rss"]
# Several figures of one long run, with programs that nothing else needs: only when asked for by name.
COMPARISONS = ["relay_vs_debezium"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", help="one benchmark; may be given again")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--list", action="store_true")
    arguments = parser.parse_args()
    names = arguments.only or [n for n in MODULES if (pathlib.Path(__file__).parent / f"{n}.py").exists()]
    if arguments.list:
        print("\n".join(names if arguments.only else names + COMPARISONS))
        return 0
    broken = 0
    print(frame.HEADINGS, flush=True)
    for name in names:
        module = importlib.import_module(f"bench.{name}")
        started = time.monotonic()
        try:
            results = [frame.write(*found) for found in figures_of(module, arguments.rounds, arguments.seconds)]
        except Exception as error:  # the other benchmarks still run; the exit code tells
            broken += 1
            print(f"{name:<30}could not run: {error}", flush=True)
            continue
        for result in results:
            print(f"{frame.row(result)} ({time.monotonic() - started:.0f} s)", flush=True)
    return 1 if broken else 0


def figures_of(module, rounds, seconds):
    """(what names and bounds it, values, detail) of each figure; of most modules there is one, and they are it."""
    if hasattr(module, "run_all"):
        return module.run_all(rounds, seconds)
    return [(module, *module.run(rounds, seconds))]


if __name__ == "__main__":
    sys.exit(main())
