import { describe, expect, it } from 'vitest'
import { symbolsTable } from '../../src/postgres/symbols-table.js'

describe('symbolsTable', () => {
  it.each([
    ["SELECT symbol FROM tickers WHERE status = 'enabled' ORDER BY symbol", 'tickers'],
    ['select s from Market.Tickers t', 'market.tickers'],
    ['SELECT "from" FROM "My.Tickers" AS t', '"My.Tickers"'],
    ['SELECT s FROM app . "Tickers"', 'app."Tickers"'],
    ['SELECT s FROM db.app.tickers', 'app.tickers'],
    ['SELECT s FROM ONLY tickers', 'tickers'],
    ['SELECT s\nFROM\n\ttickers;', 'tickers'],
    ["SELECT 'from a' || s -- from b\n /* from c */ FROM tickers", 'tickers'],
    ['SELECT $$ from a $$, s FROM tickers LIMIT 5', 'tickers'],
    ['SELECT a IS DISTINCT FROM b FROM tickers', 'tickers'],
    ["SELECT s FROM tickers AS t WHERE a IN ('x', 'y') ORDER BY a, b", 'tickers'],
  ])('%s', (query, table) => {
    expect(symbolsTable(query)).toEqual({ table, alone: true })
  })

  it.each([
    'SELECT s FROM tickers JOIN markets USING (id)',
    'SELECT s FROM tickers, markets',
    'SELECT s FROM tickers WHERE s IN (SELECT s FROM markets)',
    'SELECT s FROM tickers UNION SELECT s FROM markets',
    'SELECT (SELECT max(x) FROM y), s FROM tickers',
  ])('%s reads other tables too', (query) => {
    expect(symbolsTable(query)).toEqual({ table: 'tickers', alone: false })
  })

  it.each([
    "SELECT 'BTCUSDT'",
    "VALUES ('BTCUSDT')",
    "SELECT unnest('{BTCUSDT}'::text[])",
    'SELECT s FROM enabled_symbols()',
    'SELECT s FROM app.enabled_symbols(1)',
    'SELECT s FROM (SELECT s FROM tickers) AS t',
    'SELECT extract(epoch FROM now())',
    'WITH t AS (SELECT s FROM tickers) SELECT s FROM t',
    'SELECT s FROM',
  ])('%s has none', (query) => {
    expect(symbolsTable(query)).toBeUndefined()
  })
})
