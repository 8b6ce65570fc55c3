import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'
import type { KubeObject } from '../../operator/kube/object.ts'

const example = join(import.meta.dirname, '../../examples/two-teams.yaml')

/**
 * The example's objects under namespaces of this run.
 * @param prefix of the namespaces
 */
export async function exampleObjects(prefix: string): Promise<readonly KubeObject[]> {
  const objects = parseAllDocuments(await readFile(example, 'utf8')).map(
    (document) => document.toJS() as KubeObject,
  )
  return objects.map((object) => {
    const { name, namespace } = object.metadata
    const metadata =
      object.kind === 'Namespace'
        ? { ...object.metadata, name: `${prefix}-${name}` }
        : { ...object.metadata, namespace: `${prefix}-${namespace}` }
    return { ...object, metadata }
  })
}

/** Without the namespaces themselves. */
export const tenantObjects = (objects: readonly KubeObject[]): readonly KubeObject[] =>
  objects.filter(({ kind }) => kind !== 'Namespace')

export const namespacesOf = (objects: readonly KubeObject[]): readonly string[] =>
  objects.filter(({ kind }) => kind === 'Namespace').map(({ metadata }) => metadata.name)
