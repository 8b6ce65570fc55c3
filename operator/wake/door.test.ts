import type { IncomingMessage, ServerResponse } from 'node:http'
import { expect, test } from 'vitest'
import { idOfUid, runtimeNamespace, tokenId } from '../../common/ids.ts'
import { silentLogger } from '../../common/log.ts'
import { RateLimit } from '../../common/rate-limit.ts'
import { hashToken, mintToken } from '../../common/token.ts'
import { FakeClock } from '../../test/support/fake-clock.ts'
import type { Store } from '../controller/store.ts'
import type { KubeObject } from '../kube/object.ts'
import { createWakeHandler, type WakeOutcome } from './door.ts'
import { Wakes } from './wakes.ts'

// The door wakes what sleeps by itself for a valid token alone; nobody else learns more than a no.

const uid = 'acme-uid'
const id = idOfUid(uid)
const text = mintToken(id)
const apiVersion = 'holdfast.dev/v1alpha1'
const metadata = { namespace: 'team', creationTimestamp: '2026-11-22T00:00:00Z' }

const organization = (spec: object, step: string | null, more: object = {}): KubeObject => ({
  apiVersion,
  kind: 'Organization',
  metadata: { ...metadata, name: 'acme', uid, ...more },
  spec: { hibernation: 'WhenIdle', ...spec },
  status: {
    conditions: [],
    ...(step !== null && { hibernation: { step, since: '2026-11-22T00:00:00Z' } }),
  },
})

const tokenObject: KubeObject = {
  apiVersion,
  kind: 'Token',
  metadata: { ...metadata, name: 'writer', uid: 'token-uid' },
  spec: { organization: 'acme', permissions: [{ database: '*', access: ['write'] }] },
  status: {
    conditions: [],
    organizationId: id,
    tokens: [{ id: tokenId(hashToken(text)), hash: hashToken(text), createdAt: '2026-11-22T00:00:00Z' }],
  },
}

const storeOf = (objects: readonly KubeObject[]): Store => ({
  size: objects.length,
  get: (namespace, name) =>
    objects.find((object) => object.metadata.namespace === namespace && object.metadata.name === name),
  list: () => objects,
  observe: () => undefined,
  writing: () => () => undefined,
})

function doorOf(object: KubeObject, isOpen = false, allBurst = 1_000) {
  const clock = new FakeClock(Date.parse('2026-11-22T12:00:00Z'))
  const wakes = new Wakes(clock)
  const looks: string[] = []
  const outcomes: WakeOutcome[] = []
  const policy: KubeObject = {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: 'allow-gateway', namespace: runtimeNamespace(id) },
  }
  const handler = createWakeHandler({
    caches: {
      organizations: storeOf([object]),
      tokens: storeOf([tokenObject]),
      networkPolicies: storeOf(isOpen ? [policy] : []),
    },
    keyOf: (organizationId) => (organizationId === id ? 'team/acme' : undefined),
    look: (key) => looks.push(key),
    wakes,
    limits: {
      all: new RateLimit({ perSecond: allBurst, burst: allBurst }, clock),
      byOrganization: new RateLimit({ perSecond: 1, burst: 2 }, clock),
    },
    count: (outcome) => outcomes.push(outcome),
    clock,
    log: silentLogger,
  })
  const ask = async (token: string, organizationId = id, method = 'POST', url = '/wake') => {
    const answer = { status: 0, headers: {} as Record<string, unknown>, body: '' }
    const response = {
      setHeader: (name: string, value: unknown) => (answer.headers[name] = value),
      writeHead: (status: number) => (answer.status = status),
      end: (body: string) => (answer.body = body),
    }
    const headers = { authorization: `Bearer ${token}` }
    const headersDistinct = { 'holdfast-organization': [organizationId] }
    await handler(
      { method, url, headers, headersDistinct } as unknown as IncomingMessage,
      response as unknown as ServerResponse,
    )
    return answer
  }
  return { ask, wakes, looks, outcomes }
}

const asleep = () => organization({}, 'Hibernated')

test.each([
  ['sleeps', asleep(), false, 'waking', true],
  ['sleeps and cannot be read whole', organization({ limits: 'none' }, 'Hibernated'), false, 'waking', true],
  ['is stopping', organization({}, 'Stopping'), false, 'waking', true],
  ['wakes already', organization({}, 'Waking'), false, 'waking', false],
  ['is awake, with the way to it still closed', organization({}, null), false, 'waking', false],
  ['is awake', organization({}, null), true, 'awake', false],
  ['never sleeps', organization({ hibernation: 'Never' }, null), true, 'awake', false],
  ['is told to sleep', organization({ hibernation: 'Now' }, 'Hibernated'), false, 'asleep', false],
  [
    'is paused as it sleeps',
    organization({}, 'Hibernated', { annotations: { 'holdfast.dev/paused': 'true' } }),
    false,
    'asleep',
    false,
  ],
] as const)('a valid token of one that %s', async (_how, object, isOpen, state, isWoken) => {
  const door = doorOf(object, isOpen)
  const answer = await door.ask(text)
  expect([answer.status, JSON.parse(answer.body)]).toEqual([200, { state }])
  expect(door.wakes.wantedBy(id)).toBe(isWoken ? tokenId(hashToken(text)) : null)
  expect(door.looks).toEqual(isWoken ? ['team/acme'] : [])
  expect(door.outcomes).toEqual([state])
})

test.each([
  ['an invented token', mintToken(id), id, asleep()],
  ["another organization's token", mintToken('bbbbbbbbbbbbbbbb'), id, asleep()],
  ['a token of another organization than is named', text, 'bbbbbbbbbbbbbbbb', asleep()],
  ['no token', '', id, asleep()],
  [
    'a token of an organization that is being deleted',
    text,
    id,
    organization({}, 'Hibernated', { deletionTimestamp: '2026-11-22T11:00:00Z' }),
  ],
] as const)('%s wakes nobody, and all get the same answer', async (_what, token, organizationId, object) => {
  const door = doorOf(object)
  const answer = await door.ask(token, organizationId)
  expect([answer.status, JSON.parse(answer.body)]).toEqual([
    401,
    { code: 'ERR_WAKE_DENIED', message: 'no token of such an organization' },
  ])
  expect([door.wakes.wantedBy(id), door.looks]).toEqual([null, []])
})

test('too many questions for one organization are not looked into', async () => {
  const door = doorOf(asleep())
  await door.ask(mintToken(id))
  await door.ask(mintToken(id))
  const answer = await door.ask(text)
  expect([answer.status, answer.headers['retry-after']]).toEqual([429, '1'])
  expect(door.outcomes).toEqual(['denied', 'denied', 'limited'])
  expect(door.wakes.wantedBy(id)).toBeNull()
})

test('what is asked too often of one organization takes no turns from the others', async () => {
  const door = doorOf(asleep(), false, 5)
  const other = 'bbbbbbbbbbbbbbbb'
  for (let guess = 0; guess < 20; guess += 1) await door.ask(mintToken(other), other)
  expect((await door.ask(text)).status).toBe(200)
})

test('the token that it wakes for asks on, however many guess beside it', async () => {
  const door = doorOf(asleep())
  expect((await door.ask(text)).status).toBe(200)
  for (let guess = 0; guess < 5; guess += 1) await door.ask(mintToken(id))
  expect((await door.ask(text)).status).toBe(200)
  expect((await door.ask(mintToken(id))).status).toBe(429)
})

test.each([
  ['GET', '/wake', 405],
  ['POST', '/', 404],
])('%s %s is not for this door', async (method, url, status) => {
  expect((await doorOf(asleep()).ask(text, id, method, url)).status).toBe(status)
})
