import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { idOfUid } from '../../common/ids.ts'
import { kinds } from '../../operator/api/crd.ts'
import { group } from '../../operator/api/fields.ts'
import { organizationSchema } from '../../operator/api/organization.ts'
import { platformSchema } from '../../operator/api/platform.ts'
import { tokenSchema } from '../../operator/api/token.ts'
import { desiredTenant } from '../../operator/desired/tenant.ts'
import { dataKeySecret, storageNodeTlsSecret, tokenSecret } from '../../operator/desired/secrets.ts'
import type { DesiredInput } from '../../operator/desired/input.ts'
import { differs } from '../../operator/kube/differs.ts'
import type { KubeObject } from '../../operator/kube/object.ts'
import { pathOf, resourceOf, resources } from '../../operator/kube/resource.ts'
import { podName, volumeClaim } from '../../operator/naming/names.ts'
import { ApiServer, type Answer } from './api-server.ts'
import { ruleCases, type RuleCase } from './rule-cases.ts'

// What the schemas promise, a real API server keeps: each rule refuses and accepts, says which field, fills in the
// defaults, and takes every object that the operator would make.

const kubeconfig = process.env['KUBECONFIG']
const namespace = `crds-${process.pid}`
/** The pod and the claim of the first replica, as the StatefulSet's controller makes them. */
function madeBy(statefulSet: KubeObject): readonly KubeObject[] {
  const { template, volumeClaimTemplates } = statefulSet['spec'] as {
    template: { metadata: { labels: Record<string, string> }; spec: { volumes: readonly object[] } }
    volumeClaimTemplates: readonly { spec: object }[]
  }
  const { namespace } = statefulSet.metadata
  // As the StatefulSet controller calls it.
  const claimName = `${volumeClaim}-${podName(0)}`
  const data = { name: volumeClaim, persistentVolumeClaim: { claimName } }
  return [
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: podName(0), namespace: namespace!, labels: template.metadata.labels },
      spec: { ...template.spec, volumes: [data, ...template.spec.volumes] },
    },
    {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name: claimName, namespace: namespace! },
      spec: volumeClaimTemplates[0]!.spec,
    },
  ]
}

const resourceOfKind = {
  Organization: resources.organizations,
  Database: resources.databases,
  Token: resources.tokens,
} as const

/** The API server keeps none in a NetworkPolicy. */
const withoutEmptyLists = (value: object): object =>
  JSON.parse(
    JSON.stringify(value, (_, held) => (Array.isArray(held) && held.length === 0 ? undefined : held)),
  )

describe.skipIf(kubeconfig === undefined)(
  'the CustomResourceDefinitions (KUBECONFIG names the cluster)',
  () => {
    let server: ApiServer
    let counter = 0
    const cleanUp: (() => Promise<void>)[] = []

    beforeAll(async () => {
      server = await ApiServer.open(kubeconfig!)
      for (const { plural } of kinds) {
        const definition = await readFile(
          join(import.meta.dirname, `../../crds/${group}_${plural}.yaml`),
          'utf8',
        )
        cleanUp.push(await server.install(definition))
      }
      const made = await server.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } })
      if (made.status !== 201) throw new Error(`${namespace}: ${made.body.message}`)
    })

    afterAll(async () => {
      for (const resource of Object.values(resourceOfKind))
        await server.send('DELETE', pathOf(resource, { namespace }))
      await server.send('DELETE', pathOf(resources.namespaces, { name: namespace }))
      for (const uninstall of cleanUp) await uninstall()
      await server.close()
    })

    const objectOf = ({ kind, name }: Pick<RuleCase, 'kind' | 'name'>, spec: unknown): KubeObject => ({
      apiVersion: `${group}/v1alpha1`,
      kind,
      metadata: { name: name ?? `case-${++counter}`, namespace },
      spec,
    })

    /** Server-side apply takes another way through the API server than a plain write: it keeps nulls, for one. */
    const writers = {
      'a plain write': {
        create: (object: KubeObject) => server.create(object),
        change: (object: KubeObject) =>
          server.replaceSpec(resourceOf(object), object.metadata, object['spec']),
      },
      'server-side apply': {
        create: (object: KubeObject) => server.apply(object),
        change: (object: KubeObject) => server.apply(object),
      },
    } as const

    async function attempt(ruleCase: RuleCase, writer: keyof typeof writers): Promise<Answer> {
      const { create, change } = writers[writer]
      const { before, spec, status } = ruleCase
      if (before === undefined) return create(objectOf(ruleCase, spec))
      const first = objectOf(ruleCase, before)
      expect((await create(first)).status).toBe(201)
      if (status) expect((await server.setStatus(resourceOf(first), first.metadata, status)).status).toBe(200)
      return change({ ...first, spec })
    }

    describe.each(Object.keys(writers) as (keyof typeof writers)[])('by %s', (writer) => {
      test.each(ruleCases)('$kind with $what: refused at $refused', async (ruleCase) => {
        const answer = await attempt(ruleCase, writer)
        if (ruleCase.refused === null) {
          expect(answer.body.message).toBeUndefined()
          expect(answer.status).toBeLessThan(300)
          // Cases may share a name, to be as long as it must be.
          if (ruleCase.name !== undefined)
            await server.send(
              'DELETE',
              pathOf(resourceOfKind[ruleCase.kind], { namespace, name: ruleCase.name }),
            )
        } else {
          expect(answer.status).toBe(422)
          expect(answer.body.message).toContain(ruleCase.refused)
          expect(answer.body.message).not.toMatch(/evaluating rule|rule error|no such key/)
        }
      })
    })

    test('what the API server fills in is what the operator would', async () => {
      const { body } = await server.create(objectOf({ kind: 'Organization' }, {}))
      const { metadata, spec } = organizationSchema.parse(body)
      const filledIn = organizationSchema.parse({ ...body, metadata, spec: {} })
      expect(spec).toEqual(filledIn.spec)
      expect(body['spec']).toMatchObject({
        class: 'standard',
        storage: { size: '10Gi', replicas: 1 },
        limits: {
          databases: 100,
          series: 1_000_000,
          concurrentQueries: 10,
          queryTimeout: '60s',
          rowsPerQuery: 10_000_000,
        },
        deletionPolicy: 'Retain',
      })
    })

    test('a field that the schema does not know is refused where strictness is asked for, and dropped otherwise', async () => {
      const object = objectOf({ kind: 'Database' }, { organization: 'a', namespace: 'other' })
      const path = pathOf(resources.databases, { namespace })
      const strict = await server.send('POST', `${path}?fieldValidation=Strict`, { body: object })
      expect(strict.status).toBe(400)
      expect(strict.body.message).toContain('spec.namespace')
      const lax = await server.create(object)
      expect(lax.body['spec']).not.toHaveProperty('namespace')
    })

    test('a status never changes a spec, and a spec never a status', async () => {
      const object = objectOf({ kind: 'Database' }, { organization: 'a' })
      const made = await server.create({ ...object, status: { databaseName: 'forged' } })
      expect(made.body['status']).toEqual({ observedGeneration: -1 })
      const ref = { namespace, name: object.metadata.name }
      const path = pathOf(resources.databases, ref, 'status')
      const answer = await server.send('PATCH', path, {
        body: { spec: { retention: '1h' }, status: { databaseName: 'real' } },
        type: 'application/merge-patch+json',
      })
      expect(answer.body).toMatchObject({ spec: { retention: '0' }, status: { databaseName: 'real' } })
    })

    test('a whole status is stored as the operator writes it, and written again changes nothing', async () => {
      const common = {
        observedGeneration: 1,
        conditions: [
          {
            type: 'Ready',
            status: 'True',
            reason: 'Ready',
            message: 'all is well',
            observedGeneration: 1,
            lastTransitionTime: '2026-01-01T00:00:00.000Z',
          },
        ],
        organizationId: '0123456789abcdef',
      }
      const createdAt = '2026-01-01T00:00:00.000Z'
      const issued = (digit: string, expiresAt: string | null) => ({
        id: digit.repeat(16),
        hash: digit.repeat(64),
        createdAt,
        expiresAt,
      })
      const cases = [
        [
          objectOf({ kind: 'Organization' }, {}),
          {
            ...common,
            runtimeNamespace: 'holdfast-0123456789abcdef',
            version: '0.1.0',
            storage: { size: '10Gi', replicas: 1 },
            stateDigest: 'a'.repeat(64),
          },
        ],
        [
          objectOf({ kind: 'Database' }, { organization: 'a' }),
          { ...common, databaseId: '0123456789abcdef', databaseName: 'metrics' },
        ],
        [
          objectOf(
            { kind: 'Token' },
            { organization: 'a', permissions: [{ database: 'm', access: ['read'] }] },
          ),
          { ...common, tokens: [issued('b', createdAt), issued('a', null)], binding: { name: 'writer' } },
        ],
      ] as const
      for (const [object, status] of cases) {
        await server.create(object)
        const first = await server.applyStatus(object, status)
        expect(first.body.message).toBeUndefined()
        expect(first.body['status']).toEqual(status)
        expect((await server.applyStatus(object, status)).body).toEqual(first.body)
      }
    })

    test('kubectl get shows the columns that the contract names', async () => {
      const expected = {
        organizations: ['Name', 'Ready', 'Reason', 'Id', 'Size', 'Age'],
        databases: ['Name', 'Ready', 'Reason', 'Organization', 'Database', 'Id', 'Age'],
        tokens: ['Name', 'Ready', 'Reason', 'Organization', 'Id', 'Secret', 'Age'],
      }
      const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io'
      for (const [plural, columns] of Object.entries(expected)) {
        const resource = Object.values(resourceOfKind).find((resource) => resource.plural === plural)!
        const { body } = await server.send('GET', pathOf(resource, { namespace }), { accept })
        const definitions = body['columnDefinitions'] as readonly { name: string; priority: number }[]
        expect(definitions.filter(({ priority }) => priority === 0).map(({ name }) => name)).toEqual(columns)
      }
    })

    test('a condition is shown, and databases are found by their organization', async () => {
      const object = objectOf({ kind: 'Database' }, { organization: 'findable' })
      await server.create(object)
      const ref = { namespace, name: object.metadata.name }
      const condition = {
        type: 'Ready',
        status: 'False',
        reason: 'OrganizationNotFound',
        message: 'waiting',
        lastTransitionTime: '2026-01-01T00:00:00Z',
      }
      const answer = await server.setStatus(resources.databases, ref, { conditions: [condition] })
      expect(answer.status).toBe(200)
      const path = `${pathOf(resources.databases, { namespace })}?fieldSelector=spec.organization%3Dfindable`
      const { body } = await server.send('GET', path, {
        accept: 'application/json;as=Table;v=v1;g=meta.k8s.io',
      })
      const rows = body['rows'] as readonly { cells: readonly unknown[] }[]
      expect(rows.map(({ cells }) => cells.slice(0, 4))).toEqual([
        [object.metadata.name, 'False', 'OrganizationNotFound', 'findable'],
      ])
    })

    test('the API server takes every object of a tenant, and stores it as it was asked for', async () => {
      const { body } = await server.create(
        objectOf(
          { kind: 'Organization' },
          { access: { from: [{ cidr: '10.0.0.0/8' }] }, storage: { size: '1024Mi' } },
        ),
      )
      const organization = organizationSchema.parse(body)
      const input: DesiredInput = {
        organization,
        organizationId: idOfUid(organization.metadata.uid),
        platform: platformSchema.parse({
          operatorNamespace: 'holdfast-system',
          installationId: '0123456789abcdef',
          storageNode: { images: { '0.1.0': 'storage-node:0.1.0' }, defaultVersion: '0.1.0' },
          gateway: { url: 'https://gateway:8086', host: 'gateway', port: 8086 },
        }),
        ownerKey: Buffer.alloc(32, 1),
        existing: null,
        claimed: null,
        retainedVersion: null,
        now: new Date(0),
      }
      const tlsText = { certificatePem: 'c', privateKeyPem: 'k', authorityPem: 'a' }
      const secrets = [
        storageNodeTlsSecret(input.organizationId, tlsText),
        dataKeySecret(input.organizationId, Buffer.alloc(32), new Date(0)),
      ]
      const runtimeNamespace = desiredTenant(input)[0]!
      expect((await server.apply(runtimeNamespace)).status).toBe(201)
      try {
        for (const object of [...desiredTenant(input), ...secrets]) {
          const answer = await server.apply(object, { dryRun: true })
          expect({ kind: object.kind, message: answer.body.message }).toEqual({ kind: object.kind })
          const { metadata, ...rest } = object
          expect(answer.body).toMatchObject({ ...withoutEmptyLists(rest), metadata: { name: metadata.name } })
          expect(differs(answer.body, object)).toBeNull()
        }
        // The pod and the claim that the StatefulSet's controller would make pass Pod Security and the LimitRange.
        const byKind = (kind: string) => desiredTenant(input).find((object) => object.kind === kind)!
        for (const kind of ['ServiceAccount', 'LimitRange'])
          expect((await server.apply(byKind(kind))).body.message).toBeUndefined()
        for (const made of madeBy(byKind('StatefulSet'))) {
          const answer = await server.apply(made, { dryRun: true })
          expect({ kind: made.kind, message: answer.body.message }).toEqual({ kind: made.kind })
        }
        const [pod, claim] = madeBy(byKind('StatefulSet')) as [KubeObject, KubeObject]
        const loose = { ...pod, spec: { ...(pod['spec'] as object), hostNetwork: true } }
        expect((await server.apply(loose, { dryRun: true })).status).toBe(403)
        const larger = await server.apply(
          { ...claim, spec: { ...(claim['spec'] as object), resources: { requests: { storage: '2Gi' } } } },
          { dryRun: true },
        )
        expect(larger.status).toBe(403)
      } finally {
        await server.send('DELETE', pathOf(resources.namespaces, { name: runtimeNamespace.metadata.name }))
      }
    })

    test('the API server takes the Secret of a Token, with its owner', async () => {
      const { body } = await server.create(
        objectOf(
          { kind: 'Token' },
          { organization: 'a', permissions: [{ database: 'm', access: ['read'] }] },
        ),
      )
      const secret = tokenSecret({
        token: tokenSchema.parse(body),
        tokenString: 'hfd_x',
        organizationId: '00000000000000aa',
        organizationName: 'a',
        platform: platformSchema.parse({
          operatorNamespace: 'holdfast-system',
          installationId: '0123456789abcdef',
          storageNode: { images: { '0.1.0': 'x' }, defaultVersion: '0.1.0' },
          gateway: { url: 'https://gateway:8086', host: 'gateway', port: 8086 },
        }),
      })
      const answer = await server.apply(secret, { dryRun: true })
      expect(answer.body.message).toBeUndefined()
      expect(answer.body).toMatchObject({ type: 'servicebinding.io/influxdb', data: secret['data'] })
    })
  },
)
