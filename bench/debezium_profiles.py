"""How Debezium is configured in each profile of the comparison. Pure: text and dictionaries."""
import urllib.parse

# As a person would leave it, and as one would set it who had measured. Where a key has no value here, Debezium's,
# Connect's or Kafka's default holds. docs/debezium.md says why these.
_TUNED = {
    "poll.interval.ms": "1",
    "max.batch.size": "4096",
    "max.queue.size": "16384",
    "extended.headers.enabled": "false",
    "producer.override.linger.ms": "0",
    "producer.override.batch.size": "131072",
    "producer.override.max.in.flight.requests.per.connection": "5",
}
CONNECTOR = {
    "defaults": {},
    "tuned": {
        **_TUNED,
        "producer.override.enable.idempotence": "true",
    },
    "exactly_once": {
        **_TUNED,
        "exactly.once.support": "required",
        "transaction.boundary": "poll",
        # A killed worker's successor waits until the broker has given up the open transaction: 60 s by default.
        "producer.override.transaction.timeout.ms": "10000",
    },
}
# The least that a broker allows by default: for so long a killed worker still counts as a member.
_RETURNS_SOONER = {"session.timeout.ms": "6000", "heartbeat.interval.ms": "2000"}
WORKER = {
    "defaults": {},
    "tuned": {"offset.flush.interval.ms": "1000", **_RETURNS_SOONER},
    "exactly_once": {"exactly.once.source.support": "enabled", **_RETURNS_SOONER},
}
NAMES = tuple(CONNECTOR)

# Column of the log -> header, so that a record says what one of our relay says and the same checker reads both.
HEADERS = {"event_id": "ce_id", "type": "ce_type", "seq": "ce_sequence", "occurred_at": "ce_time", "headers": "headers"}


def worker(profile, brokers, url, plugins):
    """Configuration of a distributed Connect worker; one worker is the whole group."""
    return {
        "bootstrap.servers": brokers,
        "group.id": f"debezium-{profile}",
        "listeners": url,
        "rest.advertised.host.name": "127.0.0.1",
        "plugin.path": plugins,
        "connector.client.config.override.policy": "All",
        "key.converter": "org.apache.kafka.connect.storage.StringConverter",
        "value.converter": "org.apache.kafka.connect.storage.StringConverter",
        **{f"{what}.storage.topic": f"debezium-{profile}-{what}" for what in ("config", "offset", "status")},
        **{f"{what}.storage.replication.factor": "1" for what in ("config", "offset", "status")},
        **WORKER[profile],
    }


def connector(profile, database, slot, topic):
    """One connector that relays auth.event_log from a slot into a topic through the outbox event router."""
    url = urllib.parse.urlsplit(database)
    router = {
        "type": "io.debezium.transforms.outbox.EventRouter",
        "route.by.field": "topic",
        "route.topic.replacement": topic,
        "table.field.event.id": "event_id",
        "table.field.event.key": "key",
        "table.field.event.payload": "payload",
        "table.fields.additional.placement": ",".join(f"{column}:header:{header}" for column, header in HEADERS.items()),
    }
    return {
        "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
        "tasks.max": "1",
        "database.hostname": url.hostname,
        "database.port": str(url.port),
        "database.user": urllib.parse.unquote(url.username),
        "database.password": urllib.parse.unquote(url.password),
        "database.dbname": url.path.strip("/"),
        "plugin.name": "pgoutput",
        "publication.name": "countersign_auth",
        "publication.autocreate.mode": "disabled",
        "slot.name": slot,
        "topic.prefix": slot,
        "table.include.list": "auth.event_log",
        "snapshot.mode": "no_data",
        "tombstones.on.delete": "false",
        "transforms": "outbox",
        **{f"transforms.outbox.{key}": value for key, value in router.items()},
        **CONNECTOR[profile],
    }


def properties(settings):
    return "".join(f"{key}={value}\n" for key, value in settings.items())
