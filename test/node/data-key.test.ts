import { readFile, writeFile } from 'node:fs/promises'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '../../common/clock.ts'
import { dataKeyId, dataKeysText, parseDataKeys } from '../../common/data-key.ts'
import { NodeClient } from '../../operator/node-client/node-client.ts'
import { ensureDuckdbExtension } from '../../scripts/duckdb-extension.ts'
import { run } from '../../scripts/run.ts'
import { TestInstallation, type Tenant } from '../support/installation.ts'
import { startStorageNode, untilReady } from '../support/storage-node.ts'
import { temporaryFolder } from './engine-support.ts'

/** Promise: a data key can be changed, at work by the operator and at rest by whoever runs a node alone. */

describe('alone', () => {
  test('rotate-key gives a stopped node a new key; the old one is refused by name, without a secret', async () => {
    await using folder = await temporaryFolder()
    const data = join(folder.path, 'data')
    const keyFile = `${data}.key`
    const flags = ['--data', data, '--listen', '127.0.0.1:0', '--auth', 'off']
    const rotate = async () =>
      run(process.execPath, ['storage-node/main.ts', 'rotate-key', '--data', data], {
        env: { HOLDFAST_DUCKDB_EXTENSION: await ensureDuckdbExtension() },
      })
    const request = (port: number, path: string, body?: string) =>
      fetch(`http://127.0.0.1:${port}${path}`, { method: 'POST', ...(body && { body }) })
    const values = async (port: number) =>
      (await (await request(port, '/query?db=d&q=SELECT+v+FROM+m')).text()).match(/"values":.*?\]\]/)?.[0]

    const first = await startStorageNode(flags)
    await untilReady(first.port)
    await request(first.port, '/query?q=CREATE+DATABASE+d')
    await request(first.port, '/write?db=d', 'm v=1 1')
    await expect(rotate()).rejects.toThrow('is in use by another process')
    await first.kill()
    const old = await readFile(keyFile, 'utf8')
    await rotate()
    const fresh = await readFile(keyFile, 'utf8')
    expect(fresh).toMatch(/^[A-Za-z0-9+/]{43}=\n$/)
    expect(fresh).not.toBe(old)

    const second = await startStorageNode(flags)
    await untilReady(second.port)
    const served = await values(second.port)
    expect(served).toContain(',1]]')
    await second.kill()

    await writeFile(keyFile, old)
    const refusal = await startStorageNode(flags).then(
      () => 'started',
      (error: unknown) => String(error),
    )
    expect(refusal).toMatch(/encrypted with data key [0-9a-f]{16}, the key given is [0-9a-f]{16}/)
    expect(refusal).not.toContain(old.trim())

    // A start ends what was begun: a new line before the old one is all that it takes.
    await writeFile(keyFile, `${randomBytes(32).toString('base64')}\n${fresh}`)
    const third = await startStorageNode(flags)
    await untilReady(third.port)
    await expect
      .poll(() => third.log.map(({ msg }) => msg))
      .toContain('data key in force, older ones are not needed any more')
    expect(await values(third.port)).toBe(served)
    await third.stop()
  })
})

describe('on a cluster', () => {
  let installation: TestInstallation
  let tenant: Tenant
  beforeAll(async () => {
    installation = await TestInstallation.create()
    tenant = await installation.startTenant('aaaaaaaaaaaaaaaa')
  })
  afterAll(() => installation.stop())

  const dataKey = async (method: string) => {
    const headers = { 'holdfast-organization': tenant.id }
    const { status, text } = await installation.admin(tenant, '/admin/data-key', { method, headers })
    return { status, ...(JSON.parse(text) as { keyId?: string; olderKeyIds?: string[]; message?: string }) }
  }

  test('the operator changes the file, then says so', async () => {
    const file = join(installation.folder, tenant.id, 'data-key')
    const old = await readFile(file, 'utf8')
    const fresh = randomBytes(32).toString('base64')
    const before = await dataKey('GET')
    expect(before).toMatchObject({ status: 200, olderKeyIds: [] })
    expect(await dataKey('POST')).toEqual(before)

    await writeFile(file, fresh)
    const refused = await dataKey('POST')
    expect(refused).toMatchObject({ status: 409, message: expect.stringContaining(before.keyId!) })
    expect(await dataKey('GET')).toEqual(before)

    await writeFile(file, `${fresh}\n${old}`)
    const after = await dataKey('POST')
    expect(after).toMatchObject({ status: 200, olderKeyIds: [] })
    expect(after.keyId).not.toBe(before.keyId)
    await writeFile(file, fresh)
    expect(await dataKey('POST')).toEqual(after)
  })

  test('by the client that it drives nodes with', async () => {
    const { operator } = installation
    const client = new NodeClient({
      identity: () => operatorIdentity,
      clock: systemClock,
      port: tenant.process.adminPort,
    })
    const operatorIdentity = {
      certificatePem: operator.cert,
      privateKeyPem: operator.key,
      authorityPem: operator.ca,
    }
    try {
      const node = { organizationId: tenant.id, podUid: 'a', host: '127.0.0.1' }
      const file = join(installation.folder, tenant.id, 'data-key')
      const [old] = parseDataKeys(await readFile(file, 'utf8'))
      expect(await client.getDataKey(node)).toEqual({ keyId: dataKeyId(old!), olderKeyIds: [] })
      const fresh = randomBytes(32)
      await writeFile(file, dataKeysText([fresh]))
      await expect(client.useDataKey(node)).rejects.toMatchObject({ code: 'ERR_NODE_DATA_KEY' })
      await writeFile(file, dataKeysText([fresh, old!]))
      // The node goes on where the client has stopped waiting.
      const state = () => client.useDataKey(node).catch((error: unknown) => error)
      await expect.poll(state).toEqual({ keyId: dataKeyId(fresh), olderKeyIds: [] })
    } finally {
      await client.close()
    }
  })
})
