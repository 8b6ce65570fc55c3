import { AppError } from '../../common/errors.ts'
import type { KubeList, ListOptions } from './client.ts'
import { maxObjectBytes } from './connection.ts'
import type { KubeObject } from './object.ts'
import { apiVersionOf, type Resource } from './resource.ts'

/** Objects a page. */
const pageSize = 500
/**
 * Of all of a page while it is read. A page of ordinary objects has some 2 MiB; whoever may make an object may make it a
 * thousand times as large, and what a list leaves behind must fit into memory beside everything else.
 */
const pageBytes = 8 * 1_048_576
/** A continue token lives for minutes; a list that expires this often will not get through. */
const maxRestarts = 3
const maxPages = 20_000

/** Answers a query string. @throws AppError too-large, ERR_KUBE_ANSWER_TOO_LARGE, with more than so many bytes */
export type FetchPage = (query: URLSearchParams, maxBytes: number) => Promise<unknown>

interface Page {
  readonly metadata: { readonly resourceVersion?: string; readonly continue?: string }
  readonly items: readonly KubeObject[]
}

/** Collects a list page by page, in one consistent snapshot; starts anew if the snapshot expires on the way. */
export async function listPages(
  resource: Resource,
  options: ListOptions,
  fetchPage: FetchPage,
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

async function listOnce(resource: Resource, options: ListOptions, fetchPage: FetchPage): Promise<KubeList> {
  const items: KubeObject[] = []
  let continuation: string | undefined
  let limit = pageSize
  for (let pages = 0; pages < maxPages; pages += 1) {
    const found = await nextPage(queryOf(options, continuation), limit, fetchPage)
    const { page } = found
    // Large objects often come together; after them pages are what they were before.
    limit = Math.min(pageSize, found.limit + Math.ceil(found.limit / 8))
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

/** With half as many objects, as often as it takes, where these are larger than anybody reckons with. */
async function nextPage(
  query: URLSearchParams,
  limit: number,
  fetchPage: FetchPage,
): Promise<{ readonly page: Page; readonly limit: number }> {
  query.set('limit', String(limit))
  try {
    return { page: parsePage(await fetchPage(query, limit === 1 ? maxObjectBytes : pageBytes)), limit }
  } catch (error) {
    const isTooLarge = error instanceof AppError && error.code === 'ERR_KUBE_ANSWER_TOO_LARGE'
    if (!isTooLarge || limit === 1) throw error
    return nextPage(query, Math.floor(limit / 2), fetchPage)
  }
}

function queryOf(options: ListOptions, continuation: string | undefined): URLSearchParams {
  const { labelSelector, fieldSelector } = options
  return new URLSearchParams({
    limit: String(pageSize),
    ...(labelSelector !== undefined && { labelSelector }),
    ...(fieldSelector !== undefined && { fieldSelector }),
    ...(continuation !== undefined && { continue: continuation }),
  })
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
