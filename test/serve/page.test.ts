import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { LogEvent } from '../../src/report/events.js'
import { note } from '../../src/report/note.js'
import { html } from '../../src/serve/html.js'
import { fragmentsOf, pageOf } from '../../src/serve/page.js'
import { SCRIPT } from '../../src/serve/script.js'
import { age, size, span } from '../../src/serve/words.js'
import { until } from '../support/until.js'
import { type Browser, findChromium, type Page, type PageOptions, startBrowser } from './browser.js'
import { type Opened, open } from './outlets.js'
import { boardOf, event, symbols, WHOLE } from './scenes.js'

const HOSTILE = [
  '<script>alert(1)</script>',
  '"><img src=x onerror=alert(1)>',
  "' onclick='x",
  '&amp;',
  '\u202Etxt.exe',
  '</style>',
  'a\u0000b',
]

/** Everything that others may name, with these names in it. */
function hostile(): LogEvent[] {
  const [text = ''] = HOSTILE
  const odd = HOSTILE.join(' ')
  return [
    event('starting', { redis: odd, postgres: odd }),
    event('redis_up', { run_id: odd }),
    ...symbols('symbol_ready', HOSTILE),
    event('watching', { symbols: HOSTILE.length }),
    event('data_loss', {
      symbols: HOSTILE,
      cause: text as 'flush',
      evidence: { client: { name: odd, addr: odd }, key_events: { [odd]: 1 } },
      classes: [
        { match: odd, recovery: 'backup', impact: odd, keys_before: 3, keys_gone: 3, counted_at: odd, comes_back: odd },
      ],
    }),
    event('persistence_risk', { finding: odd, reason: odd, hint: odd }),
    event('backup_failed', { reason: odd, hint: odd }),
    { event: 'degraded', what: odd, code: odd, reason: odd, hint: odd, since_ms: 0 },
    { event: 'gap', reason: odd, deaf_for_ms: 1 },
    { event: 'kept_aside', what: 'rdb', path: odd, bytes: 1 },
    { event: 'reload_failed', reason: odd },
    { event: 'drift', dataset: odd, kinds: {}, keys: [odd], keys_drifted: 1, symbols: [odd], missing: 1, differing: 0 },
    { event: 'recover_failed', incident: 1, code: odd, reason: odd, hint: odd },
  ]
}

describe('the page', () => {
  it('escapes whatever others have named', () => {
    const text = pageOf(boardOf(hostile()), Date.now()).body.toString()
    expect(text.match(/<script/g)).toHaveLength(1)
    expect(text).not.toContain('<img')
    expect(text.replace(/<script>.*<\/script>/s, '')).not.toMatch(/\s(on\w+|style)=["']/)
    expect(text.match(/<\/style>/g)).toHaveLength(1)
    expect(text).not.toMatch(/[\u202E\0]/)
    expect(text).toContain('&lt;script&gt;alert(1)&lt;/script&gt;')
  })

  it('asks for nothing from elsewhere', () => {
    const { body, headers } = pageOf(boardOf(WHOLE), Date.now())
    expect(body.toString().replaceAll('http://www.w3.org/2000/svg', '')).not.toMatch(/https?:|\/\/[a-z]/)
    const policy = headers[headers.indexOf('Content-Security-Policy') + 1]
    expect(policy).toMatch(/^default-src 'none'; .*style-src 'sha256-[^']+'; script-src 'sha256-[^']+'/)
    expect(policy).not.toContain('unsafe')
  })

  it('is made in no time of 5,000 symbols, and stays small', () => {
    const names = Array.from({ length: 5_000 }, (_, i) => `SYMBOL${i}`)
    const board = boardOf([
      event('starting'),
      event('redis_up'),
      ...symbols('symbol_ready', names),
      event('watching', { symbols: 5_000 }),
    ])
    const began = performance.now()
    for (let i = 0; i < 10; i++) pageOf(board, Date.now())
    expect((performance.now() - began) / 10).toBeLessThan(150)
    expect(pageOf(board, Date.now()).body.length).toBeLessThan(600_000)
  })

  it('says in each state what matters', () => {
    const titleAfter = (...events: LogEvent[]): string =>
      /<h2>(.*?)<\/h2>/.exec(fragmentsOf(boardOf(events), Date.now())[0]?.html.text ?? '')?.[1] ?? ''
    expect(titleAfter()).toBe('Looking')
    expect(titleAfter(...WHOLE)).toBe('Everything is whole')
    expect(titleAfter(...WHOLE, event('data_loss'))).toBe('Redis lost data; healing')
    expect(titleAfter(...WHOLE, ...symbols('symbol_lost', ['BTC']))).toBe('Healing')
    expect(titleAfter(...WHOLE, event('redis_down'))).toBe('Redis is down')
    const away: LogEvent = { event: 'postgres_down', code: 'c', reason: 'r', hint: 'h', down_for_ms: 0 }
    expect(titleAfter(...WHOLE, away)).toBe('Whole, but changes do not arrive')
  })

  it('stands whatever time it is given', () => {
    const board = boardOf(WHOLE)
    note(board, event('data_loss', { last_seen_whole_at: 'never', time_to_detect_ms: -5 }), 9e15)
    note(board, event('healed', { time_to_heal_ms: 0 }), -9e15)
    expect(pageOf(board, Date.now()).status).toBe(200)
  })
})

describe('words', () => {
  it('say spans, ages and sizes', () => {
    expect([0, 4, 4.26, 312, 2_380, 45_000, 90_000, 4e6, 3e8].map(span)).toEqual([
      '0 ms',
      '4 ms',
      '4.3 ms',
      '312 ms',
      '2.38 s',
      '45 s',
      '1 min 30 s',
      '1 h 6 min',
      '3 d 11 h',
    ])
    expect([3, 1_536, 48e6].map(size)).toEqual(['3 B', '1.5 KB', '46 MB'])
    expect(html`${['<', 3, undefined, false]}`.text).toBe('&lt;3')
  })

  it('are the same in the browser', () => {
    const source = /function age\(ms\) \{.*?\n\}/s.exec(SCRIPT)?.[0]
    const theirs = new Function(`${source}; return age`)() as typeof age
    const times = [-5, 0, 999, 1_000, 59_999, 6e4, 3_599_999, 36e5, 1.7e8, 1.8e8, 9e9]
    expect(times.map(theirs)).toEqual(times.map(age))
  })
})

const chromium = findChromium()
if (!chromium) console.warn('Chromium was not found: tests of the status page in a browser are SKIPPED.')

describe.skipIf(!chromium)(`in a browser${chromium ? '' : ' (SKIPPED: Chromium is not installed)'}`, () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await startBrowser(chromium ?? '')
  })
  afterAll(() => browser?.stop())

  /** Opens the page as somebody would, and leaves a picture of it where PICTURES says. */
  async function look({ listen }: Opened, name: string, options: PageOptions = {}): Promise<Page> {
    const page = await browser.open(`http://${listen}/`, options)
    if (options.script !== false)
      await until(() => page.evaluate(`document.getElementById('live').dataset.state === 'on'`))
    const { PICTURES } = process.env
    if (PICTURES) {
      mkdirSync(PICTURES, { recursive: true })
      writeFileSync(join(PICTURES, `${name}.png`), await page.picture())
    }
    return page
  }

  const title = `document.querySelector('#state h2').textContent`
  const fits = 'document.documentElement.scrollWidth <= innerWidth'

  it('moves while Redis is healed, by itself', async () => {
    const outlets = await open()
    outlets.emit(...WHOLE)
    const page = await look(outlets, 'whole')
    expect(await page.evaluate(title)).toBe('Everything is whole')
    outlets.emit(event('data_loss'), ...symbols('symbol_lost', ['ADA', 'BTC', 'ETH']))
    await until(() => page.evaluate(`${title} === 'Redis lost data; healing'`))
    expect(await page.evaluate(`document.querySelectorAll('#symbols .lost').length`)).toBeGreaterThanOrEqual(3)
    outlets.emit({ event: 'symbol_healed', incident: 1, symbol: 'BTC' }, ...symbols('symbol_ready', ['BTC']))
    await until(() => page.evaluate(`document.querySelector('progress')?.value === 1`))
    outlets.emit(...symbols('symbol_ready', ['ADA', 'ETH']), event('healed'))
    await until(() => page.evaluate(`${title} === 'Everything is whole'`))
    expect(await page.evaluate(`document.querySelector('.took').textContent`)).toContain('312 ms')
    expect(page.complaints).toEqual([])
    expect(new Set(page.requests.map((url) => new URL(url).host))).toEqual(new Set([outlets.listen]))
  })

  it('keeps open what somebody has opened', async () => {
    const outlets = await open()
    outlets.emit(
      ...WHOLE,
      event('data_loss'),
      event('healed'),
      event('data_loss', { incident: 2 }),
      event('healed', { incident: 2 }),
    )
    const page = await look(outlets, 'opened')
    await page.evaluate(`document.getElementById('loss-1').open = true`)
    await page.evaluate(`document.getElementById('loss-2').open = false`)
    outlets.emit(event('data_loss', { incident: 3 }))
    await until(() => page.evaluate(`!!document.getElementById('loss-3')`))
    expect(await page.evaluate(`[1, 2, 3].map((id) => document.getElementById('loss-' + id).open)`)).toEqual([
      true,
      false,
      true,
    ])
  })

  it('is a whole page without JavaScript', async () => {
    const outlets = await open()
    outlets.emit(...WHOLE, event('data_loss'))
    const page = await look(outlets, 'still', { script: false })
    expect((await page.picture()).length).toBeGreaterThan(10_000)
    expect(page.requests).toEqual([`http://${outlets.listen}/`])
  })

  it('shows hostile names as they are, and runs none of them', async () => {
    const outlets = await open()
    outlets.emit(...hostile())
    const page = await look(outlets, 'hostile')
    outlets.emit(...hostile())
    await until(() => page.evaluate(`document.querySelectorAll('#losses li').length >= 2`))
    expect(await page.evaluate(`document.querySelectorAll('img, main script, [onclick], [onerror]').length`)).toBe(0)
    expect(
      await page.evaluate(
        `[...document.querySelectorAll('#symbols bdi')].some((e) => e.textContent === '<script>alert(1)</script>'.slice(0, 24) + '…')`,
      ),
    ).toBe(true)
    expect(page.complaints).toEqual([])
  })

  it.each([
    { name: 'phone', width: 390, height: 844, dark: false },
    { name: 'phone-dark', width: 390, height: 844, dark: true },
    { name: 'narrow', width: 320, height: 600, dark: false },
    { name: 'desk-dark', width: 1_280, height: 900, dark: true },
  ])('fits: $name', async ({ name, ...options }) => {
    const outlets = await open()
    const names = Array.from({ length: 50 }, (_, i) => `SYMBOL${i}USDT`)
    outlets.emit(
      ...WHOLE,
      ...symbols('symbol_ready', names),
      event('data_loss'),
      event('healed'),
      event('sync'),
      ...hostile().slice(5),
    )
    const page = await look(outlets, name, options)
    expect(await page.evaluate(fits)).toBe(true)
    const [back, ink] = await page.evaluate<[string, string]>(
      `[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]`,
    )
    const light = (color: string): number => Math.max(...(color.match(/\d+/g) ?? []).map(Number))
    expect(light(back) > light(ink)).toBe(!options.dark)
  })

  it('stays usable with 5,000 symbols, also while all are healed', async () => {
    const names = Array.from({ length: 5_000 }, (_, i) => `${String.fromCharCode(65 + (i % 26))}COIN${i}`)
    const outlets = await open()
    outlets.emit(
      event('starting'),
      event('redis_up'),
      ...symbols('symbol_ready', names),
      event('watching', { symbols: 5_000 }),
    )
    const page = await look(outlets, 'crowd', { width: 390 })
    expect(await page.evaluate(fits)).toBe(true)
    outlets.emit(event('data_loss', { symbols_lost: 5_000 }), ...symbols('symbol_lost', names))
    await until(() => page.evaluate(`document.querySelectorAll('#symbols i.lost').length === 5000`))
    outlets.emit(...symbols('symbol_ready', names), event('healed'))
    await until(() =>
      page.evaluate(`document.querySelectorAll('#symbols i.lost').length === 0 && ${title} === 'Everything is whole'`),
    )
  })

  it('says when nobody answers any longer, and goes on when somebody does', async () => {
    const outlets = await open()
    outlets.emit(...WHOLE)
    const page = await look(outlets, 'lonely')
    outlets.follow(false)
    await until(() => page.evaluate(`document.getElementById('live').dataset.state === 'off'`))
    outlets.follow(outlets.listen)
    await until(() => page.evaluate(`document.getElementById('live').dataset.state === 'on'`))
  })
})
