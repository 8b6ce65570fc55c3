import { fork } from 'node:child_process'
import { join } from 'node:path'
import type { Asked } from './pods.ts'

/** What the process that plays the pods is told to do; each order is answered with who was asked so far. */
export type PodsOrder =
  | { readonly kind: 'mark' }
  | { readonly kind: 'asked' }
  | { readonly kind: 'crash'; readonly count: number }
  | { readonly kind: 'mend' }
  | { readonly kind: 'close' }

export type PodsAnswer = { readonly asked: Asked } | { readonly error: string }

/** Plays pods in a process of its own, so that the operator is not measured together with those whom it speaks to. */
export interface PodsPlayer {
  order(order: PodsOrder): Promise<Asked>
  close(): Promise<void>
}

export async function startPods(kubeconfig: string, installationId: string): Promise<PodsPlayer> {
  const child = fork(join(import.meta.dirname, 'pods-process.ts'), [kubeconfig, installationId])
  let waiting: PromiseWithResolvers<Asked> | null = Promise.withResolvers<Asked>()
  const started = waiting.promise
  child.on('message', (answer: PodsAnswer) => {
    if ('error' in answer) waiting?.reject(new Error(answer.error))
    else waiting?.resolve(answer.asked)
    waiting = null
  })
  child.once('exit', (code, signal) =>
    waiting?.reject(new Error(`the process that plays the pods has ended: ${code ?? signal}`)),
  )
  const order = (order: PodsOrder): Promise<Asked> => {
    if (waiting) throw new Error('the pods do one thing at a time')
    if (!child.connected) throw new Error('the process that plays the pods has ended')
    waiting = Promise.withResolvers<Asked>()
    child.send(order)
    return waiting.promise
  }
  await started
  return {
    order,
    async close() {
      if (child.connected) await order({ kind: 'close' })
      child.kill()
    },
  }
}
