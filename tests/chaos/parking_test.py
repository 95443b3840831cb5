"""kill -9 while a refused event is parked, while its key is released, and while a lost slot is rebuilt."""
import json
import pathlib
import secrets
import subprocess

import psycopg
import pytest

from deploy.dev.stack import Stack
from tests.chaos.faults import armed
from tests.chaos.ledger import check
from tests.support.observe import log_rows, metric, query, raw_records, records, wait_for

ROOT = pathlib.Path(__file__).resolve().parents[2]
INSERT = ("INSERT INTO auth.event_log (event_id, topic, key, type, seq, payload, headers) "
          "VALUES (gen_random_uuid(), 'auth.log', %s, 'test.tick', %s, %s, '{}')")
PARKED = "SELECT count(*) FROM relay.parked"
TOO_LARGE = f'"{"x" * 2_000_000}"'
DROP_SLOT = "SELECT pg_drop_replication_slot('countersign')"


@pytest.fixture(scope="module")
def stack():
    with Stack(run_dir=ROOT / ".run" / "parking", only=("postgres", "kafka", "relay"), fresh=True, build="asan") as running:
        yield running


@pytest.fixture
def database(stack):
    return stack.variables()["DATABASE_URL"]


class Key:
    """Events of one key, numbered from 1."""

    def __init__(self, database):
        self.name, self._database, self._seq = f"key-{secrets.token_hex(4)}", database, 0

    def append(self, *payloads):
        with psycopg.connect(self._database, autocommit=True) as connection:
            for payload in payloads:
                self._seq += 1
                connection.execute(INSERT, (self.name, self._seq, payload))


def skip(database):
    """Gives up the one event that is parked."""
    ((event,),) = query(database, "SELECT event_id FROM relay.parked")
    done = subprocess.run([ROOT / "build/release/bin/countersignctl", "relay", "skip", event, "--why", "a test"], check=False,
                          env={"DATABASE_URL": database}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def confirmed(stack, database):
    """Until the relay has passed everything that is committed."""
    end = query(database, "SELECT pg_current_wal_insert_lsn() - '0/0'")[0][0]
    wait_for(lambda: metric(stack.part("relay").metrics, "relay_confirmed_lsn") >= end, "the relay")


def settled(stack, database):
    """Until a checkpoint's snapshot covers the log: a rebuild before that finds what was skipped, and parks it once more."""
    ((newest,),) = query(database, "SELECT max(xid::text::bigint) FROM auth.event_log")

    def covers_all():
        *_, last = raw_records(stack.variables()["KAFKA_BROKERS"], ("countersign.relay.checkpoints",))
        point = json.loads(last.value()).get("settled")
        return point and int(point["snapshot"].split(":")[1]) > newest

    wait_for(covers_all, "the log to be settled", every=0.2)


def everything_came(stack, database, key):
    """No key is parked any more, and all but the refused events are in Kafka once and in order, what comes now included."""
    wait_for(lambda: query(database, PARKED) == [(0,)], "the key to be released")
    key.append('"now"')
    confirmed(stack, database)
    rows = [row for row in log_rows(database) if len(row.payload) < 1_000_000]
    verdict = check(rows, records(stack.variables()["KAFKA_BROKERS"]))
    assert not {name for name in verdict.faults if name != "gaps in seq"} and verdict.duplicates == 0, str(verdict)


@pytest.mark.parametrize("point", ["before_park", "after_park"])
def test_I1_I2_I3_killed_while_it_parks(stack, database, point):
    key, other = Key(database), Key(database)
    with armed(stack, "relay", point):
        key.append("1", TOO_LARGE, "3")
        other.append("1", "2")
    confirmed(stack, database)
    assert query(database, PARKED) == [(1,)]
    skip(database)
    everything_came(stack, database, key)


@pytest.mark.parametrize("point", ["after_produce", "after_produce:20", "after_delivery:20", "before_release"])
def test_I1_I2_I3_killed_while_it_releases(stack, database, point):
    key = Key(database)
    key.append(TOO_LARGE, *map(str, range(2, 60)))
    wait_for(lambda: query(database, PARKED) == [(1,)], "the key to be parked")
    confirmed(stack, database)
    with armed(stack, "relay", point):
        skip(database)
    everything_came(stack, database, key)


@pytest.mark.parametrize("point", ["before_new_slot", "after_new_slot", "after_produce:20", "after_delivery:20"])
def test_I1_I2_I3_killed_while_it_rebuilds(stack, database, point):
    key = Key(database)
    key.append("1")
    settled(stack, database)
    stack.part("relay").stop()
    wait_for(lambda: query(database, DROP_SLOT), "the slot to be free")
    key.append(*map(str, range(2, 60)))
    with armed(stack, "relay", point):
        pass
    everything_came(stack, database, key)
