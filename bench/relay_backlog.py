"""Draining a backlog of one-row transactions, against the slower of its two limits.

Limits measured in the same round: pg_recvlogical decoding the same backlog to nowhere, and a bare
idempotent producer with the same records into the same Kafka. Each round has a backlog of its own: what
the relay has drained once it leaves out ever after, whatever its slot says.
"""
import json
import os
import subprocess
import time

from bench import frame
from deploy.dev.postgres import server_programs
from tests.support.observe import query, wait_for

NAME = "relay_backlog"
UNIT = "x min(pg_recvlogical, bare producer)"
AT_LEAST = 0.7
EVENTS = 500_000
RECV_SLOT = "bench_recv"
RECVLOGICAL = str(server_programs() / "pg_recvlogical")


def run(rounds, _seconds):
    values, detail = [], []
    with frame.running(5) as context:
        stack, database = context.stack, context.stack.variables()["DATABASE_URL"]
        relay = stack.part("relay")
        for _ in range(rounds):
            relay.stop()
            query(database, "SELECT pg_copy_logical_replication_slot('countersign', %s)", RECV_SLOT)
            made = write_backlog(database)
            (end,) = query(database, "SELECT pg_current_wal_insert_lsn()::text")[0]
            decoder = made / recvlogical_seconds(database, end)
            producer = bare_producer(stack.variables()["KAFKA_BROKERS"], made)
            seconds, cpu = drain_seconds(relay, database, end)
            ours = made / seconds
            values.append(ours / min(decoder, producer))
            detail.append({"relay_per_second": round(ours), "pg_recvlogical_per_second": round(decoder),
                           "bare_producer_per_second": round(producer), "relay_cpu_s_per_million": round(cpu / made * 1e6, 1)})
    return values, {"events": made, "rounds": detail}


def write_backlog(database):
    """Its commits wait for no disk: how long this takes is no figure."""
    clients = 16
    subprocess.run([server_programs() / "pgbench", "-n", "-M", "prepared", "-c", str(clients), "-j", "2", "-t", str(EVENTS // clients),
                    "-f", str(frame.ROOT / "bench/sql/event.sql"), database], check=True, capture_output=True,
                   env={**os.environ, "PGOPTIONS": "-c synchronous_commit=off"})
    return EVENTS // clients * clients


def recvlogical_seconds(database, end):
    began = time.monotonic()
    subprocess.run([RECVLOGICAL, "-d", database, "--slot", RECV_SLOT, "--start", "--endpos", end, "-f", "/dev/null",
                    "-o", "proto_version=1", "-o", "publication_names=countersign_auth"], check=True, capture_output=True)
    took = time.monotonic() - began
    query(database, "SELECT pg_drop_replication_slot(%s)", RECV_SLOT)
    return took


def bare_producer(brokers, count):
    out = subprocess.run([frame.BIN / "countersign-produce", brokers, "artist.created", str(count)], check=True, capture_output=True, text=True)
    return json.loads(out.stdout)["per_second"]


def drain_seconds(relay, database, end):
    """From the relay's start to the confirmation of the backlog's last transaction."""
    began = time.monotonic()
    relay.start()
    wait_for(lambda: query(database, "SELECT confirmed_flush_lsn >= %s::pg_lsn FROM pg_replication_slots WHERE slot_name = 'countersign'",
                           end)[0][0], "the backlog to be drained", 300, every=0.02)
    took = time.monotonic() - began
    return took, frame.cpu_seconds(relay.pid)
