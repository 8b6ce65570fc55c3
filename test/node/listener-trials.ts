import type { EveryListener, ListenerName } from '../support/every-listener.ts'

/** A request that is tried at a listener. */
export interface Call {
  readonly method?: string
  readonly path: string
  readonly headers?: Record<string, string>
  readonly body?: string
}

/** What is tried at a listener, and what the statuses together are called in docs/reference/listeners.md. */
export interface Trial {
  readonly calls: readonly Call[]
  readonly words: Readonly<Record<string, string>>
}

const query = '/query?q=SHOW%20DATABASES&db=metrics'

/** @param measurement where it is written to */
export type TrialOf = (bench: EveryListener, measurement: string) => Trial

/** With a token of the organization, or of the node that is alone, and without one. */
const clientTrial = (token: string, write: Call | null): Trial => {
  const headers = { authorization: `Token ${token}` }
  return {
    calls: [{ path: '/health' }, { path: query }, { path: query, headers }, ...(write ? [write] : [])],
    words: { '200 403 403 403': 'probes', '200 401 200 204': 'token', '200 401 200': 'token' },
  }
}

const tenantTrial = (token: string, measurement: string): Trial =>
  clientTrial(token, {
    method: 'POST',
    path: '/write?db=metrics',
    headers: { authorization: `Token ${token}` },
    body: `${measurement} v=1 1`,
  })

const healthTrial: Trial = {
  calls: [{ path: '/metrics' }, { path: '/healthz' }, { path: query }],
  words: { '200 200 404': 'metrics' },
}

/** Of what speaks HTTP, with TLS or without. */
export const trials: Readonly<Record<Exclude<ListenerName, 'isolation probe, open'>, TrialOf>> = {
  node: ({ tenants }, measurement) => tenantTrial(tenants.a.token, measurement),
  'node, direct access': ({ tenants }, measurement) => tenantTrial(tenants.b.token, measurement),
  gateway: ({ tenants }, measurement) => tenantTrial(tenants.a.token, measurement),
  'node alone': ({ aloneToken }) => clientTrial(aloneToken, null),
  'node, admin': ({ tenants }) => {
    const headers = { 'holdfast-organization': tenants.a.id }
    return {
      calls: [
        { path: '/admin/state', headers },
        { path: '/admin/state' },
        { method: 'DELETE', path: '/admin/databases/9999999999999999', headers },
      ],
      words: { '200 421 204': 'admin' },
    }
  },
  'wake door': ({ tenants: { a, b } }) => {
    const callWith = (token: string): Call => ({
      method: 'POST',
      path: '/wake',
      headers: { 'holdfast-organization': a.id, authorization: `Bearer ${token}` },
    })
    return { calls: [callWith(a.token), callWith(b.token)], words: { '200 401': 'wake' } }
  },
  'isolation probe': () => {
    const attempts = [{ protocol: 'tcp', address: '192.0.2.1', port: 80 }]
    return {
      calls: [{ method: 'POST', path: '/attempts', body: JSON.stringify({ attempts }) }],
      words: { '200': 'attempts' },
    }
  },
  'operator, probes': () => healthTrial,
  'gateway, metrics': () => healthTrial,
  'node alone, metrics': () => ({
    calls: [{ path: '/metrics' }, { path: query }],
    words: { '200 404': 'metrics' },
  }),
}
