import { randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { paths } from '../../local-kubernetes/single-node/layout.ts'
import { takeSeenTokens } from '../support/seen-tokens.ts'
import { testCluster, type TestCluster } from '../support/kubernetes.ts'

// After everything else ran: the strings of all tokens, the data keys and the private keys stand in their Secrets and in no
// log, event, status, audit line or file.

let cluster: TestCluster
let secrets: ReadonlyMap<string, string>
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
  const found = new Map<string, string>()
  for (const { metadata, data } of all.items) {
    for (const [key, encoded] of Object.entries(data ?? {})) {
      if (!['token', 'data-key', 'tls.key', 'ca.key', 'key'].includes(key)) continue
      const value = Buffer.from(encoded, 'base64').toString('utf8')
      const where = `${metadata.namespace}/${metadata.name} ${key}`
      // Of a PEM key its second line: 64 characters that occur nowhere else.
      const needle = value.includes('PRIVATE KEY') ? value.split('\n')[1]! : value.trim()
      if (needle.length >= 32) found.set(where, needle)
    }
  }
  const seen = await takeSeenTokens()
  for (const [index, token] of seen.tokens.entries()) found.set(`token ${index} that a test held`, token)
  secrets = found
  sinceMs = seen.sinceMs
})

/** Names of the secrets that a text holds. */
const heldBy = (text: string): readonly string[] =>
  [...secrets].filter(([, value]) => text.includes(value)).map(([name]) => name)

test('there are secrets to look for, and the search finds one where it is', async () => {
  expect([...secrets.keys()].filter((name) => name.endsWith(' token')).length).toBeGreaterThanOrEqual(3)
  expect([...secrets.keys()].some((name) => name.includes('data-key'))).toBe(true)
  const [name, value] = [...secrets][0]!
  expect(heldBy(`{"authorization":"Token ${value}"}`)).toContain(name)
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
/** Longer than any secret, so that one on the border of two parts is whole in the second. */
const overlapBytes = 4_096

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
