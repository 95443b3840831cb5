"""The network between the relay and its servers is cut, stopped, slowed down, taken away."""
from tests.chaos.relay_faults.faults import Happened, NotRun, fault
from tests.chaos.relay_faults.field import TAKEOVER, expect, now
from tests.chaos.relay_faults.rows_postgres import back, log_of
from tests.support.observe import wait_for

GROUP = "The network"
STOPPED = 6  # seconds: longer than the walsender's patience and the requests' time-out
DELAY = 0.1  # seconds


def hold(field, seconds=STOPPED):
    """So long, with the load committing meanwhile."""
    began, committed = now(), field.load.committed
    wait_for(lambda: now() - began >= seconds, "the time to pass", seconds + 10)
    expect(field.load.committed > committed, "nothing was committed meanwhile")
    return now()


def brokers(field):
    return list(field.kafka_proxies.values())


@fault("network-cut", "all TCP connections to PostgreSQL and Kafka are reset, five times", GROUP)
def cut(field):
    connections = 0
    for _ in range(5):
        connections += sum(proxy.cut() for proxy in field.proxies)
        lifted = now()
        field.acknowledged(50)
    expect(connections >= 10, f"only {connections} connections were cut")
    return Happened(f"{connections} connections reset", lifted)


@fault("network-refused", f"PostgreSQL and Kafka refuse connections for {STOPPED} s", GROUP)
def refused(field):
    before = sum(proxy.refused for proxy in field.proxies)
    for proxy in field.proxies:
        proxy.refuse(True)
    lifted = hold(field)
    for proxy in field.proxies:
        proxy.refuse(False)
    attempts = sum(proxy.refused for proxy in field.proxies) - before
    expect(attempts > 0, "nobody tried to connect")
    back(field)
    return Happened(f"{attempts} attempts refused", lifted)


@fault("postgres-silent", f"nothing passes to or from PostgreSQL for {STOPPED} s: wal_sender_timeout is hit", GROUP)
def postgres_silent(field):
    said = log_of(field)
    field.postgres_proxy.hang("to_server", "to_client")
    lifted = hold(field)
    field.postgres_proxy.hang()
    back(field)
    expect("terminating walsender process due to replication timeout" in said(), "PostgreSQL cut nobody off")
    return Happened(f"PostgreSQL's log has the replication timeout ({TAKEOVER} s)", lifted)


@fault("postgres-deaf", f"the relay hears PostgreSQL, but not the other way round, for {STOPPED} s", GROUP)
def postgres_deaf(field):
    said = log_of(field)
    field.postgres_proxy.hang("to_server")
    lifted = hold(field)
    field.postgres_proxy.hang()
    back(field)
    expect("terminating walsender process due to replication timeout" in said(), "PostgreSQL cut nobody off")
    return Happened("PostgreSQL's log has the replication timeout", lifted)


@fault("postgres-dumb", f"PostgreSQL hears the relay, but not the other way round, for {STOPPED} s", GROUP)
def postgres_dumb(field):
    events = field.relay.value("relay_events_total")
    field.postgres_proxy.hang("to_client")
    wait_for(lambda: field.relay.value("relay_in_flight") == 0, "what was under way to arrive")
    events = field.relay.value("relay_events_total")
    lifted = hold(field)
    expect(field.relay.value("relay_events_total") == events, "events came all the same")
    field.postgres_proxy.hang()
    back(field)
    return Happened("no event came meanwhile", lifted)


@fault("kafka-silent", f"nothing passes to or from any broker for {STOPPED} s", GROUP)
def kafka_silent(field):
    return kafka_hangs(field, "to_server", "to_client")


@fault("kafka-dumb", f"records reach the brokers, acknowledgements do not reach the relay, for {STOPPED} s", GROUP)
def kafka_dumb(field):
    return kafka_hangs(field, "to_client")


def kafka_hangs(field, *directions):
    relay = field.relay
    for proxy in brokers(field):
        proxy.hang(*directions)
    wait_for(lambda: relay.value("relay_in_flight") > 0, "events to be in flight")
    events = relay.value("relay_events_total")
    lifted = hold(field)
    expect(relay.value("relay_events_total") == events, "events were acknowledged all the same")
    held = relay.value("relay_in_flight")
    for proxy in brokers(field):
        proxy.hang()
    field.acknowledged()
    return Happened(f"{held:.0f} events in flight, none acknowledged", lifted)


@fault("network-slow", f"every byte takes {DELAY * 1000:.0f} ms each way, for {STOPPED} s", GROUP)
def slow(field):
    def acknowledged():
        return [field.relay.value(f"relay_commit_to_ack_seconds_{part}") for part in ("sum", "count")]
    for proxy in field.proxies:
        proxy.delay = DELAY
    before = acknowledged()
    lifted = hold(field)
    seconds, count = (after - earlier for after, earlier in zip(acknowledged(), before))
    for proxy in field.proxies:
        proxy.delay = 0.0
    expect(count > 100 and seconds / count > 2 * DELAY, f"{count:.0f} events took {seconds:.1f} s together")
    return Happened(f"{seconds / count:.2f} s from commit to acknowledgement on average of {count:.0f} events", lifted)


@fault("answers-lost", "a broker appends, and the connection is lost before its answer, ten times", GROUP, short=True)
def answers_lost(field):
    chance, before = field.chance("answers"), sum(proxy.lost_answers for proxy in brokers(field))
    for _ in range(10):
        proxy = chance.choice(brokers(field))
        proxy.lose_next_answer()
        wait_for(lambda proxy=proxy: not proxy.waits_to_lose, "an answer to lose")
        lifted = now()
        field.acknowledged(20)
    count = sum(proxy.lost_answers for proxy in brokers(field)) - before
    expect(count >= 10, f"only {count} answers were lost")
    return Happened(f"{count} answers to Produce requests lost", lifted)


def in_namespace(field):
    if why_not := field.namespace.make():
        raise NotRun(f"not run here: no network namespace: {why_not}")


@fault("link-down", f"the relay's network link is down for {STOPPED} s and comes back", GROUP, prepare=in_namespace)
def link_down(field):
    relay, link = field.relay, field.namespace
    field.note_memory()
    relay.stop()
    relay.namespace = link
    relay.start()
    field.acknowledged()
    before, size = link.carrier_changes(), relay.log_size()
    expect(not link.down(), "the link could not be taken down")
    lifted = hold(field)
    expect(not link.up(), "the link could not be taken up")
    changes = link.carrier_changes() - before
    expect(changes >= 2, f"{changes} changes of the carrier")
    back(field)
    expect("relaying was interrupted" in relay.log_since(size), "the relay noticed nothing")
    return Happened(f"{changes} changes of the carrier, and the relay's log has the interruption", lifted)


@fault("link-down-standby", "the leader's network link goes down for good, another stands by elsewhere", GROUP, prepare=in_namespace)
def link_down_standby(field):
    relay, link = field.relay, field.namespace
    relay.stop()
    relay.namespace = link
    relay.start()
    field.acknowledged()
    standby = field.with_standby()
    expect(relay.leads() and not standby.leads(), "the one behind the link does not lead")
    before = link.carrier_changes()
    expect(not link.down(), "the link could not be taken down")
    lifted = now()
    wait_for(standby.leads, "the standby to lead", 30)
    field.acknowledged()
    link.up()
    wait_for(lambda: not relay.leads() and relay.serves(), "the first to stand by", 60)
    return Happened(f"{link.carrier_changes() - before} changes of the carrier, the standby leads, the first stands by", lifted)
