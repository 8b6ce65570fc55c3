/** One thing after the other: points that are written, and statements. */
export type Step = { readonly write: string } | { readonly q: string }

export type RecordedStep = Step & { readonly body: string }

/** A delete by time leaves the point at 100 of each series: Holdfast lists series that it leaves nothing of. */
const points = [
  ...['m,t=a,u=x v=1', 'm,t=a v=2', 'm,t=b v=3', 'm,u=x v=4', 'n,t=a v=1i', 'n,t=c v=2i', 'o x=true'].map(
    (point) => `${point} 100`,
  ),
  'm,t=a,u=x v=1 1',
  'm,t=a v=2 2',
  'm,t=b v=3,s="q" 3',
  'm,u=x v=4 4',
  'n,t=a v=1i 1',
  'n,t=c v=2i 2',
  'o x=true 1',
].join('\n')

const look = {
  q: 'SELECT * FROM /./; SHOW SERIES; SHOW MEASUREMENTS; SHOW FIELD KEYS; SHOW TAG KEYS; SHOW TAG VALUES WITH KEY = t',
}

const over = (...statements: readonly string[]): Step[] =>
  statements.flatMap((q) => [{ write: points }, { q }, look])

/** What DELETE, DROP SERIES and DROP MEASUREMENT answer, and what they leave. */
export const deleteSteps: readonly Step[] = [
  ...over(
    'DELETE FROM nope',
    'DELETE FROM nope WHERE v = 1',
    'DELETE FROM /nope/ WHERE v = 1',
    'DELETE FROM m WHERE v = 1',
    "DELETE FROM m WHERE v > 1 AND t = 'a'",
    "DELETE WHERE t = 'a' AND time = 2",
    "DELETE WHERE t = 'a'",
    'DELETE FROM m WHERE time > 1 AND time <= 3',
    "DELETE FROM m, n WHERE t = 'a'",
    "DELETE FROM /m|o/ WHERE u = 'x'",
    "DELETE FROM m WHERE u != 'x'",
    "DELETE FROM m WHERE u = ''",
    'DELETE FROM m WHERE t =~ /a|b/',
    'DELETE FROM m WHERE t !~ /a|b/',
    "DELETE FROM m WHERE t = 'a' OR t = 'b'",
    "DELETE FROM m WHERE t = 'a' AND u = 'x'",
    "DELETE FROM m WHERE (t = 'a' AND time > 1 AND time < 100) OR u = 'x'",
    "DELETE FROM m WHERE nope = 'a'",
    "DELETE FROM m WHERE nope != 'a'",
    "DELETE FROM m WHERE t::tag = 'a'",
    "DELETE FROM m WHERE t::field = 'a'",
    "DELETE FROM m WHERE _name = 'm'",
    "DELETE WHERE _name = 'n'",
    'DELETE FROM m WHERE 1 = 1',
    'DELETE FROM m WHERE true',
    'DELETE FROM m WHERE false',
    'DELETE FROM m WHERE t',
    'DELETE FROM m WHERE t = 1',
    'DELETE FROM m WHERE t + 1 = 2',
    "DELETE FROM m WHERE time > 'abc'",
    'DELETE FROM m WHERE time != 1',
    'DELETE FROM m WHERE time > 3 AND time < 2',
    'DELETE FROM m WHERE time < 100',
    "DELETE FROM m WHERE time < now() - 1000w AND time >= '1970-01-01T00:00:00.000000003Z' AND time < 100",
    'DELETE FROM m',
    'DELETE FROM /./',
    'DROP SERIES FROM nope',
    'DROP SERIES FROM m WHERE time > 1',
    'DROP SERIES FROM m WHERE v = 1',
    "DROP SERIES FROM m WHERE t = 'a'",
    "DROP SERIES WHERE t = 'a'",
    'DROP SERIES FROM m, n',
    'DROP SERIES FROM m',
    'DROP MEASUREMENT nope',
    'DROP MEASUREMENT m',
    'DROP MEASUREMENT /m/',
    'DELETE FROM d.autogen.m',
    'DELETE FROM (SELECT v FROM m)',
    'DROP MEASUREMENT m; DELETE FROM m; DROP SERIES FROM m',
  ),
  // A measurement without series has no fields: they may come again with other types.
  { q: 'DELETE FROM m; DROP SERIES FROM n; DROP MEASUREMENT o' },
  { write: 'm,t=a v="text" 1' },
  { write: 'n,t=a v="text" 1\no x="text" 1' },
  look,
  { write: 'm,t=b v=1 1' },
]
