"""What the leading relay tells of its slot, step by step as it falls behind what the server may keep."""
import math
import pathlib

import psycopg
import pytest

from deploy.dev.stack import Stack
from tests.chaos.admin_verbs_test import tell
from tests.chaos.faults import fill_wal
from tests.support.observe import metric, wait_for

ROOT = pathlib.Path(__file__).resolve().parents[2]
MIB = 1024 * 1024
STATUSES = ("reserved", "extended", "unreserved", "lost")
LOOK = 25  # seconds: two looks and some


@pytest.fixture
def stack():
    # No checkpoint takes WAL away by itself.
    with Stack(run_dir=ROOT / ".run" / "slot-watch", only=("postgres", "kafka", "relay"), fresh=True,
               settings={"postgres": {"max_slot_wal_keep_size": "1GB", "max_wal_size": "1GB", "checkpoint_timeout": "1h"}}) as running:
        yield running


def retained(relay):
    return metric(relay.metrics, "relay_slot_retained_bytes")


def safe(relay):
    return metric(relay.metrics, "relay_slot_safe_bytes")


def says(relay, status):
    """PostgreSQL's word, and no other."""
    return [metric(relay.metrics, "relay_slot_wal_status", status=one) for one in STATUSES] == [float(one == status) for one in STATUSES]


def run(database, *statements):
    with psycopg.connect(database, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


def limit(database, **settings):
    run(database, *(f"ALTER SYSTEM SET {name} = '{value}'" for name, value in settings.items()), "SELECT pg_reload_conf()")


def test_the_leader_tells_how_near_its_slot_is_to_being_lost(stack):
    relay, database = stack.part("relay"), stack.variables()["DATABASE_URL"]
    wait_for(lambda: says(relay, "reserved"), "the first look", LOOK, every=0.2)
    rebuilds = metric(relay.metrics, "relay_rebuilds_total")
    assert retained(relay) < 100 * MIB < safe(relay) <= 1040 * MIB

    tell(relay, "pause")
    fill_wal(database, 100)
    wait_for(lambda: retained(relay) > 100 * MIB, "WAL that is kept", LOOK, every=0.2)
    assert 1000 * MIB < retained(relay) + safe(relay) < 1060 * MIB, "kept and safe are together what the slot may keep"

    limit(database, max_wal_size="48MB")
    wait_for(lambda: says(relay, "extended"), "more than the server would keep by itself", LOOK, every=0.2)

    limit(database, max_slot_wal_keep_size="64MB", max_wal_size="10GB")
    wait_for(lambda: says(relay, "unreserved"), "more than the slot may keep", LOOK, every=0.2)
    assert safe(relay) < 0

    limit(database, max_slot_wal_keep_size="-1")
    wait_for(lambda: says(relay, "reserved"), "no limit", LOOK, every=0.2)
    assert math.isnan(safe(relay)) and retained(relay) > 100 * MIB

    tell(relay, "resume")
    run(database, "CHECKPOINT")   # it writes down which transactions run: from there on a slot can begin
    wait_for(lambda: retained(relay) < 64 * MIB, "the WAL that Kafka has to be let go", 60, every=0.2)
    assert metric(relay.metrics, "relay_rebuilds_total") == rebuilds, "it was never lost"
