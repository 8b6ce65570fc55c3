import { expect, test } from 'vitest'
import { Rounds } from './rounds.ts'

/** Promise: however much work comes at a time, a round of the event loop has one piece of it, the one that came first. */

test('a round each, in the order in which they came', async () => {
  const rounds = new Rounds()
  let round = 0
  let isOver = false
  const count = () => {
    round++
    if (!isOver) setImmediate(count)
  }
  setImmediate(count)
  const begun: [string, number][] = []
  const work = async (name: string, pieces: number) => {
    for (let piece = 0; piece < pieces; piece++) {
      await rounds.next()
      begun.push([name, round])
    }
  }
  await Promise.all([work('a', 3), work('b', 2), work('c', 1)])
  isOver = true
  expect(begun.map(([name]) => name)).toEqual(['a', 'b', 'c', 'a', 'b', 'a'])
  expect(new Set(begun.map(([, at]) => at)).size).toBe(6)
})
