-- What is asked of the relay and its entry in the log, or neither. $2: the parked event; $3 the
-- topic, used if no event is named: all keys of it. $4: unpark or skip; $5: why, for the log.
WITH asked AS (
  UPDATE relay.parked SET wanted = $4::text
   WHERE slot = $1::text
     AND CASE WHEN $2::text <> '' THEN event_id = $2::text ELSE topic = $3::text END
  RETURNING slot, topic, key, event_id
)
INSERT INTO relay.parking_log (action, slot, topic, key, event_id, detail)
SELECT $4::text || ' asked', slot, topic, key, event_id, $5::text FROM asked
RETURNING topic, key, event_id
