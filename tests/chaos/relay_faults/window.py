"""What one row of the report is judged by: the rows of its keys, and everything Kafka got since the row began."""
import dataclasses
import datetime

from confluent_kafka import Consumer, KafkaError, TopicPartition

from tests.chaos.ledger import Record, Row, check
from tests.support.observe import TOPICS, headers_of

QUEUE_BYTES = 16 * 1024 * 1024  # the relay's kafka.queue
ROWS = ("SELECT row_number() OVER (ORDER BY occurred_at, id), event_id::text, topic, key, type, seq, payload::text "
        "FROM ({tables}) AS log WHERE starts_with(key, %s)")
COLUMNS = "SELECT id, occurred_at, event_id, topic, key, type, seq, payload FROM"


@dataclasses.dataclass(frozen=True)
class Appended:
    """A record and its two times, in seconds since 1970."""
    record: Record
    written: float
    appended: float


class Window:
    """Opens when it is made; prefix: what the keys of this row begin with; tables: that hold them."""

    def __init__(self, field, prefix, tables=("auth.event_log",)):
        self.field, self.prefix = field, prefix
        self.tables = list(tables)
        self.selects = []   # further queries of all columns of a Row but the last
        self.topics = list(TOPICS)
        self.given_up = set()       # ids of committed events that an operator skipped
        self.only_in_kafka = set()  # ids of events that a promoted standby no longer has
        self._begin = self._ends()

    def judge(self, plant=None):
        """(verdict, records with their times, bytes of the duplicates). plant: spoils what was read."""
        rows = self._rows()
        appended = [one for one in self._read() if one.record.event_id not in self.only_in_kafka]
        if plant:
            appended = plant(appended)
        known = {row.event_id for row in rows}
        earlier = self._earlier({a.record.event_id for a in appended} - known)
        own = [a for a in appended if a.record.event_id not in earlier]
        verdict = check(rows, [a.record for a in own])
        verdict.duplicates += len(appended) - len(own)
        verdict.lost = [event for event in verdict.lost if event not in self.given_up]
        return verdict, own, self._duplicated_bytes(appended, earlier)

    def _rows(self):
        tables = " UNION ALL ".join(f"{COLUMNS} {table}" for table in self.tables)
        found = [Row(*row) for row in self.field.query(ROWS.format(tables=tables), self.prefix)]
        for select in self.selects:
            found += [Row(*row, select) for row in self.field.query(select)]
        return found

    def _earlier(self, strangers):
        """Those that belong to rows before this window: each must have come then, so here it is a duplicate."""
        if not strangers:
            return set()
        return {event for (event,) in self.field.query(
            "SELECT event_id::text FROM auth.event_log WHERE event_id = ANY(%s::uuid[]) AND NOT starts_with(key, %s)",
            list(strangers), self.prefix)}

    @staticmethod
    def _duplicated_bytes(appended, earlier):
        seen, size = set(earlier), 0
        for one in appended:
            if one.record.event_id in seen:
                size += len(one.record.value) + len(one.record.key)
            seen.add(one.record.event_id)
        return size

    def _ends(self):
        consumer = self._consumer()
        try:
            found = {}
            for topic in self.topics:
                for partition in consumer.list_topics(topic, timeout=30).topics[topic].partitions:
                    found[topic, partition] = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=30)[1]
            return found
        finally:
            consumer.close()

    def _read(self):
        consumer, found = self._consumer(), []
        try:
            ends = self._ends()
            consumer.assign([TopicPartition(*place, self._begin.get(place, 0)) for place in ends])
            left = set(ends)
            while left:
                messages = consumer.consume(10_000, timeout=10)
                if not messages:
                    raise AssertionError(f"Kafka could not be read to its end: {sorted(left)}")
                for message in messages:
                    if not message.error():
                        found.append(appended_of(message))
                    elif message.error().code() == KafkaError._PARTITION_EOF:
                        left.discard((message.topic(), message.partition()))
            return found
        finally:
            consumer.close()

    def _consumer(self):
        return Consumer({"bootstrap.servers": self.field.brokers, "group.id": "relay-faults", "enable.auto.commit": False,
                         "isolation.level": "read_committed", "enable.partition.eof": True, "log_level": 0,
                         "auto.offset.reset": "error"})


def appended_of(message):
    headers = headers_of(message)
    key = message.key()
    # Without a key there is no order: each such event is a key of its own.
    record = Record(message.topic(), message.partition(), message.offset(),
                    f"no key {headers.get('ce_id')}" if key is None else key.decode(), headers.get("ce_id", ""),
                    headers.get("ce_type", ""), int(headers.get("ce_sequence", 0)), message.value().decode())
    written = datetime.datetime.fromisoformat(headers["ce_time"]).timestamp() if "ce_time" in headers else 0.0
    return Appended(record, written, message.timestamp()[1] / 1e3 + 0.0005)


def recovery(appended, lifted):
    """Seconds until the first event that was written after that moment is in Kafka; None: none was."""
    waits = [one.appended for one in appended if one.written >= lifted]
    return max(0.0, min(waits) - lifted) if waits else None
