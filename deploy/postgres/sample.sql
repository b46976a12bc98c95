-- A little history for the example: ten symbols, 300 candles of each timeframe up to now, and two indicators on each.

INSERT INTO tickers (symbol, precision_price, precision_qty)
SELECT symbol, 2, 4
FROM unnest(ARRAY['BTCUSDT', 'ETHUSDT', 'SOLUSDT', 'BNBUSDT', 'XRPUSDT', 'ADAUSDT', 'DOGEUSDT', 'AVAXUSDT', 'DOTUSDT', 'LINKUSDT'])
  AS symbol;

DO $$
DECLARE
  frame record;
BEGIN
  FOR frame IN SELECT * FROM (VALUES ('m1', 1), ('m5', 5), ('m15', 15)) AS frames(name, minutes) LOOP
    EXECUTE format(
      $insert$
      INSERT INTO %I (symbol, open_time, open, high, low, close, volume, source)
      SELECT symbol, open_time, price, price + 1, price - 1, round(price + sin(i)::numeric, 2), 10 + i %% 7, 'sample'
      FROM tickers, generate_series(1, 300) AS i,
        LATERAL (SELECT date_trunc('minute', now() AT TIME ZONE 'UTC') - i * make_interval(mins => $1)) AS at(open_time),
        LATERAL (SELECT round((100 * tickers.id + 5 * sin(i / 9.0))::numeric, 2)) AS walk(price)
      $insert$, 'ohlcv4_' || frame.name) USING frame.minutes;
    INSERT INTO indicator_instances_v4 (indicator, symbol, timeframe)
    SELECT indicator, symbol, frame.name FROM tickers, unnest(ARRAY['rsi', 'ema']) AS indicator;
  END LOOP;
END
$$;

INSERT INTO indicator_values_v4 (instance_id, symbol, open_time, param_name, value)
SELECT instance.id, symbol, date_trunc('minute', now() AT TIME ZONE 'UTC') - make_interval(mins => i),
  indicator || '_14', 50 + 20 * sin(instance.id + i)
FROM indicator_instances_v4 AS instance, generate_series(1, 5) AS i;
