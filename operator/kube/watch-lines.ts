import { AppError } from '../../common/errors.ts'
import type { WatchEvent } from './client.ts'
import { statusError, type Asked } from './errors.ts'

/** Several times what etcd lets an object be, since JSON escapes may make it longer. */
export const maxWatchLineBytes = 16 * 1024 * 1024

const types: ReadonlySet<string> = new Set(['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK'])

/**
 * The events of a watch, one JSON object a line.
 * @throws AppError unavailable, ERR_KUBE_CUT, when the bytes end within a line or a line is not an event;
 *   too-large, ERR_KUBE_LINE_TOO_LARGE; what an ERROR event says
 */
export async function* watchEvents(
  chunks: AsyncIterable<Uint8Array>,
  asked: Asked,
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
      if (line.length > 0) yield parseEvent(line, asked)
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

function parseEvent(line: Buffer, asked: Asked): WatchEvent {
  let event: unknown
  try {
    event = JSON.parse(line.toString('utf8'))
  } catch {
    // Not with the parser's message: it quotes the text, which may be a Secret's.
    throw cut('a line is not JSON')
  }
  if (!isRecord(event)) throw cut('a line is not an event')
  const { type, object } = event
  if (type === 'ERROR') throw statusError(object, asked)
  if (typeof type !== 'string' || !types.has(type) || !isRecord(object) || !isRecord(object['metadata']))
    throw cut('a line is not an event')
  return event as unknown as WatchEvent
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const cut = (why: string): AppError =>
  new AppError('unavailable', 'ERR_KUBE_CUT', `the watch was cut: ${why}`)
