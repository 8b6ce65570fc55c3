import { randomBytes } from 'node:crypto'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { NodeState } from '../../common/admin-api.ts'
import { systemClock } from '../../common/clock.ts'
import { dataKeyId, dataKeysText, parseDataKeys } from '../../common/data-key.ts'
import { stateDigest } from '../../common/state-document.ts'
import { NodeClient } from '../../operator/node-client/node-client.ts'
import { agentOf, host, send, TestInstallation, type Answer, type Tenant } from '../support/installation.ts'
import { foundInMemory } from '../support/process-memory.ts'

/**
 * Promise: when the data key is taken away nothing that it has decrypted stays, and nobody is served, until that key is
 * back and the operator has said which tokens are valid. Real processes, on a real disk.
 */

const id = 'aaaaaaaaaaaaaaaa'
const gone = 'the data key of this organization is not available'
/** In the tenant's data, and nowhere else on this machine. */
const marker = randomBytes(12).toString('hex')

let installation: TestInstallation
let tenant: Tenant
let nodes: NodeClient
let keyFile: string
let keyText: string
/** Two processes before now, so the one that was locked at last. */
const pids: (number | undefined)[] = []

beforeAll(async () => {
  installation = await TestInstallation.create()
  tenant = await installation.startTenant(id)
  keyFile = join(installation.folder, id, 'data-key')
  keyText = await readFile(keyFile, 'utf8')
  useAdminPortOf(tenant)
})
afterAll(async () => {
  await nodes.close()
  await installation.stop()
})

/** The operator's own client. */
function useAdminPortOf({ process }: Tenant): void {
  const { cert, key, ca } = installation.operator
  const identity = { certificatePem: cert, privateKeyPem: key, authorityPem: ca }
  nodes = new NodeClient({ identity: () => identity, clock: systemClock, port: process.adminPort })
}

const address = () => ({ organizationId: id, podUid: String(tenant.process.child.pid), host })

async function startAgain(): Promise<void> {
  pids.push(tenant.process.child.pid)
  await nodes.close()
  tenant = await installation.restart(tenant)
  useAdminPortOf(tenant)
}

/** As the gateway passes a client's request on. */
function asGateway(path: string, options: object = {}): Promise<Answer> {
  const headers = { authorization: `Token ${tenant.token}` }
  const agent = agentOf(installation.gateway.ca, installation.gateway)
  return send(agent, `https://${host}:${tenant.process.port}${path}`, { headers, ...options })
}

const query = () => asGateway('/query?db=metrics&q=SELECT+note+FROM+m')
const write = (line: string) => asGateway('/write?db=metrics', { ...asTenant(), method: 'POST', body: line })
const asTenant = () => ({ headers: { authorization: `Token ${tenant.token}` } })
const nodeState = async (): Promise<NodeState> => nodes.getState(address())
const keyBytes = () => parseDataKeys(keyText)[0]!
const needles = () => ({
  data: Buffer.from(marker),
  keyText: Buffer.from(keyText),
  key: Buffer.from(keyBytes()),
})

/** Files of a folder, and of those below it, that hold the marker. */
async function filesWithMarker(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name))
  const contents = await Promise.all(files.map((file) => readFile(file).catch(() => Buffer.alloc(0))))
  return files.filter((_, index) => contents[index]!.includes(marker))
}

describe('locked', () => {
  test('the process ends with all that it has decrypted, its query process too', async () => {
    expect((await write(`m,who=${marker} note="${marker}" 1`)).status).toBe(204)
    expect((await query()).text).toContain(marker)
    const { pid } = tenant.process.child
    // A key that is new is put in force by a flush: there is a query process now.
    keyText = dataKeysText([randomBytes(32), keyBytes()])
    await writeFile(keyFile, keyText)
    await expect.poll(() => nodes.useDataKey(address()).catch(String)).toMatchObject({ olderKeyIds: [] })
    keyText = dataKeysText([keyBytes()])
    const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')
    const queryProcess = Number(children.trim())
    expect(queryProcess).toBeGreaterThan(0)
    expect(await foundInMemory(pid!, needles())).toContain('data')

    await nodes.lockDataKey(address())
    expect(await tenant.process.exited).toBe(0)
    await expect.poll(() => readFile(`/proc/${queryProcess}/cmdline`).catch(() => 'gone')).toBe('gone')
    expect(tenant.process.log.map(({ msg }) => msg)).not.toContain('stopping')
    expect(JSON.parse(await readFile(join(installation.folder, id, 'data/state/locked'), 'utf8'))).toEqual({
      state: 'locked',
      keyIds: [dataKeyId(keyBytes())],
    })
  })

  test('the next process reads no key, though its file still holds it, and answers 503 in each dialect', async () => {
    await startAgain()
    expect(tenant.process.child.pid).not.toBe(pids[0])
    expect(await query()).toMatchObject({
      status: 503,
      headers: { 'retry-after': '30', 'x-influxdb-error': gone },
      text: `{"error":"${gone}"}\n`,
    })
    expect((await write('m v=1 1')).status).toBe(503)
    expect(await asGateway('/api/v2/write?bucket=metrics', { ...asTenant(), method: 'POST' })).toMatchObject({
      status: 503,
      headers: { 'retry-after': '30' },
      text: `{"code":"unavailable","message":"${gone}"}`,
    })
    // Whether a token is valid nobody can say; whether it is one of this organization's at all can be.
    const malformed = { headers: { authorization: 'Token nonsense' } }
    expect((await asGateway('/query?q=SHOW+DATABASES', malformed)).status).toBe(401)
    expect((await asGateway('/query?q=SHOW+DATABASES', { headers: {} })).status).toBe(401)
    expect((await asGateway('/nothing')).status).toBe(503)
  })

  test('it lives and is not ready, and holds nothing that was decrypted', async () => {
    expect(await asGateway('/health')).toMatchObject({ status: 200, text: expect.stringContaining(gone) })
    expect(await asGateway('/ready')).toMatchObject({ status: 503, text: '{"status":"locked"}' })
    expect((await asGateway('/ping')).status).toBe(204)
    expect(await foundInMemory(tenant.process.child.pid!, needles())).toEqual([])
    expect(await filesWithMarker(join(installation.folder, id))).toEqual([])
    expect(await filesWithMarker('/dev/shm')).toEqual([])
  })

  test('the operator is told so, and can put no document in force', async () => {
    expect(await nodeState()).toMatchObject({ digest: '', lockedFor: [dataKeyId(keyBytes())] })
    const refused = await installation.push(tenant, tenant.document, '')
    expect(refused).toMatchObject({ status: 503, text: expect.stringContaining('ERR_DATA_KEY_GONE') })
    // Once more is fine, and ends no process.
    await nodes.lockDataKey(address())
    expect(await nodeState()).toMatchObject({ digest: '' })
  })

  test('it stays so over a kill, with the file emptied, and with another key', async () => {
    await writeFile(keyFile, '')
    await tenant.process.kill()
    await startAgain()
    expect((await query()).status).toBe(503)
    await expect(nodes.useDataKey(address())).rejects.toMatchObject({ kind: 'unavailable' })
    await writeFile(keyFile, dataKeysText([randomBytes(32)]))
    await expect(nodes.useDataKey(address())).rejects.toMatchObject({
      code: 'ERR_NODE_DATA_KEY',
      message: expect.stringContaining(`data key ${dataKeyId(keyBytes())} is still needed`),
    })
    expect((await query()).status).toBe(503)
  })
})

describe('back', () => {
  test('with the same key a new process opens all, and serves nobody by the document that it kept', async () => {
    await writeFile(keyFile, keyText)
    expect(await nodes.useDataKey(address())).toEqual({ keyId: dataKeyId(keyBytes()), olderKeyIds: [] })
    expect(await tenant.process.exited).toBe(0)
    await startAgain()
    await expect.poll(async () => (await asGateway('/health')).status).toBe(200)
    // Longer than a node waits for a document before it serves the one that it kept.
    await new Promise((resolve) => setTimeout(resolve, 7_000))
    expect((await query()).status).toBe(503)
    expect((await asGateway('/ready')).status).toBe(503)
    expect(await nodeState()).toMatchObject({ digest: '' })
    expect((await nodeState()).lockedFor).toBeUndefined()
  })

  test('it waits for a document after a kill too, then answers, and is locked no more', async () => {
    await tenant.process.kill()
    await startAgain()
    await expect.poll(async () => (await installation.push(tenant, tenant.document, '')).status).toBe(200)
    expect((await query()).text).toContain(marker)
    expect((await asGateway('/ready')).status).toBe(200)
    await tenant.process.kill()
    await startAgain()
    // From now on it serves what it kept, where no operator comes in time.
    await expect.poll(async () => (await query()).text).toContain(marker)
    expect((await nodeState()).digest).toBe(stateDigest(tenant.document))
  })

  test('a node that starts with an empty key file is locked until there is a key', async () => {
    await writeFile(keyFile, '')
    await tenant.process.kill()
    await startAgain()
    expect((await query()).status).toBe(503)
    expect((await nodeState()).lockedFor).toEqual([])
    await writeFile(keyFile, keyText)
    await tenant.process.kill()
    await startAgain()
    expect((await nodeState()).lockedFor).toEqual([])
    await nodes.useDataKey(address())
    await startAgain()
    await expect.poll(async () => (await installation.push(tenant, tenant.document, '')).status).toBe(200)
    expect((await query()).text).toContain(marker)
  })
})
