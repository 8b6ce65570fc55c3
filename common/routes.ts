export type Method = 'GET' | 'HEAD' | 'POST'

/**
 * Who answers. probe: each program about itself, to everybody; node: the organization's storage node, to those whom
 * it lets in.
 */
export type ServedBy = 'probe' | 'node'

export interface Route<By extends ServedBy = ServedBy, Name extends string = string> {
  readonly by: By
  /** By which a program finds its handler. */
  readonly name: Name
  /** Whole: there are no prefixes and no patterns. */
  readonly path: string
  readonly methods: readonly Method[]
}

const route = <By extends ServedBy, Name extends string>(
  by: By,
  name: Name,
  path: string,
  methods: readonly Method[],
): Route<By, Name> => ({ by, name, path, methods })

/** Every path that clients may call. */
export const routes = [
  route('probe', 'ping', '/ping', ['GET', 'HEAD']),
  route('probe', 'health', '/health', ['GET', 'HEAD']),
  route('probe', 'ready', '/ready', ['GET', 'HEAD']),
  route('node', 'v1.write', '/write', ['POST']),
  route('node', 'v1.query', '/query', ['GET', 'POST']),
  route('node', 'v2.write', '/api/v2/write', ['POST']),
  route('node', 'v2.delete', '/api/v2/delete', ['POST']),
] as const

export type KnownRoute = (typeof routes)[number]
export type RouteName<By extends ServedBy> = Extract<KnownRoute, Route<By>>['name']

const byPath: ReadonlyMap<string, KnownRoute> = new Map(routes.map((known) => [known.path, known]))

/** @param path without the query string */
export function routeOf(path: string): KnownRoute | null {
  return byPath.get(path) ?? null
}

export function allows({ methods }: Route, method: string | undefined): boolean {
  return methods.some((allowed) => allowed === method)
}

/** A path as a log may hold it: one that nobody serves may be a secret that was put in the wrong place. */
export function loggedPath(path: string): string {
  return routeOf(path)?.path ?? 'unknown'
}
