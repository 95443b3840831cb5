"""PostgreSQL dies or restarts; the walsender is ended."""
import os
import signal

from tests.chaos.relay_faults.faults import Happened, fault
from tests.chaos.relay_faults.field import SLOT, expect, now
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
