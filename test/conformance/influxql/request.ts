/** What the lists of recorded requests are made with. */

export interface RecordedRequest {
  readonly q: string
  /** Parameters of /query other than `q`; `db` is `d` unless said. */
  readonly parameters?: Readonly<Record<string, string>>
  readonly csv?: boolean
}

export const span = "time >= '2024-01-01T00:00:00Z' AND time < '2024-01-01T00:10:00Z'"
export const q = (...texts: readonly string[]): readonly RecordedRequest[] =>
  texts.map((text) => ({ q: text }))
export const combine = (...lists: readonly (readonly string[])[]): readonly string[] =>
  lists.reduce<readonly string[]>(
    (heads, tails) => heads.flatMap((head) => tails.map((tail) => `${head} ${tail}`.trim())),
    [''],
  )
