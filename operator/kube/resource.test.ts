import { describe, expect, test } from 'vitest'
import { compareResourceVersions } from './object.ts'
import { pathOf, resourceOf, resources, type Resource } from './resource.ts'

// The promise: every request goes to the address of what it names, and no name can lead it elsewhere.
describe('addresses', () => {
  test.each<[Resource, Parameters<typeof pathOf>[1], string | undefined, string]>([
    [resources.pods, {}, undefined, '/api/v1/pods'],
    [resources.pods, { namespace: 'ns' }, undefined, '/api/v1/namespaces/ns/pods'],
    [resources.namespaces, { name: 'ns' }, undefined, '/api/v1/namespaces/ns'],
    [
      resources.databases,
      { namespace: 'ns', name: 'a' },
      'status',
      '/apis/holdfast.dev/v1alpha1/namespaces/ns/databases/a/status',
    ],
    [
      resources.secrets,
      { namespace: '../x', name: '../../y?z' },
      undefined,
      '/api/v1/namespaces/..%2Fx/secrets/..%2F..%2Fy%3Fz',
    ],
  ])('%o %o %s', (resource, at, subresource, want) => {
    expect(pathOf(resource, at, subresource)).toBe(want)
  })

  test('an object of a namespace is never addressed without it', () => {
    expect(() => pathOf(resources.pods, { name: 'a' })).toThrow('Pod needs a namespace')
  })

  test('kinds are known by their version too', () => {
    expect(resourceOf({ apiVersion: 'apps/v1', kind: 'StatefulSet' })).toBe(resources.statefulSets)
    expect(() => resourceOf({ apiVersion: 'apps/v1beta1', kind: 'StatefulSet' })).toThrow('not a resource')
  })
})

describe('resource versions', () => {
  test.each([
    ['9', '10', -1],
    ['10', '9', 1],
    ['10', '10', 0],
    ['18446744073709551616', '18446744073709551615', 1],
    ['007', '7', 0],
  ])('%s and %s', (a, b, want) => {
    expect(Math.sign(compareResourceVersions(a, b))).toBe(want)
  })

  test('anything else is our bug', () => {
    expect(() => compareResourceVersions('', '1')).toThrow('not numbers')
  })
})
