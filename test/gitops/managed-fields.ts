import type { KubeObject } from '../../operator/kube/object.ts'

interface ManagedEntry {
  readonly manager: string
  readonly fieldsV1: FieldTree
}
interface FieldTree {
  readonly [key: string]: FieldTree
}

const entriesOf = (object: KubeObject): readonly ManagedEntry[] =>
  (object.metadata['managedFields'] ?? []) as readonly ManagedEntry[]

/** The leaves of a set of fields: `f:spec.f:class`. */
function pathsIn(tree: FieldTree, prefix = ''): readonly string[] {
  return Object.entries(tree).flatMap(([key, child]) => {
    if (key === '.') return []
    const path = prefix === '' ? key : `${prefix}.${key}`
    const within = pathsIn(child, path)
    return within.length === 0 ? [path] : within
  })
}

/** Fields of an object that managers of these names have written. */
export const fieldsOf = (object: KubeObject, isWanted: (manager: string) => boolean): readonly string[] =>
  entriesOf(object)
    .filter(({ manager }) => isWanted(manager))
    .flatMap(({ fieldsV1 }) => pathsIn(fieldsV1))

/** Fields that more than one manager has written: what two could fight over. */
export function sharedFields(object: KubeObject): readonly string[] {
  const all = fieldsOf(object, () => true)
  return all.filter((path, index) => all.indexOf(path) !== index)
}
