import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { systemClock } from '../../common/clock.ts'
import { HttpServer } from '../../common/http-server.ts'
import { silentLogger } from '../../common/log.ts'
import { TlsDirectory } from '../../common/tls.ts'
import { TestAuthority, writeIdentity, type TestIdentity } from '../support/certificates.ts'

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
