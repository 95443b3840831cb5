"""Kafka is slower than the database, or away: memory stays bounded, WAL grows, alarms fire, everything comes in order."""
from tests.chaos.relay_faults.alarms import Alarms
from tests.chaos.relay_faults.faults import FULL_QUEUE, READING, Happened, fault
from tests.chaos.relay_faults.field import BROKERS, SLOT, expect, now
from tests.chaos.relay_faults.rows_data import append, connect, key_of
from tests.chaos.relay_faults.rows_kafka import start_all
from tests.support.observe import wait_for

GROUP = "Back-pressure"
RETAINED = ("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), confirmed_flush_lsn)::bigint FROM pg_replication_slots "
            f"WHERE slot_name = '{SLOT}'")
MIB = 1024 * 1024
BACKLOG = 60_000   # more than the queue holds


def retained(field):
    return field.query(RETAINED)[0][0]


@fault("kafka-away", "all brokers are away for ten minutes, and a transaction stays open for longer", GROUP, short=True,
       settle_seconds=600, peak_mib=FULL_QUEUE)
def kafka_away(field):
    """The short run: twenty seconds."""
    relay, seconds = field.relay, 20 if field.short else 600
    with connect(field) as connection, Alarms(relay, compressed=field.short) as alarms:
        append(connection, key_of(field), 1, 100)
        alarms.begin()
        for name in BROKERS:
            field.stack.part(name).kill()
        began, committed, kept = now(), field.load.committed, retained(field)
        generate(field, BACKLOG, "repeat('x', 400)")
        in_flight = stuck(field)
        memory_when_full, filled = relay.peak_mib(), now()
        wait_for(lambda: now() - began >= seconds and now() - filled > 5, "the time to pass", seconds + 30, every=0.5)
        memory, lag, grown = relay.peak_mib(), relay.value("relay_lag_seconds"), retained(field) - kept
        commits = field.load.committed - committed
        expect(commits > seconds, f"only {commits} commits went on")
        expect(grown > 400 * BACKLOG, f"the WAL that is kept grew by {grown} bytes only")
        expect(lag > 0.8 * seconds, f"relay_lag_seconds is {lag:.0f}")
        expect(memory < max(1.15 * memory_when_full, 64), f"memory grew from {memory_when_full:.0f} to {memory:.0f} MiB meanwhile")
        fired = alarms.end(expected(seconds))
        lifted = now()
        start_all(field)
        field.acknowledged(1, 120)
        connection.commit()
    return Happened(f"{seconds} s, {commits} commits went on, kept WAL grew by {grown / MIB:.0f} MiB, relay_lag_seconds {lag:.0f}; "
                    f"{in_flight:.0f} events in flight: {memory_when_full:.0f} MiB then, {memory:.0f} MiB at the end; {fired}", lifted)


def expected(seconds):
    return ("CountersignRelayBehind", "CountersignRelayStandsStill") if seconds > 60 else ("CountersignRelayBehind",)


@fault("slow-kafka", "Kafka stands still five times while 200,000 events wait: the queue is full each time", GROUP, settle_seconds=300,
       peak_mib=FULL_QUEUE, only=("at_least_once", "deduplicated"))
def slow_kafka(field):
    proxies = field.kafka_proxies.values()
    before, most = field.relay.value("relay_queue_full_seconds_total"), 0
    field.progress(1)
    for proxy in proxies:
        proxy.hang("to_server", "to_client")
    generate(field, 200_000, "repeat('x', 400)")
    for _ in range(5):
        most = max(most, stuck(field))
        for proxy in proxies:
            proxy.hang()
        field.acknowledged(5_000)
        for proxy in proxies:
            proxy.hang("to_server", "to_client")
    for proxy in proxies:
        proxy.hang()
    lifted = now()
    wait_for(lambda: field.relay.value("relay_queue_full_seconds_total") > before, "the full queue to be counted")
    waited = field.relay.value("relay_queue_full_seconds_total") - before
    return Happened(f"queue full for {waited:.1f} s (relay_queue_full_seconds_total), at most {most:.0f} events in flight", lifted)


def stuck(field):
    """How many events are in flight when there are no more: a full queue, or those of the transaction that cannot end."""
    seen, least = [], 0 if field.delivery == "transactional" else 5_000

    def stands():
        seen.append(field.relay.value("relay_in_flight"))
        return len(seen) > 5 and len(set(seen[-5:])) == 1 and seen[-1] >= least
    wait_for(stands, "the queue to be full", 60, every=0.2)
    return seen[-1]


def generate(field, count, pad="''"):
    """So many events of eight keys in one transaction."""
    field.execute(
        "INSERT INTO auth.event_log (event_id, topic, key, type, seq, payload) "
        f"SELECT gen_random_uuid(), 'auth.log', '{key_of(field)}-' || i % 8, 'fault.tick', i / 8 + 1, "
        f"json_build_object('n', i, 'pad', {pad})::text::json FROM generate_series(0, {count - 1}) i")


@fault("million-rows", "a transaction of a million rows", GROUP, settle_seconds=400, peak_mib=FULL_QUEUE)
def million_rows(field):
    field.note_memory()
    generate(field, 1_000_000)
    lifted = now()
    return Happened("1,000,000 rows in one commit", lifted)


@fault("million-rows-killed", "kill -9 in the midst of a transaction of 300,000 rows", GROUP, settle_seconds=400, peak_mib=READING)
def million_rows_killed(field):
    """What Kafka has of it is left out by id: sixteen bytes each, and as much again while they are sorted."""
    events = field.relay.value("relay_events_total")
    generate(field, 300_000)
    wait_for(lambda: field.relay.value("relay_events_total") - events > 100_000, "a third of it to arrive", 120)
    field.note_memory()
    field.relay.kill()
    lifted = now()
    field.relay.start()
    wait_for(field.relay.leads, "the relay to lead", 60)
    left_out = wait_for(lambda: (n := field.relay.value("relay_left_out_total")) > 50_000 and n, "events to be left out", 60) \
        if field.delivery == "deduplicated" else 0
    return Happened(f"killed with a third in Kafka; {left_out:.0f} events and more were left out at the second time", lifted)
