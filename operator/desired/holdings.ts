import { idOfUid } from '../../common/ids.ts'
import { databaseName, type Database } from '../api/database.ts'

/**
 * Whose the data of a database is. Its id is derived from the Database that it was made for, and stays with it: a
 * Database that is made again, also in an organization that was restored, takes over what is kept under its name.
 */
export interface Holding {
  /** Id of the database. */
  readonly id: string
  /** databaseName. */
  readonly name: string
  /** What derives from the uid of the Database that holds it or held it last. */
  readonly holder: string
}

type Identified = { readonly metadata: { readonly uid?: string | undefined } }

/** What names a Database in a holding; the id of its data, too, where it was made for it. */
export const holderOf = ({ metadata }: Identified): string => idOfUid(metadata.uid ?? '')

/** The id of a Database's data. */
export function databaseIdIn(holdings: readonly Holding[], database: Identified): string {
  const holder = holderOf(database)
  return holdings.find((holding) => holding.holder === holder)?.id ?? holder
}

/**
 * The holdings once these Databases are served. The one that was taken last stands last.
 * @param served with names that differ
 * @param holders of all Databases that keep what they hold: those that live, and those whose data is to be dropped
 */
export function holdingsWith(
  known: readonly Holding[],
  served: readonly Database[],
  holders: ReadonlySet<string>,
  organizationId: string,
): readonly Holding[] {
  let holdings = known
  for (const database of served) {
    const holder = holderOf(database)
    if (holdings.some((holding) => holding.holder === holder)) continue
    const name = databaseName(database)
    const isFree = (holding: Holding): boolean => !holders.has(holding.holder)
    // Where the record was lost, status is what is left of it.
    const { status } = database
    const said = status?.organizationId === organizationId ? status.databaseId : undefined
    const kept =
      holdings.findLast((holding) => holding.id === said && isFree(holding)) ??
      holdings.findLast((holding) => holding.name === name && isFree(holding))
    const id = kept?.id ?? (holdings.some((holding) => holding.id === said) ? holder : (said ?? holder))
    holdings = [...holdings.filter((holding) => holding !== kept), { id, name, holder }]
  }
  return holdings
}

/** What a Database that goes may have dropped: null where another one has taken its data over. */
export function droppedId(holdings: readonly Holding[], database: Identified): string | null {
  const holder = holderOf(database)
  const own = holdings.find((holding) => holding.holder === holder)
  if (own) return own.id
  return holdings.some((holding) => holding.id === holder) ? null : holder
}
