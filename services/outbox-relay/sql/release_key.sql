-- The key is no longer parked; the log says how it ended. $4: unparked or skipped, $5: what came.
WITH released AS (
  DELETE FROM relay.parked
   WHERE slot = $1::text AND topic = $2::text AND key = $3::text
  RETURNING slot, topic, key, event_id
)
INSERT INTO relay.parking_log (action, slot, topic, key, event_id, detail)
SELECT $4::text, slot, topic, key, event_id, $5::text FROM released
