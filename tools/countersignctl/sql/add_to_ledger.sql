-- In the transaction of the migration itself: both or neither.
INSERT INTO schema_migrations (name, checksum) VALUES ($1::text, $2::text)
