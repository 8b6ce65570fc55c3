import { join } from 'node:path'
import type { LookupFunction } from 'node:net'
import type { Agent } from 'undici'
import { systemClock } from '../../common/clock.ts'
import { silentLogger } from '../../common/log.ts'
import { parseGatewayConfig } from '../../gateway/config.ts'
import { createGateway, type Gateway } from '../../gateway/gateway.ts'
import type { Target } from '../../gateway/target.ts'
import { writeIdentity, type Issuer } from './certificates.ts'
import { agentOf, host, send, TestInstallation, type Answer, type Tenant } from './installation.ts'

/** As the cluster's DNS: a name that nobody has is not found. */
export const missingName: LookupFunction = (name, _options, callback) =>
  callback(Object.assign(new Error(`getaddrinfo ENOTFOUND ${name}`), { code: 'ENOTFOUND' }), '', 0)

/** Two tenants' real nodes behind a real gateway, with the identities that the operator would have issued. */
export class TwoTenants {
  readonly installation: TestInstallation
  readonly a: Tenant
  readonly b: Tenant
  readonly gateway: Gateway
  readonly client: Agent
  /** Where an organization's node is; one that is not here has no name. */
  readonly targets: Map<string, Target>

  private constructor(
    parts: Pick<TwoTenants, 'installation' | 'a' | 'b' | 'gateway' | 'client' | 'targets'>,
  ) {
    this.installation = parts.installation
    this.a = parts.a
    this.b = parts.b
    this.gateway = parts.gateway
    this.client = parts.client
    this.targets = parts.targets
  }

  /** @param issuer who makes all certificates; an authority of the test's own if not given */
  static async start(issuer?: Issuer): Promise<TwoTenants> {
    const installation = await TestInstallation.create(issuer)
    const a = await installation.startTenant('aaaaaaaaaaaaaaaa')
    const b = await installation.startTenant('bbbbbbbbbbbbbbbb')
    const targets = new Map(
      [a, b].map(({ id, process }): [string, Target] => [id, { host, port: process.port }]),
    )
    await writeIdentity(join(installation.folder, 'gateway'), installation.gateway)
    const publicFolder = await writeIdentity(
      join(installation.folder, 'public'),
      await installation.authority.issue(),
    )
    const gateway = await startGateway(installation, targets, { HOLDFAST_TLS_DIR: publicFolder })
    return new TwoTenants({
      installation,
      a,
      b,
      gateway,
      client: agentOf(installation.operator.ca, null),
      targets,
    })
  }

  /** Another gateway before the same nodes. */
  startGateway(more: Record<string, string>): Promise<Gateway> {
    return startGateway(this.installation, this.targets, more)
  }

  through(path: string, options: object = {}): Promise<Answer> {
    return send(this.client, `https://${host}:${this.gateway.port}${path}`, options)
  }

  write(token: string, body: string | Buffer, headers = {}): Promise<Answer> {
    const authorization = `Token ${token}`
    return this.through('/write?db=metrics', { method: 'POST', body, headers: { authorization, ...headers } })
  }

  read(token: string, measurement: string): Promise<Answer> {
    const path = `/query?db=metrics&epoch=ns&q=SELECT%20v%20FROM%20${measurement}`
    return this.through(path, { headers: { authorization: `Token ${token}` } })
  }

  async stop(): Promise<void> {
    await this.client.close()
    await this.gateway.stop()
    await this.installation.stop()
  }
}

async function startGateway(
  installation: TestInstallation,
  targets: ReadonlyMap<string, Target>,
  more: Record<string, string>,
): Promise<Gateway> {
  const config = parseGatewayConfig({
    HOLDFAST_LISTEN: `${host}:0`,
    HOLDFAST_METRICS_LISTEN: `${host}:0`,
    HOLDFAST_IDENTITY_DIR: join(installation.folder, 'gateway'),
    ...more,
  })
  const targetOf = (id: string): Target =>
    targets.get(id) ?? { host: `storage-node.holdfast-${id}.svc.test.`, port: 8086, lookup: missingName }
  const gateway = createGateway(config, targetOf, systemClock, silentLogger)
  await gateway.start()
  return gateway
}
