import { randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { paths } from '../../local-kubernetes/single-node/layout.ts'
import { takeSeenTokens } from '../support/seen-tokens.ts'
import { testCluster, type TestCluster } from '../support/kubernetes.ts'
import { Needles, overlapBytes, secretsOf, type Secret } from './needles.ts'

// After everything else ran: the strings of all tokens, the data keys and the private keys stand in their Secrets and in no
// log, event, status, audit line or file, whether as they are or encoded.

let cluster: TestCluster
let secrets: Needles
/** When the end-to-end run began. */
let sinceMs: number

interface SecretObject {
  readonly metadata: { readonly name: string; readonly namespace: string }
  readonly data?: Readonly<Record<string, string>>
}

beforeAll(async () => {
  cluster = await testCluster()
  const all = (await cluster.get('secrets', '--all-namespaces')) as unknown as {
    items: readonly SecretObject[]
  }
  const found = new Map<string, Secret>()
  for (const { metadata, data } of all.items) {
    for (const [key, encoded] of Object.entries(data ?? {})) {
      if (!isSecret(key)) continue
      const value = Buffer.from(encoded, 'base64').toString('utf8')
      for (const [index, secret] of secretsOf(value).entries())
        found.set(`${metadata.namespace}/${metadata.name} ${key} ${index}`, secret)
    }
  }
  const seen = await takeSeenTokens()
  for (const [index, text] of seen.tokens.entries()) found.set(`token ${index} that a test held`, { text })
  secrets = new Needles(found)
  sinceMs = seen.sinceMs
})

/** Names of values that are secret in Secrets of ours, those of the authority's next key among them. */
const isSecret = (key: string): boolean => ['token', 'data-key', 'key'].includes(key) || key.endsWith('.key')

const heldBy = (text: string): readonly string[] => secrets.heldBy(text)

test('there are secrets to look for, of each kind', () => {
  const { names } = secrets
  expect(names.filter((name) => name.includes(' token ')).length).toBeGreaterThanOrEqual(3)
  for (const kind of [
    ' data-key ',
    '/storage-node-tls tls.key ',
    '/holdfast-ca tls.key ',
    '/holdfast-operator-key key ',
  ])
    expect(
      names.some((name) => name.includes(kind)),
      kind,
    ).toBe(true)
})

test('no log of any pod holds one, of the current containers and of those before', async () => {
  const pods = await cluster.get('pods', '--all-namespaces')
  let bytes = 0
  for (const { metadata } of pods.items) {
    for (const previous of [[], ['--previous']]) {
      const log = await cluster
        .kubectl(['logs', '--namespace', metadata.namespace, metadata.name, '--all-containers', ...previous])
        .catch(() => '')
      bytes += log.length
      expect(heldBy(log), `log of ${metadata.namespace}/${metadata.name}`).toEqual([])
    }
  }
  expect(bytes).toBeGreaterThan(10_000)
})

test('no object of the API holds one, Secrets apart: specs, statuses, events, config maps', async () => {
  const kinds = (await cluster.kubectl(['api-resources', '--verbs=list', '-o', 'name']))
    .trim()
    .split('\n')
    .filter((kind) => kind !== 'secrets')
  for (const kind of kinds) {
    const text = await cluster.kubectl(['get', kind, '--all-namespaces', '-o', 'json']).catch(() => '')
    expect(heldBy(text), kind).toEqual([])
  }
  expect(kinds).toContain('tokens.holdfast.dev')
})

test('no file on a volume, no log of the cluster and no temporary file holds one', async () => {
  const decoy = randomBytes(24).toString('hex')
  const decoyFolder = await mkdtemp(join(tmpdir(), 'holdfast-decoy-'))
  await writeFile(join(decoyFolder, 'file'), `x${decoy}x`)
  let decoys = 0
  let files = 0
  try {
    const folders = [
      ...filesOfCluster(cluster).map((folder) => ({ folder, fromMs: 0 })),
      // Other people's old files are none of our business, and there may be many.
      { folder: tmpdir(), fromMs: sinceMs },
    ]
    for (const { folder, fromMs } of folders) {
      for await (const path of filesIn(folder, fromMs)) {
        for await (const text of textsOf(path)) {
          expect(heldBy(text), path).toEqual([])
          if (text.includes(decoy)) decoys++
        }
        files++
      }
    }
  } finally {
    await rm(decoyFolder, { recursive: true, force: true })
  }
  expect(decoys, 'a planted string was found').toBe(1)
  expect(files).toBeGreaterThan(10)
})

/**
 * The tenants' volumes, the logs of pods and of the cluster's own programs. Not etcd, where Secrets live, nor the memory
 * file systems by which the kubelet hands them to pods.
 */
const filesOfCluster = ({ cluster: { kind } }: TestCluster): readonly string[] =>
  kind === 'local' ? [paths.volumes, paths.podLogs, paths.log] : []

/** Files that were written at `fromMs` or later and are not empty. */
async function* filesIn(folder: string, fromMs: number): AsyncGenerator<string> {
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: false }).catch(() => [])) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) yield* filesIn(path, fromMs)
    else if (entry.isFile()) {
      const found = await stat(path).catch(() => null)
      if (found && found.size > 0 && found.mtimeMs >= fromMs) yield path
    }
  }
}

const partBytes = 16 * 1024 * 1024

/** A file as text, part by part, however large it is. */
async function* textsOf(path: string): AsyncGenerator<string> {
  let kept = ''
  try {
    for await (const part of createReadStream(path, { encoding: 'latin1', highWaterMark: partBytes })) {
      const text = kept + String(part)
      yield text
      kept = text.slice(-overlapBytes)
    }
  } catch (error) {
    // Files come and go under a running cluster; any other failure would be a file that was not searched.
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}
