import type { FileDamage } from '../../common/admin-api.ts'
import { AppError } from '../../common/errors.ts'
import type { Logger } from '../../common/log.ts'

/** Files named; what else is damaged is found again once these are repaired. */
const maxDamage = 100

/**
 * What was found damaged since the start. With the first of it the node is read-only: it serves what is provably good
 * and changes nothing on the disk, so that all there is to repair it with stays.
 */
export class DamageList {
  readonly #log: Logger
  readonly #found: FileDamage[] = []

  constructor(log: Logger) {
    this.#log = log
  }

  get found(): readonly FileDamage[] {
    return this.#found
  }

  get isEmpty(): boolean {
    return this.#found.length === 0
  }

  add(damage: FileDamage): void {
    if (this.#found.length >= maxDamage || this.#found.some(({ file }) => file === damage.file)) return
    this.#found.push(damage)
    this.#log.error({ ...damage }, 'damage found: the node is read-only')
  }

  /** @throws AppError unavailable, ERR_READ_ONLY, naming the first damage */
  requireNone(): void {
    requireNone(this.#found)
  }
}

/** @throws AppError unavailable, ERR_READ_ONLY, naming the first */
export function requireNone([first]: readonly FileDamage[]): void {
  if (first) throw new AppError('unavailable', 'ERR_READ_ONLY', `the node is read-only: ${textOf(first)}`)
}

function textOf({ file, offsetBytes, what }: FileDamage): string {
  return `${file}${offsetBytes === null ? '' : ` at byte ${offsetBytes}`}: ${what}`
}
