import { Counter, type Registry } from 'prom-client'

/** @param code the answer's status, or `none` */
export type CountRequest = (verb: string, resource: string, code: string) => void

/** Counts every attempt: settled specs must show no verb but `get`, `list`, `watch` and the lease's `replace`. */
export function requestCounter(registry: Registry): CountRequest {
  const counter = new Counter({
    name: 'holdfast_kube_requests_total',
    help: 'Requests to the API server, each attempt counted; code "none" means that no answer came',
    labelNames: ['verb', 'resource', 'code'],
    registers: [registry],
  })
  return (verb, resource, code) => counter.inc({ verb, resource, code })
}
