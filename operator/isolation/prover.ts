import type { Clock } from '../../common/clock.ts'
import type { Component } from '../../common/lifecycle.ts'
import type { Logger } from '../../common/log.ts'
import { canonicalJson } from '../../common/state-document.ts'
import type { IsolationProof } from '../api/organization.ts'
import type { QueuePriority } from '../controller/work-queue.ts'
import { withRoom } from '../../common/bounded-map.ts'
import { wholeSeconds } from '../status/standing.ts'
import type { Finding, IsolationReport } from '../status/isolation.ts'
import type { Tried } from './look.ts'
import { verdictOf, type Look } from './verdict.ts'

/** An organization as it runs now. */
export interface Subject extends Tried {
  /** Its key in the queue. */
  readonly key: string
  /** What its network policies are: others are a reason to look again. */
  readonly policies: readonly string[]
  /** The request of `holdfast.dev/prove` that status does not answer yet, null for none. */
  readonly request: string | null
  /** It was Ready as the pass began, whatever of its spec: it stays so unless a path is open, and nobody waits for a look. */
  readonly wasReady: boolean
  /** Its status was said of the spec that it has now. */
  readonly isAsSaid: boolean
}

/** What passes ask. */
export interface Isolation {
  /** What is known of an organization. It is looked at again when it runs otherwise than before, and from time to time. */
  report(subject: Subject): IsolationReport
  /** Nothing of it runs any more. */
  forget(organizationId: string): void
}

interface Entry {
  subject: Subject
  /** What the subject was when the newest look began, and the request that it was to answer; "" and null before. */
  lookedAt: string
  asked: string | null
  dueMs: number
  /** It was Ready as it is before this process has looked for the first time: nobody waits for what comes of that. */
  isVouched: boolean
  begunMs: number
  isRunning: boolean
  finding: Finding
  proof: IsolationProof | null
  /** Looks in a row that found an open path, and that came to nothing. */
  opens: number
  failures: number
  /** Since when nothing was found out, null where something was. */
  untriedSinceMs: number | null
  seenMs: number
}

/** Each organization, while nothing changes; up to a fifth more, so that they do not come together. */
const intervalMs = 300_000
/** An open path is looked at again before it is said: a pod may be faster than the network plugin. */
const confirmMs = 3_000
const openIntervalMs = 30_000
const retryMs = { first: 2_000, most: 60_000 }
/** As often as this, of many, one that nobody waits for is looked at after a start, and one that could not be tried again. */
const pacedMs = 100
/** After this time without an answer what was found before says nothing any more. */
const lastingMs = 900_000
/** Between two looks at one organization, whoever asks for them. */
const pauseMs = 2_000
const atOnce = 16
const idleMs = 60_000
const entriesLimit = 100_000

export interface ProverOptions {
  /** Never throws but for an abort. @param others organizations, of which one may be tried to be reached */
  readonly look: (subject: Tried, others: () => Iterable<Tried>) => Promise<Look>
  /** Something new is known of the organization with this key. */
  readonly onChange: (key: string, priority: QueuePriority) => void
  readonly clock: Clock
  /** In [0, 1). */
  readonly random: () => number
  readonly log: Logger
  readonly tried: (outcome: Finding['state']) => void
}

/**
 * Tries the closed paths of all organizations, some at a time, beside the passes: a closed path is known by silence, and
 * no revocation shall wait for that. It remembers what was found; passes say it, and only what is new asks for one.
 */
export class IsolationProver implements Component, Isolation {
  readonly name = 'isolation prover'
  readonly #options: ProverOptions
  readonly #entries = new Map<string, Entry>()
  readonly #stopping = new AbortController()
  readonly #running = new Set<Promise<void>>()
  #startedMs = 0
  /** When the first organization was known: filling the caches takes a while. */
  #pacedFromMs = 0
  #wake = Promise.withResolvers<void>()
  /** When it looks for what is due the next time. */
  #nextMs = 0
  #loop: Promise<void> = Promise.resolve()

  constructor(options: ProverOptions) {
    this.#options = options
  }

  async start(): Promise<void> {
    this.#startedMs = this.#options.clock.monotonicMs()
    this.#loop = this.#run()
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#wake.resolve()
    await this.#loop
    await Promise.all(this.#running)
  }

  report(subject: Subject): IsolationReport {
    const nowMs = this.#options.clock.monotonicMs()
    const entry = this.#entries.get(subject.organizationId) ?? this.#open(subject, nowMs)
    entry.subject = subject
    entry.seenMs = nowMs
    this.#hasten(entry, nowMs)
    const proof = entry.proof?.request === subject.request ? entry.proof : null
    return { finding: entry.finding, proof }
  }

  forget(organizationId: string): void {
    this.#entries.delete(organizationId)
  }

  #open(subject: Subject, nowMs: number): Entry {
    // Of what serves already another process has looked at the paths: all of them at once would hold up the passes of a start.
    const isVouched = subject.wasReady && subject.isAsSaid && nowMs - this.#startedMs < lastingMs
    if (this.#entries.size === 0) this.#pacedFromMs = nowMs
    const entry: Entry = {
      subject,
      lookedAt: isVouched ? fingerprint(subject) : '',
      asked: null,
      dueMs: isVouched ? Math.max(nowMs, this.#pacedFromMs + this.#entries.size * pacedMs) : nowMs,
      isVouched,
      begunMs: Number.NEGATIVE_INFINITY,
      isRunning: false,
      finding: { state: 'pending' },
      proof: null,
      opens: 0,
      failures: 0,
      untriedSinceMs: null,
      seenMs: nowMs,
    }
    withRoom(this.#entries, entriesLimit).set(subject.organizationId, entry)
    this.#wakeFor(entry)
    return entry
  }

  /** What runs otherwise than at the newest look, or was asked for since, is looked at soon. */
  #hasten(entry: Entry, nowMs: number): void {
    const { request } = entry.subject
    const isAsked = request !== null && request !== entry.asked
    if (entry.isRunning || (entry.lookedAt === fingerprint(entry.subject) && !isAsked)) return
    const soonMs = Math.max(nowMs, entry.begunMs + pauseMs)
    entry.isVouched = false
    if (soonMs >= entry.dueMs) return
    entry.dueMs = soonMs
    this.#wakeFor(entry)
  }

  #wakeFor({ dueMs }: Entry): void {
    if (dueMs < this.#nextMs) this.#wake.resolve()
  }

  async #run(): Promise<void> {
    const { clock } = this.#options
    while (!this.#stopping.signal.aborted) {
      this.#wake = Promise.withResolvers()
      const nowMs = clock.monotonicMs()
      let nextMs = nowMs + idleMs
      const due: Entry[] = []
      for (const [id, entry] of this.#entries) {
        // Passes come by more often than that: it is paused, or gone.
        if (nowMs - entry.seenMs > lastingMs) this.#entries.delete(id)
        else if (entry.isRunning) continue
        else if (entry.dueMs <= nowMs) due.push(entry)
        else nextMs = Math.min(nextMs, entry.dueMs)
      }
      // Who has waited longest goes first, or a few that are asked for all the time would keep all others waiting.
      const first = due.toSorted((a, b) => a.dueMs - b.dueMs).slice(0, atOnce - this.#running.size)
      for (const entry of first) this.#begin(entry, nowMs)
      this.#nextMs = nextMs
      await this.#wokenWithin(nextMs - nowMs)
    }
  }

  async #wokenWithin(ms: number): Promise<void> {
    const timer = new AbortController()
    const elapsed = this.#options.clock.sleep(ms, timer.signal).catch(() => undefined)
    await Promise.race([this.#wake.promise, elapsed])
    // With a reason: one by default is an error with its stack each time.
    timer.abort(this.name)
  }

  #begin(entry: Entry, nowMs: number): void {
    entry.isRunning = true
    entry.begunMs = nowMs
    entry.lookedAt = fingerprint(entry.subject)
    entry.asked = entry.subject.request
    const running = this.#look(entry, entry.subject).finally(() => {
      entry.isRunning = false
      this.#hasten(entry, this.#options.clock.monotonicMs())
      this.#running.delete(running)
      this.#wake.resolve()
    })
    this.#running.add(running)
  }

  async #look(entry: Entry, subject: Subject): Promise<void> {
    const { look, clock, log, tried, onChange } = this.#options
    let seen: Look
    try {
      seen = await look(subject, () => this.#others(subject.organizationId))
    } catch (error) {
      log.error({ err: error, organizationId: subject.organizationId }, 'isolation not tried')
      seen = { paths: [], troubles: [{ why: 'the paths could not be tried; the operator’s log says why' }] }
    }
    if (this.#stopping.signal.aborted || this.#entries.get(subject.organizationId) !== entry) return
    const before = canonicalJson([entry.finding, entry.proof])
    const wasOpen = entry.finding.state === 'open'
    const nowMs = clock.monotonicMs()
    const verdict = verdictOf(seen)
    tried(verdict.state)
    const isSure = this.#settle(entry, verdict, nowMs)
    if (isSure && subject.request !== null) {
      const at = wholeSeconds(new Date(clock.nowMs()))
      entry.proof = { request: subject.request, at, paths: [...seen.paths] }
    }
    if (canonicalJson([entry.finding, entry.proof]) === before) return
    const facts = { organizationId: subject.organizationId, finding: entry.finding }
    if (entry.finding.state === 'open') log.warn(facts, 'packets get through where they must not')
    else log.debug(facts, 'isolation tried')
    const isOpen = wasOpen || entry.finding.state === 'open'
    const { request, wasReady } = entry.subject
    const isWaitedFor = isOpen || request !== null || !wasReady
    onChange(subject.key, isWaitedFor ? 'edit' : 'resync')
  }

  /** @returns whether it is what is said; else it is looked at again first */
  #settle(entry: Entry, verdict: ReturnType<typeof verdictOf>, nowMs: number): boolean {
    entry.opens = verdict.state === 'open' ? entry.opens + 1 : 0
    if (verdict.state === 'untried') {
      entry.failures += 1
      entry.untriedSinceMs ??= nowMs
      const mostMs = Math.min(lastingMs / 3, Math.max(retryMs.most, this.#entries.size * pacedMs))
      const growingMs = Math.min(mostMs, retryMs.first * 2 ** (entry.failures - 1))
      entry.dueMs = nowMs + (entry.isVouched ? mostMs : growingMs)
      const isLasting = nowMs - entry.untriedSinceMs >= lastingMs
      const isKnown = entry.finding.state === 'isolated' || entry.finding.state === 'open'
      if (isLasting || !isKnown) entry.finding = { ...verdict, isLasting }
      return true
    }
    entry.isVouched = false
    entry.failures = 0
    entry.untriedSinceMs = null
    if (verdict.state === 'open' && entry.opens < 2 && entry.finding.state !== 'open') {
      entry.dueMs = nowMs + confirmMs
      return false
    }
    entry.finding = verdict
    entry.dueMs =
      nowMs + (verdict.state === 'open' ? openIntervalMs : intervalMs * (1 + this.#options.random() / 5))
    return true
  }

  *#others(organizationId: string): Iterable<Tried> {
    for (const [id, { subject }] of this.#entries) if (id !== organizationId) yield subject
  }
}

/** All of a subject that is a reason to look again when it changes. */
function fingerprint({ pods, access, policies }: Subject): string {
  return canonicalJson({ pods, access, policies })
}
