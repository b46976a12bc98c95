import { describe, expect, it } from 'vitest'
import { readAclUser } from '../../src/decide/risks-acl.js'

describe('readAclUser', () => {
  it.each([
    ['user default on nopass ~* &* +@all', { on: true, open: true, all: true, db: true }],
    ['user app on #5e88 ~* &* -@all +@read +@write', { on: true, open: false, all: true, db: true }],
    ['user app on #5e88 ~* &* +@all -@dangerous', { on: true, open: false, all: false, db: false }],
    ['user app off #5e88 ~* &* +@all -flushall', { on: false, open: false, all: false, db: true }],
    ['user app on #5e88 ~* resetchannels -@all +get +FLUSHDB', { on: true, open: false, all: false, db: true }],
    ['user app on #5e88 ~* resetchannels -@all +@string', { on: true, open: false, all: false, db: false }],
    [
      'user app on #5e88 resetchannels -@all (~a* resetchannels -@all +flushall)',
      { on: true, open: false, all: true, db: false },
    ],
  ])('reads %s', (line, { on, open, all, db }) => {
    const user = readAclUser(line)
    expect(user).toMatchObject({ name: line.split(' ')[1], on, open })
    expect([user?.allows('flushall'), user?.allows('flushdb')]).toEqual([all, db])
    expect(JSON.stringify(user)).not.toContain('5e88')
  })

  it.each([
    ['user a on nopass ~* &* +@all', ['@all']],
    ['user a on nopass ~* &* +@all -@dangerous', ['@all']],
    ['user a on nopass ~* &* +@all -@write', ['@read']],
    ['user a on nopass ~* &* -@all +ping +info +client|setname +@connection', []],
    ['user a on nopass ~* &* -@all +PING +GET +@hash +config|get', ['get', '@hash', 'config|get']],
    ['user a on nopass ~* &* -@all +get -get', []],
    ['user a on nopass ~* &* +@all -@all +ping', []],
    ['user a on nopass resetchannels -@all (~a* resetchannels -@all +set)', ['set']],
  ])('tells what may be done: %s', (line, powers) => {
    expect(readAclUser(line)?.powers).toEqual(powers)
  })

  it.each(['', 'user', 'nobody default on', 'user default'])('reads nothing from %j', (line) => {
    expect(readAclUser(line)).toBeUndefined()
  })
})
