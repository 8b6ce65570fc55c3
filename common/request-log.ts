/** Every path that clients may call, whole: there are no prefixes and no patterns. */
export const clientPaths = [
  '/ping',
  '/health',
  '/ready',
  '/write',
  '/query',
  '/api/v2/write',
  '/api/v2/delete',
] as const
export type ClientPath = (typeof clientPaths)[number]

const known: ReadonlySet<string> = new Set(clientPaths)

/** A path as a log may hold it: one that nobody serves may be a secret that was put in the wrong place. */
export function loggedPath(path: string): string {
  return known.has(path) ? path : 'unknown'
}

/** The id of a request: the client's own if it is fit to be logged and passed on, or else a new one. */
export function requestIdOf(given: string | undefined, create: () => string): string {
  return given !== undefined && /^[\w.:-]{1,128}$/.test(given) && !/hfd_/i.test(given) ? given : create()
}
