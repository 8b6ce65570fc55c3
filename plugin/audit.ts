import { createReadStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { AuditOpener, parseAuditKey } from '../common/audit-key.ts'
import { AuditVerifier, type Finding, type StreamVerdict, type Verdict } from '../common/audit-verify.ts'
import { messageOf } from '../common/errors.ts'

export interface VerifyOptions {
  /** In the order in which they were written; empty: what is piped in. */
  readonly files: readonly string[]
  /** Of the private key. */
  readonly keyFile: string
}

interface Surroundings {
  readonly stdin: Readable
  readonly print: (text: string) => void
}

/** Findings that are shown; of the others only how many there are. */
const shown = 100

/**
 * Verifies the audit streams in logs.
 * @returns 0 where all lines are what was written, 1 where one is not, 2 where something could not be verified
 * @throws Error, AppError of a file that cannot be read or is no key
 */
export async function verifyAudit(
  { stdin, print }: Surroundings,
  { files, keyFile }: VerifyOptions,
): Promise<0 | 1 | 2> {
  const verifier = new AuditVerifier(await openerOf(keyFile))
  if (files.length === 0) await addAll(verifier, stdin, 'input')
  for (const file of files) await addAll(verifier, createReadStream(file), file)
  const verdict = verifier.verdict()
  for (const line of textOf(verdict)) print(line)
  return codeOf(verdict)
}

async function openerOf(keyFile: string): Promise<AuditOpener> {
  try {
    return new AuditOpener(parseAuditKey(await readFile(keyFile, 'utf8')))
  } catch (error) {
    throw new Error(`audit key file ${keyFile}: ${messageOf(error)}`, { cause: error })
  }
}

async function addAll(verifier: AuditVerifier, input: Readable, name: string): Promise<void> {
  // Each byte is one character: bytes that are no UTF-8 must not all look the same.
  input.setEncoding('latin1')
  let number = 0
  for await (const line of createInterface({ input, crlfDelay: Infinity })) {
    number += 1
    verifier.add(line, `${name}:${number}`)
  }
}

function codeOf({ findings, streams, unproved }: Verdict): 0 | 1 | 2 {
  if (findings.length > 0) return 1
  return streams.length > 0 && unproved.length === 0 ? 0 : 2
}

function textOf(verdict: Verdict): readonly string[] {
  const { findings, streams, unproved } = verdict
  const more = findings.length - shown
  const lines = streams.reduce((sum, stream) => sum + stream.lines, 0)
  const last = {
    0: `ok: ${countOf(lines, 'line')}, ${countOf(streams.length, 'stream')}`,
    1: `not as it was written: ${countOf(findings.length, 'finding')}`,
    2: streams.length + unproved.length === 0 ? 'no audit line here' : 'not all of it could be verified',
  }
  return [
    ...findings.slice(0, shown).map(findingText),
    ...(more > 0 ? [`and ${more.toLocaleString('en')} more`] : []),
    ...unproved,
    ...streams.map(streamText),
    last[codeOf(verdict)],
  ]
}

function findingText({ stream, from, to, what, at }: Finding): string {
  const place = at === null ? '' : ` (${at})`
  if (stream === null) return `a line of no stream: ${what}${place}`
  const which = from === to ? `line ${from}` : `lines ${from} to ${to}`
  return `${which} of stream ${stream}: ${what}${place}`
}

/** With its end: what was cut off behind that no line can tell. */
function streamText({ stream, program, first, last, until, unchecked }: StreamVerdict): string {
  const skipped = unchecked > 0 ? `; ${countOf(unchecked, 'line')} that no header here opens` : ''
  return `stream ${stream}: ${program}, lines ${first} to ${last}, the last at ${until}${skipped}`
}

const countOf = (count: number, what: string): string =>
  `${count.toLocaleString('en')} ${what}${count === 1 ? '' : 's'}`
