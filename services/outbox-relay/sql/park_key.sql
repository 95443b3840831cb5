-- The key and its entry in the log, or neither. One that is parked again (its first event was
-- refused once more, or the one behind it) starts there.
WITH parked AS (
  INSERT INTO relay.parked (slot, topic, key, source_schema, source_table, first_id, event_id, reason)
  VALUES ($1::text, $2::text, $3::text, $4::text, $5::text, $6::bigint, $7::text, $8::text)
  ON CONFLICT (slot, topic, key, source_schema, source_table) DO UPDATE
    SET first_id = excluded.first_id, event_id = excluded.event_id, reason = excluded.reason,
        parked_at = excluded.parked_at, wanted = NULL
  RETURNING slot, topic, key, event_id, reason
)
INSERT INTO relay.parking_log (action, slot, topic, key, event_id, detail)
SELECT 'parked', slot, topic, key, event_id, reason FROM parked
