"""What a test can see from outside: the database, the topics, the phone, the metrics."""
import json
import time
import urllib.parse
import urllib.request

import psycopg
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from tests.chaos.ledger import Record, Row

TOPICS = ("verification", "user.created", "auth.log", "otp.log")


def wait_for(condition, what, seconds=30, every=0.05):
    """Waits until condition() is true and returns its value; says what it waited for if not."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s in vain for {what}")
        time.sleep(every)


def query(database, sql, *parameters):
    with psycopg.connect(database, autocommit=True) as connection:
        return connection.execute(sql, parameters).fetchall()


def log_rows(database, schemas=("auth", "otp")):
    rows = []
    for schema in schemas:
        rows += [Row(*row, schema) for row in query(
            database, f"SELECT id, event_id::text, topic, key, type, seq, payload::text FROM {schema}.event_log ORDER BY id")]
    return rows


def raw_records(brokers, topics=TOPICS, timeout=30):
    """Every committed record of the topics from their beginning to the end they have now."""
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": f"observer-{time.time_ns()}", "enable.auto.commit": False,
                         "isolation.level": "read_committed", "enable.partition.eof": True, "fetch.wait.max.ms": 10})
    try:
        ends, parts = {}, []
        for topic in topics:
            for partition in consumer.list_topics(topic, timeout=timeout).topics[topic].partitions:
                low, high = watermarks(consumer, TopicPartition(topic, partition), timeout)
                if high > low:
                    parts.append(TopicPartition(topic, partition, low))
                    ends[(topic, partition)] = high
        consumer.assign(parts)
        records, deadline = [], time.monotonic() + timeout
        while ends:
            if time.monotonic() > deadline:
                raise AssertionError(f"could not read up to {ends}")
            message = consumer.poll(0.5)
            if message is None:
                continue
            # The last offsets may be no records: ends of transactions, and what those took back.
            at_end = message.error() is not None and message.error().code() == KafkaError._PARTITION_EOF
            if message.error() and not at_end:
                continue
            if not at_end:
                records.append(message)
            place = (message.topic(), message.partition())
            if place in ends and message.offset() + (not at_end) >= ends[place]:
                del ends[place]
        return records
    finally:
        consumer.close()


def watermarks(consumer, place, timeout):
    """First offset and the one after the last; a broker that has just come back may not lead yet."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            return consumer.get_watermark_offsets(place, timeout=timeout)
        except KafkaException:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def headers_of(message):
    return {name: value.decode() for name, value in message.headers() or ()}


def records(brokers, topics=TOPICS):
    found = []
    for message in raw_records(brokers, topics):
        headers = headers_of(message)
        found.append(Record(message.topic(), message.partition(), message.offset(), message.key().decode(),
                            headers["ce_id"], headers["ce_type"], int(headers["ce_sequence"]), message.value().decode()))
    return found


def get_json(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)


def post_json(url, body):
    request = urllib.request.Request(url, json.dumps(body).encode(), {"content-type": "application/json"}, method="POST")
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.read()


def messages(fake, phone):
    """What the phone shows, oldest first."""
    body = get_json(f"{fake}/_fake/messages?{urllib.parse.urlencode({'to': phone})}")
    return body["messages"] if isinstance(body, dict) else body


def code_on_phone(fake, phone, number=1, seconds=30):
    """The code of the number-th message to that phone, once it is there."""
    return wait_for(lambda: (found := messages(fake, phone)) and len(found) >= number and found[number - 1]["code"],
                    f"message {number} on {phone[:4]}…", seconds)


def metric(address, name, **labels):
    """Sum of a metric's samples that carry the labels; 0 when there is none."""
    with urllib.request.urlopen(f"http://{address.removeprefix('http://')}/metrics", timeout=10) as answer:
        total = 0.0
        for line in answer.read().decode().splitlines():
            if line.startswith((name + " ", name + "{")) and all(f'{k}="{v}"' in line for k, v in labels.items()):
                total += float(line.rsplit(" ", 1)[1])
        return total
