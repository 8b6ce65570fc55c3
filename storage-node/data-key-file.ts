import { dataKeysText, parseDataKeys } from '../common/data-key.ts'
import { AppError, messageOf } from '../common/errors.ts'
import type { Disk } from './disk/disk.ts'

/** The data key in force and older ones that may still be needed to open what it has not sealed yet. */
export interface DataKeys {
  readonly dataKey: Uint8Array
  readonly olderDataKeys: readonly Uint8Array[]
}

/**
 * Reads a data key file.
 * @throws AppError invalid, ERR_DATA_KEY_FILE
 */
export async function readDataKeys(disk: Disk, file: string): Promise<DataKeys> {
  const refused = (reason: string, cause: unknown) =>
    new AppError('invalid', 'ERR_DATA_KEY_FILE', `data key file ${file}: ${reason}`, { cause })
  let text: string
  try {
    text = Buffer.from(await disk.read(file)).toString('utf8')
  } catch (error) {
    throw refused('cannot be read', error)
  }
  try {
    const [dataKey, ...olderDataKeys] = parseDataKeys(text)
    return { dataKey: dataKey!, olderDataKeys }
  } catch (error) {
    throw refused(messageOf(error), error)
  }
}

export async function writeDataKeys(disk: Disk, file: string, keys: DataKeys): Promise<void> {
  await disk.replace(file, Buffer.from(dataKeysText([keys.dataKey, ...keys.olderDataKeys])))
}
