-- One event as one transaction; 64 keys, 200 bytes of payload.
\set key random(1, 64)
INSERT INTO auth.event_log (event_id, topic, key, type, seq, payload, headers)
VALUES (gen_random_uuid(), 'auth.log', 'bench-' || :key, 'bench.tick', 1,
        ('{"pad":"' || repeat('x', 190) || '"}')::json, '{"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}')
