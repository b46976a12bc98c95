import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { expect, it } from 'vitest'
import { Html } from '../../src/serve/html.js'
import { Stream } from '../../src/serve/stream.js'
import { until } from '../support/until.js'
import { boardOf, WHOLE } from './scenes.js'

it('remembers no backlog for who does not listen, and hangs up in the end', async () => {
  const board = boardOf(WHOLE)
  // Four megabytes that are others each time.
  const page = () =>
    Array.from({ length: 100 }, (_, i) => ({ id: `p${i}`, html: new Html(`${board.version} `.repeat(40_000 / 8)) }))
  const stream = new Stream(board, page)
  const responses: ServerResponse[] = []
  const server = createServer((_, response) => {
    responses.push(response)
    stream.add(response)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  socket.on('error', () => undefined)
  socket.write('GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n')
  socket.pause()
  const response = await until(() => responses[0])
  let most = 0
  await until(
    () => {
      board.version += 1_000_000
      most = Math.max(most, response.writableLength)
      return response.destroyed
    },
    { timeout: 25_000 },
  )
  expect(most).toBeLessThan(10_000_000)
  stream.close()
  socket.destroy()
  server.close()
})
