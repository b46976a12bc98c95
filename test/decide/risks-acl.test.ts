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

  it.each(['', 'user', 'nobody default on', 'user default'])('reads nothing from %j', (line) => {
    expect(readAclUser(line)).toBeUndefined()
  })
})
