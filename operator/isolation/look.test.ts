import { describe, expect, test } from 'vitest'
import type { Attempt, Outcome, Outcomes } from '../../common/attempts.ts'
import { organizationSpecSchema } from '../api/organization.ts'
import { look, type Tried, type Triers } from './look.ts'
import type { Surroundings } from './paths.ts'
import { verdictOf } from './verdict.ts'

// A path counts as closed only where its control was reached in the same pass; whatever lets a packet through is open,
// whatever else failed.

const around: Surroundings = {
  probe: '10.0.0.9',
  gateway: { protocol: 'tcp', address: '10.0.0.8', port: 8086 },
  nameServer: { protocol: 'dns', address: '10.96.0.10', port: 53 },
  neighbour: '10.0.1.7',
}
const tried: Tried = {
  organizationId: 'aaaaaaaaaaaaaaaa',
  pods: [{ name: 'storage-node-0', uid: 'u', ip: '10.0.0.5', isReady: true }],
  access: [],
  operatorNamespace: 'holdfast-system',
}

interface Network {
  /** Attempts that are let through, as `<who> <address>:<port>`. */
  readonly open: (way: string) => boolean
  readonly node?: 'unsupported' | null
  readonly probe?: null
  /** What becomes of a connection to a port of its own. */
  readonly own?: Outcome
}

/** Everybody reaches what a network lets through; the operator and the probe what they must. */
function triers({ open, node, probe, own = 'connected' }: Network): Triers {
  const outcome = (who: string, { address, port }: Attempt): Outcome =>
    open(`${who} ${address}:${port}`) ? 'connected' : 'silent'
  const answer = (who: string, attempts: readonly Attempt[]): Outcomes => ({
    control: own,
    outcomes: attempts.map((attempt) => outcome(who, attempt)),
  })
  return {
    reach: async (attempt) => outcome('operator', attempt),
    fromNode: async (_node, attempts) => (node === undefined ? answer('node', attempts) : node),
    fromProbe: async (_address, attempts) => (probe === undefined ? answer('probe', attempts) : probe),
  }
}

const isControl = (way: string): boolean =>
  (way.startsWith('operator ') && !way.includes('169.254.')) || way === 'probe 10.0.0.8:8086'
const finding = async (network: Network, more: Partial<Surroundings> = {}, subject: Partial<Tried> = {}) =>
  verdictOf(await look({ ...tried, ...subject }, { ...around, ...more }, triers(network)))

test('all that must be closed is tried, in both directions', async () => {
  const { paths, troubles } = await look(tried, around, triers({ open: isControl }))
  expect(troubles).toEqual([])
  expect(paths.map(({ from, to }) => `${from} -> ${to}`)).toEqual([
    'storage-node-0 -> isolation probe',
    'storage-node-0 -> name server',
    'storage-node-0 -> another organization’s storage node, port 8086',
    'storage-node-0 -> another organization’s storage node, port 8087',
    'isolation probe -> storage-node-0 port 8086',
    'isolation probe -> storage-node-0 port 8087',
  ])
  expect(new Set(paths.map(({ control, result }) => `${control} ${result}`))).toEqual(
    new Set(['Reached Closed']),
  )
  expect(verdictOf({ paths, troubles })).toEqual({ state: 'isolated' })
})

describe('an open path', () => {
  test.each([
    ['node 10.0.0.9:8080', 'from storage-node-0 to isolation probe'],
    ['node 10.96.0.10:53', 'from storage-node-0 to name server'],
    ['node 10.0.1.7:8087', 'from storage-node-0 to another organization’s storage node, port 8087'],
    ['node 169.254.169.254:80', 'from storage-node-0 to cloud metadata'],
    ['probe 10.0.0.5:8086', 'from isolation probe to storage-node-0 port 8086'],
    ['probe 10.0.0.5:8087', 'from isolation probe to storage-node-0 port 8087'],
  ])('%s is named', async (way, path) => {
    const network = { open: (tried: string) => isControl(tried) || tried === way }
    expect(await finding(network)).toEqual({ state: 'open', paths: [path], isEverything: false })
  })

  test('counts also where every control fails', async () => {
    const only = { open: (way: string) => way === 'node 10.0.0.9:8080' }
    expect(await finding(only)).toMatchObject({ state: 'open' })
  })

  test('a network that lets all through is told as such', async () => {
    expect(await finding({ open: () => true })).toMatchObject({ state: 'open', isEverything: true })
  })
})

describe('closed says nothing without its control', () => {
  test.each([
    ['the operator does not reach the target', 'operator 10.0.0.9:8080', /to isolation probe/],
    ['the probe does not reach the gateway', 'probe 10.0.0.8:8086', /does not reach the gateway/],
  ])('%s', async (_what, missing, why) => {
    const network = { open: (way: string) => isControl(way) && way !== missing }
    expect(await finding(network)).toMatchObject({ state: 'untried', why: expect.stringMatching(why) })
  })

  test.each<[string, Partial<Network>, RegExp]>([
    ['a silent node', { node: null }, /storage-node-0 does not answer/],
    ['a silent probe', { probe: null }, /probe does not answer/],
    ['programs that cannot connect at all', { own: 'refused' }, /not proved/],
  ])('%s', async (_what, network, why) => {
    expect(await finding({ open: isControl, ...network })).toMatchObject({
      state: 'untried',
      why: expect.stringMatching(why),
      isInVain: false,
    })
  })

  test('no probe', async () => {
    expect(await finding({ open: isControl }, { probe: null })).toMatchObject({
      state: 'untried',
      why: 'the isolation probe does not run',
    })
  })

  test('a version that cannot try, of which nothing else is unproved', async () => {
    expect(await finding({ open: isControl, node: 'unsupported' })).toMatchObject({ isInVain: true })
    expect(await finding({ open: isControl, node: 'unsupported', probe: null })).toMatchObject({
      isInVain: false,
    })
    const open = (way: string) => isControl(way) || way === 'probe 10.0.0.5:8087'
    expect(await finding({ open, node: 'unsupported' })).toMatchObject({ state: 'open' })
  })

  test('a neighbour that is gone holds nobody up', async () => {
    const open = (way: string) => isControl(way) && way !== 'operator 10.0.1.7:8087'
    expect(await finding({ open })).toEqual({ state: 'isolated' })
  })
})

describe('what the tenant has opened is no closed path', () => {
  test.each([
    [{ cidr: '10.0.0.0/24' }, true],
    [{ cidr: '10.0.0.0/24', except: ['10.0.0.8/31'] }, false],
    [{ cidr: '10.0.0.0/24', except: ['10.0.0.64/26'] }, true],
    [{ cidr: '192.0.2.0/24' }, false],
    [{ namespace: 'holdfast-system' }, true],
    [{ namespace: 'holdfast-system', podLabels: { app: 'x' } }, false],
    [{ namespace: 'marketing' }, false],
  ])('%o: %s', async (peer, isOpened) => {
    const open = (way: string) => isControl(way) || way === 'probe 10.0.0.5:8086'
    const { access } = organizationSpecSchema.parse({ access: { from: [peer] } })
    const found = await finding({ open }, {}, { access: access.from })
    expect(found.state).toBe(isOpened ? 'isolated' : 'open')
  })
})
