"""kill -9 of the relay at each named point between 'read from the WAL' and 'slot confirmed'."""
import contextlib
import signal

from tests.chaos.relay_faults.faults import QUEUE, Happened, fault
from tests.chaos.relay_faults.field import TAKEOVER, drop_slot, expect, now
from tests.support.observe import wait_for

GROUP = "The relay dies"
CHECKPOINTS, TRANSACTIONS, ALL = ("deduplicated", "transactional"), ("transactional",), ()
STAGES = (  # point, passes before it, what it means, in the short run, levels that have it
    ("after_read", (100, 400), "after a row was read, before it is produced", False, ALL),
    ("after_produce", (100, 400), "after produce, before the acknowledgement; most often inside a transaction", True, ALL),
    ("after_delivery", (100, 400), "after an acknowledgement, before it is counted", False, ALL),
    ("before_checkpoint", (2, 5), "before a checkpoint is written", False, CHECKPOINTS),
    ("after_checkpoint", (2, 5), "after a checkpoint, before the slot is confirmed", False, ("deduplicated",)),
    ("before_confirm", (5, 30), "before the slot is confirmed", False, ALL),
    ("after_confirm", (5, 30), "after the slot is confirmed", False, ALL),
    ("after_begin", (5, 30), "after a transaction of Kafka began, before its first event", False, TRANSACTIONS),
    ("before_commit", (5, 30), "of a transaction with all its events, before its commit", False, TRANSACTIONS),
    ("after_commit", (5, 30), "after the commit of a transaction, before it is counted", False, TRANSACTIONS),
)


def arm(field, point):
    """The relay runs as a test build that dies at this point."""
    relay = field.relay
    field.note_memory()
    relay.stop()
    relay.build = "asan"
    relay.environment["COUNTERSIGN_FAILPOINT"] = point


def disarm(relay):
    relay.environment.clear()
    relay.build = "release"


def await_death(field, point, seconds=60):
    relay = field.relay
    wait_for(lambda: not relay.running(), f"the relay to die at {point}", seconds)
    code = relay.process.exit_code()
    expect(code == -signal.SIGKILL, f"the relay ended with {code} instead of dying at {point}")
    return f"died at pass {point.partition(':')[2] or 1} of `{point.partition(':')[0]}`"


@contextlib.contextmanager
def dying(field, point):
    """Within the block the armed relay runs; afterwards it has died there and a whole one leads. Yields a list
    that then holds what was seen."""
    seen = []
    arm(field, point)
    try:
        field.relay.spawn()
        yield seen
        seen.append(await_death(field, point))
    finally:
        disarm(field.relay)
    seen.append(now())
    field.relay.start()


def stage(point, passes, what, short, levels):
    def run(field):
        number = field.chance(f"{point}-pass").randint(*passes)
        with dying(field, f"{point}:{number}") as seen:
            pass
        return Happened(*seen)
    fault(f"killed-{point.replace('_', '-')}", f"kill -9 {what}", GROUP, short=short, only=levels)(run)


for row in STAGES:
    stage(*row)


@fault("killed-again-and-again", "kill -9 at ten moments, each after some hundred events", GROUP)
def killed_again_and_again(field):
    chance, times = field.chance("again"), 10
    for _ in range(times):
        field.acknowledged(chance.randrange(50, 400))
        field.note_memory()
        field.relay.kill()
        lifted = now()
        field.relay.start()
    return Happened(f"{times} kills", lifted)


@fault("killed-standby-takes-over", "kill -9 of the leader while another stands by", GROUP)
def standby_takes_over(field):
    standby = field.with_standby()
    field.acknowledged()
    expect(field.relay.leads() and not standby.leads(), "the relay to be killed did not lead")
    field.note_memory()
    field.relay.kill()
    lifted = now()
    wait_for(standby.leads, "the standby to lead")
    field.acknowledged()
    return Happened("the standby leads", lifted)


def frozen(field, seconds):
    """SIGSTOP, another takes over, SIGCONT after so many seconds."""
    standby = field.with_standby()
    field.acknowledged()
    expect(field.relay.leads(), "the relay to be frozen did not lead")
    field.relay.process.send(signal.SIGSTOP)
    frozen_at = now()
    wait_for(standby.leads, "the standby to lead", 30)
    wait_for(lambda: now() - frozen_at >= seconds, "the end of the frost", seconds + 10)
    field.relay.process.send(signal.SIGCONT)
    wait_for(lambda: not field.relay.leads() and field.relay.serves(), "the thawed one to stand by")
    field.acknowledged()
    expect(standby.leads(), "the standby leads no more")
    return Happened(f"frozen for {seconds} s, cut off after {TAKEOVER} s, the standby leads, the thawed one stands by", frozen_at)


@fault("frozen-zombie", "SIGSTOP of the leader, the standby takes over, SIGCONT", GROUP, short=True, duplicates=QUEUE)
def zombie(field):
    return frozen(field, 5 if field.short else 30)


@fault("late-packets", "kill -9 of the leader while its last bytes to Kafka are still on their way for 3 s", GROUP, duplicates=QUEUE)
def late_packets(field):
    standby = field.with_standby()
    field.acknowledged()
    brokers = field.kafka_proxies.values()
    for proxy in brokers:
        proxy.delay = 3.0
    before = sum(proxy.late_bytes for proxy in brokers)
    wait_for(lambda: sum(proxy.under_way() for proxy in brokers) > 2000, "events to be on their way")
    field.note_memory()
    field.relay.kill()
    lifted = now()
    for proxy in brokers:
        proxy.delay = 0.0
    wait_for(standby.leads, "the standby to lead")
    field.acknowledged()
    wait_for(lambda: sum(proxy.under_way() for proxy in brokers) == 0, "the late bytes to arrive")
    late = sum(proxy.late_bytes for proxy in brokers) - before
    expect(late > 0, "no byte came late")
    return Happened(f"{late} bytes reached the brokers after the death of their sender", lifted)


@fault("stepped-down", "SIGTERM of the leader while another stands by", GROUP)
def stepped_down(field):
    standby = field.with_standby()
    field.acknowledged()
    field.note_memory()
    lifted = now()
    expect(field.relay.stop(), "the leader had to be killed")
    wait_for(standby.leads, "the standby to lead")
    field.acknowledged()
    return Happened("it ended by itself, the standby leads", lifted)


def stage_of_rebuild(point, passes, what):
    def run(field):
        field.note_memory()
        field.relay.stop()
        drop_slot(field)
        field.progress(20)
        number = field.chance(f"{point}-pass").randint(*passes)
        with dying(field, f"{point}:{number}") as seen:
            pass
        wait_for(lambda: field.relay.value("relay_rebuilds_total") == 1, "the rebuild to begin again")
        return Happened(*seen)
    fault(f"rebuild-{point.replace('_', '-')}", f"slot dropped, then kill -9 {what}", GROUP,
          unlike=("at_least_once",))(run)


stage_of_rebuild("before_new_slot", (1, 1), "before the new slot is made")
stage_of_rebuild("after_new_slot", (1, 1), "after the new slot is made, before a row is read")
stage_of_rebuild("after_produce", (20, 60), "while the rows of the tables are produced")
