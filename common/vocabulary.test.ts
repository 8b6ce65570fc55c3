import { describe, expect, test } from 'vitest'
import { durationMs, parseDuration } from './duration.ts'
import { identitiesOf, identity } from './identity.ts'
import { idOfUid, isId, runtimeNamespace } from './ids.ts'

describe('durations', () => {
  test.each([
    ['0', 0n],
    ['1ns', 1n],
    ['1us', 1_000n],
    ['1ms', 1_000_000n],
    ['1h30m', 5_400_000_000_000n],
    ['2w', 1_209_600_000_000_000n],
    ['30d', 2_592_000_000_000_000n],
    ['720h', 2_592_000_000_000_000n],
  ])('%s', (text, nanoseconds) => expect(parseDuration(text)).toBe(nanoseconds))

  test.each(['', '1', 'h', '1.5h', '-1h', '1h ', '1y', '0h1', 'forever'])('%j is refused by name', (text) => {
    expect(() => parseDuration(text)).toThrow(`"${text}" is not a duration`)
  })

  test('timers never fire early', () => expect(durationMs('1us')).toBe(1))
})

describe('ids', () => {
  test('derive from the uid alone and have one form', () => {
    const id = idOfUid('8d1c6a2e-0f6f-4a3e-9d2a-3f1f1f0a4b11')
    expect(isId(id)).toBe(true)
    expect(idOfUid('8d1c6a2e-0f6f-4a3e-9d2a-3f1f1f0a4b11')).toBe(id)
    expect(idOfUid('8d1c6a2e-0f6f-4a3e-9d2a-3f1f1f0a4b12')).not.toBe(id)
    expect(runtimeNamespace(id)).toMatch(/^holdfast-[0-9a-f]{16}$/)
  })

  test.each(['0123456789ABCDEF', '0123456789abcde', '0123456789abcdef0', ''])('%j is none', (text) =>
    expect(isId(text)).toBe(false),
  )
})

describe('identities', () => {
  test('are read from the alternative names, and only ours', () => {
    const id = '0123456789abcdef'
    expect(identitiesOf(`DNS:storage-node, URI:${identity(id, 'node')}, IP Address:127.0.0.1`)).toEqual([
      `holdfast://${id}/node`,
    ])
    expect(identitiesOf('URI:spiffe://x/y, DNS:holdfast://a/node')).toEqual([])
    expect(identitiesOf(undefined)).toEqual([])
  })

  test('a name that only quotes one of ours is none', () => {
    expect(identitiesOf('DNS:"a, URI:holdfast://0123456789abcdef/operator, b"')).toEqual([])
    expect(identitiesOf('DNS:"a, URI:holdfast://0123456789abcdef/operator"')).toEqual([])
  })
})
