"""What a change of the sending relay cost, read from Kafka's append times, the rows' own times and the relay's log.

A benchmark breaks something while events are written and notes a Fault; judge() looks at the topic afterwards.
A new event is one that was written when the old relay could send nothing any more.
"""
import dataclasses
import json

from bench import frame
from bench.relay_live import micros_of
from tests.chaos.ledger import check
from tests.support.observe import headers_of, log_rows, metric, query, raw_records, records, wait_for

PARTS = ("postgres", "kafka", "relay")
PER_SECOND = 500
TOPIC = "auth.log"


@dataclasses.dataclass(frozen=True)
class Seen:
    """The first record of an event, in seconds since 1970."""
    written: float   # clock_timestamp() of the row, shortly before its commit
    appended: float  # the broker's time


@dataclasses.dataclass(frozen=True)
class Fault:
    """One round: in seconds since 1970."""
    at: float         # from here time counts
    new_from: float   # what is written from here on, only the new relay can send
    streaming: float  # the new relay's own word that it begins
    left_out: int     # events that it found in Kafka and did not send again


def outcome(fault, seen, until):
    """The figures of one round. until: where the next round's fault is, or the end."""
    new = [s.appended for s in seen if s.written >= fault.new_from]
    sent = [s.appended for s in seen if s.appended >= fault.streaming]
    if not new or not sent:
        raise RuntimeError("no event came after a fault")
    waits = [s.appended - s.written for s in seen if fault.at - 1 <= s.written < until]
    return {"first_new_s": min(new) - fault.at, "first_any_s": min(sent) - fault.at,
            "streaming_s": fault.streaming - fault.at, "longest_wait_s": max(waits), "left_out": fault.left_out}


def judge(env, faults):
    """(figures of each round, detail for the result): medians of them and what the ledger says of the whole run."""
    brokers, database = env["KAFKA_BROKERS"], env["DATABASE_URL"]
    caught_up(database)
    seen = first_of_each(raw_records(brokers, (TOPIC,)))
    untils = [fault.at for fault in faults[1:]] + [float("inf")]
    rounds = [outcome(fault, seen, until) for fault, until in zip(faults, untils)]
    return rounds, {**summary(rounds), **ledger(check(log_rows(database), records(brokers))), "per_second": rate(seen)}


def first_of_each(messages):
    """Append times are cut off to milliseconds: half of one is added, as in relay_live."""
    found = {}
    for message in messages:   # an event's records are in one partition, so in the order of their offsets
        headers = headers_of(message)
        found.setdefault(headers["ce_id"], Seen(micros_of(headers["ce_time"]) / 1e6, message.timestamp()[1] / 1e3 + 0.0005))
    return list(found.values())


def summary(rounds):
    medians = {key: frame.median_of(rounds, key) for key in rounds[0]}
    return {**medians, "rounds_first_new_s": [round(r["first_new_s"], 3) for r in rounds]}


def ledger(verdict):
    """other_faults: invented, altered, out of order and the like."""
    lost = len(verdict.lost)
    found = {"events": verdict.rows, "duplicates": verdict.duplicates, "lost": lost,
             "other_faults": sum(len(faults) for faults in verdict.faults.values()) - lost}
    return {**found, "verdict": str(verdict)} if verdict.faults else found


def rate(seen):
    """What the writer came to."""
    written = sorted(s.written for s in seen)
    return round((len(written) - 1) / (written[-1] - written[0]))


def caught_up(database, seconds=120):
    """Waits until Kafka has everything that is committed now: the slot is confirmed only that far."""
    (now,) = query(database, "SELECT pg_current_wal_insert_lsn()::text")[0]
    wait_for(lambda: query(database, "SELECT bool_and(confirmed_flush_lsn >= %s::pg_lsn) FROM pg_replication_slots", now)[0][0],
             "Kafka to have every committed event", seconds, every=0.1)


def streaming_since(relay, moment, seconds=60):
    """When that relay began to stream after a moment, by its log."""
    return wait_for(lambda: next((at for at in began_to_stream(relay.log.read_text()) if at >= moment), None),
                    f"{relay.name} to stream", seconds, every=0.1)


def began_to_stream(log):
    for line in log.splitlines():
        if '"streaming"' in line and (entry := json.loads(line))["msg"] == "streaming":
            yield micros_of(entry["ts"]) / 1e6


def steady(writer, seconds):
    """Lets the writer go on for so long."""
    goal = writer.written + int(seconds * PER_SECOND)
    wait_for(lambda: writer.written >= goal, "the writer", seconds * 10 + 30)


def left_out(relay):
    """How many events that relay did not send since Kafka had them."""
    return round(metric(relay.metrics, "relay_left_out_total"))
