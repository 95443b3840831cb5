-- A position behind everything that was committed until now. The message is a transaction of its own, so the server writes
-- its WAL to disk up to there, commits without synchronous_commit included, and the stream passes it even if nothing else
-- happens. It is no row of a table and is relayed to nobody.
SELECT pg_logical_emit_message(true, 'countersign.relay', 'drain')::text
