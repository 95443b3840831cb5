"""What can be seen of a running stack from outside: committed rows, Kafka's records, a phone."""
import dataclasses
import datetime
import json
import time
import urllib.parse
import urllib.request

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from deploy.dev.teller import Miss

PATIENCE = 15  # seconds for what takes milliseconds
SEEN = ("verification", "user.created", "auth.log", "otp.log")
OTP_GROUP = "countersign-otp"
QUIET = {"log_level": 0}   # what goes wrong is told in the story, not by the library


@dataclasses.dataclass(frozen=True)
class Event:
    """A committed row of an event log."""
    event_id: str
    topic: str
    key: str
    type: str
    seq: int
    payload: str


class Rows:
    """Of the services' database, through psql."""

    def __init__(self, postgres):
        self._postgres = postgres

    def user(self, phone):
        return self._one(f"SELECT id, phone, status FROM auth.users WHERE phone = '{phone}'")

    def events_of_the_users_transaction(self, user_id):
        """The events that the very transaction wrote which wrote the user's row."""
        return self._events(f"JOIN auth.users u ON u.id = '{user_id}' AND u.xmin = e.xid::xid")

    def events_of(self, key):
        return self._events(f"WHERE e.key = '{key}'")

    def _events(self, condition):
        rows = self._postgres.query("SELECT e.event_id, e.topic, e.key, e.type, e.seq, e.payload FROM auth.event_log e "
                                    f"{condition} ORDER BY e.id")
        return [Event(*row[:4], int(row[4]), row[5]) for row in rows]

    def _one(self, sql):
        rows = self._postgres.query(sql)
        if len(rows) != 1:
            raise Miss(f"one row was expected, {len(rows)} were found: {sql}")
        return rows[0]


class Records:
    """Everything in the topics from their beginning, read once."""

    def __init__(self, brokers):
        self._consumer = Consumer({"bootstrap.servers": brokers, "group.id": "countersign-demo",
                                   "enable.auto.commit": False, "fetch.wait.max.ms": 20, **QUIET})
        topics = self._consumer.list_topics(timeout=10).topics
        self._consumer.assign([TopicPartition(topic, partition, 0)
                               for topic in SEEN for partition in topics[topic].partitions])
        self._by_id = {}

    def close(self):
        self._consumer.close()

    def delays(self):
        """Milliseconds from commit to Kafka of every record seen so far."""
        return [_milliseconds_from_commit(record) for record in self._by_id.values()]

    def of(self, event):
        """The record of a committed event."""
        deadline = time.monotonic() + PATIENCE
        while event.event_id not in self._by_id:
            if time.monotonic() > deadline:
                raise Miss(f"event {event.event_id} ({event.type}) was not in Kafka within {PATIENCE} s")
            message = self._consumer.poll(0.1)
            if message is not None and not message.error():
                self._by_id[headers_of(message).get("ce_id")] = message
        return self._by_id[event.event_id]


def await_otp_consumer(brokers):
    """Until the group that sends codes has its partitions; it joins a moment after otp serves."""
    admin, deadline = AdminClient({"bootstrap.servers": brokers, **QUIET}), time.monotonic() + PATIENCE
    while not _has_partitions(admin):
        if time.monotonic() > deadline:
            raise Miss(f"group {OTP_GROUP} had no partitions within {PATIENCE} s")
        time.sleep(0.05)


def _has_partitions(admin):
    try:
        group = admin.describe_consumer_groups([OTP_GROUP])[OTP_GROUP].result(PATIENCE)
    except KafkaException:   # a cluster that has just started may not know its groups yet
        return False
    return any(member.assignment.topic_partitions for member in group.members)


def headers_of(record):
    return {name: value.decode() for name, value in record.headers() or ()}


def _milliseconds_from_commit(record):
    """Header ce_time is the database's clock as the row was written, the timestamp the broker's as it
    appended; that one is cut to whole milliseconds, so half of one is added."""
    written = datetime.datetime.fromisoformat(headers_of(record)["ce_time"])
    return record.timestamp()[1] + 0.5 - written.timestamp() * 1000


class Phone:
    """What the Twilio fake would have put on a person's screen."""

    def __init__(self, fake, number):
        self._url = f"{fake}/_fake/messages?{urllib.parse.urlencode({'to': number})}"

    def message(self, position):
        """The message of that position, 1 is the first, once it is there."""
        deadline = time.monotonic() + PATIENCE
        while len(found := self._messages()) < position:
            if time.monotonic() > deadline:
                raise Miss(f"message {position} did not reach the phone within {PATIENCE} s")
            time.sleep(0.01)
        return found[position - 1]

    def count(self):
        return len(self._messages())

    def _messages(self):
        with urllib.request.urlopen(self._url, timeout=5) as answer:
            return json.load(answer)["messages"]
