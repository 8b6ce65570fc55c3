import { expect, test } from 'vitest'
import { withOperator, withStorageNode } from './page.ts'

// Promise: neither benchmark touches what the other has written, however often both run.

const storage = (mark: string) => `# Benchmarks\n\n## Ingest\n\n${mark}\n`
const operator = (mark: string) => `## Control plane\n\n${mark}\n`

test('each run replaces its own part and no other', () => {
  const first = withOperator(storage('s1'), operator('o1'))
  expect(first).toBe('# Benchmarks\n\n## Ingest\n\ns1\n\n## Control plane\n\no1\n')
  const second = withStorageNode(first, storage('s2'))
  expect(second).toBe('# Benchmarks\n\n## Ingest\n\ns2\n\n## Control plane\n\no1\n')
  expect(withOperator(second, operator('o2'))).toBe(
    '# Benchmarks\n\n## Ingest\n\ns2\n\n## Control plane\n\no2\n',
  )
})

test('the same twice changes nothing', () => {
  const page = withOperator(storage('s'), operator('o'))
  expect(withOperator(page, operator('o'))).toBe(page)
  expect(withStorageNode(page, storage('s'))).toBe(page)
})

test('each makes a page where there is none', () => {
  expect(withOperator('', operator('o'))).toBe('# Benchmarks\n\n## Control plane\n\no\n')
  expect(withStorageNode('', storage('s'))).toBe(storage('s'))
})
