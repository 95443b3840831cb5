"""Runs the test suites one after the other and ends with one line: N passed, N failed.

usage: python -m tools.testing.run [--full] [--only NAME]

Suites of C++ tests run under AddressSanitizer; black-box suites drive the release binaries. All
share one private PostgreSQL and Kafka that are stopped at the end, whatever happens.
"""
import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as xml

from deploy.dev.stack import Stack

ROOT = pathlib.Path(__file__).resolve().parents[2]
RESULTS = ROOT / ".run" / "test-results"


class Totals:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.failures = []

    def add_report(self, file):
        for case in xml.parse(file).getroot().iter("testcase"):
            name = f"{case.get('classname')}.{case.get('name')}"
            if case.find("failure") is not None or case.find("error") is not None:
                self.failed += 1
                self.failures.append(name)
            elif case.find("skipped") is not None or case.get("status") == "notrun":
                self.skipped += 1
            else:
                self.passed += 1

    def add_broken_suite(self, name):
        self.failed += 1
        self.failures.append(name)


def environment(stack):
    return {
        **os.environ,
        **stack.test_environment(),
        "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=1",
        "LSAN_OPTIONS": f"suppressions={ROOT}/tests/support/lsan.supp:print_suppressions=0",
        "UBSAN_OPTIONS": "print_stacktrace=1",
        "TSAN_OPTIONS": f"suppressions={ROOT}/tests/support/tsan.supp",
    }


def run_cpp(name, preset, label, env, totals):
    reports = RESULTS / name
    reports.mkdir(parents=True)
    result = subprocess.run(
        ["ctest", "--test-dir", str(ROOT / "build" / preset), "-L", f"^({label})$", "--output-on-failure",
         "--parallel", "2", "--quiet", "--output-log", str(reports / "ctest.log")],
        env={**env, "GTEST_OUTPUT": f"xml:{reports}/"}, cwd=ROOT, check=False)
    for report in reports.glob("*.xml"):
        totals.add_report(report)
    if result.returncode != 0:
        print((reports / "ctest.log").read_text(errors="replace")[-6000:])
        totals.add_broken_suite(f"{name} (see {(reports / 'ctest.log').relative_to(ROOT)})")


def run_python(name, folder, env, totals, marker):
    report = RESULTS / f"{name}.xml"
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", marker, f"--junitxml={report}",
         "-rfE", "--tb=short", str(folder)], env=env, cwd=ROOT, check=False)
    if report.exists():
        totals.add_report(report)
    if result.returncode not in (0, 1, 5):
        totals.add_broken_suite(name)


def suites(full):
    yield "unit", lambda env, totals: run_cpp("unit", "asan", "unit", env, totals)
    yield "pg", lambda env, totals: run_cpp("pg", "asan", "pg", env, totals)
    yield "kafka", lambda env, totals: run_cpp("kafka", "asan", "kafka", env, totals)
    if full:
        yield "tsan", lambda env, totals: run_cpp("tsan", "tsan", "unit|pg", env, totals)
    marker = "full or not full" if full else "not full"
    for folder in ("deploy", "contract", "e2e", "chaos"):
        path = ROOT / "tests" / folder
        if any(path.rglob("*_test.py")):
            yield folder, lambda env, totals, f=folder, p=path: run_python(f, p, env, totals, marker)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="the long runs too")
    parser.add_argument("--only", help="one suite: unit, pg, kafka, tsan, deploy, contract, e2e, chaos")
    arguments = parser.parse_args()
    shutil.rmtree(RESULTS, ignore_errors=True)
    RESULTS.mkdir(parents=True)
    totals = Totals()
    with Stack(run_dir=ROOT / ".run" / "test", only=("postgres", "kafka")) as stack:
        env = environment(stack)
        for name, run in suites(arguments.full):
            if arguments.only and name != arguments.only:
                continue
            started = time.monotonic()
            before = (totals.passed, totals.failed)
            run(env, totals)
            print(f"test: {name}: {totals.passed - before[0]} passed, {totals.failed - before[1]} failed, "
                  f"{time.monotonic() - started:.0f} s", flush=True)
    for failure in totals.failures:
        print(f"failed: {failure}")
    skipped = f", {totals.skipped} skipped" if totals.skipped else ""
    print(f"{totals.passed} passed, {totals.failed} failed{skipped}")
    return 1 if totals.failed or not totals.passed else 0


if __name__ == "__main__":
    sys.exit(main())
