"""Writes docs/reports/relay-faults.md from the results of the levels that were run."""
import json
import pathlib
import subprocess

from deploy.dev.kafka import POM
from tests.chaos.relay_faults.faults import FAULTS, FULL_QUEUE, READING

ROOT = pathlib.Path(__file__).resolve().parents[3]
REPORT = ROOT / "docs" / "reports" / "relay-faults.md"

HEAD = """\
# The relay under faults

Written by `make chaos-relay`. Each row breaks something while writers commit and roll back transactions over {keys} keys,
then waits until Kafka has everything, and compares the table with all records of a `read_committed` reader:
a committed row without a record is *lost*, a record without a committed row is *invented*, a second record of one
`ce_id` is *twice*, a first occurrence behind a later one of its key is *out of order*. A changed value, type or key, a gap
in a key's numbers and a key on two partitions make a row red as well. *Seen* says by what the fault was known to
happen; a fault that was not seen fails its row. *Recovery* is the time from the fault's end (a killed relay's
start, or the kill if another stands by) until an event written after it is in Kafka; that includes what a restarted
server takes. *Peak* is the most resident memory a release build of the relay had in the row, of what it may have: a row
beyond its bound is red. The bound is 64 MiB. With a full queue it is {full} MiB: the 16 MiB that `kafka.queue` counts, keys,
values and headers, take the Kafka client several times as much. Where the relay reads much of Kafka to know what is there,
it is {reading} MiB, for what the client fetches ahead and the ids.

Duplicates are allowed in two rows only, at levels without Kafka transactions: a frozen leader that thaws and packets
that arrive after their sender's death ("Late bytes" in [relay.md](../relay.md)). They are at most the queue.

PostgreSQL {postgres}, Kafka {kafka} (three brokers, `min.insync.replicas` 2), librdkafka {librdkafka} in the relay, Linux {linux}.
Relay, PostgreSQL and Kafka share one machine, so times are orders of magnitude. Crash points are hit in test builds that have
them compiled in, the others in release builds. The relay reaches both servers by proxies that cut, stop and delay.

"""


def versions():
    postgres = subprocess.run(["pg_config", "--version"], capture_output=True, text=True, check=False).stdout.split()
    kafka = POM.read_text().partition("<kafka.version>")[2].partition("<")[0]
    library = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", "librdkafka1"], capture_output=True, text=True, check=False).stdout
    linux = pathlib.Path("/proc/sys/kernel/osrelease").read_text()
    return {"postgres": postgres[1] if len(postgres) > 1 else "unknown", "kafka": kafka or "unknown",
            "librdkafka": library.partition("-")[0] or "unknown", "linux": ".".join(linux.split(".")[:2])}


def write(levels, file, keys):
    """levels: {delivery: {"seed":, "short":, "versions":, "rows": [...]}}"""
    first = next(iter(levels.values()))
    text = HEAD.format(reading=READING, full=FULL_QUEUE, keys=keys, **first["versions"])
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text + "\n".join(section(name, level) for name, level in levels.items()))


def section(name, level):
    rows = level["rows"]
    states = [row["state"] for row in rows]
    command = f"python -m tests.chaos.relay_faults.run{' --short' * level['short']} --delivery {name} --seed {level['seed']}"
    lines = [f"## delivery: {name}", "", f"{states.count('passed')} passed, {states.count('failed')} failed, "
             f"{states.count('not run')} not run. `{command}` repeats it.", ""]
    for group in dict.fromkeys(fault.group for fault in FAULTS):
        inside = [row for row in rows if row["group"] == group]
        if inside:
            lines += [f"### {group}", "", "| fault | | events | lost | invented | twice | out of order | recovery | peak | seen |",
                      "|---|---|---|---|---|---|---|---|---|---|", *map(line, inside), ""]
    return "\n".join(lines)


def line(row):
    if row["state"] == "not run":
        return f"| {row['what']} | not run | | | | | | | | {cell(row['why'])} |"
    state = "ok" if row["state"] == "passed" else "**red**"
    recovered = "" if row["recovery_s"] is None else f"{row['recovery_s']:.1f} s"
    peak = f"{row['peak_mib']:.0f} of {row['bound_mib']} MiB" if row["peak_mib"] else ""
    seen = cell(row["evidence"] if row["state"] == "passed" else f"{row['why']} {row['evidence']}")
    return (f"| {row['what']} | {state} | {row['events']} | {row['lost']} | {row['invented']} | {row['duplicates']} | "
            f"{row['out_of_order']} | {recovered} | {peak} | {seen} |")


def cell(text):
    return " ".join(text.replace("|", "/").split())[:400]


def load(folder, order):
    """What earlier runs left, by level."""
    found = {}
    for name in order:
        file = folder / f"{name}.json"
        if file.exists():
            found[name] = json.loads(file.read_text())
    return found
