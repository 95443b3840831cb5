"""The table source: commit to Kafka append at 500 events a second, and draining a backlog.

Both with the index that docs/relay.md asks for. The draining counts from the relay's start to the last
record in Kafka.
"""
import time

import psycopg

from bench import frame, relay_backlog, relay_live
from tests.support.observe import metric, wait_for

NAME = "relay_table"
UNIT = "ms p99 at 500/s"
AT_MOST = 30
RATE = 500
INDEXES = "CREATE INDEX ON auth.event_log (xid, id)", "CREATE INDEX ON otp.event_log (xid, id)"
FROM_TABLES = {"relay": {"RELAY_SOURCE": "table"}}


def run(rounds, seconds):
    live, drained = [], []
    for _ in range(rounds):
        with frame.running(seconds, environment=FROM_TABLES) as context:
            index(context.stack)
            live.append(relay_live.one_round(context.stack.variables(), RATE, seconds))
        with frame.running(seconds, environment=FROM_TABLES) as context:
            index(context.stack)
            drained.append(drain(context.stack))
    return [r["p99_ms"] for r in live], {
        f"at_{RATE}_per_second": {key: frame.median_of(live, key) for key in ("p50_ms", "p99_ms", "p999_ms", "events")},
        "drained_per_second": frame.median_of(drained, "per_second"), "relay_cpu_s_per_million": frame.median_of(drained, "cpu")}


def index(stack):
    execute(stack.variables()["DATABASE_URL"], *INDEXES)


def drain(stack):
    database, relay = stack.variables()["DATABASE_URL"], stack.part("relay")
    relay.stop()
    made = relay_backlog.write_backlog(database)
    execute(database, "ANALYZE auth.event_log")
    began = time.monotonic()
    relay.start()
    address = stack.variables()["RELAY_METRICS"]
    wait_for(lambda: relayed(address) >= made, "the backlog to be drained", 300, every=0.02)
    took = time.monotonic() - began
    return {"per_second": made / took, "cpu": frame.cpu_seconds(relay.pid) / made * 1e6}


def execute(database, *statements):
    with psycopg.connect(database, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


def relayed(address):
    try:
        return metric(address, "relay_events_total", topic="auth.log")
    except OSError:  # it only starts
        return 0
