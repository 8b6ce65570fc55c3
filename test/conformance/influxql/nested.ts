// Every form of SELECT inside every other.
import { combine, q, span } from './request.ts'

const inner = [
  'SELECT usage, cores, host FROM cpu',
  'SELECT mean(usage) AS usage FROM cpu GROUP BY host',
  'SELECT max(usage) AS usage, host FROM cpu',
  'SELECT usage * 2 AS usage FROM cpu WHERE cores > 2',
  'SELECT usage FROM cpu GROUP BY host, region',
  `SELECT mean(usage) AS usage FROM cpu WHERE ${span} GROUP BY time(1m), host`,
  'SELECT derivative(usage) AS usage FROM cpu GROUP BY host',
  'SELECT top(usage, host, 2) AS usage FROM cpu',
  'SELECT usage FROM cpu GROUP BY host LIMIT 2 OFFSET 1',
  'SELECT last(usage) AS usage, * FROM cpu GROUP BY region',
  `SELECT moving_average(mean(usage), 2) AS usage FROM cpu WHERE ${span} GROUP BY time(1m), region`,
]
const outer = [
  'SELECT * FROM (X) LIMIT 2',
  'SELECT mean(usage) FROM (X) GROUP BY host',
  'SELECT max(usage), host FROM (X)',
  'SELECT count(*) FROM (X)',
  `SELECT sum(usage) FROM (X) WHERE ${span} GROUP BY time(4m), host fill(none)`,
  'SELECT usage FROM (X) WHERE usage > 90',
  'SELECT mean(usage) FROM (X) WHERE host =~ /[ab]/ GROUP BY host',
  'SELECT usage FROM (X) ORDER BY time DESC LIMIT 2',
  'SELECT top(usage, 2) FROM (X)',
  `SELECT difference(max(usage)) FROM (X) WHERE ${span} GROUP BY time(4m)`,
  'SELECT usage FROM (X) GROUP BY * LIMIT 1 SLIMIT 1 SOFFSET 1',
]

export const nested = q(
  ...outer.flatMap((text) => inner.map((select) => text.replace('X', select))),
  ...combine(
    ['SELECT usage FROM (SELECT usage FROM cpu) WHERE'],
    ["time >= '2024-01-01T00:09:00Z'", "host = 'a'", "usage > 95 AND region = ''"],
    ['', "tz('Europe/Rome')"],
  ),
)
