import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome']

/** The name of a Chromium on this machine: that of CHROMIUM, or the first on PATH; undefined if there is none. */
export function findChromium(): string | undefined {
  const { CHROMIUM } = process.env
  return [...(CHROMIUM ? [CHROMIUM] : []), ...NAMES].find((name) => spawnSync(name, ['--version']).status === 0)
}

export interface PageOptions {
  width?: number
  height?: number
  dark?: boolean
  /** False switches JavaScript off. */
  script?: boolean
}

/** A page in a browser. */
export interface Page {
  /** What an expression comes to. */
  evaluate<Value>(expression: string): Promise<Value>
  /** A picture of the page as PNG, from top to bottom. */
  picture(): Promise<Buffer>
  /** What the browser complained of: blocked by the policy, thrown, not found. */
  readonly complaints: readonly string[]
  /** The URLs that were asked for. */
  readonly requests: readonly string[]
}

export interface Browser {
  open(url: string, options?: PageOptions): Promise<Page>
  stop(): Promise<void>
}

type Listener = (method: string, params: Record<string, unknown>) => void

/** Starts a headless Chromium, spoken to over a pipe. */
export async function startBrowser(program: string): Promise<Browser> {
  const profile = mkdtempSync(join(tmpdir(), 'rekindle-browser-'))
  const child = spawn(
    program,
    [
      '--headless=new',
      '--no-sandbox',
      '--disable-gpu',
      '--hide-scrollbars',
      '--no-first-run',
      '--disable-background-networking',
      '--remote-debugging-pipe',
      `--user-data-dir=${profile}`,
    ],
    { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] },
  )
  const wire = new Wire(child)
  return {
    open: (url, options) => openPage(wire, url, options),
    stop: async () => {
      const ended = once(child, 'exit')
      await wire.send('Browser.close').catch(() => child.kill('SIGKILL'))
      await ended
      rmSync(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 })
    },
  }
}

async function openPage(
  wire: Wire,
  url: string,
  { width = 1280, height = 900, dark = false, script = true }: PageOptions = {},
): Promise<Page> {
  const { targetId } = await wire.send<{ targetId: string }>('Target.createTarget', { url: 'about:blank' })
  const { sessionId } = await wire.send<{ sessionId: string }>('Target.attachToTarget', { targetId, flatten: true })
  const send = <Result>(method: string, params: object = {}) => wire.send<Result>(method, params, sessionId)
  const complaints: string[] = []
  const requests: string[] = []
  let loaded = () => {}
  const whenLoaded = new Promise<void>((resolve) => {
    loaded = resolve
  })
  wire.listen(sessionId, (method, params) => {
    if (method === 'Page.loadEventFired') loaded()
    if (method === 'Network.requestWillBeSent') requests.push((params['request'] as { url: string }).url)
    const isError = method === 'Log.entryAdded' && (params['entry'] as { level: string }).level === 'error'
    if (isError || method === 'Runtime.exceptionThrown') complaints.push(JSON.stringify(params))
  })
  for (const domain of ['Page', 'Network', 'Log', 'Runtime']) await send(`${domain}.enable`)
  const mobile = width < 600
  await send('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: mobile ? 2 : 1, mobile })
  const features = [{ name: 'prefers-color-scheme', value: dark ? 'dark' : 'light' }]
  await send('Emulation.setEmulatedMedia', { features })
  await send('Emulation.setScriptExecutionDisabled', { value: !script })
  await send('Page.navigate', { url })
  await whenLoaded
  return {
    complaints,
    requests,
    evaluate: async <Value>(expression: string) => {
      const { result, exceptionDetails } = await send<{ result: { value: Value }; exceptionDetails?: object }>(
        'Runtime.evaluate',
        { expression, returnByValue: true, awaitPromise: true },
      )
      if (exceptionDetails) throw new Error(JSON.stringify(exceptionDetails))
      return result.value
    },
    picture: async () => {
      const { cssContentSize } = await send<{ cssContentSize: { width: number; height: number } }>(
        'Page.getLayoutMetrics',
      )
      const clip = { x: 0, y: 0, width, height: Math.max(height, cssContentSize.height), scale: 1 }
      const { data } = await send<{ data: string }>('Page.captureScreenshot', { clip, captureBeyondViewport: true })
      return Buffer.from(data, 'base64')
    },
  }
}

interface Reply {
  id?: number
  method?: string
  params?: Record<string, unknown>
  sessionId?: string
  result?: unknown
  error?: object
}

/** Commands and events of the DevTools protocol: JSON, each ended by a zero byte. */
class Wire {
  private readonly waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>()
  private readonly listeners = new Map<string, Listener>()
  private readonly out: Writable
  private last = 0
  private rest = ''

  constructor(child: ChildProcess) {
    this.out = child.stdio[3] as Writable
    const input = child.stdio[4] as Readable
    this.out.on('error', () => undefined)
    input.setEncoding('utf8').on('data', (text: string) => this.read(text))
    child.once('exit', () => {
      for (const { reject } of this.waiting.values()) reject(new Error('the browser ended'))
    })
  }

  send<Result>(method: string, params: object = {}, sessionId?: string): Promise<Result> {
    const id = ++this.last
    this.out.write(`${JSON.stringify({ id, method, params, sessionId })}\0`)
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve: resolve as (value: unknown) => void, reject })
    })
  }

  listen(sessionId: string, listener: Listener): void {
    this.listeners.set(sessionId, listener)
  }

  private read(text: string): void {
    const messages = (this.rest + text).split('\0')
    this.rest = messages.pop() ?? ''
    for (const message of messages) this.take(JSON.parse(message) as Reply)
  }

  private take({ id, method, params = {}, sessionId = '', result, error }: Reply): void {
    if (id === undefined) {
      this.listeners.get(sessionId)?.(method ?? '', params)
      return
    }
    const waiting = this.waiting.get(id)
    this.waiting.delete(id)
    if (error) waiting?.reject(new Error(JSON.stringify(error)))
    else waiting?.resolve(result)
  }
}
