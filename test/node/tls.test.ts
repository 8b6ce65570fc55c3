import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { systemClock } from '../../common/clock.ts'
import { HttpServer } from '../../common/http-server.ts'
import { createLogger, silentLogger } from '../../common/log.ts'
import { TlsDirectory } from '../../common/tls-directory.ts'
import { createAuthority, issueCertificate } from '../../operator/authority/certificates.ts'
import { TestAuthority, writeIdentity, type TestIdentity } from '../support/certificates.ts'
import { MountedSecret } from '../support/mounted-secret.ts'

const hourMs = 3_600_000

/** A whole authority with what it has issued at another time. */
async function issuedAt(fromNowMs: number): Promise<TestIdentity> {
  const nowMs = Date.now() + fromNowMs
  const authority = await createAuthority('cccccccccccccccc', nowMs, 24 * hourMs)
  const request = {
    commonName: 'test',
    uris: [],
    dnsNames: ['a.svc'],
    ipAddresses: [],
    usages: ['server'] as const,
  }
  const { certificatePem, privateKeyPem } = await issueCertificate(authority, request, nowMs, 24 * hourMs)
  return { cert: certificatePem, key: privateKeyPem, ca: authority.certificatePem }
}

let folder: string
let first: TestIdentity
let second: TestIdentity
let directory: TlsDirectory
let server: HttpServer

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-tls-'))
  const authority = await TestAuthority.create()
  first = await authority.issue('holdfast://0000000000000001/node')
  second = await authority.issue('holdfast://0000000000000002/node')
  await writeIdentity(folder, first)
  directory = new TlsDirectory({
    directory: folder,
    withAuthority: true,
    clock: systemClock,
    log: silentLogger,
    pollMs: hourMs,
  })
  await directory.start()
  server = new HttpServer({
    name: 'test',
    listen: { host: '127.0.0.1', port: 0 },
    handler: async (_request, response) => void response.end(),
    clock: systemClock,
    log: silentLogger,
    tls: { directory, clientCertificate: 'none' },
  })
  await server.start()
})

afterEach(async () => {
  await server.stop()
  await directory.stop()
  await rm(folder, { recursive: true })
})

/** The names that the server shows. */
function shown(): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port: server.port, ca: first.ca }, () => {
      resolve(socket.getPeerCertificate().subjectaltname)
      socket.destroy()
    })
    socket.on('error', reject)
  })
}

test('a renewed certificate is served without a restart', async () => {
  expect(await shown()).toContain('0000000000000001')
  expect(await directory.refresh()).toBe(false)
  await writeIdentity(folder, second)
  expect(await directory.refresh()).toBe(true)
  expect(await shown()).toContain('0000000000000002')
})

test('files that do not fit together, as in the middle of a renewal, change nothing', async () => {
  await writeFile(join(folder, 'tls.crt'), second.cert)
  await expect(directory.refresh()).rejects.toThrow(/key values mismatch/)
  expect(await shown()).toContain('0000000000000001')
  await writeFile(join(folder, 'tls.key'), second.key)
  expect(await directory.refresh()).toBe(true)
  expect(await shown()).toContain('0000000000000002')
})

describe('a mounted Secret, swapped for what is no good', () => {
  const text = ({ cert, key, ca }: TestIdentity) => ({ 'tls.crt': cert, 'tls.key': key, 'ca.crt': ca })
  const bad: readonly (readonly [string, RegExp, () => Promise<Record<string, string>>])[] = [
    ['a key of another certificate', /mismatch/, async () => ({ ...text(second), 'tls.key': first.key })],
    ['half a certificate', /./, async () => ({ ...text(second), 'tls.crt': second.cert.slice(0, 200) })],
    ['an empty key', /./, async () => ({ ...text(second), 'tls.key': '' })],
    ['no key at all', /ENOENT/, async () => ({ 'tls.crt': second.cert, 'ca.crt': second.ca })],
    [
      'an authority that did not issue it',
      /no authority in ca\.crt/,
      async () => ({ ...text(second), 'ca.crt': (await (await TestAuthority.create()).issue()).ca }),
    ],
    ['a certificate that has ended', /has ended/, async () => text(await issuedAt(-48 * hourMs))],
    ['one that is not valid yet', /not valid yet/, async () => text(await issuedAt(48 * hourMs))],
  ]

  test.each(bad)('%s: what was in force stays, is told of once, and heals', async (_what, reason, make) => {
    const mount = new MountedSecret(join(folder, 'mounted'))
    await mount.show(text(first))
    const lines: string[] = []
    const log = createLogger('test', {
      level: 'warn',
      destination: { write: (line) => void lines.push(line) },
    })
    const own = new TlsDirectory({
      directory: mount.folder,
      withAuthority: true,
      clock: systemClock,
      log,
      pollMs: 5,
    })
    await own.start()
    try {
      const before = own.material
      const data = await make()
      await mount.show(data)
      await expect.poll(() => own.counts.failures).toBeGreaterThan(3)
      expect(own.material).toBe(before)
      expect(lines).toHaveLength(1)
      expect(JSON.parse(lines[0]!)).toMatchObject({
        msg: 'certificates not reloaded: those read before stay in force',
        reason: expect.stringMatching(reason),
      })
      expect(lines[0]).not.toContain('PRIVATE')
      await mount.show(text(second))
      await expect.poll(() => own.material.certificate.toString()).toBe(second.cert)
      expect(own.counts.reloads).toBe(1)
    } finally {
      await own.stop()
    }
  })
})

test('a folder that lacks a file stops the start and is named', async () => {
  await rm(join(folder, 'ca.crt'))
  const broken = new TlsDirectory({
    directory: folder,
    withAuthority: true,
    clock: systemClock,
    log: silentLogger,
  })
  await expect(broken.start()).rejects.toThrow(folder)
})
