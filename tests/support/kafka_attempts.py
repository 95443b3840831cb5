"""Tries as one principal what it may do in Kafka. Each function returns, by name, the error that the broker gave, or
None where it let the principal do it; so ask only for what you expect to be refused."""
import time

from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import (AclBinding, AclOperation, AclPermissionType, AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource,
                                   NewPartitions, NewTopic, ResourcePatternType, ResourceType)

LIMIT = 20


def _fates(futures, name=lambda key: key):
    found = {}
    for key, done in futures.items():
        try:
            done.result(LIMIT)
            found[name(key)] = None
        except KafkaException as refusal:
            found[name(key)] = refusal.args[0].name()
    return found


def write(security, topics):
    found = {}
    producer = Producer({**security, "message.timeout.ms": LIMIT * 1000 // 2})
    for topic in topics:
        producer.produce(topic, b"nobody should have this",
                         on_delivery=lambda error, record: found.update({record.topic(): error.name() if error else None}))
    assert producer.flush(LIMIT) == 0
    return found


def read(security, topics):
    """Of the first partition of each; None once its end is reached."""
    found = {}
    consumer = Consumer({**security, "group.id": "attempts", "enable.auto.commit": False, "enable.partition.eof": True})
    try:
        # Of a topic that may not even be seen the client reads nothing and says nothing.
        for topic in topics:
            if unseen := consumer.list_topics(topic, timeout=LIMIT).topics[topic].error:
                found[topic] = unseen.name()
        consumer.assign([TopicPartition(topic, 0, 0) for topic in topics if topic not in found])
        deadline = time.monotonic() + LIMIT
        while set(topics) - set(found) and time.monotonic() < deadline:
            message = consumer.poll(0.2)
            if message is None or not message.error() or not message.topic():
                continue
            name = message.error().name()
            found[message.topic()] = None if name == "_PARTITION_EOF" else name
    finally:
        consumer.close()
    return found


class Administrator:
    """What AdminClient asks, as that principal."""

    def __init__(self, security):
        self._admin = AdminClient(security)

    def create(self, topics):
        return _fates(self._admin.create_topics([NewTopic(topic, 1, 1) for topic in topics], request_timeout=LIMIT))

    def delete(self, topics):
        """Needs the same right as deleting records."""
        return _fates(self._admin.delete_topics(list(topics), request_timeout=LIMIT))

    def alter(self, topics):
        return _fates(self._admin.create_partitions([NewPartitions(topic, 100) for topic in topics], request_timeout=LIMIT))

    def describe_configs(self, topics):
        resources = [ConfigResource(ConfigResource.Type.TOPIC, topic) for topic in topics]
        return _fates(self._admin.describe_configs(resources, request_timeout=LIMIT), lambda resource: resource.name)

    def alter_configs(self, topics):
        entry = ConfigEntry("retention.ms", "1", incremental_operation=AlterConfigOpType.SET)
        resources = [ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=[entry]) for topic in topics]
        return _fates(self._admin.incremental_alter_configs(resources, request_timeout=LIMIT), lambda resource: resource.name)

    def commit(self, groups, topic):
        """Moves the groups' offsets: that is what reading as a group means."""
        found = {}
        for group in groups:
            asked = [ConsumerGroupTopicPartitions(group, [TopicPartition(topic, 0, 0)])]
            found.update(_fates(self._admin.alter_consumer_group_offsets(asked, request_timeout=LIMIT)))
        return found

    def delete_groups(self, groups):
        return _fates(self._admin.delete_consumer_groups(list(groups), request_timeout=LIMIT))

    def grant_everything(self, principal):
        rule = AclBinding(ResourceType.TOPIC, "*", ResourcePatternType.LITERAL, f"User:{principal}", "*", AclOperation.ALL,
                          AclPermissionType.ALLOW)
        return next(iter(_fates(self._admin.create_acls([rule], request_timeout=LIMIT)).values()))

    def change_the_broker(self):
        entry = ConfigEntry("log.retention.ms", "1", incremental_operation=AlterConfigOpType.SET)
        broker = ConfigResource(ConfigResource.Type.BROKER, "1", incremental_configs=[entry])
        return next(iter(_fates(self._admin.incremental_alter_configs([broker], request_timeout=LIMIT)).values()))


def begin_transactions(security, name):
    producer = Producer({**security, "transactional.id": name})
    try:
        producer.init_transactions(LIMIT)
        return None
    except KafkaException as refusal:
        return refusal.args[0].name()
