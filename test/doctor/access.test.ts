import { afterEach, describe, expect, it } from 'vitest'
import { ask } from '../../src/redis/wire.js'
import { describeOwnServers } from '../support/processes.js'
import { useRedis } from '../support/servers.js'
import { CACHE, codesOf, examined, withWire } from './examined.js'

const isAccess = (code: string) => /flush_open|no_password/.test(code)
const OPS = 'user ops on >secret ~* &* +@all'

describeOwnServers('who may come in, and who may flush', () => {
  describe('of a server as it comes', () => {
    const redis = useRedis({ modules: false })

    it('is everybody', async () => {
      await redis.cli('SET', 'sub:user:1', 1)
      expect((await codesOf(redis.url)).filter(isAccess)).toEqual(['flush_open', '(no_password)'])
    })

    it('may be the world', async () => {
      await redis.cli('CONFIG', 'SET', 'protected-mode', 'no')
      expect((await codesOf(redis.url)).filter(isAccess)).toEqual(['flush_open', '(no_password)'])
      await redis.cli('CONFIG', 'SET', 'bind', '* -::*')
      expect((await codesOf(redis.url)).filter(isAccess)).toEqual(['flush_open', 'no_password'])
    })
  })

  describe('of a server with users', () => {
    const redis = useRedis({ modules: false, acl: [OPS, 'user app on >secret ~* &* +@all -@dangerous +info'] })
    const as = (name: string) => redis.url.replace('//', `//${name}:secret@`)
    const change = (user: string, ...rules: string[]) =>
      withWire(as('ops'), (wire) => ask(wire, 'ACL', 'SETUSER', user, ...rules))

    afterEach(() => change('default', 'on', 'nopass', '+@all'))

    it('is the open default user, and that is everybody', async () => {
      const { risks } = await examined(as('ops'))
      const found = risks.find(({ code }) => code === 'flush_open')
      expect(found?.message).toBe('FLUSHALL and FLUSHDB are open to anybody, as the user default.')
      expect(found?.mend).toContain('then ACL SAVE')
    })

    it('may be the administrator alone', async () => {
      await change('default', 'off')
      expect((await codesOf(as('ops'))).filter(isAccess)).toEqual([])
      await change('app', '+flushdb')
      expect((await codesOf(as('ops'), CACHE)).filter(isAccess)).toEqual(['(flush_open)'])
      await change('app', '-flushdb')
    })

    it('stays unknown to those who may not ask', async () => {
      await change('default', 'off')
      const { risks, unchecked, user } = await examined(as('app'))
      expect(user).toBe('app')
      expect(risks.map(({ code }) => code).filter(isAccess)).toEqual([])
      expect(unchecked).toContainEqual({
        what: 'users: who may FLUSHALL, and whether a password is needed',
        why: 'the user of redis.url may not ask for it',
        grant: '+acl|whoami +acl|list +acl|dryrun +command|info',
      })
      expect(unchecked).toContainEqual(expect.objectContaining({ grant: '+config|get' }))
    })

    it('is told by the rules where ACL DRYRUN is forbidden', async () => {
      await change('default', 'off')
      await change('app', '-flushall', '-flushdb', '+acl|list')
      expect((await codesOf(as('app'))).filter(isAccess)).toEqual([])
      await change('app', '+flushall')
      expect((await codesOf(as('app'), CACHE)).filter(isAccess)).toEqual(['(flush_open)'])
      await change('app', '-flushall', '-acl|list')
    })
  })

  describe('of a server without these commands', () => {
    const redis = useRedis({
      modules: false,
      args: ['--rename-command', 'FLUSHALL', '', '--rename-command', 'FLUSHDB', 'hidden', '--requirepass', 'x'],
      password: 'x',
    })

    it('is nobody', async () => {
      expect((await codesOf(redis.url)).filter(isAccess)).toEqual([])
    })
  })
})
