import { fork } from 'node:child_process'
import { join } from 'node:path'
import type { DevopsOptions } from './devops.ts'

/** Which bodies: the same order always means the same bytes, which the loader makes once and keeps. */
export interface Bodies extends DevopsOptions {
  readonly gzip: boolean
}

/** What the loader process is told to do. */
export type LoadOrder =
  | { readonly kind: 'prepare'; readonly bodies: Bodies }
  | { readonly kind: 'forget' }
  | {
      readonly kind: 'write'
      readonly bodies: Bodies
      /** With the database in it. */
      readonly url: string
      readonly headers: Readonly<Record<string, string>>
      readonly writers: number
      /** Time between the starts of two requests; null sends as fast as answers come. */
      readonly paceMs: number | null
      /** Which of the bodies: from this number up to that; null sends all. */
      readonly slice: readonly [from: number, to: number] | null
    }

export interface LoadResult {
  readonly rows: number
  readonly elapsedMs: number
  /** Of each body, from its start, or with a pace from when it was due. */
  readonly latenciesMs: readonly number[]
  /** Answers 429 and 503, after which the same body was sent again. */
  readonly refusals: number
  readonly loaderCpuSeconds: number
}

export type LoadAnswer = { readonly result: LoadResult } | { readonly error: string }

/** Writes from a process of its own, so that nothing which is measured waits for the measuring. */
export interface Loader {
  order(order: LoadOrder): Promise<LoadResult>
  stop(): void
}

export function startLoader(): Loader {
  const child = fork(join(import.meta.dirname, 'loader-process.ts'), { serialization: 'advanced' })
  let waiting: PromiseWithResolvers<LoadResult> | null = null
  child.on('message', (answer: LoadAnswer) => {
    if ('error' in answer) waiting?.reject(new Error(answer.error))
    else waiting?.resolve(answer.result)
    waiting = null
  })
  child.once('exit', (code, signal) => waiting?.reject(new Error(`the loader was ended: ${code ?? signal}`)))
  return {
    order(order) {
      if (waiting) throw new Error('the loader does one thing at a time')
      if (!child.connected) throw new Error('the loader has ended')
      waiting = Promise.withResolvers<LoadResult>()
      child.send(order)
      return waiting.promise
    },
    stop: () => void child.kill(),
  }
}
