"""Resident memory of the relay: live, draining a backlog of small transactions, and in one huge transaction.

Each is a process of its own, so that its peak (VmHWM) is of nothing else. The huge transaction is relayed to about
half, then the relay is killed: the next one finds that half in Kafka and leaves it out, for which it keeps the ids.
"""
import time

import psycopg
from confluent_kafka import Consumer, TopicPartition

from bench import frame, handover
from tests.support.observe import wait_for

NAME = "relay_rss"
UNIT = "MiB peak, live and draining"
AT_MOST = 60
BACKLOG = 200_000
HUGE = 1_000_000
COLUMNS = "INSERT INTO auth.event_log (event_id, topic, key, type, seq, payload, headers) "
HEAD = "gen_random_uuid(), 'auth.log', 'bench-' || i % 64, 'bench.tick', 1"
SMALL = HEAD + ", '{}', '{}'"
USUAL = HEAD + """, ('{"pad":"' || repeat('x', 190) || '"}')::json, '{}'"""


def run(rounds, seconds, backlog=BACKLOG, huge=HUGE):
    found = []
    with frame.running(seconds, only=handover.PARTS) as context:
        for _ in range(rounds):
            found.append({"live": live(context), "draining": draining(context, backlog), **huge_transaction(context, huge)})
    detail = {what: {key: frame.median_of([r[what] for r in found], key) for key in found[0][what]} for what in found[0]}
    values = [max(r[what]["peak_mib"] for what in ("live", "draining")) for r in found]
    return values, {"backlog": backlog, "huge_transaction_rows": huge, **detail}


def live(context):
    """Four times as long as other benchmarks' rounds: memory that grows is to show."""
    relay = context.stack.part("relay")
    relay.restart()
    done = context.pgbench("event.sql", clients=8, rate=handover.PER_SECOND, seconds=4 * context.seconds)
    handover.caught_up(context.stack.variables()["DATABASE_URL"])
    return {**memory(relay), "per_second": done["per_second"]}


def draining(context, events):
    relay, database = context.stack.part("relay"), context.stack.variables()["DATABASE_URL"]
    relay.stop()
    write_transactions(database, events)
    began = time.monotonic()
    relay.start()
    handover.caught_up(database, 300)
    return {**memory(relay), "per_second": events / (time.monotonic() - began)}


def huge_transaction(context, rows):
    relay, env = context.stack.part("relay"), context.stack.variables()
    relay.restart()
    goal = records_in_kafka(env) + rows // 2
    with psycopg.connect(env["DATABASE_URL"], autocommit=True) as connection:
        connection.execute(COLUMNS + f"SELECT {SMALL} FROM generate_series(1, {rows}) i")
    wait_for(lambda: records_in_kafka(env) >= goal, "half of the transaction in Kafka", 300, every=0.02)
    cut = memory(relay)
    relay.kill()
    began = time.monotonic()
    relay.start()
    handover.caught_up(env["DATABASE_URL"], 300)
    redo = {**memory(relay), "seconds": time.monotonic() - began, "left_out": handover.left_out(relay)}
    return {"huge": cut, "huge_redone": redo}


def memory(relay):
    return {"rss_mib": frame.resident_mib(relay.pid), "peak_mib": frame.resident_mib(relay.pid, "VmHWM")}


def write_transactions(database, count):
    """One row each. Without waiting for the disk, since only the memory of the one who reads them is of interest."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("SET synchronous_commit = off")
        connection.execute(f"DO $$ BEGIN FOR i IN 1..{count} LOOP {COLUMNS} VALUES ({USUAL}); COMMIT; END LOOP; END $$")


def records_in_kafka(env):
    consumer = Consumer({"bootstrap.servers": env["KAFKA_BROKERS"], "group.id": "bench"})
    try:
        partitions = consumer.list_topics(handover.TOPIC, timeout=30).topics[handover.TOPIC].partitions
        return sum(consumer.get_watermark_offsets(TopicPartition(handover.TOPIC, p), timeout=30)[1] for p in partitions)
    finally:
        consumer.close()
