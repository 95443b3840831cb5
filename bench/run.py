"""Runs the benchmarks and prints a table.

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


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", help="one benchmark; may be given again")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--list", action="store_true")
    arguments = parser.parse_args()
    names = arguments.only or [n for n in MODULES if (pathlib.Path(__file__).parent / f"{n}.py").exists()]
    if arguments.list:
        print("\n".join(names))
        return 0
    broken = 0
    print(f"{'name':<18}{'median':>10}{'min':>10}{'max':>10}  {'unit':<34}bound", flush=True)
    for name in names:
        module = importlib.import_module(f"bench.{name}")
        started = time.monotonic()
        try:
            result = frame.write(module, *module.run(arguments.rounds, arguments.seconds))
        except Exception as error:  # the other benchmarks still run; the exit code tells
            broken += 1
            print(f"{name:<18}could not run: {error}", flush=True)
            continue
        bound = result.get("at_least", result.get("at_most", ""))
        sign = ">=" if "at_least" in result else "<=" if "at_most" in result else ""
        print(f"{name:<18}{result['median']:>10.3f}{result['min']:>10.3f}{result['max']:>10.3f}  {result['unit']:<34}"
              f"{sign} {bound} {frame.verdict(result)} ({time.monotonic() - started:.0f} s)", flush=True)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
