import { describe, expect, test } from 'vitest'
import { organizationSpecSchema } from './organization.ts'
import { allowedVersions, limitsOf, platformProblem, platformSchema } from './platform.ts'

// A tenant that names what the platform does not have is told what there is; a platform file with a mistake is refused
// at the start, not found out by a tenant.

const file = {
  operatorNamespace: 'holdfast-system',
  installationId: '0123456789abcdef',
  storageNode: { images: { '0.1.0': 'a', '0.2.0': 'b' }, defaultVersion: '0.1.0' },
  classes: { standard: {}, pinned: { versions: ['0.2.0', '0.3.0'] } },
  gateway: { url: 'https://gateway:8086', host: 'gateway', port: 8086 },
}
const platform = platformSchema.parse(file)
const problem = (spec: object) => platformProblem(organizationSpecSchema.parse(spec), platform)

describe('platformProblem', () => {
  test.each([{}, { version: '0.2.0' }, { class: 'pinned' }, { class: 'pinned', version: '0.2.0' }])(
    '%o is all there',
    (spec) => expect(problem(spec)).toBeNull(),
  )

  test('an unknown class', () =>
    expect(problem({ class: 'gold' })).toEqual({
      path: 'spec.class',
      reason: 'ClassNotFound',
      message: 'spec.class: "gold" is not a class of this platform; there are standard, pinned',
    }))

  test.each([
    ['a version that the class does not list', '0.1.0'],
    ['a version that no image is of', '0.3.0'],
  ])('%s', (_, version) =>
    expect(problem({ class: 'pinned', version })).toEqual({
      path: 'spec.version',
      reason: 'VersionNotAllowed',
      message: `spec.version: "${version}" is not a version of class pinned; there are 0.2.0`,
    }),
  )

  test.each(['constructor', 'toString', '__proto__'])(
    'a class by the name of what every object has: %s',
    (name) =>
      expect(platformProblem({ ...organizationSpecSchema.parse({}), class: name }, platform)?.reason).toBe(
        'ClassNotFound',
      ),
  )
})

test('a class without a list allows every version with an image', () => {
  expect(allowedVersions(platform, platform.classes['standard']!)).toEqual(['0.1.0', '0.2.0'])
})

describe('limits of tenants', () => {
  const limited = (tenantLimits: object) => platformSchema.parse({ ...file, tenantLimits })

  test('there are none where none are set', () =>
    expect(limitsOf(platform, 'team')).toEqual({ organizations: null, storageSize: null }))

  test('what a namespace has of its own goes before what all have', () => {
    const all = limited({
      organizations: 1,
      storageSize: '100Gi',
      namespaces: { big: { organizations: 9 }, none: { organizations: 0, storageSize: 1024 } },
    })
    expect(limitsOf(all, 'team')).toEqual({ organizations: 1, storageSize: '100Gi' })
    expect(limitsOf(all, 'big')).toEqual({ organizations: 9, storageSize: '100Gi' })
    expect(limitsOf(all, 'none')).toEqual({ organizations: 0, storageSize: '1024' })
    expect(limitsOf(all, 'constructor')).toEqual({ organizations: 1, storageSize: '100Gi' })
  })

  test.each([
    { organizations: -1 },
    { organizations: 1.5 },
    { storageSize: 'much' },
    { namespaces: { 'Not a namespace': {} } },
    { namespaces: { team: { replicas: 1 } } },
  ])('%o is refused', (tenantLimits) => expect(() => limited(tenantLimits)).toThrow('tenantLimits'))
})

describe('the platform file', () => {
  test('what it leaves out is filled in', () => {
    const { classes: _, ...rest } = file
    expect(platformSchema.parse(rest)).toMatchObject({
      clusterDomain: 'cluster.local',
      operatorServiceAccount: 'holdfast-operator',
      classes: {
        standard: { resources: { limits: { memory: '512Mi' } }, storageClassName: null, versions: [] },
      },
    })
  })

  test.each([
    ['a default without an image', { storageNode: { images: { '0.1.0': 'a' }, defaultVersion: '1' } }],
    ['no image', { storageNode: { images: {}, defaultVersion: '1' } }],
    ['a misspelt field', { clusterDomian: 'x' }],
    ['a quantity that is none', { classes: { standard: { resources: { limits: { memory: 'much' } } } } }],
    ['an address of another kind', { gateway: { url: 'ftp://a', host: 'a', port: 1 } }],
  ])('%s is refused', (_, change) =>
    expect(platformSchema.safeParse({ ...file, ...change }).success).toBe(false),
  )
})
