"""What every benchmark shares: interleaved rounds, ratios within one run, one result file each.

A benchmark is a module of bench/ with NAME, UNIT, a bound (AT_LEAST or AT_MOST) and
run(rounds, seconds), which returns (values, detail): one value per round, the median of which is the
figure. ALSO_AT_MOST may bound further figures: their dotted names within detail, and the most they may be.
A comparison has run_all(rounds, seconds) instead: a list of (figure, values, detail), where a figure has these names.
"""
import contextlib
import functools
import json
import os
import pathlib
import statistics
import subprocess

from deploy.dev.postgres import server_programs
from deploy.dev.stack import Stack

ROOT = pathlib.Path(__file__).resolve().parents[1]
RESULTS = ROOT / "bench" / "results"
BIN = ROOT / "build" / "release" / "bin"


class Context:
    """The machine a benchmark runs on: a stack of its own and how often to repeat."""

    def __init__(self, stack, seconds):
        self.stack = stack
        self.seconds = seconds
        self._next_number = 0

    def fresh_numbers(self, count):
        """First of `count` phone numbers that no earlier round used."""
        first = self._next_number
        self._next_number += count
        return first

    def load(self, scenario, **options):
        """Runs countersign-load and returns what it prints."""
        arguments = [str(BIN / "countersign-load"), scenario, "--target", self.stack.variables()["AUTH_GRPC"]]
        for name, value in {"seconds": self.seconds, **options}.items():
            arguments += [f"--{name.replace('_', '-')}", str(value)]
        result = subprocess.run(arguments, capture_output=True, text=True, check=False)
        if result.returncode != 0:
            raise RuntimeError(f"{' '.join(arguments)}\n{result.stdout}{result.stderr}")
        return json.loads(result.stdout)

    def pgbench(self, script, clients, rate=None, seconds=None, threads=2):
        """Runs pgbench -M prepared on a script of bench/sql; transactions a second and latencies."""
        log_prefix = self.stack.run_dir / "pgbench"
        for old in self.stack.run_dir.glob("pgbench.*"):
            old.unlink()
        arguments = [server_programs() / "pgbench", "-n", "-M", "prepared", "-c", str(clients),
                     "-j", str(threads), "-T", str(round(seconds or self.seconds)), "-f", str(ROOT / "bench/sql" / script),
                     "--log", f"--log-prefix={log_prefix}"]
        if rate:
            arguments += ["-R", str(rate)]
        arguments.append(self.stack.variables()["DATABASE_URL"])
        result = subprocess.run(arguments, capture_output=True, text=True, check=False)
        if result.returncode != 0:
            raise RuntimeError(result.stdout + result.stderr)
        micros = []
        for file in self.stack.run_dir.glob("pgbench.*"):
            micros += [int(line.split()[2]) for line in file.read_text().splitlines()]
            file.unlink()
        micros.sort()
        tps = next(float(line.split("=")[1].split()[0]) for line in result.stdout.splitlines() if line.startswith("tps"))
        return {"per_second": tps, "p50_ms": percentile(micros, 0.5) / 1000, "p99_ms": percentile(micros, 0.99) / 1000}


@contextlib.contextmanager
def running(seconds, only=None, **options):
    """A Context over a fresh stack of its own."""
    with Stack(run_dir=ROOT / ".run" / "bench", only=only, fresh=True, **options) as stack:
        yield Context(stack, seconds)


def median_of(rounds, key):
    return round(statistics.median(r[key] for r in rounds), 3)


def percentile(ordered, share):
    if not ordered:
        return 0
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def cpu_seconds(pid):
    """User and system time a process has used."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mib(pid, field="VmRSS"):
    """Resident memory; VmHWM for its peak since the process began."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1024
    return 0.0


def state_of(pid):
    """One letter: R, S, T..."""
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]


def result_of(module, values, detail):
    """What stands in a result file."""
    result = {
        "name": module.NAME,
        "unit": module.UNIT,
        "median": round(statistics.median(values), 3),
        "min": round(min(values), 3),
        "max": round(max(values), 3),
        "runs": len(values),
    }
    for bound in ("AT_LEAST", "AT_MOST"):
        if hasattr(module, bound):
            result[bound.lower()] = getattr(module, bound)
    if hasattr(module, "ALSO_AT_MOST"):
        result["also_at_most"] = module.ALSO_AT_MOST
    result["detail"] = detail
    return result


def write(module, values, detail):
    """Writes bench/results/<name>.json and returns it."""
    result = result_of(module, values, detail)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{module.NAME}.json").write_text(json.dumps(result, indent=2) + "\n")
    return result


HEADINGS = f"{'name':<30}{'median':>10}{'min':>10}{'max':>10}  {'unit':<38}bound"


def row(result):
    """One line of the table under HEADINGS."""
    bound = result.get("at_least", result.get("at_most", ""))
    sign = ">=" if "at_least" in result else "<=" if "at_most" in result else ""
    return (f"{result['name']:<30}{result['median']:>10.3f}{result['min']:>10.3f}{result['max']:>10.3f}  {result['unit']:<38}"
            f"{sign} {bound} {verdict(result)}")


def verdict(result):
    missed = [name for name, most in result.get("also_at_most", {}).items() if within(result["detail"], name) > most]
    if "at_least" in result and result["median"] < result["at_least"]:
        return " ".join(["SHORT", *missed])
    if missed or "at_most" in result and result["median"] > result["at_most"]:
        return " ".join(["OVER", *missed])
    return "ok" if "at_least" in result or "at_most" in result else "-"


def within(detail, dotted):
    return functools.reduce(lambda found, name: found[name], dotted.split("."), detail)
