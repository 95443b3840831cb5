-- Those that have come back, and older ones that never will be looked for again.
DELETE FROM relay.canary WHERE key = $1 AND id <= $2
