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

    it('is everybody who may write, whatever the others may', async () => {
      await change('default', 'resetpass', '>secret')
      await change('app', 'off')
      await change('mon', 'on', '>secret', '-@all', '+info')
      await change('graph', 'on', '>secret', '~*', '-@all', '+@read', '+config|get')
      const { risks } = await examined(as('ops'))
      expect(risks.find(({ code }) => code === 'flush_open')?.message).toBe(
        'FLUSHALL and FLUSHDB are open to every user that may write (default, ops).',
      )
      await change('graph', '+set')
      expect((await codesOf(as('ops'))).filter(isAccess)).toEqual([])
      await change('app', 'on')
      for (const name of ['mon', 'graph']) await withWire(as('ops'), (wire) => ask(wire, 'ACL', 'DELUSER', name))
      await change('default', 'resetpass')
    })

    it('may come in without a password, but only as far as it then gets', async () => {
      const found = async (...rules: string[]) => {
        await change('default', '-@all', ...rules)
        const { risks } = await examined(as('ops'))
        return risks.find(({ code }) => code === 'no_password')?.message
      }
      await withWire(as('ops'), async (wire) => {
        await ask(wire, 'CONFIG', 'SET', 'protected-mode', 'no')
        await ask(wire, 'CONFIG', 'SET', 'bind', '* -::*')
      })
      const may = 'No password is needed, and other machines may connect: whoever reaches the port'
      expect(await found('+ping', '+info', '+client|setname')).toBeUndefined()
      expect(await found('+ping', '+@read', '+publish')).toBe(`${may} may use @read, publish.`)
      expect(await found('+@all', '-@dangerous')).toBe(`${may} owns the data.`)
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
