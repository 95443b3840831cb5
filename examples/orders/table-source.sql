-- For a relay without replication rights. Without the index every question reads the whole table; on a big
-- table that is in use make it CONCURRENTLY, outside of a transaction.
CREATE INDEX ON shop.messages (written_by, id);
ALTER ROLE shop_relay NOREPLICATION;
