import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { AuditChain } from '../common/audit-chain.ts'
import { auditKeyId, auditKeyText, auditPublicKey, makeAuditPrivateKey } from '../common/audit-key.ts'
import { verifyAudit } from './audit.ts'

// What is not as it was written ends with 1 and is named; what could not be verified never passes for good.

const privateKey = makeAuditPrivateKey()
const publicKey = auditPublicKey(privateKey)
const a = '1111111111111111'
const b = '2222222222222222'

/** A header and nine lines. */
function logOf(stream: string): string[] {
  const chain = new AuditChain({ stream, program: 'storage-node', organizationId: null }, publicKey)
  const lines = Array.from({ length: 9 }, (_, index) => chain.line({ source: `ö ${index}` }, 0, 0))
  return lines.join('').trimEnd().split('\n')
}

let folder: string
let key: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-audit-'))
  key = await file('key', auditKeyText(privateKey))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function file(name: string, content: string | Buffer): Promise<string> {
  await writeFile(join(folder, name), content)
  return join(folder, name)
}

async function run(files: readonly string[], piped: string | Buffer = '', keyFile = key) {
  const printed: string[] = []
  const around = { stdin: Readable.from([Buffer.from(piped)]), print: (text: string) => printed.push(text) }
  const code = await verifyAudit(around, { files, keyFile })
  return { code, printed }
}

const text = (lines: readonly string[]): string => `${lines.join('\n')}\n`

describe('the exit code, and what is said', () => {
  test('0: all of several files, of what is piped in, and of a log that was cut in two', async () => {
    const [one, two] = [logOf(a), logOf(b)]
    const files = [
      await file('1', text(one.slice(0, 5))),
      await file('2', text([...two, 'else', ...one.slice(5)])),
    ]
    const said = (stream: string) =>
      `stream ${stream}: storage-node, lines 0 to 9, the last at 1970-01-01T00:00:00.000Z`
    expect(await run(files)).toEqual({ code: 0, printed: [said(a), said(b), 'ok: 20 lines, 2 streams'] })
    expect(await run([], text(two))).toEqual({ code: 0, printed: [said(b), 'ok: 10 lines, 1 stream'] })
  })

  test('1: the line, and where it is', async () => {
    const log = logOf(a)
    const path = await file('altered', text(log.with(4, log[4]!.replace('ö 3', 'ö 4')).toSpliced(7, 2)))
    const { code, printed } = await run([path])
    expect(code).toBe(1)
    expect(printed[0]).toBe(`line 4 of stream ${a}: altered (${path}:5)`)
    expect(printed[1]).toBe(`lines 7 to 8 of stream ${a}: missing`)
    expect(printed.at(-1)).toBe('not as it was written: 2 findings')
  })

  test('1: a byte that is no text any more', async () => {
    const log = Buffer.from(text(logOf(a)))
    log[log.indexOf('ö')] = 0xff
    expect((await run([], log)).printed[0]).toBe(`line 1 of stream ${a}: altered (input:2)`)
  })

  test.each(['', 'another log\n'])('2: %j has no audit line', async (piped) => {
    expect(await run([], piped)).toEqual({ code: 2, printed: ['no audit line here'] })
  })

  test('2: another key', async () => {
    const other = makeAuditPrivateKey()
    const { code, printed } = await run([], text(logOf(a)), await file('other', auditKeyText(other)))
    expect(code).toBe(2)
    expect(printed[0]).toContain(`the key given is ${auditKeyId(auditPublicKey(other))}`)
  })

  test('2: lines without a header, beside others that are good', async () => {
    const { code, printed } = await run([], text([...logOf(a), ...logOf(b).slice(1)]))
    expect(code).toBe(2)
    expect(printed[0]).toBe(`stream ${b}: no header opens its 9 lines`)
  })

  test('what is no key, or not there, is named, and nothing of it is said', async () => {
    const path = await file('bad', 'secret')
    await expect(run([], '', path)).rejects.toThrow(`audit key file ${path}: base64 of 32 bytes expected`)
    await expect(run([], '', join(folder, 'none'))).rejects.toThrow(/none: ENOENT/)
    await expect(run([join(folder, 'nowhere')])).rejects.toThrow(/ENOENT.*nowhere/)
  })
})

test('many findings are counted', async () => {
  const log = logOf(a)
  const { printed } = await run([], text([...log, ...Array.from({ length: 120 }, () => log[3]!)]))
  expect(printed).toHaveLength(103)
  expect(printed[100]).toBe('and 20 more')
})
