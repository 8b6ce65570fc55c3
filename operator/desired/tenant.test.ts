import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { organization, platform } from '../../test/golden/desired/input.ts'
import { idOfUid } from '../../common/ids.ts'
import type { KubeObject } from '../kube/object.ts'
import { existingStorageNodes } from './existing.ts'
import type { DesiredInput, ExistingStorageNodes } from './input.ts'
import { isUnreadable, planOf, recordedRollout, rolloutAnnotations, rolloutRecord } from './rollout.ts'
import { chosen, formAnnotations, formOf, templateAnnotations } from './template.ts'
import { tenantRoleBinding } from './role-binding.ts'
import { desiredTenant } from './tenant.ts'

// The objects of a tenant are what the reviewed files say, to the letter: a change in isolation, rights or the pod's
// limits shows up as a change of those files.

const golden = (name: string): string => join(import.meta.dirname, `../../test/golden/desired/${name}.yaml`)
const yaml = (objects: readonly KubeObject[]): string =>
  objects.map((object) => stringify(object, { lineWidth: 0, aliasDuplicateObjects: false })).join('---\n')

function input(spec: object = {}, existing: ExistingStorageNodes | null = null): DesiredInput {
  const marketing = organization(spec)
  return {
    organization: marketing,
    organizationId: idOfUid(marketing.metadata.uid),
    platform,
    ownerKey: Buffer.alloc(32, 7),
    existing,
    claimed: null,
    retainedVersion: null,
    now: new Date('2026-11-22T12:00:00Z'),
  }
}

const statefulSetOf = (objects: readonly KubeObject[]): KubeObject =>
  objects.find(({ kind }) => kind === 'StatefulSet')!
const running: ExistingStorageNodes = {
  version: '0.1.0',
  image: 'old-registry/storage-node:0.1.0',
  claim: { size: '5Gi', storageClassName: 'slow' },
  template: null,
  rollout: null,
  restartedAt: null,
}

/** What is made for an organization: in the tenant’s namespace, and in its own. */
const allOf = (of: DesiredInput) => [
  tenantRoleBinding(of.organization.metadata.namespace, of.platform),
  ...desiredTenant(of),
]

describe('golden', () => {
  test('an organization of defaults', async () => {
    await expect(yaml(allOf(input()))).toMatchFileSnapshot(golden('default'))
  })

  test('an organization of another class, with direct access and replicas', async () => {
    const spec = {
      class: 'large',
      storage: { size: '1.5Ti', replicas: 3 },
      access: {
        from: [
          { namespace: 'grafana', podLabels: { app: 'grafana' } },
          { namespace: 'batch' },
          { cidr: '10.0.0.0/8', except: ['10.1.0.0/16'] },
          { cidr: '2001:db8::/32' },
        ],
      },
    }
    await expect(yaml(allOf(input(spec)))).toMatchFileSnapshot(golden('large'))
  })
})

describe('what runs stays', () => {
  test('the image of the version that runs, whatever the platform now calls it', () => {
    const found = existingStorageNodes(statefulSetOf(desiredTenant(input({}, running))))
    expect(found).toEqual({ ...running, template: found?.template, rollout: null })
  })

  test('the version that runs, when the platform has a new default', () => {
    const before = input({}, running)
    const newDefault = {
      ...before,
      platform: { ...platform, storageNode: { ...platform.storageNode, defaultVersion: '0.2.0' } },
    }
    expect(desiredTenant(newDefault)).toEqual(desiredTenant(before))
  })

  test('another version is another image', () => {
    const found = existingStorageNodes(statefulSetOf(desiredTenant(input({ version: '0.2.0' }, running))))
    expect(found).toMatchObject({ version: '0.2.0', image: 'storage-node:0.2.0' })
  })

  test('the image and claim, when somebody took the version label away', () => {
    const made = statefulSetOf(desiredTenant(input({}, running)))
    const { spec } = made as unknown as { spec: { template: { metadata: object; spec: object } } }
    const unlabelled = {
      ...made,
      metadata: { name: 'storage-node', labels: {} },
      spec: { ...spec, template: { ...spec.template, metadata: { labels: {} } } },
    }
    const existing = existingStorageNodes(unlabelled)
    expect(existing).toMatchObject({ version: null, image: running.image, claim: running.claim })
    const again = statefulSetOf(desiredTenant(input({}, existing)))
    expect(existingStorageNodes(again)).toMatchObject({ image: running.image, claim: running.claim })
  })

  test('a version without an image is said, not guessed', () => {
    expect(() => desiredTenant(input({ version: '9.9.9' }))).toThrow(
      'no image of storage node version "9.9.9"',
    )
  })

  test('the quota never falls below the volumes that there are', () => {
    const quota = desiredTenant(input({ storage: { size: '1Gi' } }, running)).find(
      ({ kind }) => kind === 'ResourceQuota',
    )
    expect(quota).toMatchObject({ spec: { hard: { 'requests.storage': '5Gi' } } })
  })

  test('what is not a StatefulSet of ours tells nothing', () => {
    expect(existingStorageNodes(null)).toBeNull()
    expect(
      existingStorageNodes({ apiVersion: 'apps/v1', kind: 'StatefulSet', metadata: { name: 'x' } }),
    ).toBeNull()
  })
})

describe('the pod template stays as it was made while nothing that people choose changes', () => {
  const made = (spec: object = {}, existing: ExistingStorageNodes | null = null): KubeObject =>
    statefulSetOf(desiredTenant(input(spec, existing)))
  const template = (object: KubeObject) =>
    (object['spec'] as { template: Readonly<Record<string, unknown>> }).template

  /** A StatefulSet that an older operator has made, whose builder knew another probe and no memory limit. */
  function older(): KubeObject {
    const now = made()
    const text = JSON.stringify(template(now)).replaceAll('/ready', '/old-ready')
    const spec = {
      ...(now['spec'] as object),
      template: JSON.parse(text) as Readonly<Record<string, unknown>>,
    }
    const old = { ...now, spec }
    const form = formOf(chosen(input(), '0.1.0'), spec.template)
    return { ...old, metadata: { ...old.metadata, annotations: formAnnotations(input(), form) } }
  }

  test('an operator with another builder changes nothing', () => {
    const old = older()
    expect(template(old)).not.toEqual(template(made()))
    const again = made(
      { displayName: 'New', access: { from: [{ cidr: '10.0.0.0/8' }] } },
      existingStorageNodes(old),
    )
    expect(template(again)).toEqual(template(old))
    expect(again.metadata.annotations).toEqual(old.metadata.annotations)
  })

  test('nor does one that records more than the operator before it did', () => {
    const old = older()
    const { [templateAnnotations.inputs]: inputs, ...annotations } = old.metadata.annotations!
    const lean = { ...old, metadata: { ...old.metadata, annotations } }
    const again = made({}, existingStorageNodes(lean))
    expect(template(again)).toEqual(template(old))
    expect(again.metadata.annotations).toEqual({ ...annotations, [templateAnnotations.inputs]: inputs })
  })

  test('a record that names no inputs is a way back also where the version changes with the operator', () => {
    const old = older()
    const { [templateAnnotations.inputs]: _, ...annotations } = old.metadata.annotations!
    const lean = existingStorageNodes({ ...old, metadata: { ...old.metadata, annotations } })
    const of = input({ version: '0.2.0' }, lean)
    const served = { ...of.organization.status!, stateDigest: 'sha256:0' }
    const { rollout } = planOf({ ...of, organization: { ...of.organization, status: served } })
    expect(rollout).toMatchObject({ phase: 'Rolling', from: { inputs: chosen(of, '0.1.0') } })
    expect(JSON.parse(rollout!.from.template)).toEqual(template(old))
  })

  test('what somebody changed by hand is put back', () => {
    const old = older()
    const text = JSON.stringify(old['spec']).replace('"runAsNonRoot":true', '"runAsNonRoot":false')
    const edited = { ...old, spec: JSON.parse(text) as object }
    expect(template(made({}, existingStorageNodes(edited)))).toEqual(template(old))
  })

  test.each([
    ['another version', { version: '0.2.0' }],
    ['another class', { class: 'large' }],
    ['replicas', { storage: { replicas: 3 } }],
  ])('%s is made by the builder of now', (_what, spec) => {
    const again = made(spec, existingStorageNodes(older()))
    expect(JSON.stringify(template(again))).not.toContain('/old-ready')
  })

  test('a record that somebody else wrote counts for nothing', () => {
    const old = older()
    const annotations = Object.fromEntries(
      Object.entries(old.metadata.annotations ?? {}).map(([key, value]) => [
        key,
        value.replace('/old-ready', '/forged'),
      ]),
    )
    const forged = { ...old, metadata: { ...old.metadata, annotations } }
    const again = JSON.stringify(template(made({}, existingStorageNodes(forged))))
    expect(again).not.toMatch(/forged|old-ready/)
  })
})

describe('a rollout that another release recorded', () => {
  const from = formOf(chosen(input(), '0.1.0'), {})
  const to = { inputs: chosen(input(), '0.2.0'), image: 'storage-node:0.2.0' }
  const rollout = { phase: 'Rolling', from, to, startedAt: '2026-11-22T12:00:00.000Z' } as const
  const recorded = (more: object) => {
    const annotations = rolloutRecord(input(), { ...rollout, ...more })
    const [text, mac] = [annotations[rolloutAnnotations.rollout]!, annotations[rolloutAnnotations.mac]!]
    return { ...running, rollout: { text, mac } }
  }

  test('with more in it goes on, and keeps that', () => {
    const later = { attempts: 2, to: { ...to, digest: 'x' } }
    expect(recordedRollout(input(), recorded(later))).toEqual({ ...rollout, ...later })
    expect(isUnreadable(input(), recorded(later))).toBe(false)
  })

  test('in a phase that nobody knows is none, and known as such', () => {
    const strange = recorded({ phase: 'Probing' })
    expect(recordedRollout(input(), strange)).toBeNull()
    expect(isUnreadable(input(), strange)).toBe(true)
    expect(isUnreadable(input(), { rollout: { ...strange.rollout, mac: 'forged' } })).toBe(false)
  })
})

describe('order', () => {
  const kinds = desiredTenant(input()).map(({ kind }) => kind)

  test('pods come last, after every policy and bound', () => {
    expect(kinds.at(-1)).toBe('StatefulSet')
    expect(kinds[0]).toBe('Namespace')
  })

  test('the same input is the same objects', () => {
    expect(yaml(desiredTenant(input()))).toBe(yaml(desiredTenant(input())))
  })
})
