import { describe, expect, test } from 'vitest'
import type { Condition } from '../api/conditions.ts'
import { isolatedStanding, isolationStatement, type Finding } from './isolation.ts'
import { conditionsOf, progressing, ready, stalled, statementsOf, whileServing } from './standing.ts'

// An open path makes an organization unready and is named; silence neither makes one ready that was never proved, nor takes
// readiness from one that was.

const now = new Date('2026-11-23T10:00:00Z')
const open: Finding = { state: 'open', paths: ['from a to b'], isEverything: false }
const isolated: Finding = { state: 'isolated' }
const pending: Finding = { state: 'pending' }
const untried = (more: Partial<Finding & { state: 'untried' }> = {}): Finding => ({
  state: 'untried',
  why: 'the isolation probe does not run',
  isLasting: false,
  isInVain: false,
  ...more,
})
const said = (status: Condition['status'], message = 'as before'): Condition => ({
  type: 'NetworkIsolated',
  status,
  reason: 'x',
  message,
  lastTransitionTime: '2026-11-23T09:00:00Z',
})

describe('the condition', () => {
  test.each<[string, Finding | null, Condition[], string, RegExp]>([
    ['nothing was ever tried', pending, [], 'Unknown', /not been tried/],
    ['proved', isolated, [], 'True', /nothing got through/],
    ['proved after an open path', isolated, [said('False')], 'True', /nothing got through/],
    ['open', open, [said('True')], 'False', /got through .*: from a to b$/],
    ['a probe that restarts', untried(), [said('True')], 'True', /^as before$/],
    ['an operator that has just begun', pending, [said('True')], 'True', /^as before$/],
    ['nobody looked', null, [said('True')], 'True', /^as before$/],
    ['silence for long', untried({ isLasting: true }), [said('True')], 'Unknown', /probe does not run/],
    [
      'silence for long after an open path',
      untried({ isLasting: true }),
      [said('False')],
      'False',
      /^as before$/,
    ],
    ['never proved, and why', untried(), [said('Unknown')], 'Unknown', /probe does not run/],
  ])('%s', (_what, finding, previous, status, message) => {
    const statement = isolationStatement(finding, previous)
    expect(statement.status).toBe(status)
    expect(statement.message).toMatch(message)
  })

  test('names few of many open paths, and a network plugin that enforces nothing', () => {
    const paths = Array.from({ length: 9 }, (_path, index) => `from a to ${index}`)
    const { message } = isolationStatement({ state: 'open', paths, isEverything: true }, [])
    expect(message).toContain('from a to 4; 4 more')
    expect(message).not.toContain('from a to 5')
    expect(message).toContain('enforce no NetworkPolicy')
  })
})

describe('where isolation is required', () => {
  const well = ready('1 of 1 storage nodes ready')
  const organization = (conditions: readonly Condition[]) => ({ status: { conditions: [...conditions] } })
  const wasReady = conditionsOf(statementsOf(well), [], 1, now)

  test.each([
    ['new, proved', isolated, [], well],
    ['new, not tried', untried(), [], progressing('IsolationNotChecked', 'the isolation probe does not run')],
    ['new, of a version that cannot try', untried({ isInVain: true }), [], well],
    ['ready, and the probe restarts', untried(), wasReady, well],
    ['ready, upgraded from a version that never tried', pending, [...wasReady, said('Unknown')], well],
    ['ready, and nothing answers for long', untried({ isLasting: true }), [...wasReady, said('True')], well],
    ['a pod that comes back while the probe is away', untried(), [said('True')], well],
  ])('%s', (_what, finding, conditions, expected) => {
    expect(isolatedStanding(well, finding, organization(conditions))).toEqual(expected)
  })

  test.each([
    ['ready', well],
    ['ready while its volume grows', whileServing(progressing('VolumeGrowing', 'grows'), well)],
  ])('an open path makes it unready: %s', (_what, standing) => {
    const found = isolatedStanding(standing, open, organization(wasReady))
    expect(found).toMatchObject({ state: 'stalled', reason: 'NetworkNotIsolated' })
    expect(statementsOf(found)[0]).toMatchObject({ type: 'Ready', status: 'False' })
  })

  test('what else is wrong is said first', () => {
    const refused = stalled('NodeRefused', 'no')
    expect(isolatedStanding(refused, open, organization([]))).toBe(refused)
    const asleep = ready('no pod runs', 'Hibernated')
    expect(isolatedStanding(asleep, pending, organization([]))).toBe(asleep)
  })

  test('for the moment of the first try nothing new is said', () => {
    const starting = progressing('StorageNodeStarting', '0 of 1 storage nodes ready')
    const before = conditionsOf(statementsOf(starting), [], 1, now)
    expect(isolatedStanding(well, pending, organization(before))).toEqual(starting)
  })
})
