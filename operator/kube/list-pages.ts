import { AppError } from '../../common/errors.ts'
import type { KubeList, ListOptions } from './client.ts'
import type { KubeObject } from './object.ts'
import { apiVersionOf, type Resource } from './resource.ts'

const pageSize = 500
/** A continue token lives for minutes; a list that expires this often will not get through. */
const maxRestarts = 3
const maxPages = 20_000

interface Page {
  readonly metadata: { readonly resourceVersion?: string; readonly continue?: string }
  readonly items: readonly KubeObject[]
}

/**
 * Collects a list page by page, in one consistent snapshot; starts anew if the snapshot expires on the way.
 * @param fetchPage answers a query string
 */
export async function listPages(
  resource: Resource,
  options: ListOptions,
  fetchPage: (query: URLSearchParams) => Promise<unknown>,
): Promise<KubeList> {
  for (let restarts = 0; ; restarts += 1) {
    try {
      return await listOnce(resource, options, fetchPage)
    } catch (error) {
      const expired = error instanceof AppError && error.code === 'ERR_KUBE_EXPIRED'
      if (!expired || restarts >= maxRestarts) throw error
    }
  }
}

async function listOnce(
  resource: Resource,
  options: ListOptions,
  fetchPage: (query: URLSearchParams) => Promise<unknown>,
): Promise<KubeList> {
  const items: KubeObject[] = []
  let continuation: string | undefined
  for (let pages = 0; pages < maxPages; pages += 1) {
    const query = new URLSearchParams({ limit: String(pageSize) })
    if (options.labelSelector !== undefined) query.set('labelSelector', options.labelSelector)
    if (options.fieldSelector !== undefined) query.set('fieldSelector', options.fieldSelector)
    if (continuation !== undefined) query.set('continue', continuation)
    const page = parsePage(await fetchPage(query))
    for (const item of page.items) {
      // The items of a built-in kind's list do not say what they are.
      const whole = { ...item, apiVersion: apiVersionOf(resource), kind: resource.kind }
      items.push(options.transform ? options.transform(whole) : whole)
    }
    continuation = page.metadata.continue
    if (continuation === undefined || continuation === '')
      return { resourceVersion: page.metadata.resourceVersion ?? '0', items }
  }
  throw new AppError(
    'too-large',
    'ERR_KUBE_LIST_TOO_LARGE',
    `more than ${maxPages} pages of ${resource.plural}`,
  )
}

function parsePage(answer: unknown): Page {
  if (typeof answer === 'object' && answer !== null && 'metadata' in answer && 'items' in answer) {
    const { metadata, items } = answer
    // A list without items is `null` in Go's JSON.
    if (typeof metadata === 'object' && metadata !== null && (items === null || Array.isArray(items)))
      return { metadata, items: items ?? [] }
  }
  throw new AppError('unavailable', 'ERR_KUBE_ANSWER', 'the answer is not a list')
}
