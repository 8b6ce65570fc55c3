import { describe, expect, test } from 'vitest'
import type { Condition } from '../api/conditions.ts'
import {
  conditionsOf,
  pausedConditions,
  progressing,
  ready,
  stalled,
  statementsOf,
  whileServing,
} from './standing.ts'

const now = new Date('2026-11-22T12:00:00.789Z')
const long = 'x'.repeat(5_000)

describe('conditions are kept to the letter of kstatus', () => {
  test.each([
    [ready('served'), 'True', 'False', 'False'],
    [progressing('AwaitingConfirmation', 'waits'), 'False', 'True', 'False'],
    [stalled('ClassNotFound', 'spec.class: no'), 'False', 'False', 'True'],
  ])('%o', (standing, readyStatus, reconcilingStatus, stalledStatus) => {
    const conditions = conditionsOf(statementsOf(standing), [], 3, now)
    expect(conditions.map(({ type, status }) => [type, status])).toEqual([
      ['Ready', readyStatus],
      ['Reconciling', reconcilingStatus],
      ['Stalled', stalledStatus],
    ])
    for (const condition of conditions) {
      expect(condition).toMatchObject({ observedGeneration: 3, lastTransitionTime: '2026-11-22T12:00:00Z' })
      expect(condition.reason).toMatch(/^[A-Za-z]+$/)
    }
  })

  test('what is wanted besides takes nothing from Ready, which says it too', () => {
    const refused = whileServing(stalled('VolumeGrowthRefused', 'no'), ready('1 of 1 storage nodes ready'))
    expect(statementsOf(refused)).toEqual([
      { type: 'Ready', status: 'True', reason: 'Ready', message: '1 of 1 storage nodes ready; no' },
      { type: 'Reconciling', status: 'False', reason: 'Settled', message: '' },
      { type: 'Stalled', status: 'True', reason: 'VolumeGrowthRefused', message: 'no' },
    ])
  })

  test('a time stands for a change of status, not of words', () => {
    const before = conditionsOf(statementsOf(progressing('Progressing', 'a')), [], 1, now)
    const later = new Date('2026-11-22T13:00:00Z')
    const same = conditionsOf(statementsOf(progressing('VolumePending', 'b')), before, 2, later)
    expect(same.map(({ lastTransitionTime }) => lastTransitionTime)).toEqual([
      '2026-11-22T12:00:00Z',
      '2026-11-22T12:00:00Z',
      '2026-11-22T12:00:00Z',
    ])
    const changed = conditionsOf(statementsOf(ready('c')), same, 2, later)
    expect(changed.map(({ lastTransitionTime }) => lastTransitionTime)).toEqual([
      '2026-11-22T13:00:00Z',
      '2026-11-22T13:00:00Z',
      '2026-11-22T12:00:00Z',
    ])
  })

  test('a message never outgrows what the schema takes', () => {
    expect(conditionsOf(statementsOf(ready(long)), [], 1, now)[0]?.message).toHaveLength(4_096)
  })
})

describe('a paused object', () => {
  const before: readonly Condition[] = conditionsOf(statementsOf(ready('served')), [], 4, now)

  test('goes on saying whether it is ready, and of which spec', () => {
    const paused = pausedConditions(before, new Date('2026-11-22T14:00:00Z'))
    expect(paused.find(({ type }) => type === 'Ready')).toEqual(before[0])
    expect(paused.find(({ type }) => type === 'Reconciling')).toMatchObject({
      status: 'False',
      reason: 'Paused',
      observedGeneration: 4,
    })
    expect(pausedConditions(paused, new Date('2026-11-22T15:00:00Z'))).toEqual(paused)
  })

  test('that was never looked at does not pass for a healthy one', () => {
    expect(pausedConditions([], now)[0]).toMatchObject({ type: 'Ready', status: 'False', reason: 'Paused' })
  })
})
