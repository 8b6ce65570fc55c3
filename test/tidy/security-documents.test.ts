import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'

// Whatever is promised of security names a test that holds it, and that test is there.

const read = (path: string): string => readFileSync(path, 'utf8')

/** Rows of the table below a heading. */
function rowsBelow(text: string, heading: string): readonly string[] {
  const section = text.split(/^## /m).find((part) => part.startsWith(`${heading}\n`)) ?? ''
  const [, , ...rows] = section.split('\n').filter((line) => line.startsWith('|'))
  return rows
}

describe.each([
  ['docs/security.md', 'What holds'],
  ['docs/threat-model.md', 'Threats'],
])('%s', (path, heading) => {
  const text = read(path)

  test('every file of tests that it names exists', () => {
    const named = [...text.matchAll(/`([\w./-]+\/[\w.-]+\.ts)`/g)].map(([, file]) => file!)
    expect(named.length).toBeGreaterThan(20)
    expect(named.filter((file) => !existsSync(file))).toEqual([])
  })

  test('every promise names one', () => {
    const rows = rowsBelow(text, heading)
    expect(rows.length).toBeGreaterThan(20)
    expect(rows.filter((row) => !row.includes('.test.ts`'))).toEqual([])
  })
})

test('every title that the threat model names is one in that file', () => {
  const titles = [...read('docs/threat-model.md').matchAll(/`([\w./-]+\.test\.ts)` \*([^*]+)\*/g)]
  expect(titles.length).toBeGreaterThan(30)
  const missing = titles.filter(([, file, title]) => !read(file!).includes(title!))
  expect(missing.map(([, file, title]) => `${file}: ${title}`)).toEqual([])
})
