"""Reads topic auth.log from the beginning: one line per event, each event once."""
import argparse
import json
import uuid

from confluent_kafka import Consumer


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--brokers", required=True)
    parser.add_argument("--topic", default="auth.log")
    parser.add_argument("--follow", action="store_true", help="go on waiting for new events")
    arguments = parser.parse_args()

    consumer = Consumer({
        "bootstrap.servers": arguments.brokers,
        "group.id": f"example-{uuid.uuid4()}",
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
        "enable.partition.eof": True,
    })
    at_end = set()
    consumer.subscribe([arguments.topic])
    partitions = len(consumer.list_topics(arguments.topic, timeout=10).topics[arguments.topic].partitions)
    seen = set()  # a real reader keeps the ids of its last hours in its own database
    try:
        while arguments.follow or len(at_end) < partitions:
            record = consumer.poll(1.0)
            if record is None:
                continue
            if record.error():
                at_end.add(record.partition())
                continue
            headers = {name: value.decode() for name, value in record.headers() or ()}
            if headers["ce_id"] in seen:
                continue
            seen.add(headers["ce_id"])
            event = json.loads(record.value())
            who = event.get("user_id") or headers["ce_subject"]
            print(f"{headers['ce_time']}  {headers['ce_type']:<24} #{headers['ce_sequence']:<4} {who}")
    except KeyboardInterrupt:
        pass
    finally:
        consumer.close()


if __name__ == "__main__":
    main()
