import { createHash, hkdfSync } from 'node:crypto'
import { AppError } from './errors.ts'

/**
 * A data key wraps the keys of all that one organization stores. A data key file has a line of base64 of 32 bytes for
 * each key: the first is in force, those behind it open what it has not sealed yet.
 */
export const dataKeyBytes = 32
export const dataKeysLimit = 8

/** Tells data keys apart and says nothing about them: 16 hex digits. */
export function dataKeyId(dataKey: Uint8Array): string {
  const derived = new Uint8Array(hkdfSync('sha256', dataKey, '', 'holdfast key id', dataKeyBytes))
  return createHash('sha256').update(derived).digest('hex').slice(0, 16)
}

/** @throws AppError invalid, ERR_DATA_KEY_FILE */
export function parseDataKeys(text: string): readonly Buffer[] {
  const lines = text.trim().split(/\s*\n\s*/)
  const refused = (reason: string) => new AppError('invalid', 'ERR_DATA_KEY_FILE', reason)
  if (lines.length > dataKeysLimit) throw refused(`more than ${dataKeysLimit} lines`)
  return lines.map((line, index) => {
    const key = Buffer.from(line, 'base64')
    if (key.length === dataKeyBytes && key.toString('base64') === line) return key
    throw refused(
      `base64 of ${dataKeyBytes} bytes expected${lines.length > 1 ? ` in line ${index + 1}` : ''}`,
    )
  })
}

export function dataKeysText(keys: readonly Uint8Array[]): string {
  return `${keys.map((key) => Buffer.from(key).toString('base64')).join('\n')}\n`
}
