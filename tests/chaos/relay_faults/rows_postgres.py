"""PostgreSQL dies, restarts, is promoted; the walsender is ended."""
import os
import shutil
import signal

from deploy.dev.part import Part
from tests.chaos.relay_faults.faults import READING, Happened, NotRun, fault
from tests.chaos.relay_faults.field import SLOT, drop_slot, expect, now
from tests.support.observe import wait_for

GROUP = "PostgreSQL"
WALSENDER = f"SELECT active_pid FROM pg_replication_slots WHERE slot_name = '{SLOT}' AND active_pid IS NOT NULL"


def log_of(field):
    """What PostgreSQL's log gets from now on, as a function."""
    log = field.stack.part("postgres").log
    size = log.stat().st_size
    return lambda: log.read_bytes()[size:].decode(errors="replace")


def walsender(field):
    return wait_for(lambda: field.query(WALSENDER), "a walsender")[0][0]


def back(field):
    """PostgreSQL answers and a relay streams from it."""
    wait_for(lambda: field.leader and walsender(field), "the relay to stream again", 60)


@fault("postgres-killed", "kill -9 of all of PostgreSQL", GROUP)
def killed(field):
    postgres = field.stack.part("postgres")
    postgres.kill()
    expect(not postgres.running(), "PostgreSQL runs")
    lifted = now()
    said = log_of(field)
    postgres.start()
    back(field)
    expect("automatic recovery in progress" in said(), "PostgreSQL recovered nothing")
    return Happened("it recovered from its WAL", lifted)


@fault("postgres-immediate", "stop of PostgreSQL in immediate mode", GROUP)
def immediate(field):
    postgres, said = field.stack.part("postgres"), log_of(field)
    postgres.process.send(signal.SIGQUIT)
    expect(postgres.process.wait_gone(20), "PostgreSQL did not end")
    expect("immediate shutdown request" in said(), "no immediate shutdown")
    lifted = now()
    postgres.start()
    back(field)
    return Happened("its log has the immediate shutdown, it recovered", lifted)


@fault("postgres-restarted", "restart of PostgreSQL in fast mode", GROUP)
def restarted(field):
    postgres, said = field.stack.part("postgres"), log_of(field)
    expect(postgres.stop(), "PostgreSQL had to be killed")
    lifted = now()
    postgres.start()
    back(field)
    expect("fast shutdown request" in said(), "no fast shutdown")
    return Happened("its log has the fast shutdown", lifted)


@fault("walsender-killed", "kill -9 of the walsender, so that PostgreSQL ends all sessions and recovers", GROUP)
def walsender_killed(field):
    said = log_of(field)
    os.kill(walsender(field), signal.SIGKILL)
    lifted = now()
    wait_for(lambda: "terminated by signal 9" in said(), "PostgreSQL to notice")
    back(field)
    return Happened("its log has the signal and the restart of all server processes", lifted)


@fault("walsender-ended", "pg_terminate_backend of the walsender, five times", GROUP)
def walsender_ended(field):
    before = field.relay.value("relay_reconnects_total")
    for _ in range(5):
        pid = walsender(field)
        field.query("SELECT pg_terminate_backend(%s)", pid)
        wait_for(lambda pid=pid: walsender(field) != pid, "another walsender")
        lifted = now()
        field.acknowledged(50)
    reconnects = field.relay.value("relay_reconnects_total") - before
    expect(reconnects >= 5, f"the relay connected again only {reconnects:.0f} times")
    return Happened(f"{reconnects:.0f} reconnects", lifted)


def promote(field, data=None):
    """The server becomes the primary of a new timeline, without slots, as a standby does. data: from that copy."""
    postgres = field.stack.part("postgres")
    expect(postgres.stop(), "PostgreSQL had to be killed")
    if data:
        shutil.rmtree(postgres.data)
        shutil.copytree(data, postgres.data)
        own(postgres)
    postgres._write("standby.signal", "")
    Part.start(postgres)
    field.query("SELECT pg_promote()")
    wait_for(lambda: field.query("SELECT NOT pg_is_in_recovery()")[0][0], "the promotion")
    drop_slot(field)


def timeline(field):
    """By the name of the WAL file that is written."""
    return int(field.query("SELECT pg_walfile_name(pg_current_wal_insert_lsn())")[0][0][:8], 16)


def own(postgres):
    for path in [postgres.data, *postgres.data.rglob("*")]:
        postgres._own(path)
    postgres.data.chmod(0o700)


@fault("promoted", "a standby that has everything is promoted, without the slot", GROUP, unlike=("at_least_once",))
def promoted(field):
    field.acknowledged()
    field.note_memory()
    field.relay.stop()
    before = timeline(field)
    promote(field)
    expect(timeline(field) > before, "the timeline is the old one")
    lifted = now()
    field.relay.start()
    wait_for(lambda: field.relay.value("relay_rebuilds_total") == 1, "the rebuild")
    back(field)
    return Happened("a new timeline, one rebuild from the tables (CountersignRelayRebuilds)", lifted)


@fault("promoted-with-slot", "a standby with a synchronised failover slot is promoted", GROUP)
def promoted_with_slot(_field):
    raise NotRun("PostgreSQL 17: documented, not run")


@fault("promoted-behind", "a standby that lacks what Kafka has is promoted", GROUP, idle=True, peak_mib=READING, unlike=("at_least_once",))
def promoted_behind(field):
    prefix, postgres = field.prefix, field.stack.part("postgres")
    copy = field.run_dir / "standby"

    def written(part):
        with field.write(prefix.removesuffix("-"), f"{field.seed}-{field.name}-{part}") as field.load:
            field.progress()

    written("before")
    field.settle()
    field.relay.stop()
    postgres.stop()
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(postgres.data, copy)
    postgres.start()
    had = ids(field, prefix)
    field.relay.start()
    written("lost")
    field.settle()
    only_in_kafka = ids(field, prefix) - had
    field.relay.stop()
    promote(field, copy)
    shutil.rmtree(copy)
    written("after")   # its WAL goes beyond the checkpoint's position
    field.relay.spawn()
    wait_for(lambda: not field.relay.serves() and "checkpoint_refused" in field.relay.trouble(), "the relay to refuse", 60)
    field.relay.stop()
    forgotten = field.run_control("relay", "forget", "--slot", SLOT, "--yes")
    expect(forgotten.returncode == 0, f"forget said {forgotten.stderr}")
    field.window.only_in_kafka = only_in_kafka
    lifted = now()
    field.relay.start()
    written("repaired")
    return Happened(f"health says checkpoint_refused and nothing is sent; after `relay forget` it goes on; the {len(only_in_kafka)} "
                    "events that only Kafka has stay and are not counted here", lifted)


def ids(field, prefix):
    return {event for (event,) in field.query("SELECT event_id::text FROM auth.event_log WHERE starts_with(key, %s)", prefix)}
