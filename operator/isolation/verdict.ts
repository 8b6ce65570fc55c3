import type { Finding } from '../status/isolation.ts'
import { textOfPath, type TriedPath } from './paths.ts'

/** All that one look at an organization came to. */
export interface Look {
  readonly paths: readonly TriedPath[]
  /** What kept paths from being tried, the worst first; empty for nothing. */
  readonly troubles: readonly Trouble[]
}

export interface Trouble {
  readonly why: string
  /** It will not be better the next time. */
  readonly isInVain?: true
}

/** What a look says, by itself. */
export function verdictOf({ paths, troubles }: Look): Exclude<Finding, { state: 'pending' }> {
  const open = paths.filter(({ result }) => result === 'Open')
  if (open.length > 0) {
    const isEverything = paths.every(({ result }) => result === 'Open')
    return { state: 'open', paths: open.map(textOfPath), isEverything }
  }
  const [trouble] = troubles
  const untried = paths.find(({ result }) => result === 'NotTried')
  if (!trouble && !untried && paths.length > 0) return { state: 'isolated' }
  const why = trouble?.why ?? (untried ? `not proved: ${textOfPath(untried)}` : 'there is nothing to try')
  const isInVain = troubles.length > 0 && troubles.every(({ isInVain }) => isInVain === true)
  return { state: 'untried', why, isLasting: false, isInVain }
}
