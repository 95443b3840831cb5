"""The relay's place in the WAL is gone: dropped, invalidated, or left behind by a new primary."""
import pathlib
import shutil

import psycopg
import pytest

from deploy.dev.part import Part
from deploy.dev.stack import Stack
from tests.chaos.ledger import check
from tests.chaos.ledger_test import everything_arrived
from tests.support.event_writer import EventWriter
from tests.support.observe import log_rows, metric, query, records, wait_for

ROOT = pathlib.Path(__file__).resolve().parents[2]
SLOT_STATUS = "SELECT wal_status FROM pg_replication_slots WHERE slot_name = 'countersign'"
DROP_SLOT = "SELECT pg_drop_replication_slot('countersign')"


@pytest.fixture
def stack():
    # A segment of WAL is as little as a slot can be allowed to keep.
    with Stack(run_dir=ROOT / ".run" / "lost-slot", only=("postgres", "kafka", "relay"), fresh=True,
               settings={"postgres": {"max_slot_wal_keep_size": "16MB", "max_wal_size": "64MB"}}) as running:
        yield running


def write(database, events=300):
    with EventWriter(database, per_second=1000) as writer:
        wait_for(lambda: writer.written >= events, "the writer")


def settle(stack, database):
    """Until Kafka has everything, and a checkpoint says so."""
    end = query(database, "SELECT pg_current_wal_insert_lsn() - '0/0'")[0][0]
    wait_for(lambda: metric(stack.part("relay").metrics, "relay_confirmed_lsn") >= end, "the relay")


def judge(stack, rebuilds):
    env = stack.variables()
    assert metric(stack.part("relay").metrics, "relay_rebuilds_total") == rebuilds
    wait_for(lambda: everything_arrived(env), "every committed event in Kafka", 60, every=0.5)
    verdict = check(log_rows(env["DATABASE_URL"]), records(env["KAFKA_BROKERS"]))
    assert not verdict.faults and verdict.duplicates == 0, str(verdict)


def test_I1_I2_I3_a_slot_that_was_dropped_is_rebuilt_from_the_table(stack):
    database = stack.variables()["DATABASE_URL"]
    with EventWriter(database) as writer:
        wait_for(lambda: writer.written >= 300, "the writer")
        stack.part("relay").kill()
        wait_for(lambda: query(database, DROP_SLOT), "the slot to be free")
        before = writer.written
        wait_for(lambda: writer.written >= before + 300, "the writer")
        stack.part("relay").start()
    judge(stack, rebuilds=1)


def test_I1_I2_I3_a_slot_that_postgresql_invalidated_is_rebuilt_from_the_table(stack):
    database = stack.variables()["DATABASE_URL"]
    write(database)
    stack.part("relay").stop()

    def invalidated():
        query(database, "SELECT pg_logical_emit_message(false, 'filler', repeat('x', 1000000)) FROM generate_series(1, 20)")
        query(database, "SELECT pg_switch_wal()")
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute("CHECKPOINT")
        return query(database, SLOT_STATUS) == [("lost",)]

    write(database)
    wait_for(invalidated, "PostgreSQL to give the slot up", 60)
    stack.part("relay").start()
    write(database)
    judge(stack, rebuilds=1)


def promote(stack, data=None):
    """The server becomes the primary of a new timeline, without slots, as a standby does; `data`: from that copy."""
    postgres = stack.part("postgres")
    postgres.stop()
    if data:
        shutil.rmtree(postgres.data)
        shutil.copytree(data, postgres.data)
        own_all(postgres)
    postgres._write("standby.signal", "")   # the server's user must own it
    Part.start(postgres)
    database = stack.variables()["DATABASE_URL"]
    query(database, "SELECT pg_promote()")
    wait_for(lambda: query(database, "SELECT NOT pg_is_in_recovery()")[0][0], "the promotion")
    wait_for(lambda: query(database, DROP_SLOT), "the slot to be free")


def own_all(postgres):
    for path in [postgres.data, *postgres.data.rglob("*")]:
        postgres._own(path)
    postgres.data.chmod(0o700)


def test_I1_I2_I3_a_promoted_standby_that_has_everything_is_followed(stack):
    database = stack.variables()["DATABASE_URL"]
    write(database)
    settle(stack, database)
    stack.part("relay").stop()
    promote(stack)
    write(database)
    stack.part("relay").start()
    write(database)
    judge(stack, rebuilds=1)


def test_a_promoted_standby_that_lacks_what_kafka_has_is_refused(stack, tmp_path):
    database = stack.variables()["DATABASE_URL"]
    write(database)
    settle(stack, database)
    stack.part("relay").stop()
    stack.part("postgres").stop()
    copy = tmp_path / "standby"
    shutil.copytree(stack.part("postgres").data, copy)
    stack.part("postgres").start()
    stack.part("relay").start()
    write(database)
    settle(stack, database)
    stack.part("relay").stop()
    before = len(records(stack.variables()["KAFKA_BROKERS"]))
    promote(stack, copy)
    write(database, events=2000)   # its WAL goes far beyond the checkpoint's position
    stack.part("relay").spawn()
    relay = stack.part("relay")
    wait_for(lambda: not relay.serves() and "checkpoint_refused" in relay.trouble(), "the relay to refuse")
    assert len(records(stack.variables()["KAFKA_BROKERS"])) == before
