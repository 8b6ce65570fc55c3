import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { eventually, type TestCluster } from './kubernetes.ts'

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

const restMs = 3_000

/**
 * Waits until the operator has written nothing but its lease for three seconds.
 * @param isMeant of the writes, those that must have ended
 */
export async function operatorAtRest(
  test: TestCluster,
  isMeant: (write: string) => boolean = () => true,
): Promise<void> {
  await eventually('the operator is at rest', 120_000, async () => {
    const from = new Date()
    await sleep(restMs)
    const left = (await operatorWrites(test, from, new Date())).others.filter(isMeant)
    if (left.length > 0) throw new Error(left.join(', '))
    return true
  })
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
