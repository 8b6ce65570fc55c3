import { appendFile, mkdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/**
 * What one end-to-end run leaves for the search for leaks after it: every token string that a test has held, so that those
 * of deleted and rotated Tokens are looked for too. Readable by its owner only.
 */
export const runFolder = join(tmpdir(), 'holdfast-e2e')
const file = join(runFolder, 'seen-tokens')

export async function rememberToken(token: string): Promise<void> {
  await mkdir(runFolder, { recursive: true, mode: 0o700 })
  await appendFile(file, `${token}\n`, { mode: 0o600 })
}

export interface SeenTokens {
  readonly tokens: readonly string[]
  /** When the first one was remembered, milliseconds since the epoch; 0 if none was. */
  readonly sinceMs: number
}

/** The remembered tokens; they are forgotten by this, and all that the run left beside them goes. */
export async function takeSeenTokens(): Promise<SeenTokens> {
  const text = await readFile(file, 'utf8').catch(() => '')
  const sinceMs = (await stat(file).catch(() => null))?.birthtimeMs ?? 0
  await rm(runFolder, { recursive: true, force: true })
  return { tokens: [...new Set(text.split('\n').filter((line) => line !== ''))], sinceMs }
}
