import { describe, expect, test } from 'vitest'
import { FakeClock } from '../test/support/fake-clock.ts'
import { AuditOpener, auditPublicKey, makeAuditPrivateKey } from './audit-key.ts'
import { AuditVerifier } from './audit-verify.ts'
import { createAudit, type AuditEvent } from './audit.ts'
import { createLogger, type Logger } from './log.ts'

const event: AuditEvent = {
  event: 'authentication',
  action: 'v1.write',
  outcome: 'denied',
  reason: 'no-credential',
  who: { kind: 'nobody' },
}

/** An audit stream whose output can be broken. */
function world() {
  const privateKey = makeAuditPrivateKey()
  const clock = new FakeClock()
  const lines: string[] = []
  const told: unknown[] = []
  const state = { isBroken: false }
  const output = (text: string) => {
    if (state.isBroken) throw new Error('write EPIPE')
    lines.push(...text.trimEnd().split('\n'))
  }
  const destination = { write: (line: string) => void told.push(JSON.parse(line)) }
  const log: Logger = createLogger('test', { destination })
  const publicKey = auditPublicKey(privateKey)
  const make = () => createAudit({ program: 'test', organizationId: null, publicKey, clock, output, log })
  const verify = () => {
    const verifier = new AuditVerifier(new AuditOpener(privateKey))
    for (const line of lines) verifier.add(line, '')
    return verifier.verdict()
  }
  return { make, verify, lines, told, clock, state }
}

describe('a stream of a process', () => {
  test('begins with it, and another one with the next process', () => {
    const { make, verify, lines } = world()
    make()
    expect(lines).toHaveLength(1)
    make().write(event)
    expect(verify()).toMatchObject({ findings: [], unproved: [], streams: [{ lines: 1 }, { lines: 2 }] })
  })

  test('a line that cannot be written stops nobody, is told once a minute, and is missed', async () => {
    const { make, verify, told, clock, state } = world()
    const audit = make()
    audit.write(event)
    state.isBroken = true
    for (let line = 0; line < 3; line += 1) audit.write(event)
    clock.jump(60_000)
    audit.write(event)
    state.isBroken = false
    audit.write(event)
    expect(told).toMatchObject([
      { msg: 'audit lines are lost', level: 'error', lost: 1, reason: 'write EPIPE' },
      { lost: 3 },
    ])
    expect(verify().findings).toMatchObject([{ from: 2, to: 5, what: 'missing' }])
  })
})
