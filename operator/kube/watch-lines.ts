import { AppError, messageOf } from '../../common/errors.ts'
import type { WatchEvent } from './client.ts'

/** Several times what etcd lets an object be, since JSON escapes may make it longer. */
export const maxWatchLineBytes = 16 * 1024 * 1024

const types: ReadonlySet<string> = new Set(['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK', 'ERROR'])

/**
 * The events of a watch, one JSON object a line.
 * @throws AppError unavailable, ERR_KUBE_CUT, when the bytes end within a line or a line is not an event;
 *   too-large, ERR_KUBE_LINE_TOO_LARGE
 */
export async function* watchEvents(
  chunks: AsyncIterable<Uint8Array>,
  maxLineBytes: number = maxWatchLineBytes,
): AsyncGenerator<WatchEvent> {
  let pending: Uint8Array[] = []
  let pendingBytes = 0
  for await (const chunk of chunks) {
    let start = 0
    for (let end = chunk.indexOf(0x0a); end >= 0; end = chunk.indexOf(0x0a, start)) {
      const line = Buffer.concat([...pending, chunk.subarray(start, end)])
      pending = []
      pendingBytes = 0
      start = end + 1
      if (line.length > 0) yield parseEvent(line)
    }
    if (start < chunk.length) pending.push(chunk.subarray(start))
    pendingBytes += chunk.length - start
    if (pendingBytes > maxLineBytes)
      throw new AppError(
        'too-large',
        'ERR_KUBE_LINE_TOO_LARGE',
        `a line of the watch is over ${maxLineBytes} bytes`,
      )
  }
  if (pendingBytes > 0) throw cut('it ended within a line')
}

function parseEvent(line: Buffer): WatchEvent {
  let event: unknown
  try {
    event = JSON.parse(line.toString('utf8'))
  } catch (error) {
    // The engine's message quotes the text, which may be a Secret's.
    throw cut(`a line is not JSON (${error instanceof SyntaxError ? 'syntax' : messageOf(error)})`)
  }
  if (!isEvent(event)) throw cut('a line is not an event')
  return event
}

function isEvent(value: unknown): value is WatchEvent {
  if (typeof value !== 'object' || value === null || !('type' in value) || !('object' in value)) return false
  const { type, object } = value
  if (typeof type !== 'string' || !types.has(type) || typeof object !== 'object' || object === null)
    return false
  return (
    type === 'ERROR' ||
    ('metadata' in object && typeof object.metadata === 'object' && object.metadata !== null)
  )
}

const cut = (why: string): AppError =>
  new AppError('unavailable', 'ERR_KUBE_CUT', `the watch was cut: ${why}`)
