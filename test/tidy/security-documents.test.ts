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

/** Tests named as `file` *title*; an asterisk within a title is written with a backslash. */
const testsNamedIn = (text: string): readonly { readonly file: string; readonly title: string }[] =>
  [...text.matchAll(/`([\w./-]+\.test\.ts)` \*((?:\\.|[^*\\])+)\*/g)].map(([, file, title]) => ({
    file: file!,
    title: title!.replaceAll('\\*', '*'),
  }))

test('every title that the threat model names is one in that file', () => {
  const named = testsNamedIn(read('docs/threat-model.md'))
  expect(named.length).toBeGreaterThan(30)
  const missing = named.filter(({ file, title }) => !read(file).includes(title))
  expect(missing.map(({ file, title }) => `${file}: ${title}`)).toEqual([])
})

describe('docs/security-promises.md', () => {
  const rows = read('docs/security-promises.md')
    .split('\n')
    .filter((line) => line.startsWith('| ') && !line.startsWith('| ---') && !line.startsWith('| promise |'))

  test('has a row for each promise', () => expect(rows.length).toBeGreaterThan(100))

  test.each(rows)('%s', (row) => expect(faultsOf(row)).toEqual([]))

  test.each([
    ['| a | b | c | `test/no.test.ts` *x* |', ['no file test/no.test.ts']],
    [
      '| a | b | c | `test/tidy/security-documents.test.ts` *no such title* |',
      ['test/tidy/security-documents.test.ts has no test: no such title'],
    ],
    // What another call is given.
    [
      '| a | b | c | `test/tidy/lock-file.test.ts` *package-lock.json* |',
      ['test/tidy/lock-file.test.ts has no test: package-lock.json'],
    ],
    ['| a | b | c | `test/tidy/lock-file.test.ts` |', ['no outcome']],
    ['| a | b | c | not ours |', ['no outcome']],
    ['| a | b | c | not yet, not ours: later |', ['no outcome']],
    ['| a | b | c | |', ['no outcome']],
    ['| a | b | not yet |', ['3 cells']],
    ['| a | | c | not yet |', ['an empty cell']],
  ])('finds what is wrong with %s', (row, faults) => expect(faultsOf(row)).toEqual(faults))
})

/** What is wrong with a row of promise, place, deed and outcome: one of a test, `not ours: why` and `not yet`. */
function faultsOf(row: string): readonly string[] {
  const cells = row
    .slice(1, -1)
    .split('|')
    .map((cell) => cell.trim())
  if (cells.length !== 4) return [`${cells.length} cells`]
  if (cells.slice(0, 3).includes('')) return ['an empty cell']
  const outcome = cells[3]!
  if (outcome === 'not yet' || /^not ours: [^`]+$/.test(outcome)) return []
  if (
    !/^`[\w./-]+\.test\.ts` \*(?:\\.|[^*\\])+\*(?:, `[\w./-]+\.test\.ts` \*(?:\\.|[^*\\])+\*)*$/.test(outcome)
  )
    return ['no outcome']
  return testsNamedIn(outcome).flatMap(({ file, title }) => {
    if (!existsSync(file)) return [`no file ${file}`]
    return isTitleIn(read(file), title) ? [] : [`${file} has no test: ${title}`]
  })
}

/** Whether a call of `test` or `describe`, or of what their `each` returns, begins with this text. */
const isTitleIn = (text: string, title: string): boolean =>
  ["'", '"', '`'].some((quote) => {
    const literal = `${quote}${title.replaceAll(quote, `\\${quote}`)}${quote}`
    return text
      .split(literal)
      .slice(0, -1)
      .some((before) => /(?:\b(?:test|describe)(?:\.\w+)*|\))\(\s*$/.test(before))
  })
