"""Sends a second through a provider that takes 200 ms, with 256 in flight, against 256 / 0.2 s.

The commands lie in Kafka before otp starts, so nothing but its own concurrency bounds it. Counted by the
provider between the first and the last tenth of the backlog.
"""
import time

from bench import frame
from tests.support.observe import get_json, post_json, query, wait_for

NAME = "otp_send"
UNIT = "x in flight / latency"
AT_LEAST = 0.9
IN_FLIGHT = 256
LATENCY_MS = 200


def run(rounds, seconds):
    values, detail = [], []
    goal = IN_FLIGHT / (LATENCY_MS / 1000)
    backlog = int(goal * max(seconds, 5) * 1.5)
    with frame.running(seconds, settings={"otp": {"consumer.in_flight": IN_FLIGHT}}) as context:
        fake, database = context.stack.variables()["TWILIO_FAKE"], context.stack.variables()["DATABASE_URL"]
        for _ in range(rounds):
            context.stack.part("otp").stop()
            fill(context, backlog)
            post_json(f"{fake}/_fake/faults", {"latency_ms": LATENCY_MS})
            before = total(fake)
            context.stack.part("otp").start()
            cpu_before = frame.cpu_seconds(context.stack.part("otp").pid)
            rate = sends_per_second(fake, before, backlog)
            wait_for(lambda: total(fake) >= before + backlog, "the whole backlog to be sent", 120)
            cpu = frame.cpu_seconds(context.stack.part("otp").pid) - cpu_before
            unsent = query(database, "SELECT count(*) FROM otp.deliveries WHERE state NOT IN ('sent', 'sending')")[0][0]
            values.append(rate / goal)
            detail.append({"sends_per_second": round(rate), "cpu_s_per_1000": round(cpu / backlog * 1000, 3), "not_sent": unsent})
    return values, {"goal_per_second": goal, "backlog": backlog, "rounds": detail}


def fill(context, backlog):
    """Commands for numbers that no earlier round used, all of them in Kafka."""
    variables = context.stack.variables()
    while True:
        sent = query(variables["DATABASE_URL"], "SELECT count(*) FROM auth.event_log l WHERE topic = 'verification' "
                     "AND NOT EXISTS (SELECT 1 FROM otp.deliveries d WHERE d.event_id = l.event_id)")[0][0]
        if sent >= backlog:
            break
        context.load("signup", clients=64, seconds=2, warm_up=0, first=context.fresh_numbers(1_000_000))
    wait_for(lambda: query(variables["DATABASE_URL"], "SELECT confirmed_flush_lsn >= (SELECT pg_current_wal_flush_lsn()) - 4096 "
                           "FROM pg_replication_slots WHERE slot_name = 'countersign'")[0][0], "the relay to catch up", 60)


def total(fake):
    return get_json(f"{fake}/_fake/ledger?from=1000000000")["total"]


def sends_per_second(fake, before, backlog):
    """Between a tenth and nine tenths of the backlog."""
    wait_for(lambda: total(fake) >= before + backlog // 10, "the first sends", 60, every=0.005)
    began, first = time.monotonic(), total(fake)
    wait_for(lambda: total(fake) >= before + backlog * 9 // 10, "the sends", 120, every=0.005)
    return (total(fake) - first) / (time.monotonic() - began)
