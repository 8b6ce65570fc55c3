import { dirname } from 'node:path'
import { auditKeyText, auditPublicKey, makeAuditPrivateKey, parseAuditKey } from '../common/audit-key.ts'
import { AppError, messageOf } from '../common/errors.ts'
import type { Logger } from '../common/log.ts'
import type { Disk } from './disk/disk.ts'

/** Of the public key, beside the file of the private one. */
export const publicKeyFile = (file: string): string => `${file}.pub`

/**
 * The public key of the audit stream of a node that runs alone; both are made where there is neither. The node reads no
 * private key once there is a public one: it can, and should, be taken to where the stream is verified.
 * @param file of the private key
 * @throws AppError invalid, ERR_AUDIT_KEY, naming the file
 */
export async function ownAuditKey(disk: Disk, file: string, log: Logger): Promise<Uint8Array> {
  const publicFile = publicKeyFile(file)
  if (await disk.exists(publicFile)) return readKey(disk, publicFile)
  if (!(await disk.exists(file))) {
    await disk.makeFolder(dirname(file))
    await disk.replace(file, Buffer.from(auditKeyText(makeAuditPrivateKey())))
    log.info({ file }, 'made the audit key: take it to where the audit lines are verified')
  }
  const publicKey = auditPublicKey(await readKey(disk, file))
  await disk.replace(publicFile, Buffer.from(auditKeyText(publicKey)))
  return publicKey
}

async function readKey(disk: Disk, file: string): Promise<Uint8Array> {
  try {
    return parseAuditKey(Buffer.from(await disk.read(file)).toString('utf8'))
  } catch (error) {
    throw new AppError('invalid', 'ERR_AUDIT_KEY', `audit key file ${file}: ${messageOf(error)}`, {
      cause: error,
    })
  }
}
