"""Brokers die, leaders move, too few replicas are in sync, a disk takes no more."""
import resource

from confluent_kafka import ElectionType, TopicPartition
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from tests.chaos.relay_faults.faults import Happened, fault
from tests.chaos.relay_faults.field import BROKERS, expect, now
from tests.chaos.relay_faults.rows_network import hold
from tests.support.observe import wait_for

GROUP = "Kafka"
TOPIC = "auth.log"


def leaders(field):
    """Partition -> node that leads it."""
    return {p.id: p.leader for p in field.admin.list_topics(TOPIC, timeout=10).topics[TOPIC].partitions.values()}


def part_of(node):
    return BROKERS[node - 1]


def moved(before, after):
    return sum(before[partition] != after[partition] for partition in before)


@fault("broker-killed", "kill -9 of a broker that leads partitions, then it comes back", GROUP, short=True)
def broker_killed(field):
    before = leaders(field)
    victim = field.stack.part(part_of(before[0]))
    victim.kill()
    lifted = now()
    wait_for(lambda: leaders(field)[0] not in (before[0], -1), "another leader")
    changed = moved(before, leaders(field))
    field.acknowledged(200)
    victim.start()
    field.all_in_sync()
    return Happened(f"{changed} partitions changed their leader", lifted)


@fault("brokers-rolled", "all brokers are restarted, one after the other", GROUP)
def rolled(field):
    changed = 0
    for name in BROKERS:
        before = leaders(field)
        field.stack.part(name).stop()
        lifted = now()
        changed += moved(before, leaders(field))
        field.stack.part(name).start()
        field.all_in_sync()
    expect(changed > 0, "no leader moved")
    return Happened(f"{changed} changes of leaders", lifted)


@fault("leaders-moved", "leaders move: a broker hands its partitions over as it stops, and is elected again when it is back", GROUP)
def leaders_moved(field):
    before, broker = leaders(field), field.stack.part("kafka_2")
    expect(broker.stop(), "the broker had to be killed")
    wait_for(lambda: 2 not in leaders(field).values(), "other leaders")
    handed_over = moved(before, leaders(field))
    broker.start()
    field.all_in_sync()
    away = leaders(field)
    field.admin.elect_leaders(ElectionType.PREFERRED, [TopicPartition(TOPIC, partition) for partition in away]).result(20)
    wait_for(lambda: 2 in leaders(field).values(), "the broker to lead again")
    lifted = now()
    field.acknowledged(100)
    return Happened(f"{handed_over} partitions handed over, {moved(away, leaders(field))} elected back with all brokers alive", lifted)


def set_topic(field, name, value):
    operation = AlterConfigOpType.DELETE if value is None else AlterConfigOpType.SET
    entry = ConfigEntry(name, value or "", incremental_operation=operation)
    for future in field.admin.incremental_alter_configs(
            [ConfigResource(ResourceType.TOPIC, TOPIC, incremental_configs=[entry])]).values():
        future.result(20)


@fault("too-few-in-sync", "fewer replicas in sync than min.insync.replicas", GROUP)
def too_few(field):
    relay, size = field.relay, field.relay.log_size()
    set_topic(field, "min.insync.replicas", "3")
    try:
        victim = field.stack.part("kafka_3")
        victim.stop()
        wait_for(lambda: all(len(p.isrs) == 2 for p in field.admin.list_topics(TOPIC, timeout=10).topics[TOPIC].partitions.values()),
                 "two replicas in sync")
        wait_for(lambda: relay.value("relay_in_flight") > 0, "events in flight")
        events = quiet_count(relay)
        hold(field)
        expect(relay.value("relay_events_total") == events, "events were acknowledged all the same")
        held = relay.value("relay_in_flight")
        victim.start()
        field.all_in_sync()
        lifted = now()
    finally:
        set_topic(field, "min.insync.replicas", None)
    said = "NOT_ENOUGH_REPLICAS" in relay.log_since(size) or "Not enough in-sync replicas" in relay.log_since(size)
    return Happened(f"2 of 3 in sync where 3 must be, {held:.0f} events in flight, none acknowledged"
                    + (", the client's log names it" if said else ""), lifted)


def quiet_count(relay):
    """Of acknowledged events, once it no longer changes."""
    seen = []

    def same():
        seen.append(relay.value("relay_events_total"))
        return len(seen) > 5 and len(set(seen[-5:])) == 1
    wait_for(same, "the last acknowledgement", 30, every=0.2)
    return seen[-1]


@fault("disk-full", "a broker's disk takes no more bytes (its files may not grow), until it is restarted", GROUP)
def disk_full(field):
    before = leaders(field)
    victim = field.stack.part(part_of(before[1]))
    pid = victim.pid
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, 1))
    expect(victim.process.wait_gone(60), "the broker goes on without a disk")
    code = victim.process.exit_code()
    expect(code is not None and code > 0, f"the broker ended with {code}")
    lifted = now()
    wait_for(lambda: leaders(field)[1] not in (before[1], -1), "another leader")
    field.acknowledged(200)
    victim.process.forget()
    victim.start()
    field.all_in_sync()
    return Happened(f"the broker gave up with exit code {code}; another led its partitions", lifted)


@fault("all-brokers-killed", "kill -9 of all brokers at once, then they come back", GROUP)
def all_killed(field):
    for name in BROKERS:
        field.stack.part(name).kill()
    expect(not any(field.stack.part(name).running() for name in BROKERS), "brokers run")
    committed = field.load.committed
    field.progress(50)
    lifted = now()
    start_all(field)
    field.acknowledged(100, 120)
    return Happened(f"{field.load.committed - committed} commits while there was no broker", lifted)


def start_all(field):
    """At the same time: one alone finds no majority."""
    for name in BROKERS:
        field.stack.part(name).spawn()
    for name in BROKERS:
        field.stack.part(name).wait_ready()
