/** What the laboratory needs of a node-postgres client: a `Client`, a `PoolClient` or, where no transaction is opened, a `Pool`. */
export interface Database {
  query(text: string, values?: unknown[]): Promise<{ rows: unknown[]; rowCount: number | null }>
}

const candleTable = (name: string) => `
  CREATE TABLE ${name} (
    symbol text NOT NULL,
    open_time timestamp NOT NULL,
    open numeric,
    high numeric,
    low numeric,
    close numeric,
    volume numeric,
    source text,
    inserted_at timestamp DEFAULT now()
  );`

const tables = `
  CREATE TABLE tickers (
    id serial PRIMARY KEY,
    symbol text NOT NULL UNIQUE,
    status text NOT NULL DEFAULT 'enabled',
    precision_price int,
    precision_qty int,
    created_at timestamp DEFAULT now()
  );
  ${['ohlcv4_m1', 'ohlcv4_m5', 'ohlcv4_m15'].map(candleTable).join('')}
  CREATE TABLE indicator_instances_v4 (
    id serial PRIMARY KEY,
    indicator text NOT NULL,
    symbol text NOT NULL,
    timeframe text NOT NULL,
    enabled bool NOT NULL DEFAULT true,
    stream_publish bool NOT NULL DEFAULT false,
    created_at timestamp DEFAULT now()
  );
  CREATE TABLE indicator_values_v4 (
    id serial,
    instance_id int NOT NULL,
    symbol text NOT NULL,
    open_time timestamp NOT NULL,
    param_name text NOT NULL,
    value double precision,
    updated_at timestamp DEFAULT now()
  );`

const keysOfCandles = `
  ALTER TABLE ohlcv4_m1 ADD PRIMARY KEY (symbol, open_time);
  ALTER TABLE ohlcv4_m5 ADD PRIMARY KEY (symbol, open_time);
  ALTER TABLE ohlcv4_m15 ADD PRIMARY KEY (symbol, open_time);`

const keysOfValues = `
  ALTER TABLE indicator_values_v4
    ADD PRIMARY KEY (id),
    ADD CONSTRAINT indicator_values_v4_newest_key UNIQUE (instance_id, symbol, open_time, param_name),
    ADD CONSTRAINT indicator_values_v4_instance_id_fkey
      FOREIGN KEY (instance_id) REFERENCES indicator_instances_v4 (id) ON DELETE CASCADE;
  CREATE INDEX indicator_values_v4_symbol_idx ON indicator_values_v4 (symbol, open_time);
  CREATE INDEX indicator_values_v4_instance_idx ON indicator_values_v4 (instance_id);
  CREATE INDEX indicator_values_v4_param_idx ON indicator_values_v4 (param_name);`

const noKeys = `
  ALTER TABLE ohlcv4_m1 DROP CONSTRAINT ohlcv4_m1_pkey;
  ALTER TABLE ohlcv4_m5 DROP CONSTRAINT ohlcv4_m5_pkey;
  ALTER TABLE ohlcv4_m15 DROP CONSTRAINT ohlcv4_m15_pkey;
  ALTER TABLE indicator_values_v4
    DROP CONSTRAINT indicator_values_v4_pkey,
    DROP CONSTRAINT indicator_values_v4_newest_key,
    DROP CONSTRAINT indicator_values_v4_instance_id_fkey;
  DROP INDEX indicator_values_v4_symbol_idx, indicator_values_v4_instance_idx, indicator_values_v4_param_idx;`

/** Creates the trading system's tables with their keys and indexes, empty; an error if one of them exists. */
export async function createSchema(client: Database): Promise<void> {
  await client.query(tables + keysOfCandles + keysOfValues)
}

/** Drops the keys and indexes of the large tables: filling a bare table and indexing it afterwards takes half the time. */
export async function dropKeys(client: Database): Promise<void> {
  await client.query(noKeys)
}

/** Puts back what `dropKeys` dropped; an error if a row breaks a key. */
export async function addKeys(client: Database): Promise<void> {
  await client.query(keysOfCandles + keysOfValues)
}
