import { existsSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { expect, test } from 'vitest'
import { sources } from './sources.ts'

// What the documents point at exists, and the repository knows no machine but the reader's.

const documents = sources('.md')

test('every relative link leads to a file', () => {
  const dead = documents.flatMap(({ path, text }) =>
    [...text.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)]
      .map((match) => match[1]!)
      .filter((target) => !/^[a-z]+:/.test(target))
      .filter((target) => !existsSync(normalize(join(dirname(path), target))))
      .map((target) => `${path} -> ${target}`),
  )
  expect(dead).toEqual([])
})

test('every document opens with a title', () => {
  expect(documents.filter(({ text }) => !text.startsWith('# ')).map(({ path }) => path)).toEqual([])
})

test('every program file that ARCHITECTURE.md names exists', () => {
  const text = documents.find(({ path }) => path === 'docs/ARCHITECTURE.md')!.text
  const named = [
    ...text.matchAll(/`((?:common|operator|gateway|storage-node|local-kubernetes|scripts|test)\/[\w./-]+)`/g),
  ].map((match) => match[1]!)
  expect(named.length).toBeGreaterThan(3)
  expect(named.filter((path) => !existsSync(path))).toEqual([])
})
