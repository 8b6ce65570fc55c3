import { describe, expect, test } from 'vitest'
import { silentLogger } from '../../common/log.ts'
import { FakeClock } from '../../test/support/fake-clock.ts'
import { GatewayAuthority } from './gateway-authority.ts'

// The authority beside the gateway's own certificate comes when its maker makes it, and changes when it is renewed:
// whoever asks gets the current one, without a restart.

function opened(clock: FakeClock) {
  const secret: { value: Readonly<Record<string, string>> | Error | null; reads: number } = {
    value: null,
    reads: 0,
  }
  const authority = new GatewayAuthority({
    read: async () => {
      secret.reads += 1
      if (secret.value instanceof Error) throw secret.value
      return secret.value
    },
    clock,
    log: silentLogger,
  })
  return { secret, authority }
}

describe('the authority that clients of the gateway must trust', () => {
  test('is found within a minute of its coming', async () => {
    const clock = new FakeClock()
    const { secret, authority } = opened(clock)
    await authority.start()
    expect(authority.current).toBeNull()
    await clock.advance(600_000)
    secret.value = { 'ca.crt': 'one' }
    await clock.advance(60_000)
    expect(authority.current).toBe('one')
    await authority.stop()
  })

  test('is looked at hourly once it is there, and follows a renewal', async () => {
    const clock = new FakeClock()
    const { secret, authority } = opened(clock)
    secret.value = { 'ca.crt': 'one' }
    await authority.start()
    expect(authority.current).toBe('one')
    secret.value = { 'ca.crt': 'two' }
    await clock.advance(3_599_000)
    expect([authority.current, secret.reads]).toEqual(['one', 1])
    await clock.advance(1_000)
    expect(authority.current).toBe('two')
    await authority.stop()
  })

  test.each([
    ['cannot be read', new Error('away')],
    ['is gone', null],
  ])('stays what it was while its Secret %s, and is asked for every minute', async (_how, value) => {
    const clock = new FakeClock()
    const { secret, authority } = opened(clock)
    secret.value = { 'ca.crt': 'one' }
    await authority.start()
    secret.value = value
    await clock.advance(3_600_000)
    secret.value = { 'ca.crt': 'two' }
    expect(authority.current).toBe('one')
    await clock.advance(60_000)
    expect(authority.current).toBe('two')
    await authority.stop()
  })

  test('is none of ours where the certificate comes from a public one', async () => {
    const clock = new FakeClock()
    const { secret, authority } = opened(clock)
    secret.value = { 'ca.crt': 'one' }
    await authority.start()
    secret.value = { 'tls.crt': 'public' }
    await clock.advance(3_600_000)
    expect(authority.current).toBeNull()
    await authority.stop()
  })
})
