import { describe, expect, test } from 'vitest'
import type { LabelSelector } from './resources.ts'
import { selects } from './selector.ts'

describe('a selector selects what the Kubernetes API says, and nothing beside it', () => {
  const labels = { app: 'web', tier: 'front' }
  const expression = (
    key: string,
    operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist',
    values?: string[],
  ) => ({
    matchExpressions: [{ key, operator, ...(values ? { values } : {}) }],
  })

  test.each<[string, LabelSelector, boolean]>([
    ['empty', {}, true],
    ['empty lists', { matchLabels: {}, matchExpressions: [] }, true],
    ['equal label', { matchLabels: { app: 'web' } }, true],
    ['other value', { matchLabels: { app: 'db' } }, false],
    ['label that is not there', { matchLabels: { zone: 'a' } }, false],
    ['one of two labels', { matchLabels: { app: 'web', tier: 'back' } }, false],
    ['In', expression('app', 'In', ['db', 'web']), true],
    ['In, other values', expression('app', 'In', ['db']), false],
    ['In, no such label', expression('zone', 'In', ['a']), false],
    ['NotIn', expression('app', 'NotIn', ['db']), true],
    ['NotIn, its value', expression('app', 'NotIn', ['db', 'web']), false],
    ['NotIn, no such label', expression('zone', 'NotIn', ['a']), true],
    ['Exists', expression('app', 'Exists'), true],
    ['Exists, no such label', expression('zone', 'Exists'), false],
    ['DoesNotExist', expression('zone', 'DoesNotExist'), true],
    ['DoesNotExist, but it does', expression('app', 'DoesNotExist'), false],
    ['labels and expressions', { matchLabels: { app: 'web' }, ...expression('tier', 'In', ['back']) }, false],
  ])('%s', (_name, selector, selected) => {
    expect(selects(selector, labels)).toBe(selected)
  })

  test('something without labels', () => {
    expect(selects({})).toBe(true)
    expect(selects({ matchLabels: { app: 'web' } })).toBe(false)
  })
})
