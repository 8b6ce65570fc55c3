import { describe, expect, test } from 'vitest'
import { devopsBatches, type Shape } from './devops.ts'

// Promise: every server gets the same bytes in every run, and a shape is what its name says.

const lines = (shape: Shape, hosts = 4) =>
  Buffer.concat(
    devopsBatches({ shape, hosts, rows: 4_000, linesPerBatch: 500, seed: 1 }).flatMap((body) => [
      body,
      Buffer.from('\n'),
    ]),
  )
    .toString()
    .trim()
    .split('\n')
const timeOf = (line: string) => BigInt(line.slice(line.lastIndexOf(' ') + 1))
const isSorted = (all: readonly string[]) =>
  all.every((line, index) => index === 0 || timeOf(all[index - 1]!) <= timeOf(line))

describe('data of the devops shape', () => {
  test('the same options give the same bytes', () => expect(lines('noisy')).toEqual(lines('noisy')))

  test('ten tags, ten whole fields, in the order of time', () => {
    const all = lines('whole')
    const [key, fields] = all[0]!.split(' ')
    expect([all.length, key!.split(',').length, fields!.split(',').length]).toEqual([4_000, 11, 10])
    expect(all.every((line) => /^\S+ (usage_\w+=\d+,?){10} \d{19}$/.test(line))).toBe(true)
    expect(isSorted(all)).toBe(true)
    expect(timeOf(all[4]!) - timeOf(all[0]!)).toBe(10_000_000_000n)
  })

  test('noisy has six decimals', () => expect(lines('noisy')[9]).toMatch(/ (usage_\w+=\d+\.\d{6},?){10} /))

  test('late has the same lines in another order, about a fifth of them away from their places', () => {
    const [late, whole] = [lines('late'), lines('whole')]
    expect(late.toSorted()).toEqual(whole.toSorted())
    const moved = late.filter((line, index) => line !== whole[index]).length / late.length
    expect(moved).toBeGreaterThan(0.15)
    expect(moved).toBeLessThan(0.25)
  })

  test('as many hosts as rows: every line a series of its own', () => {
    expect(new Set(lines('whole', 4_000).map((line) => line.split(' ')[0])).size).toBe(4_000)
  })
})
