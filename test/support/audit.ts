import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import type { TestCluster } from './kubernetes.ts'

interface AuditEvent {
  readonly stage: string
  readonly verb: string
  readonly requestReceivedTimestamp: string
  readonly user: { readonly username: string }
  readonly objectRef?: {
    readonly resource?: string
    readonly subresource?: string
    readonly namespace?: string
    readonly name?: string
  }
}

export interface OperatorWrites {
  readonly leases: number
  /** Every other write, as `verb resource namespace/name`. */
  readonly others: readonly string[]
}

/** What the operator's service account wrote between two times, by the API server's own audit log. */
export async function operatorWrites(test: TestCluster, from: Date, to: Date): Promise<OperatorWrites> {
  const file = test.cluster.auditLog
  if (file === undefined) throw new Error('this cluster keeps no audit log that can be read here')
  let leases = 0
  const others: string[] = []
  for await (const line of createInterface({ input: createReadStream(file) })) {
    const event = JSON.parse(line) as AuditEvent
    const at = new Date(event.requestReceivedTimestamp)
    if (event.user.username !== 'system:serviceaccount:holdfast-system:holdfast-operator') continue
    if (event.stage !== 'ResponseComplete' || at < from || at > to) continue
    if (['get', 'list', 'watch'].includes(event.verb)) continue
    const { resource, subresource, namespace, name } = event.objectRef ?? {}
    if (resource === 'leases') leases++
    else
      others.push(`${event.verb} ${[resource, subresource].filter(Boolean).join('/')} ${namespace}/${name}`)
  }
  return { leases, others }
}
