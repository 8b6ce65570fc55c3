import { createHmac } from 'node:crypto'
import * as fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { AuditChain, ChainKey, segmentLines, segmentMs } from './audit-chain.ts'
import { AuditOpener, auditKeyId, auditPublicKey, makeAuditPrivateKey } from './audit-key.ts'
import { auditHeaderSchema, auditLineSchema } from './audit-line.ts'
import type { Opener } from './audit-stream.ts'
import { AuditVerifier, type Verdict } from './audit-verify.ts'
import type { AuditEvent } from './audit.ts'

// Promise: the first line that is not as it was written is named, whatever somebody does to the logs who has the public key and
// all that the process still holds.

const privateKey = makeAuditPrivateKey()
const publicKey = auditPublicKey(privateKey)
const organizationId = 'aaaaaaaaaaaaaaaa'
const a = '1111111111111111'
const b = '2222222222222222'
const watcher = '3333333333333333'

const chainOf = (stream: string, random?: (bytes: number) => Buffer) =>
  new AuditChain({ stream, program: 'storage-node', organizationId }, publicKey, random)

const event: AuditEvent = {
  event: 'authentication',
  action: 'v1.write',
  outcome: 'allowed',
  who: { kind: 'token', id: 'cccccccccccccccc' },
  requestId: 'r-1',
  source: '127.0.0.1',
}

const anchored: AuditEvent = {
  event: 'operator',
  action: 'anchor',
  outcome: 'done',
  who: { kind: 'operator' },
}

const split = (text: string): string[] => text.split('\n').filter((line) => line !== '')

/** So many lines of a stream, headers among them. */
function linesOf(stream: string, count: number, everyMs = 0): string[] {
  const chain = chainOf(stream)
  const lines: string[] = []
  for (let made = 0; lines.length < count; made += 1) {
    lines.push(...split(chain.line({ ...event, requestId: `r-${made}` }, 1e12 + made, made * everyMs)))
  }
  return lines.slice(0, count)
}

/** Another stream, each line of which says how far this one had come. */
function anchorOf(...ends: readonly (readonly string[])[]): string[] {
  const chain = chainOf(watcher)
  return ends.flatMap((lines) => {
    const { stream, seq, mac } = JSON.parse(lines.at(-1)!) as NonNullable<AuditEvent['anchor']>
    const anchor = { stream, seq, mac }
    return split(chain.line({ ...anchored, anchor }, 1e12, 0))
  })
}

const opener = new AuditOpener(privateKey)
const opened = new Map<string, Buffer | null>()

/** Opens the same header once: that takes as long as a hundred lines. */
function openOnce(purpose: string, sealed: Uint8Array): Buffer | null {
  const name = `${purpose} ${Buffer.from(sealed).toString('hex')}`
  if (!opened.has(name)) opened.set(name, opener.open(purpose, sealed))
  const seed = opened.get(name)
  return seed ? Buffer.from(seed) : null
}

function verify(lines: readonly string[], by: Opener = { keyId: opener.keyId, open: openOnce }): Verdict {
  const verifier = new AuditVerifier(by)
  for (const [index, line] of lines.entries()) verifier.add(line, `${index + 1}`)
  return verifier.verdict()
}

const isGood = ({ findings, unproved, streams }: Verdict): boolean =>
  findings.length === 0 && unproved.length === 0 && streams.length > 0

/** `5 altered`, `7-9 missing`. */
const saidOf = (lines: readonly string[]): readonly string[] =>
  verify(lines).findings.map(({ from, to, what }) => `${from === to ? from : `${from}-${to}`} ${what}`)

const fifty = linesOf(a, 50)

/** By its number or, where that was changed, by its place; and nothing before it. */
function assertNamed(lines: readonly string[], seq: number, where: string): void {
  const verdict = verify(lines)
  expect(isGood(verdict), where).toBe(false)
  // Without its first header nothing of a stream is opened.
  if (seq === 0) return
  const isIt = verdict.findings.map(({ from, at }) => from === seq || at === `${seq + 1}`)
  expect(isIt.includes(true), where).toBe(true)
  expect(
    verdict.findings.every(({ from }, index) => isIt[index] || from > seq),
    where,
  ).toBe(true)
}

describe('what is as it was written', () => {
  test('has the form of the reference', () => {
    const [header, line] = fifty.map((text) => JSON.parse(text) as unknown)
    expect(auditHeaderSchema.parse(header)).toMatchObject({
      seq: 0,
      header: 0,
      link: null,
      key: auditKeyId(publicKey),
    })
    expect(auditLineSchema.parse(line)).toMatchObject({ ...event, requestId: 'r-0', seq: 1, header: 0 })
  })

  test('is good, over several segments by number and by time, and what it has is said', () => {
    const byNumber = linesOf(a, 2 * segmentLines + 5)
    const byTime = linesOf(b, 20, segmentMs / 4)
    expect(byTime.filter((line) => line.includes('"sealed"')).length).toBe(4)
    const { streams, ...rest } = verify([...byNumber, ...byTime])
    expect(rest).toEqual({ findings: [], unproved: [] })
    expect(streams).toMatchObject([
      { stream: a, lines: 2 * segmentLines + 5, first: 0, last: 2 * segmentLines + 4, unchecked: 0 },
      { stream: b, lines: 20, program: 'storage-node', until: new Date(1e12 + 15).toISOString() },
    ])
  })

  test('is good in whatever it is mixed into', () => {
    const other = ['{"level":"info","msg":"request"}', '', 'text', '{"audit":{"user":"somebody else\'s"}}']
    const runtime = '2026-11-24T00:00:00.000000000Z stderr F '
    const two = linesOf(b, 50)
    const mixed = fifty.flatMap((line, index) => [
      runtime + line,
      other[index % 4]!,
      `{"half":"li${two[index]}`,
    ])
    expect(isGood(verify(mixed))).toBe(true)
    expect(verify(mixed).streams.map(({ lines }) => lines)).toEqual([50, 50])
  })

  test('is good from the first header on where a log was cut before it', () => {
    const lines = linesOf(a, 2 * segmentLines).slice(100)
    const verdict = verify(lines)
    expect(isGood(verdict)).toBe(true)
    expect(verdict.streams[0]).toMatchObject({
      first: segmentLines,
      lines: segmentLines,
      unchecked: segmentLines - 100,
    })
  })
})

describe('what is not', () => {
  test('each byte of 50 lines, put another way, is found and its line is the first that is named', () => {
    const lines = linesOf(a, 51)
    for (const [seq, line] of lines.slice(0, 50).entries()) {
      const by = fc.sample(fc.integer({ min: 1, max: 255 }), { numRuns: line.length, seed: seq })
      for (let index = 0; index < line.length; index += 1) {
        const other = String.fromCharCode(line.charCodeAt(index) ^ by[index]!)
        const changed = line.slice(0, index) + other + line.slice(index + 1)
        const where = `line ${seq}, byte ${index}`
        assertNamed([...lines.slice(0, seq), ...changed.split('\n'), lines[seq + 1]!], seq, where)
      }
    }
  })

  test('bytes that are added or taken away are found', () => {
    const anchor = anchorOf(fifty)
    const place = fc.record({
      seq: fc.nat(49),
      at: fc.double({ min: 0, max: 1, noNaN: true }),
      text: fc.string({ maxLength: 3 }),
    })
    fc.assert(
      fc.property(place, ({ seq, at, text }) => {
        const line = fifty[seq]!
        const index = Math.floor(at * (line.length - 1))
        const changed = line.slice(0, index) + text + line.slice(index + (text === '' ? 1 : 0))
        // What a runtime puts before a line is not the line's.
        if (changed.endsWith(line)) return
        expect(isGood(verify([...fifty.with(seq, changed), ...anchor]))).toBe(false)
      }),
      { numRuns: 500 },
    )
  })

  test.each([...fifty.keys()].slice(1))('line %i dropped, repeated, swapped with the next one', (seq) => {
    const anchor = anchorOf(fifty)
    const without = fifty.toSpliced(seq, 1)
    expect(saidOf([...without, ...anchor])).toEqual([`${seq} missing`])
    expect(saidOf(fifty.toSpliced(seq, 0, fifty[seq]!))).toEqual([`${seq} repeated`])
    if (seq < 49) expect(saidOf(without.toSpliced(seq + 1, 0, fifty[seq]!))).toEqual([`${seq} out of order`])
  })

  test('whatever is done to a log of several segments behind its first header', () => {
    const lines = linesOf(a, 24, segmentMs / 5)
    const anchor = anchorOf(lines)
    const others = linesOf(a, 24, segmentMs / 5)
    const place = fc.nat(22).map((index) => index + 1)
    const number = (line: string, name: string, to: number) =>
      line.replace(new RegExp(`"${name}":\\d+`), `"${name}":${to}`)
    type Edit = (log: readonly string[]) => readonly string[]
    const edit: fc.Arbitrary<Edit> = fc.oneof(
      place.map(
        (at): Edit =>
          (log) =>
            log.toSpliced(at, 1),
      ),
      fc.tuple(place, place).map(
        ([from, to]): Edit =>
          (log) =>
            log.toSpliced(to, 0, log[from] ?? ''),
      ),
      fc.tuple(place, place).map(
        ([from, to]): Edit =>
          (log) =>
            log.toSpliced(from, 1).toSpliced(to, 0, log[from] ?? ''),
      ),
      fc.tuple(place, place).map(
        ([at, to]): Edit =>
          (log) =>
            log.with(at % log.length, number(log[at] ?? '', 'seq', to)),
      ),
      fc.tuple(place, place).map(
        ([at, to]): Edit =>
          (log) =>
            log.with(at % log.length, number(log[at] ?? '', 'header', to)),
      ),
      fc.tuple(place, place).map(
        ([at, to]): Edit =>
          (log) =>
            log.toSpliced(to, 0, others[at]!),
      ),
      place.map((at): Edit => (log) => [...log.slice(0, at), ...others.slice(at)]),
      place.map((at): Edit => (log) => [lines[at]!.replace('allowed', 'denied'), ...log]),
    )
    fc.assert(
      fc.property(fc.array(edit, { minLength: 1, maxLength: 4 }), (edits) => {
        const changed = edits.reduce((log, apply) => apply(log), lines as readonly string[])
        const left = changed.filter((line) => line !== '')
        // A log without it begins at the next one, as one that was cut does.
        if (!left.includes(lines[0]!) || left.join('\n') === lines.join('\n')) return
        expect(isGood(verify([...left, ...anchor]))).toBe(false)
      }),
      { numRuns: 1_000 },
    )
  })

  test('a first header that is sealed to another key does not open what it hides', () => {
    const lines = linesOf(a, 24, segmentMs / 5)
    const foreign = new AuditChain(
      { stream: a, program: 'x', organizationId },
      auditPublicKey(makeAuditPrivateKey()),
    )
    const { unproved } = verify([...split(foreign.header(0, 0)), ...lines.slice(1)])
    expect(unproved).toEqual([expect.stringMatching(/^stream 1{16}: sealed to key /)])
  })

  test('a line under the number of an earlier one is altered, and its own is missing', () => {
    const renamed = fifty[20]!.replace('"seq":20,', '"seq":10,')
    expect(saidOf(fifty.with(20, renamed))).toEqual(['10 altered', '20 missing'])
  })

  test('several lines that are missing are one hole', () => {
    expect(saidOf([...fifty.slice(0, 10), ...fifty.slice(20)])).toEqual(['10-19 missing'])
  })

  test('a header that is missing: what it opens is not called altered, and the next one is good again', () => {
    const lines = linesOf(a, 3 * segmentLines)
    const found = verify(lines.toSpliced(segmentLines, 1))
    expect(found.findings).toMatchObject([{ from: segmentLines, to: segmentLines, what: 'missing' }])
    expect(found.streams[0]).toMatchObject({ lines: 2 * segmentLines, unchecked: segmentLines - 1 })
  })

  test('a header behind the line that it opens', () => {
    const lines = linesOf(a, segmentLines + 10)
    const swapped = lines.toSpliced(segmentLines, 2, lines[segmentLines + 1]!, lines[segmentLines]!)
    expect(saidOf(swapped)).toEqual([`${segmentLines} out of order`])
  })

  test('a line of another stream under the name of this one', () => {
    const foreign = linesOf(b, 50).map((line) => line.replace(b, a))
    expect(saidOf(fifty.with(20, foreign[20]!))).toEqual(['20 altered'])
    expect(saidOf([...fifty.slice(0, 20), foreign[20]!, ...fifty.slice(20)])).toEqual(['20 altered'])
  })

  test('a line that belongs to no stream that is here', () => {
    const { findings, unproved } = verify([...fifty, linesOf(b, 5)[4]!])
    expect(findings).toEqual([])
    expect(unproved).toEqual([`stream ${b}: no header opens its 1 lines`])
  })

  test('with another key nothing is good, and both are named', () => {
    const other = makeAuditPrivateKey()
    const { streams, unproved } = verify(fifty, new AuditOpener(other))
    expect(streams).toEqual([])
    expect(unproved).toEqual([
      `stream ${a}: sealed to key ${auditKeyId(publicKey)}, the key given is ${auditKeyId(auditPublicKey(other))}`,
    ])
  })

  test('a segment that somebody with the public key made up does not fit behind another, nor another behind it', () => {
    const lines = linesOf(a, 3 * segmentLines)
    const made = linesOf(a, 3 * segmentLines)
    const [first, second, third] = [0, 1, 2].map((index) => index * segmentLines)
    const tail = [...lines.slice(0, second), ...made.slice(second)]
    expect(saidOf(tail)[0]).toBe(`${second} altered`)
    const head = [...made.slice(first, second), ...lines.slice(second)]
    expect(saidOf(head)[0]).toBe(`${second} altered`)
    expect(saidOf([...lines.slice(0, third), ...made.slice(third)])[0]).toBe(`${third} altered`)
  })
})

describe('anchors', () => {
  test('name what was cut off behind the end', () => {
    expect(
      saidOf([...fifty.slice(0, 40), ...anchorOf(fifty.slice(0, 45), fifty, fifty.slice(0, 47))]),
    ).toEqual(['40-49 missing'])
    expect(saidOf([...anchorOf(fifty), ...fifty.slice(0, 40)])).toEqual(['40-49 missing'])
    expect(isGood(verify([...fifty, ...anchorOf(fifty.slice(0, 40))]))).toBe(true)
  })

  test('show that a stream is another, made up by somebody who has the public key', () => {
    expect(saidOf([...linesOf(a, 50), ...anchorOf(fifty)])).toEqual(['49 altered'])
  })

  test('tell of a stream that is not here at all', () => {
    expect(verify(anchorOf(fifty)).unproved).toEqual([`stream ${a}: an anchor names it, and it is not here`])
  })

  test('that nobody signed say nothing', () => {
    const anchor = anchorOf(fifty)
    const forged = anchor.with(1, anchor[1]!.replace('"seq":49', '"seq":99'))
    expect(saidOf([...fifty, ...forged])).toEqual(['1 altered'])
  })
})

test('a key is not there any more when its line is written, nor the last one of a segment', () => {
  const cleared = vi.spyOn(ChainKey.prototype, 'clear')
  const seeds: Buffer[] = []
  const chain = chainOf(a, (bytes) => {
    const seed = Buffer.alloc(bytes, 7)
    seeds.push(seed)
    return seed
  })
  chain.line(event, 0, 0)
  expect(cleared).not.toHaveBeenCalled()
  chain.line(event, 0, segmentMs)
  expect(cleared).toHaveBeenCalledOnce()
  expect(seeds.length).toBe(2)
  for (const seed of seeds) expect(seed.every((byte) => byte === 0)).toBe(true)

  const macOfZeros = new ChainKey(Buffer.alloc(32)).mac(Buffer.from('x'))
  const key = new ChainKey(Buffer.alloc(32, 7))
  expect(key.mac(Buffer.from('x'))).not.toBe(macOfZeros)
  key.clear()
  expect(key.mac(Buffer.from('x'))).toBe(macOfZeros)
})

test('the MAC of a line is HMAC-SHA256, of any content', () => {
  const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
  fc.assert(
    fc.property(
      bytes(32),
      fc.array(fc.uint8Array({ maxLength: 3_000 }), { maxLength: 4 }),
      (seed, contents) => {
        const key = new ChainKey(Uint8Array.from(seed))
        for (const content of contents)
          expect(key.mac(content)).toBe(createHmac('sha256', seed).update(content).digest('hex'))
      },
    ),
  )
})
