import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { clusterKind } from './open-cluster.ts'
import { buildFlags, findProgram, isRecentEnough } from './programs.ts'

test.each([
  { version: 'go1.26.8\namd64\n', recent: true },
  { version: 'go1.24\namd64\n', recent: true },
  { version: 'go1.9.7\namd64\n', recent: false },
  { version: 'go1.19.8\namd64\n', recent: false },
  { version: 'go2.0\namd64\n', recent: true },
  { version: 'devel\n', recent: false },
])('a Go that cannot compile it is found out before the compiler runs: $version', ({ version, recent }) => {
  expect(isRecentEnough(version)).toBe(recent)
})

test('API server and Helm say which version they are of: charts refuse v0.0.0', async () => {
  const goMod = await readFile(join(import.meta.dirname, 'build/go.mod'), 'utf8')
  const flags = buildFlags(goMod).join(' ')
  expect(flags).toMatch(/component-base\/version\.gitVersion=v1\.\d+\.\d+ /)
  const [, minor] = /component-base\/version\.gitMinor=(\d+)/.exec(flags)!
  expect(flags).toContain('component-base/version.gitMajor=1 ')
  expect(flags).toContain('chartutil.k8sVersionMajor=1 ')
  expect(flags).toContain(`chartutil.k8sVersionMinor=${minor} `)
  expect(flags).toMatch(/internal\/version\.version=v3\.\d+\.\d+ /)
})

test('a program is looked for beyond PATH', () => {
  expect(findProgram('sh')).toMatch(/\/sh$/)
  expect(findProgram('no-such-program', ['/bin'])).toBeUndefined()
})

test.each(['current', 'kind', 'local'])('CLUSTER=%s is known', (word) => {
  expect(clusterKind(word)).toBe(word)
})

test('another word is refused with those that would do', () => {
  expect(() => clusterKind('minikube')).toThrow('CLUSTER is minikube: it must be one of current, kind, local')
})
