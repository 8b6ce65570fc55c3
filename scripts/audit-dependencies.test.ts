import { describe, expect, test } from 'vitest'
import { auditOf, differences, type Advisory } from './audit-dependencies.ts'

// Every advisory is explained or makes the audit fail, and silence is never taken for a clean answer.

const weakness = (id: string, name: string) => ({
  source: 1,
  name,
  dependency: name,
  title: `Weakness of ${name}`,
  url: `https://github.com/advisories/${id}`,
  severity: 'high',
  range: '<2',
})
const report = (vulnerabilities: object) => JSON.stringify({ auditReportVersion: 2, vulnerabilities })
const [first, second] = ['GHSA-aaaa-bbbb-cccc', 'GHSA-dddd-eeee-ffff'] as const
const advisory = (id: string): Advisory => ({ id, name: 'tar', title: 'Weakness of tar' })

describe('what npm prints', () => {
  test('each advisory once, however many packages need the one that has it', () => {
    const output = report({
      tar: { name: 'tar', via: [weakness(first, 'tar'), weakness(second, 'tar')] },
      packer: { name: 'packer', via: ['tar'] },
      other: { name: 'other', via: [weakness(first, 'tar')] },
    })
    expect(auditOf(output)).toEqual({ kind: 'answered', advisories: [advisory(first), advisory(second)] })
  })

  test('nothing known against any', () => {
    expect(auditOf(report({}))).toEqual({ kind: 'answered', advisories: [] })
  })

  test.each([
    [
      'a registry that has no such service',
      JSON.stringify({ message: '405 Method Not Allowed', statusCode: 405, error: { summary: '' } }),
      '405 Method Not Allowed',
    ],
    [
      'a registry that is not reached',
      JSON.stringify({ message: 'request failed', error: {} }),
      'request failed',
    ],
    ['a report of another form', JSON.stringify({ advisories: {} }), 'npm printed no report'],
    ['half a report', '{"auditReportVersion":2,', 'npm printed no report'],
    ['no npm', '', 'npm printed no report'],
  ])('%s is silence', (_what, output, why) => {
    expect(auditOf(output)).toEqual({ kind: 'silent', why })
  })
})

describe('what is explained', () => {
  test('nothing is wrong where each is, and no other', () => {
    expect(differences([advisory(first)], `| ${first} | tar | only in tests |`)).toEqual([])
    expect(differences([], 'Nothing.')).toEqual([])
  })

  test('one that is not explained, and one that is over', () => {
    expect(differences([advisory(first)], `| ${second} |`)).toEqual([
      `${first} of tar is not explained in docs/dependencies.md: Weakness of tar`,
      `${second} is explained in docs/dependencies.md and known of no package any more`,
    ])
  })
})
