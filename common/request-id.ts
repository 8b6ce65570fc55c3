/** The id of a request: the client's own if it is fit to be logged and passed on, or else a new one. */
export function requestIdOf(given: string | undefined, create: () => string): string {
  return given !== undefined && /^[\w.:-]{1,128}$/.test(given) && !/hfd_/i.test(given) ? given : create()
}
