import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { parseGatewayConfig } from '../../gateway/config.ts'
import { ensureTools } from '../../local-kubernetes/tools.ts'
import { kinds } from '../../operator/api/crd.ts'
import { databaseSpecSchema } from '../../operator/api/database.ts'
import { group, version } from '../../operator/api/fields.ts'
import { organizationSpecSchema } from '../../operator/api/organization.ts'
import { tokenSpecSchema } from '../../operator/api/token.ts'
import {
  authoritySecretName,
  gatewayIdentitySecretName,
  gatewayServerSecretName,
  operatorKeySecretName,
  probeIdentitySecretName,
} from '../../operator/authority/authority.ts'
import { readConfig } from '../../operator/config.ts'
import { parsePlatformFile } from '../../operator/platform-file.ts'
import { renderChart, requiredValues as required } from '../support/chart.ts'

// What Helm lets through, operator and gateway start with; what they would die of, Helm refuses and names.

interface Rendered {
  readonly kind: string
  readonly metadata: { readonly name: string; readonly namespace?: string }
  readonly data: Readonly<Record<string, string>>
  readonly rules: readonly Rule[]
  readonly spec: {
    readonly ingress: unknown
    readonly matchConstraints: { readonly excludeResourceRules: readonly Resources[] }
    readonly template: {
      readonly spec: { readonly containers: readonly [{ readonly env: readonly Variable[] }] }
    }
  }
}

interface Resources {
  readonly apiGroups: readonly string[]
  readonly resources: readonly string[]
}

interface Rule extends Resources {
  readonly resourceNames?: readonly string[]
  readonly verbs: readonly string[]
}

interface Variable {
  readonly name: string
  readonly value?: string
}

const render = (settings: readonly string[], namespace = 'holdfast-system') =>
  renderChart<Rendered>(settings, namespace)

function named(objects: readonly Rendered[], kind: string, name: string): Rendered {
  const found = objects.find((object) => object?.kind === kind && object.metadata.name === name)
  if (!found) throw new Error(`the chart renders no ${kind} ${name}`)
  return found
}

function environmentOf(objects: readonly Rendered[], deployment: string): Readonly<Record<string, string>> {
  const { env } = named(objects, 'Deployment', deployment).spec.template.spec.containers[0]
  // What has no value is filled in from the pod itself.
  return Object.fromEntries(env.map(({ name, value }) => [name, value ?? 'from-the-pod']))
}

/** Reads what the chart renders as the two programs do at their start. */
function startPrograms(objects: readonly Rendered[]) {
  return {
    platform: parsePlatformFile(named(objects, 'ConfigMap', 'holdfast-platform').data['platform.yaml']!),
    operator: readConfig(environmentOf(objects, 'holdfast-operator')),
    gateway: parseGatewayConfig(environmentOf(objects, 'holdfast-gateway')),
  }
}

beforeAll(() => ensureTools((line) => console.log(line)), 30 * 60_000)

describe('what Helm lets through, the programs start with', () => {
  test('the default values', async () => {
    const { platform, operator, gateway } = startPrograms(await render(required))
    expect(platform.operatorNamespace).toBe('holdfast-system')
    expect(platform.storageNode.images).toEqual({ '0.1.0': 'registry.example.com/node:1' })
    expect(platform.classes['standard']!.resources.limits).toEqual({ memory: '512Mi' })
    expect(operator.workers).toBe(8)
    expect([gateway.maxConnections, gateway.connectionsPerSource]).toEqual([2_000, 500])
    expect(gateway.pools.responseTimeoutMs).toBe(600_000)
  })

  test.each([
    ['a whole number of processors', 'classes.standard.resources.limits.cpu=1'],
    ['a part of one', 'classes.standard.resources.requests.cpu=0.25'],
    ['memory in bytes', 'classes.standard.resources.limits.memory=1073741824'],
    [
      'a toleration',
      'classes.standard.tolerations[0].key=db,classes.standard.tolerations[0].operator=Exists',
    ],
    ['a toleration with a time', 'classes.standard.tolerations[0].tolerationSeconds=60'],
    ['no standard class', 'classes.standard=null,classes.large.resources.limits.memory=4Gi'],
    ['another address', 'gateway.url=https://metrics.example.com'],
    ['an address with a port', 'gateway.url=http://192.0.2.7:65535,gateway.insecureHTTP=true'],
    ['an IPv6 address', 'gateway.url=https://[2001:db8::1]:8086'],
    ['hosts', 'gateway.tls.hosts={*.example.com,192.0.2.7,2001:db8::1}'],
    ['a certificate of their own', 'gateway.tls.secretName=my.tls-2026'],
    ['a base domain', 'gateway.baseDomain=metrics.example.com'],
    ['large limits', 'gateway.limits.connections=1000000,gateway.limits.attemptsPerSecond=1000000'],
    ['certificates of a month', 'certificates.lifetimeDays=30,certificates.authorityLifetimeDays=180'],
    ['limits of tenants', 'tenantLimits.organizations=1,tenantLimits.storageSize=100Gi'],
    ['a limit in bytes', 'tenantLimits.storageSize=107374182400'],
    ['limits of one namespace', 'tenantLimits.namespaces.team-2.organizations=0'],
    // As it is for who goes on with the values of an older chart.
    ['no word of limits', 'tenantLimits=null'],
    ['some namespaces', 'operator.watchNamespaces={marketing,team-2}'],
    [
      'versions that look like numbers',
      String.raw`storageNode.images.1\.10=a:b,classes.standard.versions={0.1.0}`,
    ],
  ])('%s', async (_, setting) => {
    const { platform } = startPrograms(await render([...required, setting]))
    expect(platform.gateway.hosts.length).toBeGreaterThan(3)
  })

  test('a number in YAML is the quantity that Kubernetes reads', async () => {
    const { platform } = startPrograms(await render([...required, 'classes.standard.resources.limits.cpu=1']))
    expect(platform.classes['standard']!.resources.limits).toEqual({ cpu: '1', memory: '512Mi' })
  })

  test('limits of tenants are what the values say', async () => {
    const setting = 'tenantLimits.organizations=100000,tenantLimits.namespaces.team-2.storageSize=1Ti'
    const { platform } = startPrograms(await render([...required, setting]))
    expect(platform.tenantLimits).toEqual({
      organizations: 100_000,
      storageSize: null,
      namespaces: { 'team-2': { storageSize: '1Ti' } },
    })
    const { platform: usual } = startPrograms(await render(required))
    expect(usual.tenantLimits).toEqual({ organizations: null, storageSize: null, namespaces: {} })
  })

  test('a namespace of digits stays a text everywhere', async () => {
    const objects = await render(required, '2026')
    expect(startPrograms(objects).platform.operatorNamespace).toBe('2026')
    const namespaces = objects.flatMap((object) => object?.metadata.namespace ?? [])
    expect(namespaces.length).toBeGreaterThan(5)
    expect(new Set(namespaces)).toEqual(new Set(['2026']))
  })
})

describe('what they would die of, Helm refuses and names', () => {
  test.each([
    ['image.repository', [required[1]!]],
    ['storageNode.images', [required[0]!]],
    ['storageNode.defaultVersion', [...required, 'storageNode.defaultVersion=0.2.0']],
  ])('%s has no default that could work', async (field, settings) => {
    await expect(render(settings)).rejects.toThrow(field)
  })

  test.each([
    ['/classes/standard/tolerations/0', 'classes.standard.tolerations[0].kye=db'],
    ['/classes/standard/tolerations/0/effect', 'classes.standard.tolerations[0].effect=NoRun'],
    ['/classes/standard/resources/limits/cpu', 'classes.standard.resources.limits.cpu=one'],
    ['/classes/standard/resources/limits/memory', 'classes.standard.resources.limits.memory=1e9Gi'],
    ['/classes/standard/nodeSelector/ssd', 'classes.standard.nodeSelector.ssd=true'],
    ['/classes/standard', 'classes.standard.replicas=2'],
    ['Large', 'classes.Large.resources.limits.cpu=1'],
    ['/tenantLimits/organizations', 'tenantLimits.organizations=-1'],
    ['/tenantLimits/storageSize', 'tenantLimits.storageSize=large'],
    ['/tenantLimits/namespaces/marketing', 'tenantLimits.namespaces.marketing.replicas=3'],
    ['/storageNode/defaultVersion', 'storageNode.defaultVersion=1'],
    ['/operator/workers', 'operator.workers=65'],
    ['/operator/tolerations/0', 'operator.tolerations[0].kye=db'],
    ['/operator/watchNamespaces/0', 'operator.watchNamespaces={Marketing}'],
    ['/gateway/url', 'gateway.url=https://metrics.example.com:65536'],
    ['/gateway/url', 'gateway.url=https://192.0.2.256'],
    ['/gateway/url', 'gateway.url=metrics.example.com'],
    ['/gateway/baseDomain', 'gateway.baseDomain=Example_com'],
    ['/gateway/limits/connections', 'gateway.limits.connections=0'],
    ['/gateway/tls/hosts/0', 'gateway.tls.hosts={https://metrics.example.com}'],
    ['/clusterDomain', 'clusterDomain='],
    ['/networkPolicies/metricsFrom/0', 'networkPolicies.metricsFrom[0].namespace=monitoring'],
  ])('%s: %s', async (field, setting) => {
    await expect(render([...required, setting])).rejects.toThrow(`'${field}'`)
  })
})

describe('rights are as small as the work allows', () => {
  const keptSecrets = [
    authoritySecretName,
    operatorKeySecretName,
    gatewayIdentitySecretName,
    gatewayServerSecretName,
    probeIdentitySecretName,
  ].sort()

  /** Names of the Secrets of its namespace that the operator may use like this; '*' stands for all. */
  async function secretsFor(verb: string, settings: readonly string[]): Promise<readonly string[]> {
    const { rules } = named(await render([...required, ...settings]), 'Role', 'holdfast-operator')
    return rules
      .filter(({ resources, verbs }) => resources.includes('secrets') && verbs.includes(verb))
      .flatMap(({ resourceNames }) => resourceNames ?? ['*'])
      .toSorted()
  }

  test('the operator reads and writes the Secrets that it keeps, and no other of its namespace', async () => {
    expect(await secretsFor('get', [])).toEqual(keptSecrets)
    expect(await secretsFor('update', [])).toEqual(keptSecrets)
    expect(await secretsFor('list', [])).toEqual([])
  })

  test('a certificate that is not its own it only reads', async () => {
    const settings = ['gateway.tls.secretName=ours']
    expect(await secretsFor('get', settings)).toEqual([...keptSecrets, 'ours'].sort())
    expect(await secretsFor('update', settings)).toEqual(keptSecrets)
  })

  test.each([
    { role: 'holdfast-platform', writes: ['organizations'] },
    { role: 'holdfast-tenant', writes: ['databases', 'tokens'] },
  ])('$role writes $writes alone', async ({ role, writes }) => {
    const { rules } = named(await render(required), 'ClusterRole', role)
    const written = rules.filter(({ verbs }) =>
      verbs.some((verb) => !['get', 'list', 'watch'].includes(verb)),
    )
    expect(written.flatMap(({ resources }) => resources)).toEqual(writes)
  })

  test('what the operator may write outside of runtime namespaces, its fence speaks of', async () => {
    const objects = await render(required)
    const { matchConstraints, ...fence } = named(
      objects,
      'ValidatingAdmissionPolicy',
      'holdfast-operator',
    ).spec
    const leftOut = matchConstraints.excludeResourceRules.flatMap(({ apiGroups, resources }) =>
      apiGroups.flatMap((group) => resources.map((resource) => `${group}/${resource}`)),
    )
    const written = ['ClusterRole', 'Role']
      .flatMap((kind) => named(objects, kind, 'holdfast-operator').rules)
      .filter(({ verbs }) => verbs.some((verb) => ['create', 'update', 'patch', 'delete'].includes(verb)))
      .flatMap(({ apiGroups, resources }) =>
        apiGroups.flatMap((group) => resources.map((resource) => `${group}/${resource}`)),
      )
      // A status is left out whatever it is of; of finalizers there is no address.
      .map((what) => what.replace(/\w+\/status$/, '*/status'))
      .filter((what) => !what.endsWith('/finalizers'))
    expect(written.length).toBeGreaterThan(5)
    const text = JSON.stringify(fence)
    const forgotten = written.filter((what) => !leftOut.includes(what) && !text.includes(`'${what}'`))
    expect(forgotten, 'rights that templates/fence.yaml would refuse').toEqual([])
  })

  test('where only some namespaces are looked at, the fence has no others', async () => {
    const fence = async (settings: readonly string[]) =>
      JSON.stringify(
        named(await render([...required, ...settings]), 'ValidatingAdmissionPolicy', 'holdfast-operator'),
      )
    expect(await fence(['operator.watchNamespaces={marketing,team-2}'])).toContain(
      "variables.inNamespace in ['marketing','team-2']",
    )
    expect(await fence([])).not.toContain('variables.inNamespace in ')
  })

  test('where only some namespaces are looked at, what users write is open in these alone', async () => {
    const watched = ['marketing', 'team-2']
    const objects = await render([...required, `operator.watchNamespaces={${watched.join(',')}}`])
    const groups = ({ rules }: Rendered) => rules.flatMap(({ apiGroups }) => apiGroups)
    expect(groups(named(objects, 'ClusterRole', 'holdfast-operator'))).not.toContain('holdfast.dev')
    const roles = objects.filter((object) => object?.metadata.name === 'holdfast-operator-tenant')
    expect(roles.map(({ kind, metadata }) => `${kind} ${metadata.namespace}`)).toEqual(
      watched.flatMap((namespace) => [`Role ${namespace}`, `RoleBinding ${namespace}`]).toSorted(),
    )
    const all = await render(required)
    const byRole = named(objects, 'Role', 'holdfast-operator-tenant').rules
    expect(named(all, 'ClusterRole', 'holdfast-operator').rules).toEqual(expect.arrayContaining([...byRole]))
    expect(all.filter((object) => object?.metadata.name === 'holdfast-operator-tenant')).toEqual([])
  })

  test('deletions are confirmed only where that is asked for', async () => {
    const policies = async (settings: readonly string[]) =>
      (await render([...required, ...settings]))
        .filter((object) => object?.kind === 'ValidatingAdmissionPolicy')
        .map(({ metadata }) => metadata.name)
    const fence = ['holdfast-operator', 'holdfast-operator-tenants']
    expect(await policies([])).toEqual(fence)
    expect(await policies(['deletionProtection.enabled=true'])).toEqual(
      expect.arrayContaining([
        ...fence,
        'holdfast-deletion',
        'holdfast-deletion-policy',
        'holdfast-deletion-tenants',
      ]),
    )
  })

  test('the gateway asks the operator where that listens, and nobody else may', async () => {
    const objects = await render(required)
    const { operator, gateway } = startPrograms(objects)
    const port = operator.wakeListen?.port
    expect(gateway.wakeAddress).toEqual({
      host: 'holdfast-operator.holdfast-system.svc.cluster.local.',
      port,
    })
    const { ingress } = named(objects, 'NetworkPolicy', 'holdfast-operator').spec
    expect(ingress).toEqual([
      {
        from: [
          {
            podSelector: {
              matchLabels: expect.objectContaining({ 'app.kubernetes.io/component': 'gateway' }),
            },
          },
        ],
        ports: [{ protocol: 'TCP', port }],
      },
    ])
  })

  test('the isolation probe has no rights, no token and no power over its machine', async () => {
    const objects = await render(required)
    const { spec } = named(objects, 'Deployment', 'holdfast-isolation-probe').spec.template
    expect(spec).toMatchObject({
      serviceAccountName: 'holdfast-isolation-probe',
      automountServiceAccountToken: false,
      securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
      containers: [
        {
          securityContext: {
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ['ALL'] },
          },
        },
      ],
    })
    const bindings = objects.filter((object) => object?.kind.endsWith('Binding'))
    expect(bindings.length).toBeGreaterThan(1)
    expect(JSON.stringify(bindings)).not.toContain('isolation-probe')
    const { ingress } = named(objects, 'NetworkPolicy', 'holdfast-isolation-probe').spec
    const [operator, open] = ingress as readonly object[]
    expect(operator).toMatchObject({ from: [{ podSelector: {} }], ports: [{ port: 8443 }] })
    expect(open).toEqual({ ports: [{ protocol: 'TCP', port: 8080 }] })
  })

  test('isolation is required unless the platform says otherwise, and the operator knows where the probe is', async () => {
    const { platform, operator } = startPrograms(await render(required))
    expect(platform.isolation.required).toBe(true)
    expect(operator.isolation).toEqual({
      probe: 'isolation-probe.holdfast-system.svc.cluster.local',
      gateway: { host: 'gateway.holdfast-system.svc.cluster.local', port: 8086 },
    })
    const without = startPrograms(await render([...required, 'isolation.required=false']))
    expect(without.platform.isolation.required).toBe(false)
  })

  test('metrics are open to whom the platform names, and to nobody else', async () => {
    const policy = async (name: string, settings: readonly string[]) =>
      JSON.stringify(named(await render([...required, ...settings]), 'NetworkPolicy', name).spec.ingress)
    const from = ['networkPolicies.metricsFrom[0].podSelector.matchLabels.app=prometheus']
    for (const name of ['holdfast-operator', 'holdfast-gateway']) {
      expect(await policy(name, [])).not.toContain('9090')
      expect(await policy(name, from)).toContain(
        '{"from":[{"podSelector":{"matchLabels":{"app":"prometheus"}}}],"ports":[{"protocol":"TCP","port":9090}]}',
      )
    }
  })
})

describe('what a catalogue of charts shows', () => {
  const annotation = async (name: string): Promise<unknown> => {
    const chart = parse(await readFile(join(import.meta.dirname, '../../charts/holdfast/Chart.yaml'), 'utf8'))
    return parse((chart as { annotations: Readonly<Record<string, string>> }).annotations[name] ?? '')
  }

  test('are the kinds that there are, in their own words', async () => {
    expect(await annotation('artifacthub.io/crds')).toEqual(
      kinds.map(({ kind, plural, description }) => ({
        kind,
        version,
        name: `${plural}.${group}`,
        displayName: kind,
        description,
      })),
    )
  })

  test('are examples that may be applied', async () => {
    const schemas = {
      Organization: organizationSpecSchema,
      Database: databaseSpecSchema,
      Token: tokenSpecSchema,
    }
    const examples = (await annotation('artifacthub.io/crdsExamples')) as readonly {
      readonly kind: keyof typeof schemas
      readonly spec: unknown
    }[]
    expect(examples.map(({ kind }) => kind)).toEqual(Object.keys(schemas))
    for (const { kind, spec } of examples) expect(() => schemas[kind].parse(spec), kind).not.toThrow()
  })
})
