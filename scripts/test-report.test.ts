import { describe, expect, test } from 'vitest'
import { failureLines, type TestFailure } from './test-report.ts'

// The promise: the last lines of a log say which tests have failed and with what, however much they have to say.

const failure = (more: Partial<TestFailure> = {}): TestFailure => ({
  file: 'test/integration/reflector.test.ts',
  names: ['the reflector', 'collects a list'],
  errors: [{ message: 'Test timed out in 120000ms.' }],
  ...more,
})

describe('a failure is told', () => {
  test('by its layer, file and name, with what it said', () => {
    expect(failureLines('control-plane', [failure()])).toEqual([
      'FAILED control-plane > test/integration/reflector.test.ts > the reflector > collects a list',
      '    Test timed out in 120000ms.',
    ])
  })

  test('by its file where no test was reached, and by nothing more outside of every file', () => {
    const lines = failureLines('unit', [failure({ names: [] }), failure({ file: '', names: ['elsewhere'] })])
    expect(lines.filter((line) => line.startsWith('FAILED'))).toEqual([
      'FAILED unit > test/integration/reflector.test.ts',
      'FAILED unit > elsewhere',
    ])
  })

  test('with its place in our code, its cause and its diff, in no colour', () => {
    const error = {
      message: '\u001B[31mexpected 1 to be 2\u001B[39m',
      stack: 'Error: x\n    at a (/x/node_modules/vitest/a.js:1:1)\n    at b (/x/test/b.ts:7:9)',
      cause: { message: 'refused', cause: { message: 'ECONNRESET' } },
      diff: '\u001B[32m- 1\u001B[39m\n\n+ 2',
    }
    expect(failureLines('unit', [failure({ errors: [error] })]).slice(1)).toEqual([
      '    expected 1 to be 2',
      '    at b (/x/test/b.ts:7:9)',
      '    cause: refused',
      '    cause: cause: ECONNRESET',
      '    - 1',
      '    + 2',
    ])
  })
})

describe('what is told is bounded', () => {
  test('a long message leaves room for where it came from, and no failure has more than twelve lines', () => {
    const message = Array.from({ length: 500 }, (_, index) => `line ${index} ${'x'.repeat(9_999)}`).join('\n')
    const error = { message, stack: '    at b (/x/test/b.ts:7:9)', diff: message }
    const lines = failureLines('unit', [failure({ errors: [error, error] })])
    expect(lines).toHaveLength(13)
    expect(lines).toContain('    at b (/x/test/b.ts:7:9)')
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThan(300)
  })

  test('of many failures the first are told and the rest counted', () => {
    const lines = failureLines('unit', Array(120).fill(failure()))
    expect(lines.filter((line) => line.startsWith('FAILED'))).toHaveLength(21)
    expect(lines.at(-1)).toBe('FAILED unit > 100 more')
  })

  test('a circle of causes ends', () => {
    const error: { message: string; cause?: object } = { message: 'round' }
    error.cause = error
    expect(failureLines('unit', [failure({ errors: [error as never] })]).length).toBeLessThan(6)
  })
})
