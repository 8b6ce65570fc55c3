import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, test } from 'vitest'
import { isAlive, processIdentity, startTicks } from './process-identity.ts'

test('a process that ended is not taken for a later one with its number', async () => {
  const child = spawn('sleep', ['60'])
  const identity = processIdentity(child.pid!)!
  expect(isAlive(identity)).toBe(true)
  const [pid, ...others] = identity.split(' ')
  expect(isAlive([pid, Number(others[0]) + 1, others[1]].join(' '))).toBe(false)
  child.kill('SIGKILL')
  await once(child, 'exit')
  expect(isAlive(identity)).toBe(false)
})

test.each(['', 'garbage', '0 1 x', '-1 1 x'])('%j is nobody', (identity) => {
  expect(isAlive(identity)).toBe(false)
})

test('a name with brackets and blanks does not move the fields', () => {
  const after = Array.from({ length: 19 }, (_, index) => index).join(' ')
  expect(startTicks(`12 (a) b (c)) S ${after}`)).toBe('18')
  expect(startTicks(`12 (a) Z ${after}`)).toBeUndefined()
})
