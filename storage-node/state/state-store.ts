import * as z from 'zod'
import type { Clock } from '../../common/clock.ts'
import { AppError, assert } from '../../common/errors.ts'
import type { Logger } from '../../common/log.ts'
import { inFormat } from '../../common/state-document-formats.ts'
import { canonicalJson, stateDigest, type StateDocument } from '../../common/state-document.ts'
import { idPattern } from '../../common/ids.ts'
import { TokenTable } from '../auth/authenticate.ts'
import { judgeSuccessor, readStateDocument, type ReadDocument, type RevokedIds } from './judge.ts'

/** Where the document is kept: replaced as a whole, unreadable without the data key. */
export interface StateFile {
  /** @returns null when nothing was ever kept */
  read(): Promise<Uint8Array | null>
  /** Durable when it resolves; after a crash in the middle the old content is there. */
  replace(content: Uint8Array): Promise<void>
}

/** A document in force, with what is derived from it once. */
export interface StateInForce extends ReadDocument {
  readonly tokens: TokenTable
}

const keptSchema = z.strictObject({
  document: z.unknown(),
  revokedTokenIds: z.array(z.string().regex(idPattern)),
})

/** The state document in force. Documents follow one another, each made durable before it is in force. */
export class StateStore {
  readonly #organizationId: string
  readonly #file: StateFile
  readonly #log: Logger
  /** Makes a document true in the engine, before requests see it. */
  readonly #onChange: (document: StateDocument) => Promise<void>
  #revoked: RevokedIds = new Set()
  #kept: ReadDocument | null = null
  #inForce: StateInForce | null = null
  #loaded = false
  #heard = false
  #turn: Promise<unknown> = Promise.resolve()
  #waiting: (() => void)[] = []

  constructor(settings: {
    readonly organizationId: string
    readonly file: StateFile
    readonly onChange: (document: StateDocument) => Promise<void>
    readonly log: Logger
  }) {
    this.#organizationId = settings.organizationId
    this.#file = settings.file
    this.#onChange = settings.onChange
    this.#log = settings.log
  }

  get inForce(): StateInForce | null {
    return this.#inForce
  }

  /** The newest document that the volume keeps, in force or not. */
  get kept(): StateDocument | null {
    return this.#kept?.document ?? null
  }

  /** "" while no document is in force. */
  get digest(): string {
    return this.#inForce?.digest ?? ''
  }

  /** The document in force came from the volume, and whoever decides about it has not been heard of since the start. */
  get servesKept(): boolean {
    return this.#inForce !== null && !this.#heard
  }

  /** Somebody who can replace the document has looked at it. */
  noteHeard(): void {
    this.#heard = true
  }

  /**
   * Reads what the volume keeps, without putting it in force.
   * @throws AppError corrupt when what is kept is not what was written
   */
  async load(): Promise<void> {
    const content = await this.#file.read()
    this.#loaded = true
    if (content === null) return
    try {
      const kept = keptSchema.parse(JSON.parse(Buffer.from(content).toString('utf8')))
      const { document } = readStateDocument(kept.document)
      // In which format it was sent is not known any more: in today's, in all likelihood.
      this.#kept = { document, digest: stateDigest(document) }
      this.#revoked = new Set(kept.revokedTokenIds)
    } catch (error) {
      throw new AppError('corrupt', 'ERR_STATE_CORRUPT', 'the kept state document cannot be read', {
        cause: error,
      })
    }
    if (this.#kept.document.organization.id !== this.#organizationId) {
      throw new AppError('corrupt', 'ERR_STATE_CORRUPT', 'the volume belongs to another organization')
    }
  }

  /**
   * At the start: waits for somebody to push a document, and after `waitMs` serves the kept one, if there is one.
   * @returns whether a document is in force
   */
  async settle(waitMs: number, clock: Clock): Promise<boolean> {
    const pushed = new Promise<void>((resolve) => this.#waiting.push(resolve))
    if (!this.#inForce && waitMs > 0) {
      const timer = new AbortController()
      await Promise.race([pushed, clock.sleep(waitMs, timer.signal).catch(() => undefined)])
      timer.abort()
    }
    await this.#inTurn(async () => {
      if (this.#inForce || !this.#kept) return
      await this.#putInForce(this.#kept)
      this.#log.warn({ digest: this.digest }, 'serving the kept state document')
    })
    return this.#inForce !== null
  }

  /**
   * Puts a document in force if the one in force is still `expectedDigest`.
   * @returns false when it is another one
   * @throws AppError invalid when the document is refused
   */
  async replace(expectedDigest: string, value: unknown): Promise<boolean> {
    return this.#inTurn(async () => {
      assert(
        this.#loaded,
        'what is kept must be known before it is replaced: it says which tokens are revoked',
      )
      if (expectedDigest !== this.digest) return false
      await this.#succeed(readStateDocument(value))
      return true
    })
  }

  /**
   * For a node that runs alone, which changes its own document.
   * @param change returns the successor, or null to leave all as it is
   */
  async update(change: (document: StateDocument) => StateDocument | null): Promise<void> {
    await this.#inTurn(async () => {
      if (!this.#inForce)
        throw new AppError('unavailable', 'ERR_STATE_MISSING', 'no state document is in force')
      const next = change(this.#inForce.document)
      if (next !== null) await this.#succeed(readStateDocument(next))
    })
  }

  /** Writes what is kept once more, as it is: sealed by the data key that is in force now. */
  async rewrite(): Promise<void> {
    await this.#inTurn(async () => {
      const content = await this.#file.read()
      if (content !== null) await this.#file.replace(content)
    })
  }

  async #succeed(read: ReadDocument): Promise<void> {
    const next = read.document
    const previous = (this.#inForce ?? this.#kept)?.document ?? null
    const revoked = judgeSuccessor(this.#organizationId, previous, this.#revoked, next)
    const digest = stateDigest(next)
    if (this.#kept?.digest !== digest) {
      const content = canonicalJson({ document: formToKeep(next), revokedTokenIds: [...revoked].sort() })
      await this.#file.replace(Buffer.from(content))
      this.#kept = { document: next, digest }
    }
    this.#revoked = revoked
    this.#heard = true
    await this.#putInForce(read)
    this.#log.info(
      { digest: this.digest, databases: next.databases.length, tokens: next.tokens.length },
      'state document in force',
    )
  }

  async #putInForce({ document, digest }: ReadDocument): Promise<void> {
    await this.#onChange(document)
    this.#inForce = {
      document,
      digest,
      tokens: new TokenTable(this.#organizationId, document.tokens),
    }
    for (const resolve of this.#waiting.splice(0)) resolve()
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work)
    this.#turn = result.catch(() => undefined)
    return result
  }
}

/** The oldest form that says all: a version of before must be able to start with it, when it comes back. */
function formToKeep(document: StateDocument) {
  const { document: older, lost } = inFormat(document, 1)
  return lost.length === 0 ? older : document
}
