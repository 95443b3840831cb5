"""Commit to Kafka append at 500 and 2000 events a second: the row's clock_timestamp() against the
broker's append time (milliseconds; half of one is added, since it is cut off).
"""
import calendar
import subprocess
import time

from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME

from bench import frame
from deploy.dev.postgres import server_programs
from tests.support.observe import headers_of, query, raw_records, wait_for

NAME = "relay_live"
UNIT = "ms p99 at 500/s"
AT_MOST = 15
RATES = (500, 2000)


def run(rounds, seconds):
    found = {rate: [] for rate in RATES}
    for _ in range(rounds):
        for rate in RATES:
            with frame.running(seconds) as context:
                found[rate].append(one_round(context.stack.variables(), rate, seconds))
    return [r["p99_ms"] for r in found[500]], {f"at_{rate}_per_second": {
        key: frame.median_of(found[rate], key) for key in ("p50_ms", "p99_ms", "p999_ms", "events")} for rate in RATES}


def one_round(env, rate, seconds):
    subprocess.run([server_programs() / "pgbench", "-n", "-M", "prepared", "-c", "8", "-j", "1", "-R", str(rate), "-T", str(round(seconds) + 1),
                    "-f", str(frame.ROOT / "bench/sql/event.sql"), env["DATABASE_URL"]], check=True, capture_output=True)
    [(written,)] = query(env["DATABASE_URL"], "SELECT count(*) FROM auth.event_log WHERE topic = 'auth.log'")
    wait_for(lambda: len(list(raw_records(env["KAFKA_BROKERS"], ("auth.log",)))) >= written, f"{written} events in Kafka")
    seen = []
    for message in raw_records(env["KAFKA_BROKERS"], ("auth.log",)):
        kind, appended = message.timestamp()
        if kind != TIMESTAMP_LOG_APPEND_TIME:
            raise RuntimeError("topic auth.log does not keep append times")
        written_at = micros_of(headers_of(message)["ce_time"]) / 1000
        seen.append((written_at, appended + 0.5 - written_at))
    seen.sort()
    latencies = sorted(latency for _, latency in seen[rate:])  # the first second warms up
    return {"p50_ms": frame.percentile(latencies, 0.5), "p99_ms": frame.percentile(latencies, 0.99),
            "p999_ms": frame.percentile(latencies, 0.999), "events": len(latencies)}


def micros_of(rfc3339):
    whole, fraction = rfc3339.rstrip("Z").split(".")
    return calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) * 1_000_000 + int(fraction.ljust(6, "0"))
