import { createPrivateKey, X509Certificate } from 'node:crypto'
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parse } from 'yaml'
import { ensureAuthority, writeKubeconfig } from './authority.ts'

const NOW_MS = Date.UTC(2030, 0, 1)
const YEAR_MS = 365 * 86_400_000
let folder: string
let pki: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-pki-'))
  pki = join(folder, 'pki')
  await ensureAuthority(pki, NOW_MS)
})

afterAll(async () => {
  await rm(folder, { recursive: true })
})

const certificate = async (name: string) => new X509Certificate(await readFile(join(pki, `${name}.crt`)))

test.each([
  { name: 'apiserver', subject: 'CN=kube-apiserver', address: '10.96.0.1' },
  { name: 'kubelet', subject: 'CN=system:node:node1\nO=system:nodes', address: '172.30.0.1' },
  { name: 'admin', subject: 'CN=admin\nO=system:masters', address: undefined },
])('$name is who it should be, by this authority, with its own key', async ({ name, subject, address }) => {
  const held = await certificate(name)
  const ca = await certificate('ca')
  expect(held.subject).toBe(subject)
  expect(held.checkIssued(ca)).toBe(true)
  expect(held.verify(ca.publicKey)).toBe(true)
  expect(held.ca).toBe(false)
  const key = join(pki, `${name}.key`)
  expect(held.checkPrivateKey(createPrivateKey(await readFile(key)))).toBe(true)
  expect((await stat(key)).mode & 0o077).toBe(0)
  if (address !== undefined) expect(held.checkIP(address)).toBe(address)
})

test('it is made once, and anew long before it ends', async () => {
  const first = (await certificate('ca')).fingerprint256
  await ensureAuthority(pki, NOW_MS + YEAR_MS)
  expect((await certificate('ca')).fingerprint256).toBe(first)
  await ensureAuthority(pki, NOW_MS + 6 * YEAR_MS)
  expect((await certificate('ca')).fingerprint256).not.toBe(first)
})

test('a kubeconfig needs no other file, and nobody else can read it', async () => {
  const path = join(folder, 'kubeconfig/admin')
  await writeKubeconfig(pki, 'admin', path)
  const config = parse(await readFile(path, 'utf8'))
  const embedded = Buffer.from(config.users[0].user['client-certificate-data'], 'base64').toString()
  expect(new X509Certificate(embedded).fingerprint256).toBe((await certificate('admin')).fingerprint256)
  expect(config.clusters[0].cluster.server).toBe('https://172.30.0.1:6443')
  expect((await stat(path)).mode & 0o077).toBe(0)
})
