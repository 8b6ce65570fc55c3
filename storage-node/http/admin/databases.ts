import { AppError } from '../../../common/errors.ts'
import { isId } from '../../../common/ids.ts'
import { requireEngine, requireState, type NodeParts } from '../parts.ts'
import type { AdminAnswer } from './answer.ts'

/** Deletes the data of a database that no document holds any more; also fine when there are none. */
export async function deleteDatabase(parts: NodeParts, id: string): Promise<AdminAnswer> {
  if (!isId(id)) throw new AppError('invalid', 'ERR_ADMIN_DATABASE_ID', 'database id: 16 hex digits expected')
  // Whether a database is still wanted is only known while a document says so.
  if (requireState(parts).document.databases.some((database) => database.id === id)) {
    throw new AppError('conflict', 'ERR_ADMIN_DATABASE_HELD', 'the state document still holds this database')
  }
  await requireEngine(parts).deleteDatabase(id)
  parts.log.info({ databaseId: id }, 'database deleted')
  return { status: 204, contentType: 'application/json; charset=utf-8', body: '' }
}
