import { canonicalJson } from '../../common/state-document.ts'
import { compareResourceVersions, type KubeObject } from '../kube/object.ts'

/** What others may do with a cache of one resource. Objects in it are shared: nobody may change one. */
export interface Store {
  /** How many there are. */
  readonly size: number
  get(namespace: string | undefined, name: string): KubeObject | undefined
  /** @param namespace absent: all of them */
  list(namespace?: string): readonly KubeObject[]
  /**
   * Puts the answer to our own write in, unless the cache has the same or something newer, so that the next pass does
   * not decide upon the past. Tells no listener: who wrote knows. What somebody else changed just before is in the
   * answer, too; listeners are told of that once the watch has come this far.
   * @param isOurs false for what was only read: that may be news to everybody
   */
  observe(object: KubeObject, isOurs?: boolean): void
  /**
   * What the watch tells of this object may come of a write of ours, which is not answered yet.
   * @returns to be called once its answer was observed, or it has failed
   */
  writing(namespace: string | undefined, name: string): () => void
}

/** One difference between the cache and the world. A new object under an old name is a removal, then an addition. */
export interface Change {
  readonly before: KubeObject | undefined
  readonly after: KubeObject | undefined
  /** A write of ours is under way or was answered since listeners were told the last time: what is new may be that alone. */
  readonly mayBeOurs?: true
}

const versionOf = (object: KubeObject): string => object.metadata.resourceVersion ?? '0'
const isNewer = (a: string, b: string): boolean => compareResourceVersions(a, b) > 0

/** Of an object that the watch is behind on. */
interface Ahead {
  /** As listeners know it. */
  readonly told: KubeObject | undefined
  /** Versions that answered our own writes. */
  readonly ours: Set<string>
  /** What is new since then: ours alone, perhaps not ours alone, or certainly not. */
  others: 'none' | 'perhaps' | 'some'
}

/** Of one object, until the watch has come to the newest. What is over it counts as somebody else's. */
const oursLimit = 32

/** The objects of one resource as the watch has told them so far. No I/O. */
export class ObjectStore implements Store {
  readonly #byNamespace = new Map<string, Map<string, KubeObject>>()
  readonly #transform: (object: KubeObject) => KubeObject
  readonly #ahead = new Map<string, Ahead>()
  /** How many writes are under way. */
  readonly #writing = new Map<string, number>()
  #resourceVersion = '0'
  #size = 0

  constructor(transform: (object: KubeObject) => KubeObject) {
    this.#transform = transform
  }

  /** Up to where the cache has seen the world. */
  get resourceVersion(): string {
    return this.#resourceVersion
  }

  get size(): number {
    return this.#size
  }

  get(namespace: string | undefined, name: string): KubeObject | undefined {
    return this.#byNamespace.get(namespace ?? '')?.get(name)
  }

  list(namespace?: string): readonly KubeObject[] {
    if (namespace !== undefined) return [...(this.#byNamespace.get(namespace)?.values() ?? [])]
    return [...this.#byNamespace.values()].flatMap((objects) => [...objects.values()])
  }

  observe(object: KubeObject, isOurs = true): void {
    const known = this.get(object.metadata.namespace, object.metadata.name)
    // Without a known object, what the stream has passed already may be an addition whose removal came since.
    const seen = known ? versionOf(known) : this.#resourceVersion
    if (!isNewer(versionOf(object), seen)) return
    const ahead = this.#ahead.get(keyOf(object)) ?? { told: known, ours: new Set(), others: 'none' }
    this.#ahead.set(keyOf(object), ahead)
    if (ahead.ours.size < oursLimit) ahead.ours.add(versionOf(object))
    else ahead.others = 'some'
    // A write that changed nothing is answered with the version that somebody else made.
    const kept = this.#transform(object)
    if (!isOurs) ahead.others = 'some'
    else if (ahead.others === 'none' && known && mayHoldOthers(known, kept)) ahead.others = 'perhaps'
    this.#set(kept)
  }

  writing(namespace: string | undefined, name: string): () => void {
    const key = `${namespace ?? ''}/${name}`
    this.#writing.set(key, (this.#writing.get(key) ?? 0) + 1)
    return () => {
      const left = (this.#writing.get(key) ?? 1) - 1
      if (left > 0) this.#writing.set(key, left)
      else this.#writing.delete(key)
    }
  }

  /** Takes one event of a watch in. What repeats or precedes what was seen already changes nothing. */
  accept(type: 'ADDED' | 'MODIFIED' | 'DELETED', object: KubeObject): readonly Change[] {
    const changes = this.#accept(type, object)
    return this.#writing.has(keyOf(object)) ? changes.map(maybeOurs) : changes
  }

  #accept(type: 'ADDED' | 'MODIFIED' | 'DELETED', object: KubeObject): readonly Change[] {
    const version = versionOf(object)
    if (!isNewer(version, this.#resourceVersion)) return []
    this.#resourceVersion = version
    const known = this.get(object.metadata.namespace, object.metadata.name)
    if (known && isNewer(versionOf(known), version)) return this.#passBy(object)
    if (type !== 'DELETED') return this.#take(this.#transform(object))
    return known ? this.#leave(known) : []
  }

  /** Nothing happened up to here. */
  bookmark(resourceVersion: string): void {
    if (isNewer(resourceVersion, this.#resourceVersion)) this.#resourceVersion = resourceVersion
  }

  /**
   * Takes a full list in, already transformed.
   * @returns what the watch had missed: additions, updates, removals
   */
  replace(items: readonly KubeObject[], resourceVersion: string): readonly Change[] {
    if (isNewer(this.#resourceVersion, resourceVersion)) return this.#startOver(items, resourceVersion)
    const changes: Change[] = []
    const listed = new Map(items.map((item) => [keyOf(item), item]))
    for (const known of this.list()) {
      // What we wrote after the list was taken is not in it.
      if (listed.has(keyOf(known)) || isNewer(versionOf(known), resourceVersion)) continue
      changes.push(...this.#leave(known))
    }
    for (const item of items) {
      const known = this.get(item.metadata.namespace, item.metadata.name)
      const ahead = this.#ahead.get(keyOf(item))
      // The list stands for lines of the watch that do not come any more, and one of them may not have been ours.
      if (ahead && !(ahead.told && versionOf(ahead.told) === versionOf(item))) ahead.others = 'some'
      if (known && isNewer(versionOf(known), versionOf(item))) continue
      if (!ahead && known && versionOf(item) === versionOf(known)) continue
      changes.push(...this.#take(item))
    }
    this.bookmark(resourceVersion)
    return changes
  }

  /**
   * The world has gone back behind what was seen of it, as when etcd was restored: versions of then and now do not compare,
   * and passes have gone by what never was. Everything is as listed, and everything is news.
   */
  #startOver(items: readonly KubeObject[], resourceVersion: string): readonly Change[] {
    const listed = new Set(items.map(keyOf))
    const gone = this.list().filter((known) => !listed.has(keyOf(known)))
    const changes = gone.flatMap((known) => this.#leave(known))
    for (const after of items) {
      const ahead = this.#ahead.get(keyOf(after))
      const before = ahead ? ahead.told : this.get(after.metadata.namespace, after.metadata.name)
      this.#ahead.delete(keyOf(after))
      this.#set(after)
      changes.push(...changesBetween(before, after), ...(before ? [{ before: undefined, after }] : []))
    }
    this.#resourceVersion = resourceVersion
    return changes
  }

  /** The watch has come to something that the answer to a later write of ours held already. */
  #passBy(object: KubeObject): readonly Change[] {
    const ahead = this.#ahead.get(keyOf(object))
    if (ahead && !ahead.ours.has(versionOf(object))) ahead.others = 'some'
    return []
  }

  /** The watch or a list has come to the newest. */
  #take(after: KubeObject): readonly Change[] {
    const known = this.get(after.metadata.namespace, after.metadata.name)
    const ahead = this.#ahead.get(keyOf(after))
    this.#ahead.delete(keyOf(after))
    this.#set(after)
    if (!ahead || ahead.others === 'none') return changesBetween(known, after)
    // What passes went by meanwhile may be an edit that was taken back: that is news even if all is again as it was told.
    const isBetween = ahead.told && known && (ahead.ours.size > 1 || versionOf(known) !== versionOf(after))
    const changes = [
      ...changesBetween(ahead.told, after),
      ...(isBetween ? [{ before: undefined, after }] : []),
    ]
    return ahead.others === 'perhaps' && ahead.ours.has(versionOf(after)) ? changes.map(maybeOurs) : changes
  }

  #leave(known: KubeObject): readonly Change[] {
    this.#remove(known)
    return [{ before: known, after: undefined }]
  }

  #set(object: KubeObject): void {
    const namespace = object.metadata.namespace ?? ''
    const objects = this.#byNamespace.get(namespace) ?? new Map<string, KubeObject>()
    this.#byNamespace.set(namespace, objects)
    if (!objects.has(object.metadata.name)) this.#size += 1
    objects.set(object.metadata.name, object)
  }

  #remove(object: KubeObject): void {
    const namespace = object.metadata.namespace ?? ''
    const objects = this.#byNamespace.get(namespace)
    this.#ahead.delete(keyOf(object))
    if (objects?.delete(object.metadata.name)) this.#size -= 1
    if (objects?.size === 0) this.#byNamespace.delete(namespace)
  }
}

/** Statuses and finalizers are ours; all else that is otherwise than it was known may be an edit that came with our write. */
function mayHoldOthers({ metadata: before }: KubeObject, { metadata: after }: KubeObject): boolean {
  const intent = ({ uid, generation, labels, annotations, deletionTimestamp }: KubeObject['metadata']) =>
    canonicalJson({ uid, generation, labels, annotations, deletionTimestamp })
  return intent(before) !== intent(after)
}

/** No write of ours that has an answer takes anything away. */
const maybeOurs = (change: Change): Change => (change.after ? { ...change, mayBeOurs: true } : change)

const keyOf = (object: KubeObject): string => `${object.metadata.namespace ?? ''}/${object.metadata.name}`

function changesBetween(before: KubeObject | undefined, after: KubeObject): readonly Change[] {
  if (before && before.metadata.uid !== after.metadata.uid) {
    return [
      { before, after: undefined },
      { before: undefined, after },
    ]
  }
  return [{ before, after }]
}
