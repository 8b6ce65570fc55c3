import type { Store } from '../controller/store.ts'
import type { KubeObject } from '../kube/object.ts'
import { isPaused } from '../naming/labels.ts'
import { observeTenant } from '../observe/observe.ts'
import type { Observed, Seen } from '../observe/observed.ts'
import { eachInTime } from './each.ts'
import type { Pass } from './pass.ts'
import { sayMembersFirst } from './say.ts'
import { ensureFinalizer, hasFinalizer } from './write.ts'

/** The Organization's end is the operator's to arrange from here on. */
export async function holdOrganization(pass: Pass, { key }: Observed): Promise<void> {
  const { organizations } = pass.caches
  const current = organizations.get(key.namespace, key.name)
  if (current) await ensureFinalizer(pass, organizations, current)
}

/**
 * Gives new members their first conditions and their finalizers.
 * @returns whether all had their turn
 */
export async function welcome(pass: Pass, observed: Observed): Promise<boolean> {
  const said = await sayMembersFirst(pass, observed)
  const { databases, tokens } = pass.caches
  const strangers = [...newest(databases, observed.databases), ...newest(tokens, observed.tokens)].filter(
    ({ object }) => !hasFinalizer(object) && !isPaused(object.metadata),
  )
  return (
    (await eachInTime(pass.clock, strangers, ({ store, object }) => ensureFinalizer(pass, store, object))) &&
    said
  )
}

/**
 * The members whose ends are the operator's to arrange, and those that have been in force before. The others come into
 * force when they are: what goes away unseen could not be undone.
 */
export function held(pass: Pass, observed: Observed): Observed {
  const { databases, tokens } = pass.caches
  const isHeld =
    (store: Store) =>
    ({ object: { metadata, ...object } }: Seen<unknown>): boolean => {
      const newer = store.get(metadata.namespace, metadata.name)
      return (
        isPaused(metadata) || wasInForce(object['status']) || (newer !== undefined && hasFinalizer(newer))
      )
    }
  return {
    ...observed,
    databases: observed.databases.filter(isHeld(databases)),
    tokens: observed.tokens.filter(isHeld(tokens)),
  }
}

function wasInForce(status: unknown): boolean {
  return typeof status === 'object' && status !== null && 'organizationId' in status
}

function newest(store: Store, members: readonly Seen<unknown>[]) {
  return members.map(({ object }): { readonly store: Store; readonly object: KubeObject } => {
    const { namespace, name, uid } = object.metadata
    const found = store.get(namespace, name)
    return { store, object: found?.metadata.uid === uid && found ? found : object }
  })
}

/**
 * The objects as they are after this pass's own writes. What came or was edited meanwhile is left out: this pass knows
 * nothing of it, and the watch has asked for another.
 */
export function observedNow(pass: Pass, observed: Observed): Observed {
  const now = observeTenant(observed.key, pass.caches, observed)
  const before = [observed.organization, ...observed.databases, ...observed.tokens]
  const generations = new Map(
    before.map((seen) => [seen?.object.metadata.uid, seen?.object.metadata.generation]),
  )
  const isSame = ({ object: { metadata } }: Seen<unknown>): boolean =>
    generations.has(metadata.uid) && generations.get(metadata.uid) === metadata.generation
  return {
    key: now.key,
    organization: now.organization && isSame(now.organization) ? now.organization : null,
    databases: now.databases.filter(isSame),
    tokens: now.tokens.filter(isSame),
  }
}
