import * as z from 'zod'
import { auditActions, auditEvents, auditOutcomes, auditReasons, auditWhos } from './audit.ts'
import { idPattern } from './ids.ts'

/**
 * A line as a reader finds it; `docs/reference/audit.md` is made of this. A field that is optional is left out where there
 * is nothing to say.
 */
const id = z.string().regex(idPattern)
const seq = z.number().int().min(0)
const mac = z.string().regex(/^[0-9a-f]{64}$/)
const namesOf = <Name extends string>(names: Readonly<Record<Name, string>>) =>
  z.enum(Object.keys(names) as [Name, ...Name[]])

/** What every line has. */
export const auditEveryLine = {
  audit: z.literal(1).describe('The version of this format.'),
  stream: id.describe('The one life of one process.'),
  seq: seq.describe('Number of the line in its stream, from 0.'),
  header: seq.describe('`seq` of the header that begins its segment; its own in a header.'),
  time: z.iso.datetime().describe('By the clock of the process. The order is that of `seq`.'),
  program: z.string().describe('Which program it is.'),
  organizationId: id.nullable().describe('Whose process it is; null where it serves all.'),
  mac: mac.describe('The last field: HMAC-SHA256 of all before `,"mac"`.'),
}

const anchor = z.strictObject({
  stream: id.describe('Another stream.'),
  seq: seq.describe('A line of it.'),
  mac: mac.describe('The `mac` of that line.'),
})

/** What a line about something has besides. */
export const auditContent = {
  event: namesOf(auditEvents).describe('What it is about.'),
  action: namesOf(auditActions).describe('What was asked for or done.'),
  outcome: z.enum(auditOutcomes).describe('What became of it.'),
  reason: namesOf(auditReasons).optional().describe('Of a denial: why.'),
  who: z
    .strictObject({ kind: namesOf(auditWhos), id: id.optional().describe('Of a token.') })
    .describe('Who asked.'),
  target: id.optional().describe('Id of the database that it was about.'),
  requestId: z.string().max(128).optional().describe('As in the answer and in the log.'),
  source: z.string().optional().describe('The address that the request came from.'),
  anchor: anchor.optional().describe('Of the action `anchor`: how far another stream had come.'),
}

/** What a header has besides. */
export const auditHeaderContent = {
  key: id.describe('Id of the public key: the first 16 hex digits of its SHA-256.'),
  sealed: z.base64().describe('The first key of the segment, sealed to that key: see below.'),
  link: mac
    .nullable()
    .describe(
      'HMAC-SHA256 of all before `,"link"` by the key that would have been next; null in the first header.',
    ),
}

export const auditLineSchema = z.strictObject({ ...auditEveryLine, ...auditContent })
export const auditHeaderSchema = z.strictObject({ ...auditEveryLine, ...auditHeaderContent })
/** Of a line that may have more fields than this release knows. */
export const auditAnchorSchema = z.object({ anchor })

export type AuditAnchor = z.infer<typeof anchor>
