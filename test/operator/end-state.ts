import { dataKeyId } from '../../common/data-key.ts'
import { idOfUid } from '../../common/ids.ts'
import type { AnyStateDocument } from '../../common/state-document-formats.ts'
import { canonicalJson } from '../../common/state-document.ts'
import { storedDataKeys } from '../../operator/desired/secrets.ts'
import type { KubeObject } from '../../operator/kube/object.ts'
import { resources } from '../../operator/kube/resource.ts'
import { secretNames } from '../../operator/naming/names.ts'
import type { Cluster } from './cluster.ts'

/**
 * All that a cluster holds and its node serves, as lines that two ways to the same end have in common: without times,
 * versions, and what is drawn at random. That random things fit each other is said by their own lines.
 */
export function endState(cluster: Cluster): readonly string[] {
  const ids = new Set(
    [...cluster.all(resources.organizations), ...cluster.all(resources.databases)].map(({ metadata }) =>
      idOfUid(metadata.uid!),
    ),
  )
  const mask = (text: string): string =>
    text
      .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '<time>')
      .replaceAll(/[0-9a-f]{64}/g, '<digest>')
      .replaceAll(/(?<![0-9a-f])[0-9a-f]{16}(?![0-9a-f])/g, (id) => (ids.has(id) ? id : '<id>'))
  const known = textsWith([...ids].toSorted().join(' '))
  const textOf = (object: KubeObject): string => {
    const text = known.get(object) ?? mask(canonicalJson(withoutChance(object)))
    known.set(object, text)
    return text
  }
  const objects = [...cluster.kube.world.objects].map(([key, object]) => `${key} ${textOf(object)}`)
  const { document } = cluster.nodes
  return [
    ...objects.toSorted(),
    `node ${document ? served(document, mask) : 'without a document'}`,
    `node keys fit: ${keysFit(cluster)}`,
    `tokens fit: ${tokensFit(cluster)}`,
    `dropped: ${[...new Set(cluster.nodes.dropped)].toSorted().join(' ')}`,
  ]
}

/** Tokens stand in the order of their ids, which are drawn at random. */
function served({ tokens, ...document }: AnyStateDocument, mask: (text: string) => string): string {
  const all = tokens.map((token) => mask(canonicalJson(token))).toSorted()
  return `${mask(canonicalJson(document))} ${all.join(' ')}`
}

/** What is stored never changes, and most of it is the same in all ways that are played. */
const texts = new Map<string, WeakMap<KubeObject, string>>()

function textsWith(ids: string): WeakMap<KubeObject, string> {
  const known = texts.get(ids) ?? new WeakMap<KubeObject, string>()
  texts.set(ids, known)
  return known
}

function withoutChance({ metadata, data, ...object }: KubeObject): object {
  const { resourceVersion: _version, uid: _uid, ownerReferences, ...kept } = withoutMark(metadata)
  return {
    ...object,
    metadata: { ...kept, owners: ownerReferences?.map(({ kind, name }) => `${kind} ${name}`) },
    ...(data !== undefined && data !== null && { data: Object.keys(data).toSorted() }),
  }
}

/** By which somebody else marks what passes are to leave alone. */
export const foreignMark = 'example.com/marked'

function withoutMark(metadata: KubeObject['metadata']): KubeObject['metadata'] {
  const { labels, annotations, ...rest } = metadata
  const { [foreignMark]: _mark, ...ours } = labels ?? {}
  // None are as good as an empty list of them, and the API server drops that.
  return {
    ...rest,
    ...(Object.keys(ours).length > 0 && { labels: ours }),
    ...(annotations && Object.keys(annotations).length > 0 && { annotations }),
  }
}

/** What the Secret holds is what the node seals by. */
function keysFit(cluster: Cluster): string {
  return cluster
    .all(resources.secrets)
    .filter(({ metadata }) => metadata.name === secretNames.dataKey)
    .map((secret) => {
      const stored = storedDataKeys(secret).keys.map(dataKeyId)
      return canonicalJson(cluster.nodes.dataKeys.map((key) => stored.indexOf(dataKeyId(key))))
    })
    .join(' ')
}

/** The strings that status names are those that the node accepts. */
function tokensFit(cluster: Cluster): string {
  const accepted = new Set(cluster.nodes.document?.tokens.map(({ hash }) => hash))
  const issued = cluster.all(resources.tokens).flatMap((token) => {
    const status = token['status'] as { tokens?: readonly { hash: string }[] } | undefined
    return status?.tokens?.map(({ hash }) => hash) ?? []
  })
  return `${issued.filter((hash) => accepted.has(hash)).length} of ${issued.length}, ${accepted.size} accepted`
}
