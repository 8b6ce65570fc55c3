import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse, stringify } from 'yaml'
import { systemClock } from '../../common/clock.ts'
import { identity } from '../../common/identity.ts'
import { silentLogger } from '../../common/log.ts'
import { parseGatewayConfig } from '../../gateway/config.ts'
import { createGateway, type Gateway } from '../../gateway/gateway.ts'
import { serviceTarget } from '../../gateway/target.ts'
import { kinds } from '../../operator/api/crd.ts'
import { group } from '../../operator/api/fields.ts'
import { pathOf, resources } from '../../operator/kube/resource.ts'
import { TestAuthority, writeIdentity } from '../support/certificates.ts'
import { writeAccountKubeconfig } from './account.ts'
import { ApiServer } from './api-server.ts'

// What `helm test` runs passes where users could work, and otherwise says what is wrong: the program itself, as an account
// with no rights, before a real API server and a real gateway.

const kubeconfig = process.env['KUBECONFIG']
const namespace = `helm-test-${process.pid}`
const root = join(import.meta.dirname, '../..')

describe.skipIf(kubeconfig === undefined)('helm test (KUBECONFIG names the cluster)', () => {
  let server: ApiServer
  let folder: string
  let gateway: Gateway
  let environment: Readonly<Record<string, string>>

  beforeAll(async () => {
    server = await ApiServer.open(kubeconfig!)
    for (const { plural } of kinds)
      await server.install(await readFile(join(root, `crds/${group}_${plural}.yaml`), 'utf8'))
    await server.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } })
    const account = { namespace, name: 'holdfast-test' }
    await server.create({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: account })
    folder = await mkdtemp(join(tmpdir(), 'holdfast-helm-test-'))
    await writeAccountKubeconfig(server, kubeconfig!, account, join(folder, 'kubeconfig'))
    const authority = await TestAuthority.create()
    const tlsFolder = await writeIdentity(join(folder, 'tls'), await authority.issue())
    const own = await authority.issue(identity('cccccccccccccccc', 'gateway'))
    gateway = createGateway(
      parseGatewayConfig({
        HOLDFAST_LISTEN: '127.0.0.1:0',
        HOLDFAST_METRICS_LISTEN: '127.0.0.1:0',
        HOLDFAST_TLS_DIR: tlsFolder,
        HOLDFAST_IDENTITY_DIR: await writeIdentity(join(folder, 'identity'), own),
        HOLDFAST_STOP_DELAY_MS: '0',
      }),
      serviceTarget('cluster.local'),
      systemClock,
      silentLogger,
    )
    await gateway.start()
    environment = {
      HOLDFAST_KUBECONFIG: join(folder, 'kubeconfig'),
      HOLDFAST_GATEWAY_SERVICE: `https://127.0.0.1:${gateway.port}`,
      HOLDFAST_GATEWAY_URL: 'https://metrics.example.com:8086',
      HOLDFAST_GATEWAY_AUTHORITY_FILE: join(tlsFolder, 'ca.crt'),
      HOLDFAST_TIMEOUT_MS: '0',
    }
  })

  afterAll(async () => {
    await gateway.stop()
    await server.send('DELETE', pathOf(resources.namespaces, { name: namespace }))
    await server.close()
    await rm(folder, { recursive: true })
  })

  const runWith = (more: Readonly<Record<string, string>> = {}) =>
    new Promise<{ readonly code: number | null; readonly text: string }>((resolve, reject) => {
      const child = spawn(process.execPath, [join(root, 'operator/helm-test/main.ts')], {
        env: { PATH: process.env['PATH'], ...environment, ...more },
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      let text = ''
      for (const stream of [child.stdout, child.stderr])
        stream.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
      child.on('error', reject)
      child.on('close', (code) => resolve({ code, text }))
    })

  test('passes where the kinds are served and the gateway answers', async () => {
    expect(await runWith()).toEqual({
      code: 0,
      text: 'ok: the API server serves the kinds\nok: the gateway answers, and lets nobody in without credentials\n',
    })
  })

  test('names kinds that are not served', async () => {
    const elsewhere = parse(await readFile(join(folder, 'kubeconfig'), 'utf8')) as {
      clusters: readonly [{ cluster: { server: string } }]
    }
    elsewhere.clusters[0].cluster.server += '/nowhere'
    await writeFile(join(folder, 'elsewhere'), stringify(elsewhere))
    const { code, text } = await runWith({ HOLDFAST_KUBECONFIG: join(folder, 'elsewhere') })
    expect(code).toBe(1)
    expect(text).toMatch(
      /^not so: the API server serves the kinds: the API server answers 40[34] for holdfast\.dev/,
    )
  })

  const broken: readonly [string, () => Record<string, string>, string][] = [
    [
      'a gateway that nobody runs',
      () => ({ HOLDFAST_GATEWAY_SERVICE: 'https://127.0.0.1:9' }),
      'ECONNREFUSED',
    ],
    [
      'a certificate of an authority that nobody knows',
      () => ({ HOLDFAST_GATEWAY_AUTHORITY_FILE: '/no/such/file' }),
      'certificate',
    ],
    [
      'a certificate for neither of its names',
      () => ({ HOLDFAST_GATEWAY_SERVICE: `https://localhost:${gateway.port}` }),
      "does not match certificate's altnames",
    ],
  ]
  test.each(broken)('names %s', async (_, more, reason) => {
    const { code, text } = await runWith(more())
    expect(code).toBe(1)
    expect(text).toContain('ok: the API server serves the kinds')
    expect(text).toContain('not so: the gateway answers')
    expect(text).toContain(reason)
  })

  test('waits for what is seconds old', async () => {
    const late = join(folder, 'late.crt')
    const running = runWith({ HOLDFAST_GATEWAY_AUTHORITY_FILE: late, HOLDFAST_TIMEOUT_MS: '60000' })
    await systemClock.sleep(2_000)
    await writeFile(late, await readFile(environment['HOLDFAST_GATEWAY_AUTHORITY_FILE']!))
    expect((await running).code).toBe(0)
  })
})
