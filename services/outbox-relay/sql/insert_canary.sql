-- A row that the relay itself watches come back from Kafka.
INSERT INTO relay.canary (topic, key) VALUES ($1, $2) RETURNING event_id::text, id
