import { AppError } from '../common/errors.ts'
import { keyBytes } from './crypto/keyring.ts'
import type { Disk } from './disk/disk.ts'

/** The data key in force and older ones that may still be needed to open what it has not sealed yet. */
export interface DataKeys {
  readonly dataKey: Uint8Array
  readonly olderDataKeys: readonly Uint8Array[]
}

const maxKeys = 8

/**
 * Reads a data key file: a line of base64 of 32 bytes for each key, the one in force first.
 * @throws AppError invalid, ERR_DATA_KEY_FILE
 */
export async function readDataKeys(disk: Disk, file: string): Promise<DataKeys> {
  const refused = (reason: string, cause?: unknown) =>
    new AppError('invalid', 'ERR_DATA_KEY_FILE', `data key file ${file}: ${reason}`, { cause })
  let text: string
  try {
    text = Buffer.from(await disk.read(file)).toString('utf8')
  } catch (error) {
    throw refused('cannot be read', error)
  }
  const lines = text.trim().split(/\s*\n\s*/)
  if (lines.length > maxKeys) throw refused(`more than ${maxKeys} lines`)
  const [dataKey, ...olderDataKeys] = lines.map((line, index) => {
    const key = Buffer.from(line, 'base64')
    if (key.length === keyBytes && key.toString('base64') === line) return key
    throw refused(`base64 of ${keyBytes} bytes expected${lines.length > 1 ? ` in line ${index + 1}` : ''}`)
  })
  return { dataKey: dataKey!, olderDataKeys }
}

export async function writeDataKeys(disk: Disk, file: string, keys: DataKeys): Promise<void> {
  const lines = [keys.dataKey, ...keys.olderDataKeys].map((key) => Buffer.from(key).toString('base64'))
  await disk.replace(file, Buffer.from(`${lines.join('\n')}\n`))
}
