-- The tables of the example: those of a trading system that keeps candles and indicators.

CREATE TABLE tickers (
  id serial PRIMARY KEY,
  symbol text NOT NULL UNIQUE,
  status text NOT NULL DEFAULT 'enabled',
  precision_price int,
  precision_qty int,
  created_at timestamp DEFAULT now()
);

CREATE TABLE ohlcv4_m1 (
  symbol text NOT NULL,
  open_time timestamp NOT NULL,
  open numeric,
  high numeric,
  low numeric,
  close numeric,
  volume numeric,
  source text,
  inserted_at timestamp DEFAULT now(),
  PRIMARY KEY (symbol, open_time)
);
CREATE TABLE ohlcv4_m5 (LIKE ohlcv4_m1 INCLUDING ALL);
CREATE TABLE ohlcv4_m15 (LIKE ohlcv4_m1 INCLUDING ALL);

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
  id serial PRIMARY KEY,
  instance_id int NOT NULL REFERENCES indicator_instances_v4 (id) ON DELETE CASCADE,
  symbol text NOT NULL,
  open_time timestamp NOT NULL,
  param_name text NOT NULL,
  value double precision,
  updated_at timestamp DEFAULT now(),
  CONSTRAINT indicator_values_v4_newest_key UNIQUE (instance_id, symbol, open_time, param_name)
);
CREATE INDEX indicator_values_v4_symbol_idx ON indicator_values_v4 (symbol, open_time);
CREATE INDEX indicator_values_v4_instance_idx ON indicator_values_v4 (instance_id);
CREATE INDEX indicator_values_v4_param_idx ON indicator_values_v4 (param_name);
