"""Transactions of every unusual shape, and rows that are hard to read."""
import json
import secrets
import uuid

import psycopg

from tests.chaos.relay_faults.faults import Happened, fault
from tests.chaos.relay_faults.field import expect, now
from tests.chaos.storm import Writers
from tests.support.observe import wait_for

GROUP = "Transactions and rows"
INSERT = ("INSERT INTO auth.event_log (event_id, topic, key, type, seq, payload) "
          "VALUES (gen_random_uuid(), 'auth.log', %s, 'fault.tick', %s, %s)")


def key_of(field, number=0):
    return f"{field.prefix}own-{number}"


def append(connection, key, first, count, payload="{}"):
    with connection.cursor() as cursor:
        cursor.executemany(INSERT, [(key, seq, payload) for seq in range(first, first + count)])


def connect(field, autocommit=False):
    return psycopg.connect(field.database, autocommit=autocommit)


@fault("long-transaction", "a transaction stays open for half a minute and has the lowest ids", GROUP)
def long_transaction(field):
    with connect(field) as connection:
        append(connection, key_of(field), 1, 100)
        began, events = now(), field.relay.value("relay_events_total")
        wait_for(lambda: now() - began >= 30, "the time to pass", 40)
        passed = field.relay.value("relay_events_total") - events
        expect(passed > 500, f"only {passed:.0f} events passed the open transaction")
        lifted = now()
        connection.commit()
    return Happened(f"{passed:.0f} later events came before its commit, its 100 after", lifted)


@fault("savepoints", "savepoints, some rolled back, in transactions of 200 rows", GROUP)
def savepoints(field):
    chance, kept, undone, seq = field.chance("savepoints"), 0, 0, 0
    with connect(field) as connection:
        for _ in range(20):
            for _ in range(20):
                connection.execute("SAVEPOINT part")
                append(connection, key_of(field), seq + 1, 10)
                if chance.random() < 0.5:
                    connection.execute("ROLLBACK TO SAVEPOINT part")
                    undone += 1
                else:
                    connection.execute("RELEASE SAVEPOINT part")
                    seq, kept = seq + 10, kept + 1
            connection.commit()
            lifted = now()
    return Happened(f"{kept} savepoints kept, {undone} rolled back", lifted)


@fault("two-phase", "prepared transactions, committed and rolled back after the relay was killed", GROUP)
def two_phase(field):
    names = [f"{field.name}-{number}" for number in range(6)]
    for number, name in enumerate(names):
        with connect(field, autocommit=True) as connection:
            connection.execute("BEGIN")
            append(connection, key_of(field, number), 1, 50)
            connection.execute(f"PREPARE TRANSACTION '{name}'")
    field.note_memory()
    field.relay.kill()
    field.relay.start()
    field.acknowledged()
    prepared = field.query("SELECT count(*) FROM pg_prepared_xacts WHERE starts_with(gid, %s)", field.name)[0][0]
    expect(prepared == len(names), f"{prepared} prepared transactions")
    for number, name in enumerate(names):
        field.execute(f"{'COMMIT' if number % 2 else 'ROLLBACK'} PREPARED '{name}'")
    return Happened(f"{prepared} prepared, 3 committed and 3 rolled back", now())


@fault("copy", "COPY of 20,000 rows", GROUP)
def copy(field):
    with connect(field) as connection, connection.cursor() as cursor:
        with cursor.copy("COPY auth.event_log (event_id, topic, key, type, seq, payload) FROM STDIN") as rows:
            for seq in range(1, 20_001):
                rows.write_row((str(uuid.uuid4()), "auth.log", key_of(field, seq % 8), "fault.tick", (seq - 1) // 8 + 1, "{}"))
        connection.commit()
        lifted = now()
    return Happened("20,000 rows in one COPY", lifted)


MEGABYTE = 990_000  # with key and headers just below the million that is the client's own limit


@fault("megabyte", "payloads of 0.99 MB, which with their headers are as large as may be; stored out of line", GROUP)
def megabyte(field):
    """Random, since PostgreSQL would compress anything else."""
    count = 10 if field.short else 40
    with connect(field, autocommit=True) as connection:
        for seq in range(1, count + 1):
            append(connection, key_of(field), seq, 1, json.dumps({"pad": secrets.token_hex(MEGABYTE // 2)}))
        lifted = now()
    (stored,) = field.query("SELECT min(pg_column_size(payload)) FROM auth.event_log WHERE key = %s", key_of(field))[0]
    expect(stored >= MEGABYTE * 0.9, f"a payload takes only {stored} bytes")
    return Happened(f"{count} payloads of {MEGABYTE} bytes, each at least {stored} in its table", lifted)


class OneKey(Writers):
    """All on the same key."""

    def _one_transaction(self, connection, chance):
        key = f"{self.prefix}-0"
        (seq,) = connection.execute("UPDATE public.storm_keys SET seq = seq + 10 WHERE key = %s RETURNING seq - 9", (key,)).fetchone()
        append(connection, key, seq, 10)
        connection.commit()
        self._count("committed")


@fault("hot-key", "four connections write thousands of events of one key", GROUP)
def hot_key(field):
    goal = 100 if field.short else 400
    with OneKey(field.database, f"{field.seed}-hot", prefix=f"{field.prefix}hot") as writers:
        wait_for(lambda: writers.committed >= goal, "the writers", 60)
    (count,) = field.query("SELECT count(*) FROM auth.event_log WHERE key = %s", f"{field.prefix}hot-0")[0]
    expect(count >= goal * 10, f"only {count} events")
    return Happened(f"{count} events of one key", now())


ODD = """
CREATE SCHEMA IF NOT EXISTS odd;
GRANT USAGE ON SCHEMA odd TO countersign_relay;
CREATE TABLE odd.event_log (id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY, xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
  event_id uuid NOT NULL, topic text NOT NULL, key bytea, type text NOT NULL, seq bigint NOT NULL, payload json NOT NULL,
  headers json NOT NULL DEFAULT '{}', occurred_at timestamptz NOT NULL DEFAULT clock_timestamp());
GRANT SELECT ON odd.event_log TO countersign_relay;
CREATE PUBLICATION countersign_odd FOR TABLE odd.event_log WITH (publish = 'insert')"""
# A key of bytes arrives as PostgreSQL prints it. Without a key there is no order: each event is a key of its own here.
ODD_ROWS = ("SELECT row_number() OVER (ORDER BY id), event_id::text, topic, coalesce(key::text, 'no key ' || event_id::text), "
            "type, seq, payload::text FROM odd.event_log")


def odd_table(field):
    field.execute(*ODD.split(";"))
    field.relay.settings["publications"] = ["countersign_auth", "countersign_otp", "countersign_odd"]
    field.relay.restart()
    wait_for(field.relay.leads, "the relay to lead")


@fault("odd-keys", "keys that are null, empty or bytes, in a table of another shape", GROUP, prepare=odd_table)
def odd_keys(field):
    field.window.selects.append(ODD_ROWS)
    insert = ("INSERT INTO odd.event_log (event_id, topic, key, type, seq, payload) "
              "VALUES (gen_random_uuid(), 'auth.log', %s, 'fault.odd', %s, %s)")
    keys = [None, b"", b"\x00", b"\xff\xfe\x00\x01", "Gr\u00fc\u00dfe".encode()]
    with connect(field, autocommit=True) as connection:
        for seq in range(1, 101):
            for key in keys:
                connection.execute(insert, (key, 1 if key is None else seq, '"\\u0000 and \u00fc"' if key else "null"))
    lifted = now()
    field.settle()
    field.relay.settings.pop("publications")
    field.relay.restart()
    field.execute("DROP PUBLICATION countersign_odd")
    field.acknowledged()
    return Happened("100 events of each of five keys, from a third table", lifted)
