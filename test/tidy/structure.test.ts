import { describe, expect, test } from 'vitest'
import { importsOf, sources, type Import } from './sources.ts'

// docs/ARCHITECTURE.md says who may import whom and how large a file may grow; this holds it to that.

const typescript = sources('.ts')
const program = typescript.filter(({ path }) => !path.endsWith('.test.ts') && !path.startsWith('test/'))
const imports = program.flatMap(importsOf)
const top = (path: string): string => path.split('/')[0]!

/** The imports that a rule forbids, as readable lines. */
const offending = (forbidden: (found: Import) => boolean): readonly string[] =>
  imports.filter(forbidden).map(({ from, to }) => `${from} imports ${to}`)

const inside = (path: string, folder: string): boolean => path.startsWith(`${folder}/`)

describe('who imports whom', () => {
  test('the check sees imports at all', () => expect(imports.length).toBeGreaterThan(100))

  test('common imports nothing of ours', () => {
    expect(
      offending(
        ({ from, to }) =>
          top(from) === 'common' &&
          ['operator', 'gateway', 'storage-node', 'local-kubernetes', 'scripts'].includes(top(to)),
      ),
    ).toEqual([])
  })

  test('operator, gateway and storage node never import each other', () => {
    const programs = ['operator', 'gateway', 'storage-node']
    expect(
      offending(
        ({ from, to }) => programs.includes(top(from)) && programs.includes(top(to)) && top(from) !== top(to),
      ),
    ).toEqual([])
  })

  test('no program imports scripts or the local cluster', () => {
    expect(
      offending(
        ({ from, to }) =>
          ['operator', 'gateway', 'storage-node'].includes(top(from)) &&
          ['scripts', 'local-kubernetes', 'test'].includes(top(to)),
      ),
    ).toEqual([])
  })

  test.each([
    ['@kubernetes/client-node', ['operator/kube']],
    ['@duckdb/node-api', ['storage-node/query-process']],
    ['pino', ['common']],
    ['@peculiar/x509', ['operator/authority', 'local-kubernetes', 'common']],
  ])('only its own folder imports %s', (name, folders) => {
    expect(
      offending(({ from, to }) => to === name && !folders.some((folder) => inside(from, folder))),
    ).toEqual([])
  })

  test('zod is imported as a namespace: a bundle then holds what is used of it, which saves each process 6 MB', () => {
    const named = /import (?:type )?(?:z\b|\{)[^'"]*from 'zod'/
    expect(typescript.filter(({ text }) => named.test(text)).map(({ path }) => path)).toEqual([])
  })

  test('in the storage node only disk/ touches the file system', () => {
    expect(
      offending(
        ({ from, to }) =>
          inside(from, 'storage-node') && to.startsWith('node:fs') && !inside(from, 'storage-node/disk'),
      ),
    ).toEqual([])
  })

  test('the controller knows no kinds and no Kubernetes client', () => {
    expect(
      offending(
        ({ from, to, typeOnly }) =>
          inside(from, 'operator/controller') &&
          inside(to, 'operator') &&
          !inside(to, 'operator/controller') &&
          to !== 'operator/kube/object.ts' &&
          !typeOnly,
      ),
    ).toEqual([])
  })

  test.each([
    'operator/api',
    'operator/naming',
    'operator/desired',
    'operator/status',
    'storage-node/line-protocol',
    'storage-node/query/encode',
  ])('%s is pure: no I/O, no clock, no random', (folder) => {
    const files = program.filter(({ path }) => inside(path, folder))
    expect(files.length).toBeGreaterThan(0)
    expect(
      offending(
        ({ from, to }) =>
          inside(from, folder) && to.startsWith('node:') && !['node:crypto', 'node:buffer'].includes(to),
      ),
    ).toEqual([])
    const impure = files.filter(({ text }) =>
      /\bDate\.now\(|\bnew Date\(\)|Math\.random|\bsetTimeout\(|process\.env|\bfetch\(/.test(text),
    )
    expect(impure.map(({ path }) => path)).toEqual([])
  })
})

describe('size and shape', () => {
  test('no file is longer than 400 lines', () => {
    const long = typescript
      .filter(({ text }) => text.split('\n').length > 401)
      .map(({ path, text }) => `${path}: ${text.split('\n').length}`)
    expect(long).toEqual([])
  })

  test('environment variables are read in main.ts only', () => {
    const readers = program.filter(
      ({ path, text }) =>
        /process\.env\b/.test(text) &&
        !path.endsWith('main.ts') &&
        ['operator', 'gateway', 'storage-node', 'common'].includes(top(path)),
    )
    expect(readers.map(({ path }) => path)).toEqual([])
  })

  test('no leftovers', () => {
    // With a class of one letter in each word, so that this file does not find itself.
    const marks = /TOD[O]|FIXM[E]|XX[X]\b|@ts-ignor[e]|(ox|es)lint-disabl[e]|\.onl[y]\(/
    const found = typescript.flatMap(({ path, text }) =>
      text
        .split('\n')
        .flatMap((line, index) => (marks.test(line) ? [`${path}:${index + 1}: ${line.trim()}`] : [])),
    )
    expect(found).toEqual([])
  })
})
