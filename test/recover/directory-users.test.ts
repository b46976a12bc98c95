import { spawn } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { freePort } from '../../lab/port.js'
import { checkUnused } from '../../src/recover/directory-users.js'
import { describeOwnServers } from '../support/processes.js'
import { until, useRedis } from '../support/servers.js'
import { makeFolder } from './folders.js'

const itSees = it.skipIf(!existsSync('/proc/self/cwd'))
const NOBODY = 'redis://127.0.0.1:1'

describeOwnServers('a data directory', () => {
  const redis = useRedis({ modules: false })
  let dir: string
  const children: ReturnType<typeof spawn>[] = []
  const run = (command: string, args: string[], cwd: string): ReturnType<typeof spawn> => {
    const child = spawn(command, args, { cwd, stdio: 'ignore' })
    children.push(child)
    return child
  }

  beforeEach(() => {
    dir = makeFolder()
  })
  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL')
  })

  itSees('is not in use by a bystander that only stands there', async () => {
    const child = run('sleep', ['60'], dir)
    await until(async () => existsSync(`/proc/${child.pid}/cwd`))
    await expect(checkUnused(dir, NOBODY)).resolves.toBeUndefined()
  })

  itSees('is in use by who has a file of it open', async () => {
    writeFileSync(join(dir, 'dump.rdb'), 'x')
    const child = run('tail', ['-f', join(dir, 'dump.rdb')], '/')
    await until(() =>
      checkUnused(dir, NOBODY).then(
        () => false,
        ({ code, message }) => code === 'folder_in_use' && message.includes(`process ${child.pid} (tail)`),
      ),
    )
  })

  itSees('is in use by a redis-server that stands there, though it has no file of it open', async () => {
    const port = await freePort()
    const child = run('redis-server', ['--port', String(port), '--dir', dir, '--save', ''], '/')
    await until(() =>
      checkUnused(dir, NOBODY).then(
        () => false,
        ({ code, message }) => code === 'folder_in_use' && message.includes(`process ${child.pid} (`),
      ),
    )
  })

  itSees('is in use by a redis-server whose title says nothing of it', async () => {
    const port = await freePort()
    const child = run(
      'redis-server',
      ['--port', String(port), '--dir', dir, '--save', '', '--proc-title-template', 'database'],
      '/',
    )
    await until(() =>
      checkUnused(dir, NOBODY).then(
        () => false,
        ({ message }) => message.includes(`process ${child.pid} (`),
      ),
    )
  })

  it('is in use by the Redis of the URL', async () => {
    const [, its] = (await redis.cli('CONFIG', 'GET', 'dir')) as [string, string]
    await expect(checkUnused(its, redis.url)).rejects.toMatchObject({ code: 'folder_in_use' })
  })
})
