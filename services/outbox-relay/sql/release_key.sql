-- The key is no longer parked; the log says how it ended. Nothing happens if it was parked anew by
-- another relay since. $7: unparked or skipped, $8: what came. The role may write the log only.
WITH released AS (
  DELETE FROM relay.parked
   WHERE slot = $1::text AND topic = $2::text AND key = $3::text
     AND source_schema = $4::text AND source_table = $5::text AND event_id = $6::text
  RETURNING slot, topic, key, event_id
), logged AS (
  INSERT INTO relay.parking_log (action, slot, topic, key, event_id, detail)
  SELECT $7::text, slot, topic, key, event_id, $8::text FROM released
)
SELECT event_id FROM released
