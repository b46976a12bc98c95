-- The role of Rekindle: it may read the tables that it restores from, and nothing else. Run by the owner of the database, in it:
--   psql --file deploy/postgres/grants.sql app
-- and then once: ALTER ROLE rekindle PASSWORD '…';
-- To repeat it does no harm.

DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'rekindle') THEN
    -- The daemon needs six connections, and every other command as many while it runs.
    CREATE ROLE rekindle LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOINHERIT CONNECTION LIMIT 20;
  END IF;
  -- Everybody may, unless that was taken from PUBLIC.
  EXECUTE format('GRANT CONNECT ON DATABASE %I TO rekindle', current_database());
END
$$;

-- Rekindle opens its sessions so by itself; this holds for whoever else uses the role.
ALTER ROLE rekindle SET default_transaction_read_only = on;

GRANT USAGE ON SCHEMA public TO rekindle;
GRANT SELECT ON tickers TO rekindle;
GRANT SELECT ON ohlcv4_m1, ohlcv4_m5, ohlcv4_m15 TO rekindle;
GRANT SELECT ON indicator_instances_v4, indicator_values_v4 TO rekindle;

-- To read the WAL (sync.source: wal), a superuser must add: ALTER ROLE rekindle REPLICATION;
-- That is a strong right: see docs/security.md.

-- Where these tables have policies (row-level security), a superuser must add: ALTER ROLE rekindle BYPASSRLS;
-- Without it Rekindle refuses to take a part for the whole; see docs/security.md.
