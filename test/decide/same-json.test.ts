import { describe, expect, it } from 'vitest'
import { sameJson } from '../../src/decide/same-json.js'

describe('sameJson', () => {
  it.each([
    ['{"a":1,"b":[true,null]}', ' { "b" : [ true , null ], "a" : 1 } '],
    ['1.50', '1.5'],
    ['15e-1', '1.5'],
    ['-0', '0'],
    ['0.000', '0e9'],
    ['100', '1E+2'],
    ['12345678901234567890.123', '12345678901234567890.1230'],
    ['"\\u0041\\n"', '"A\\u000a"'],
    ['{"n1":"n1"}', '{"n1":"n1"}'],
    ['"x: 1.50, \\"2\\""', '"x: 1.50, \\"2\\""'],
    ['{"__proto__":1}', '{"__proto__":1.0}'],
  ])('%s is %s', (a, b) => {
    expect(sameJson(a, b)).toBe(true)
  })

  it.each([
    ['12345678901234567890.123', '12345678901234567890.124'],
    ['1', '"1"'],
    ['10', '1'],
    ['-1', '1'],
    ['0.1', '0.01'],
    ['"1.50"', '"1.5"'],
    ['[]', '{}'],
    ['[1]', '{"0":1}'],
    ['[1,2]', '[2,1]'],
    ['{"a":1}', '{"a":1,"b":null}'],
    ['{"a":null}', '{"b":null}'],
    ['null', '{}'],
    ['1 2', '1 2'],
    ['01', '1'],
    ['x', 'x'],
    ['', ''],
  ])('%s is not %s', (a, b) => {
    expect(sameJson(a, b)).toBe(false)
  })

  it('takes a very long string', () => {
    const text = JSON.stringify('\\"x'.repeat(500_000))
    expect(sameJson(text, ` ${text}`)).toBe(true)
  })
})
