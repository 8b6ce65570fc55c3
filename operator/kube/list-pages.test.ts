import { describe, expect, test } from 'vitest'
import { AppError } from '../../common/errors.ts'
import { listPages } from './list-pages.ts'
import { resources } from './resource.ts'

// Promise: whoever makes objects as large as the API server lets them be slows a list down, and does not stop it.

const mebibyte = 1_048_576

/** Objects by their sizes, as an API server lists them. */
function server(sizes: readonly number[]) {
  const asked: number[] = []
  let largestBytes = 0
  const fetchPage = async (query: URLSearchParams, maxBytes: number) => {
    const from = Number(query.get('continue') ?? 0)
    const limit = Number(query.get('limit'))
    asked.push(limit)
    const page = sizes.slice(from, from + limit)
    const bytes = page.reduce((sum, size) => sum + size, 0)
    if (bytes > maxBytes) throw new AppError('too-large', 'ERR_KUBE_ANSWER_TOO_LARGE', 'too large')
    largestBytes = Math.max(largestBytes, bytes)
    const next = from + page.length
    return {
      metadata: { resourceVersion: '7', continue: next < sizes.length ? String(next) : '' },
      items: page.map((_size, at) => ({ metadata: { name: `t${from + at}` } })),
    }
  }
  return { fetchPage, asked, largest: () => largestBytes }
}
const list = async (sizes: readonly number[]) => {
  const { fetchPage, ...made } = server(sizes)
  const { items } = await listPages(resources.tokens, {}, fetchPage)
  return { ...made, names: items.map(({ metadata }) => metadata.name) }
}
const all = (sizes: readonly number[]) => sizes.map((_size, at) => `t${at}`)

describe('a list', () => {
  test('of ordinary objects comes in pages of 500', async () => {
    const sizes = Array.from({ length: 1_200 }, () => 4_096)
    const { names, asked } = await list(sizes)
    expect(asked).toEqual([500, 500, 500])
    expect(names).toEqual(all(sizes))
  })

  test('of a hundred objects as large as they can be comes in smaller ones, never more than 8 MiB at a time', async () => {
    const sizes = Array.from({ length: 100 }, () => 1.5 * mebibyte)
    const { names, asked, largest } = await list(sizes)
    expect(names).toEqual(all(sizes))
    expect(largest()).toBeLessThanOrEqual(8 * mebibyte)
    expect(asked.length).toBeLessThan(60)
  })

  test('goes back to large pages after them', async () => {
    const sizes = Array.from({ length: 20_000 }, (_none, at) => (at < 20 ? 1.5 * mebibyte : 2_048))
    const { names, asked } = await list(sizes)
    expect(names).toEqual(all(sizes))
    expect(asked.at(-1)).toBe(500)
    expect(asked.length).toBeLessThan(110)
  })

  test('reads also one object that is more than a page may be, and says so of one that no object can be', async () => {
    expect((await list([9 * mebibyte, 1])).names).toEqual(['t0', 't1'])
    await expect(list([1, 17 * mebibyte])).rejects.toMatchObject({ code: 'ERR_KUBE_ANSWER_TOO_LARGE' })
  })
})
