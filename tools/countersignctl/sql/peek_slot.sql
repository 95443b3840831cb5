-- The first message of the oldest transaction that an idle slot has not handed on: a Begin, which
-- holds its commit time. Consumes nothing. $2: publications, comma separated.
SELECT data
  FROM pg_logical_slot_peek_binary_changes($1::name, NULL, 1, 'proto_version', '1',
                                           'publication_names', $2::text)
 LIMIT 1
