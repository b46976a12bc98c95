import { describe, expect, it } from 'vitest'
import { parseAnnouncement, pingPayload } from '../../src/decide/announcement.js'

describe('parseAnnouncement', () => {
  it('reads symbols with their timeframe', () => {
    expect(parseAnnouncement('{"v":1,"dataset":"indicators","keys":[["BTCUSDT","m1"],["ETHUSDT","m5"]]}')).toEqual({
      dataset: 'indicators',
      keys: [
        { symbol: 'BTCUSDT', part: 'm1' },
        { symbol: 'ETHUSDT', part: 'm5' },
      ],
    })
  })

  it('reads symbols alone', () => {
    expect(parseAnnouncement('{"v":1,"dataset":"candles.m1","keys":[["A/B \\"c\\" ¥🚀"]]}')).toEqual({
      dataset: 'candles.m1',
      keys: [{ symbol: 'A/B "c" ¥🚀' }],
    })
  })

  it('takes null for everything', () => {
    expect(parseAnnouncement('{"v":1,"dataset":"symbols","keys":null}')).toEqual({ dataset: 'symbols', keys: 'all' })
  })

  it('reads its own ping', () => {
    expect(parseAnnouncement(pingPayload('7 "x"'))).toEqual({ ping: '7 "x"' })
  })

  it.each([
    '',
    'hello',
    '{"v":1,',
    'null',
    '1',
    '"text"',
    '[]',
    '{}',
    '{"v":1}',
    '{"v":2,"dataset":"symbols","keys":null}',
    '{"v":"1","dataset":"symbols","keys":null}',
    '{"dataset":"symbols","keys":null}',
    '{"v":1,"dataset":"symbols"}',
    '{"v":1,"dataset":"","keys":null}',
    '{"v":1,"dataset":7,"keys":null}',
    '{"v":1,"dataset":"indicators","keys":"BTCUSDT"}',
    '{"v":1,"dataset":"indicators","keys":{"0":["BTCUSDT"]}}',
    '{"v":1,"dataset":"indicators","keys":["BTCUSDT"]}',
    '{"v":1,"dataset":"indicators","keys":[[]]}',
    '{"v":1,"dataset":"indicators","keys":[["BTCUSDT",null]]}',
    '{"v":1,"dataset":"indicators","keys":[["BTCUSDT","m1","x"]]}',
    '{"v":1,"dataset":"indicators","keys":[["BTCUSDT","m1",{"since":1,"ids":[]}]]}',
    '{"v":1,"dataset":"indicators","keys":[["BTCUSDT","m1",{"since":"x"}]]}',
    '{"v":1,"dataset":"indicators","keys":[["BTCUSDT","m1",{"since":"x","ids":[1]}]]}',
    '{"v":1,"dataset":"indicators","keys":[["BTCUSDT","m1",null,"x"]]}',
    '{"v":1,"dataset":"indicators","keys":[["BTCUSDT"],[1]]}',
    '{"v":1,"ping":1}',
  ])('ignores %s', (payload) => {
    expect(parseAnnouncement(payload)).toBeUndefined()
  })

  it('ignores what is longer than a payload can be', () => {
    const payload = (length: number) => `{"v":1,"dataset":"symbols","keys":null}`.padEnd(length)
    expect(parseAnnouncement(payload(8000))).toEqual({ dataset: 'symbols', keys: 'all' })
    expect(parseAnnouncement(payload(8001))).toBeUndefined()
  })
})
