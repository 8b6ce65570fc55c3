import { expect, test } from 'vitest'
import { listenerRows } from '../support/listeners-page.ts'
import { sources } from './sources.ts'

// Whatever listens has a row in docs/reference/listeners.md, which other tests read: nobody opens a port unseen.

const programs = sources('.ts').filter(
  ({ path }) => /^(?:common|operator|gateway|storage-node|plugin)\//.test(path) && !path.endsWith('.test.ts'),
)

test('every HTTP server has a row, and every row is one that is made', () => {
  const made = programs.flatMap(({ path, text }) =>
    [...text.matchAll(/new HttpServer\((?:\{\s*name: '([^']+)')?/g)].map((match) => `${path}: ${match[1]}`),
  )
  expect(made.length).toBeGreaterThan(5)
  // It listens by itself.
  const plain = 'operator/isolation-probe/probe.ts: open port'
  expect(new Set([...made, plain])).toEqual(new Set(listenerRows().map(({ madeIn }) => madeIn)))
})

test('nothing else opens a port', () => {
  const listening = /\.listen\(|\bcreate(?:Secure)?Server\(/
  expect(programs.filter(({ text }) => listening.test(text)).map(({ path }) => path)).toEqual([
    'common/http-server.ts',
    'operator/isolation-probe/probe.ts',
  ])
})
