"""Reads the topic of the shop and prints what happened to one order, oldest first."""
import argparse
import json
import os
import uuid

from confluent_kafka import Consumer, KafkaError, KafkaException

TOPIC = "shop.orders"


def events(brokers):
    """Every event that the topic has now, once; in order per key."""
    consumer = Consumer({
        "bootstrap.servers": brokers,
        "group.id": f"history-{uuid.uuid4()}",
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
        "enable.partition.eof": True,
    })
    try:
        open_partitions = set(consumer.list_topics(TOPIC, timeout=10).topics[TOPIC].partitions)
        consumer.subscribe([TOPIC])
        # A consumer with effects keeps the ids beside them: it inserts the ce_id into a table of its own in
        # the transaction of the effect, and a conflict there means that the effect has been.
        seen = set()
        while open_partitions:
            record = consumer.poll(1.0)
            if record is None:
                continue
            if record.error():
                if record.error().code() != KafkaError._PARTITION_EOF:
                    raise KafkaException(record.error())
                open_partitions.discard(record.partition())
                continue
            headers = {name: value.decode() for name, value in record.headers()}
            if headers["ce_id"] not in seen:
                seen.add(headers["ce_id"])
                yield headers, json.loads(record.value())
    finally:
        consumer.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("order_no")
    parser.add_argument("--brokers", default=os.environ.get("KAFKA_BROKERS"), help="default: KAFKA_BROKERS")
    arguments = parser.parse_args()
    if not arguments.brokers:
        parser.error("neither --brokers nor KAFKA_BROKERS says where Kafka is")

    for headers, event in events(arguments.brokers):
        if headers["ce_subject"] == arguments.order_no:
            told = ", ".join(f"{name} {value}" for name, value in event.items() if name != "order_no")
            print(f"{headers['ce_time']}  #{headers['ce_sequence']} {headers['ce_type']:<16} {told}")


if __name__ == "__main__":
    main()
