"""What Kafka refuses for good: its key is parked, everything else goes on."""
from confluent_kafka.admin import (AclBinding, AclBindingFilter, AclOperation, AclPermissionType, NewTopic, ResourcePatternType,
                                   ResourceType)

from tests.chaos.relay_faults.faults import Happened, fault
from tests.chaos.relay_faults.field import expect, now
from tests.chaos.relay_faults.rows_crash import arm, await_death, disarm
from tests.chaos.relay_faults.rows_data import append, connect, key_of
from tests.support.observe import wait_for

GROUP = "What Kafka refuses"
PARKED = "SELECT topic, key, event_id FROM relay.parked"
TOO_LARGE = '"' + "x" * 2_000_000 + '"'
INTO = ("INSERT INTO auth.event_log (event_id, topic, key, type, seq, payload) "
        "VALUES (gen_random_uuid(), %s, %s, 'fault.tick', %s, '{}')")


def only_parked(field, key, seconds=60):
    """The parked event, once it is there: of this key and no other; the others' events still come."""
    found = wait_for(lambda: field.query(PARKED), "the key to be parked", seconds)
    expect([row[1] for row in found] == [key], f"parked are {found}")
    expect(wait_for(lambda: field.relay.value("relay_parked_keys") == 1, "the metric"), "the metric does not say it")
    field.acknowledged(200)
    return found[0][2]


def released(field):
    wait_for(lambda: field.query("SELECT count(*) FROM relay.parked") == [(0,)], "the key to be released", 60)


def decide(field, *words):
    done = field.run_control("relay", *words, "--why", "a test")
    expect(done.returncode == 0, f"countersignctl said {done.stderr}")


@fault("oversized", "an event larger than Kafka's messages may be", GROUP)
def oversized(field):
    key = key_of(field)
    with connect(field, autocommit=True) as connection:
        append(connection, key, 1, 1)
        append(connection, key, 2, 1, TOO_LARGE)
        append(connection, key, 3, 20)
    event = only_parked(field, key)
    field.window.given_up.add(event)
    decide(field, "skip", event)
    released(field)
    return Happened("relay_parked_keys 1 (CountersignKeysParked), others go on; `relay skip`, then the rest of the key came", now())


@fault("unknown-topic", "an event of a topic that does not exist", GROUP)
def unknown_topic(field):
    key, topic = key_of(field), f"faults.{field.name}"
    with connect(field, autocommit=True) as connection:
        for seq in range(1, 21):
            connection.execute(INTO, (topic, key, seq))
    event = only_parked(field, key)
    for future in field.admin.create_topics([NewTopic(topic, 3, 3)]).values():
        future.result(20)
    field.window.topics.append(topic)
    decide(field, "unpark", event)
    released(field)
    return Happened("the key was parked, others went on; topic made, `relay unpark`, then it came", now())


@fault("not-authorised", "the right to write to a topic is taken from the relay", GROUP)
def not_authorised(field):
    key = key_of(field)
    denied = ("User:relay", "*", AclOperation.WRITE, AclPermissionType.DENY)
    for future in field.admin.create_acls([AclBinding(ResourceType.TOPIC, "user.created", ResourcePatternType.LITERAL, *denied)]).values():
        future.result(20)
    try:
        with connect(field, autocommit=True) as connection:
            for seq in range(1, 21):
                connection.execute(INTO, ("user.created", key, seq))
        event = only_parked(field, key)
    finally:
        rule = AclBindingFilter(ResourceType.TOPIC, "user.created", ResourcePatternType.LITERAL, *denied)
        for future in field.admin.delete_acls([rule]).values():
            future.result(20)
    decide(field, "unpark", event)
    released(field)
    return Happened("the key was parked, others went on; right given back, `relay unpark`, then it came", now())


def killed_while(point, what, decided):
    def run(field):
        key = key_of(field)

        def poison():
            with connect(field, autocommit=True) as connection:
                append(connection, key, 1, 1)
                append(connection, key, 2, 1, TOO_LARGE)
                append(connection, key, 3, 40)

        if decided:
            poison()
            event = only_parked(field, key)
        arm(field, point)
        try:
            field.relay.spawn()
            if decided:
                decide(field, "skip", event)
            else:
                poison()
            seen = await_death(field, point)
        finally:
            disarm(field.relay)
        lifted = now()
        field.relay.start()
        if not decided:
            event = only_parked(field, key)
            decide(field, "skip", event)
        field.window.given_up.add(event)
        released(field)
        return Happened(seen, lifted)
    fault(f"parking-{point.replace('_', '-')}", f"kill -9 {what}", GROUP)(run)


killed_while("before_park", "before a key is parked", decided=False)
killed_while("after_park", "after a key was parked", decided=False)
killed_while("before_release", "before a parked key is released", decided=True)
