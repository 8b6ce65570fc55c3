import { expect, test } from 'vitest'
import { auditKeyText, auditPublicKey, makeAuditPrivateKey, parseAuditKey } from '../common/audit-key.ts'
import { silentLogger } from '../common/log.ts'
import { ownAuditKey, publicKeyFile } from './audit-key-file.ts'
import { MemoryDisk } from './disk/memory-disk.ts'

const file = '/keys/audit-key'
const find = (disk: MemoryDisk) => ownAuditKey(disk, file, silentLogger)
const textOf = async (disk: MemoryDisk, path: string) => Buffer.from(await disk.read(path)).toString('utf8')

test('both keys are made once, whenever the first start ends', async () => {
  const first = new MemoryDisk()
  const stops: MemoryDisk[] = []
  first.onStep = () => stops.push(new MemoryDisk(first))
  await find(first)
  expect(stops.length).toBeGreaterThan(2)
  for (const disk of stops) {
    const found = await find(disk)
    expect(found).toEqual(auditPublicKey(parseAuditKey(await textOf(disk, file))))
    disk.powerLoss()
    expect(await find(disk)).toEqual(found)
  }
})

test('the private key may be taken away', async () => {
  const disk = new MemoryDisk()
  const found = await find(disk)
  await disk.remove(file)
  expect(await find(disk)).toEqual(found)
  expect(await disk.exists(file)).toBe(false)
})

test('a private key of somebody else is taken up, and not changed', async () => {
  const disk = new MemoryDisk()
  const privateKey = makeAuditPrivateKey()
  await disk.makeFolder('/keys')
  await disk.replace(file, Buffer.from(auditKeyText(privateKey)))
  expect(await find(disk)).toEqual(auditPublicKey(privateKey))
  expect(await textOf(disk, file)).toBe(auditKeyText(privateKey))
})

test('what is no key is named by its file, and nothing of it is said', async () => {
  const disk = new MemoryDisk()
  await disk.makeFolder('/keys')
  await disk.replace(publicKeyFile(file), Buffer.from('secret'))
  await expect(find(disk)).rejects.toThrow(
    `audit key file ${publicKeyFile(file)}: base64 of 32 bytes expected`,
  )
})
