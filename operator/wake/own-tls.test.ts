import { expect, test } from 'vitest'
import { FakeClock } from '../../test/support/fake-clock.ts'
import { OwnTls } from './own-tls.ts'

// The operator's listener shows its newest identity, also when that was renewed while it listens.

test('a renewed identity is told of, once', async () => {
  const clock = new FakeClock()
  const one = { certificatePem: 'one', privateKeyPem: 'key', authorityPem: 'authority' }
  let identity = one
  const source = new OwnTls(() => identity, clock)
  const told: string[] = []
  source.onChange(({ certificate }) => told.push(certificate.toString()))
  await source.start()
  await clock.advance(60_000)
  expect([source.material.certificate.toString(), told]).toEqual(['one', []])
  identity = { ...one, certificatePem: 'two' }
  await clock.advance(60_000)
  expect([source.material.certificate.toString(), told]).toEqual(['two', ['two']])
  await source.stop()
})
