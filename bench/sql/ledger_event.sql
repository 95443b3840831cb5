-- One event as one transaction, as tests/chaos/ledger.py wants it: each client has 100 keys that nobody else writes,
-- numbered without a gap. Needs -D n=-1 and a -D run that no other run has.
\set n :n + 1
\set lane :n % 100
\set seq :n / 100 + 1
INSERT INTO auth.event_log (event_id, topic, key, type, seq, payload, headers)
VALUES (gen_random_uuid(), 'auth.log', 'bench-' || :run || '-' || :client_id || '-' || :lane, 'bench.tick', :seq,
        ('{"pad":"' || repeat('x', 190) || '"}')::json, '{"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}')
