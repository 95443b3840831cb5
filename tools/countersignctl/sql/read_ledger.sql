-- What was applied to the schema of the search path.
SELECT name, checksum, applied_at FROM schema_migrations ORDER BY name
