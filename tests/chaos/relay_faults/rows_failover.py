"""A standby is promoted: one that has everything, and ones that lack commits."""
import contextlib
import shutil

from deploy.dev.part import Part
from tests.chaos.relay_faults.faults import READING, Happened, NotRun, fault
from tests.chaos.relay_faults.field import SLOT, drop_slot, expect, now
from tests.chaos.relay_faults.rows_postgres import GROUP, back
from tests.chaos.relay_faults.standby import Standby
from tests.support.observe import wait_for


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
    if field.query("SELECT 1 FROM pg_replication_slots WHERE slot_name = %s", SLOT):   # not of a base backup
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

    written(field, "before")
    field.settle()
    field.relay.stop()
    postgres.stop()
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(postgres.data, copy)
    postgres.start()
    had = ids(field, prefix)
    field.relay.start()
    written(field, "lost")
    field.settle()
    only_in_kafka = ids(field, prefix) - had
    field.relay.stop()
    promote(field, copy)
    shutil.rmtree(copy)
    written(field, "after")   # its WAL goes beyond the checkpoint's position
    field.relay.spawn()
    wait_for(lambda: not field.relay.serves() and "checkpoint_refused" in field.relay.trouble(), "the relay to refuse", 60)
    field.relay.stop()
    forgotten = field.run_control("relay", "forget", "--slot", SLOT, "--yes")
    expect(forgotten.returncode == 0, f"forget said {forgotten.stderr}")
    field.window.only_in_kafka = only_in_kafka
    lifted = now()
    field.relay.start()
    written(field, "repaired")
    return Happened(f"health says checkpoint_refused and nothing is sent; after `relay forget` it goes on; the {len(only_in_kafka)} "
                    "events that only Kafka has stay and are not counted here", lifted)


@fault("promoted-awaited", "the same with wait_for_standbys: Kafka has nothing that the standby lacks", GROUP, idle=True,
       peak_mib=READING, unlike=("at_least_once",))
def promoted_awaited(field):
    prefix, relay = field.prefix, field.relay
    with contextlib.closing(Standby(field.stack)) as standby:
        standby.start()
        with relay.set({"wait_for_standbys": [standby.slot]}):
            written(field, "before")   # comes, so the standby's slot is really looked at
            field.settle()
            expect(standby.stop(), "the standby had to be killed")
            had = ids(field, prefix)
            written(field, "lost")
            wait_for(lambda: relay.value("relay_awaits_standbys") == 1, "a commit to wait for the standby")
            committed = ids(field, prefix) - had
            field.note_memory()
            relay.stop()
            promote(field, standby.data)
    died = committed - ids(field, prefix)
    expect(died == committed and died, f"the promoted standby has {len(committed - died)} of {len(committed)} late commits")
    lifted = now()
    relay.start()
    wait_for(lambda: relay.value("relay_rebuilds_total") == 1, "the rebuild")
    written(field, "after")
    return Happened(f"{len(died)} events were committed after the standby's end and died with the old primary; Kafka has none of "
                    "them, and the relay goes on by itself", lifted)


def written(field, part):
    """Some load, begun and ended."""
    with field.write(field.prefix.removesuffix("-"), f"{field.seed}-{field.name}-{part}") as field.load:
        field.progress()


def ids(field, prefix):
    return {event for (event,) in field.query("SELECT event_id::text FROM auth.event_log WHERE starts_with(key, %s)", prefix)}
