"""The relay's place, the tables or the whole database are not what they were."""
import os
import subprocess

from deploy.dev.postgres import DATABASE, OWNER, server_programs
from tests.chaos.relay_faults.faults import READING, Happened, fault
from tests.chaos.relay_faults.field import SLOT, drop_slot, expect, now
from tests.chaos.relay_faults.rows_postgres import back
from tests.support.observe import wait_for

GROUP = "Slot, tables and database"
STATUS = f"SELECT wal_status FROM pg_replication_slots WHERE slot_name = '{SLOT}'"
ONLY_CHECKPOINTS = ("at_least_once",)   # there the slot is the only memory


def rebuilt(field):
    wait_for(lambda: field.relay.value("relay_rebuilds_total") == 1, "the rebuild")
    back(field)


@fault("slot-dropped", "the slot is dropped while the relay is away", GROUP, unlike=ONLY_CHECKPOINTS)
def slot_dropped(field):
    field.acknowledged()
    field.note_memory()
    field.relay.kill()
    drop_slot(field)
    expect(not field.query(STATUS), "the slot is there")
    field.progress(50)
    lifted = now()
    field.relay.start()
    rebuilt(field)
    return Happened("relay_rebuilds_total is 1: CountersignRelayRebuilds fires", lifted)


@fault("slot-lost", "PostgreSQL gives the slot up, since it keeps too much WAL", GROUP, unlike=ONLY_CHECKPOINTS)
def slot_lost(field):
    field.relay.stop()
    field.execute("ALTER SYSTEM SET max_slot_wal_keep_size = '16MB'", "SELECT pg_reload_conf()")
    try:
        def lost():
            field.execute("SELECT pg_logical_emit_message(false, 'filler', repeat('x', 1000000)) FROM generate_series(1, 20)",
                          "SELECT pg_switch_wal()", "CHECKPOINT")
            return field.query(STATUS) == [("lost",)]
        wait_for(lost, "PostgreSQL to give the slot up", 60)
    finally:
        field.execute("ALTER SYSTEM RESET max_slot_wal_keep_size", "SELECT pg_reload_conf()")
    told = field.run_control("outbox", "status")
    expect(told.returncode == 3 and "lost" in told.stdout + told.stderr, "outbox status does not say it")
    lifted = now()
    field.relay.start()
    rebuilt(field)
    return Happened("wal_status lost, `outbox status` says so and ends with 3, one rebuild", lifted)


@fault("partition-detached", "today's partition of the log is detached before the relay has read it", GROUP)
def partition_detached(field):
    (name,) = field.query("SELECT tableoid::regclass::text FROM auth.event_log ORDER BY id DESC LIMIT 1")[0]
    short = name.rpartition(".")[2]
    field.relay.stop()
    field.progress(50)
    (unread,) = field.query("SELECT pg_current_wal_insert_lsn() - confirmed_flush_lsn FROM pg_replication_slots "
                            "WHERE slot_name = %s", SLOT)[0]
    expect(unread > 10_000, f"only {unread} bytes are unread")
    field.execute(f"BEGIN; ALTER TABLE auth.event_log DETACH PARTITION {name}; ALTER TABLE {name} RENAME TO detached_{short}; "
                  "SELECT auth.log_make(1); COMMIT")
    field.window.tables.append(f"auth.detached_{short}")
    field.progress(50)
    lifted = now()
    field.relay.start()
    back(field)
    return Happened(f"{unread} bytes of WAL were unread when {short} left; its events came from the WAL all the same", lifted)


@fault("column-added", "ALTER TABLE ADD COLUMN and DROP COLUMN, ten times", GROUP)
def column_added(field):
    for _ in range(10):
        field.execute("SET lock_timeout = '5s'", "ALTER TABLE auth.event_log ADD COLUMN fault text DEFAULT 'x'")
        field.progress(3)
        field.execute("SET lock_timeout = '5s'", "ALTER TABLE auth.event_log DROP COLUMN fault")
        lifted = now()
        field.progress(3)
    expect(field.relay.value("relay_lag_seconds") < 60, "the relay is behind")
    return Happened("ten columns came and went", lifted)


@fault("sequence-restarted", "the sequence of the ids begins again at 1", GROUP)
def sequence_restarted(field):
    (before,) = field.query("SELECT last_value FROM auth.event_log_id")[0]
    field.execute("ALTER SEQUENCE auth.event_log_id RESTART WITH 1")
    lifted = now()
    field.progress(30)
    (after,) = field.query("SELECT last_value FROM auth.event_log_id")[0]
    expect(after < before, f"the ids go on at {after}")
    # Nothing else of this run shall meet ids that were given out twice.
    field.execute(f"ALTER SEQUENCE auth.event_log_id RESTART WITH {before + 10_000_000}")
    return Happened(f"ids went from {before} back to 1", lifted)


@fault("restored", "the database is dumped and restored into a new cluster", GROUP, idle=True, peak_mib=READING, unlike=ONLY_CHECKPOINTS)
def restored(field):
    prefix, postgres, dump = field.prefix, field.stack.part("postgres"), field.run_dir / "dump.sql"

    def written(part):
        with field.write(prefix.removesuffix("-"), f"{field.seed}-{field.name}-{part}") as field.load:
            field.progress()

    written("before")
    field.settle()
    field.relay.stop()
    written("unrelayed")
    database(field, "pg_dump", "-f", dump, DATABASE)
    old = field.query("SELECT system_identifier FROM pg_control_system()")[0][0]
    postgres.stop()
    postgres.remove_data()
    postgres.start()
    database(field, "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", dump, DATABASE)
    dump.unlink()
    expect(field.query("SELECT system_identifier FROM pg_control_system()")[0][0] != old, "the cluster is the old one")
    field.relay.spawn()
    wait_for(lambda: not field.relay.serves() and "checkpoint_refused" in field.relay.trouble(), "the relay to refuse", 60)
    field.relay.stop()
    forgotten = field.run_control("relay", "forget", "--slot", SLOT, "--yes")
    expect(forgotten.returncode == 0, f"forget said {forgotten.stderr}")
    lifted = now()
    field.relay.start()
    wait_for(field.relay.leads, "the relay to lead", 60)
    written("after")
    return Happened("another system identifier; health says checkpoint_refused; after `relay forget` all that Kafka lacked came", lifted)


def database(field, program, *words):
    """A program of PostgreSQL; the password by environment, where no process list shows it."""
    part = field.stack.part("postgres")
    done = subprocess.run([server_programs() / program, "-h", "127.0.0.1", "-p", str(field.stack.ports.get("postgres")), "-U", OWNER,
                           *map(str, words)], capture_output=True, text=True, check=False,
                          env={**os.environ, "PGPASSWORD": part.stack.secrets.get(f"{OWNER}.password")})
    expect(done.returncode == 0, f"{program} said {done.stderr[-500:]}")
