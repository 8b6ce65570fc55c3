import { describe, expect, test } from 'vitest'
import { bundledPackages, bundleProgram, importedPackages, licencesOf, type Ban } from './image-programs.ts'

const metafile = (inputs: readonly string[], external: readonly string[] = []) => ({
  inputs: Object.fromEntries(inputs.map((path) => [path, { bytes: 1, imports: [] }])),
  outputs: {
    'x.js': {
      bytes: 1,
      inputs: {},
      exports: [],
      imports: external.map((path) => ({ path, kind: 'import-statement' as const, external: true })),
    },
  },
})

describe('what is in a bundle is known by package', () => {
  test('bundled ones: once each, nested and scoped ones too, our own sources never', () => {
    const inputs = [
      'common/log.ts',
      'node_modules/pino/lib/a.js',
      'node_modules/pino/lib/b.js',
      'node_modules/@peculiar/x509/index.js',
      'node_modules/pino/node_modules/deep/index.js',
    ]
    expect(bundledPackages(metafile(inputs))).toEqual([
      'node_modules/@peculiar/x509',
      'node_modules/pino',
      'node_modules/pino/node_modules/deep',
    ])
  })

  test('imported ones: without what Node.js itself has', () => {
    const external = [
      'node:fs',
      'fs',
      'fs/promises',
      '@duckdb/node-api',
      'bufferutil',
      '@duckdb/node-api/lib/x.js',
    ]
    expect(importedPackages(metafile([], external))).toEqual([
      'node_modules/@duckdb/node-api',
      'node_modules/bufferutil',
    ])
  })
})

describe('a program cannot bring in what its image must not hold', () => {
  const noDuckdb: Ban = { packages: /node_modules\/@duckdb\//, why: 'because' }
  const noKubernetes: Ban = { packages: /node_modules\/@kubernetes\//, why: 'because' }
  const bundle = (source: string, ...bans: readonly Ban[]) => bundleProgram({ name: 'x', source, bans })

  test.each([
    ['DuckDB', 'storage-node/query-process/database.ts', noDuckdb],
    ['the Kubernetes client', 'operator/kube/credentials.ts', noKubernetes],
  ])('%s', async (_name, source, ban) => {
    await expect(bundle(source, ban)).rejects.toMatchObject({ code: 'ERR_IMAGE_CONTENT' })
  })

  test('the same programs are bundled where it is allowed', async () => {
    const { code, packages } = await bundle('operator/kube/credentials.ts', noDuckdb)
    expect(packages).toContain('node_modules/@kubernetes/client-node')
    expect(code.length).toBeGreaterThan(100_000)
  })

  test('the same sources give the same bytes', async () => {
    const [one, other] = await Promise.all([bundle('common/log.ts'), bundle('common/log.ts')])
    expect(Buffer.from(one.code).equals(other.code)).toBe(true)
  })
})

test('licences go along with their names and versions, each once', async () => {
  const text = await licencesOf(['node_modules/zod', 'node_modules/pino', 'node_modules/zod'])
  expect(text.match(/^zod \d+\.\d+\.\d+ \(MIT\)$/gm)).toHaveLength(1)
  expect(text.indexOf('\nCopyright')).toBeGreaterThan(0)
  expect(text.indexOf('pino ')).toBeLessThan(text.indexOf('zod '))
})
