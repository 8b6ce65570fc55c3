import { appendFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { AuditLog, countRequests } from './audit.ts'

// Promise: every request of the operator that could change something is counted once, refused ones too, and its lease
// is not.

test('counts', () => {
  const requests = [
    { verb: 'patch', resource: 'organizations/status', code: 200 },
    { verb: 'patch', resource: 'organizations/status', code: 409 },
    { verb: 'create', resource: 'secrets', code: 201 },
    { verb: 'update', resource: 'leases', code: 200 },
    { verb: 'get', resource: 'secrets', code: 404 },
    { verb: 'watch', resource: 'pods', code: 200 },
    { verb: 'create', resource: 'secrets', code: 403 },
  ]
  expect(countRequests(requests)).toEqual({
    writes: 4,
    writesOf: [
      ['patch organizations/status', 2],
      ['create secrets', 2],
    ],
    reads: 1,
    conflicts: 1,
    notFound: 1,
    refused: 1,
  })
})

test('a line that is still being written is read when it is whole', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-audit-'))
  try {
    const log = await AuditLog.create(folder)
    const file = log.arguments.find((argument) => argument.startsWith('--audit-log-path='))!.split('=')[1]!
    const entry = (stage: string, verb: string) =>
      `${JSON.stringify({ stage, verb, objectRef: { resource: 'pods', subresource: 'status' }, responseStatus: { code: 200 } })}\n`
    const second = entry('ResponseComplete', 'patch')
    await appendFile(
      file,
      entry('ResponseStarted', 'watch') + entry('ResponseComplete', 'get') + second.slice(0, 30),
    )
    expect(await log.next()).toEqual([{ verb: 'get', resource: 'pods/status', code: 200 }])
    await appendFile(file, second.slice(30))
    expect(await log.next()).toEqual([{ verb: 'patch', resource: 'pods/status', code: 200 }])
    expect(await log.next()).toEqual([])
  } finally {
    await rm(folder, { recursive: true })
  }
})
