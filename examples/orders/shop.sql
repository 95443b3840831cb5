-- The shop's database: orders, the outbox table beside them, and who may do what.
-- Run once, as the owner, in one transaction: psql -1 -f shop.sql

CREATE SCHEMA shop;

CREATE TABLE shop.orders (
  order_no bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (START WITH 1001),
  item text NOT NULL,
  quantity integer NOT NULL CHECK (quantity > 0),
  state text NOT NULL DEFAULT 'placed' CHECK (state IN ('placed', 'shipped', 'cancelled')),
  -- How many events the order has. Raised by the statement that changes the order, which thereby
  -- holds the order's lock until the commit.
  version bigint NOT NULL DEFAULT 1
);

-- The outbox: one row is one record in Kafka. The id is drawn by the INSERT, when the order's lock is
-- held, so that id order is order per key; an identity's sequence hands out one number at a time,
-- and a cache would spoil that. json keeps the bytes as they were written; jsonb writes them anew.
CREATE TABLE shop.messages (
  id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  message_id uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(),
  stream text NOT NULL CHECK (stream <> ''),
  order_no bigint NOT NULL,
  kind text NOT NULL,
  version bigint NOT NULL,
  body json NOT NULL,
  attributes json NOT NULL DEFAULT '{}',
  written_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- With it the relay finds what Kafka lacks when its slot is lost.
  written_by xid8 NOT NULL DEFAULT pg_current_xact_id(),
  UNIQUE (order_no, version)
);

-- Before the slot, which the relay makes at its first start: a slot that is older than its
-- publication cannot be decoded. Inserts only, so that old rows may be deleted unnoticed.
CREATE PUBLICATION shop_messages FOR TABLE shop.messages
  WITH (publish = 'insert', publish_via_partition_root = true);

-- The service may append to the outbox and never change it.
CREATE ROLE shop_app LOGIN;
GRANT USAGE ON SCHEMA shop TO shop_app;
GRANT SELECT, INSERT, UPDATE ON shop.orders TO shop_app;
GRANT INSERT ON shop.messages TO shop_app;

-- The relay streams, and reads the outbox at its first start and when its slot is lost. With
-- REPLICATION it could also copy the whole cluster, unless pg_hba.conf rejects it the pseudo-database "replication":
--   host  replication  shop_relay  all          reject
--   host  <database>   shop_relay  <address>    scram-sha-256
CREATE ROLE shop_relay LOGIN REPLICATION;
GRANT USAGE ON SCHEMA shop TO shop_relay;
GRANT SELECT ON shop.messages TO shop_relay;
