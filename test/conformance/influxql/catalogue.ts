// SHOW with conditions, pages and chunks; regular expressions wherever they may stand.
import { combine, q, type RecordedRequest } from './request.ts'

const statements = [
  'SHOW MEASUREMENTS',
  'SHOW SERIES FROM cpu, mem',
  'SHOW TAG KEYS FROM cpu, mem',
  'SHOW TAG VALUES FROM cpu, mem WITH KEY IN (host, region)',
]
const conditions = [
  "WHERE host != 'a'",
  "WHERE region = ''",
  "WHERE host = 'a' AND region = 'eu'",
  "WHERE host = 'a' OR kind = 'k0'",
  "WHERE nosuch = 'x'",
  "WHERE nosuch != 'x'",
  "WHERE nosuch = ''",
  "WHERE _name = 'cpu'",
  "WHERE 'a' = host",
  "WHERE host > 'a'",
]
const pages = [
  'LIMIT 1',
  'LIMIT 2 OFFSET 1',
  'OFFSET 2',
  'LIMIT 0',
  'OFFSET 100',
  'SLIMIT 1',
  'ORDER BY time',
]
const patterns = [
  '/a/',
  '/[^a]/',
  '/^$/',
  '/.*/',
  '/(?i)A/',
  '/^(a|c)$/',
  '/\\w/',
  '/[[:alpha:]]/',
  '/a{1,2}/',
  '/(a/',
  '/(?=a)/',
]

export const catalogue: readonly RecordedRequest[] = [
  ...q(
    ...combine(statements, conditions),
    ...combine([...statements, 'SHOW FIELD KEYS FROM cpu, mem'], pages),
    ...combine(
      ['SHOW TAG KEYS WHERE', 'SHOW TAG VALUES WITH KEY IN (host, place, parity) WHERE'],
      [
        "time > '2025-01-01'",
        "time < '2023-12-01'",
        'time > now() - 1h',
        "time > '2024-01-05'",
        "time > '2025-01-01' AND host = 'a'",
      ],
    ),
    ...patterns.flatMap((pattern) => [
      `SELECT usage FROM cpu WHERE host =~ ${pattern} LIMIT 3`,
      `SELECT usage, label FROM cpu WHERE label !~ ${pattern} LIMIT 3`,
      `SELECT count(usage) FROM cpu WHERE region !~ ${pattern} GROUP BY host`,
      `SELECT mean(${pattern}) FROM cpu`,
      `SELECT count(usage) FROM ${pattern} GROUP BY ${pattern}`,
      `SHOW SERIES FROM cpu WHERE region =~ ${pattern}`,
      `SHOW MEASUREMENTS WITH MEASUREMENT !~ ${pattern}`,
    ]),
    'SELECT usage FROM cpu WHERE abs(usage - 50) > 45',
  ),
  ...[
    'SHOW SERIES FROM cpu',
    'SHOW FIELD KEYS FROM cpu, mem',
    'SHOW TAG VALUES FROM cpu WITH KEY = host',
  ].flatMap((text) => [
    { q: text, parameters: { chunked: 'true', chunk_size: '2' } },
    { q: text, parameters: { chunked: 'true', chunk_size: '2' }, csv: true },
  ]),
  { q: 'SELECT usage FROM cpu LIMIT 2', parameters: { epoch: '' } },
  { q: 'SELECT usage FROM cpu LIMIT 2', parameters: { epoch: 'd' } },
  { q: 'SELECT usage FROM cpu WHERE usage > $x LIMIT 2', parameters: { params: '{"x":50.0}' } },
  { q: 'SELECT usage FROM cpu WHERE host = $x LIMIT 2', parameters: { params: `{"x":"a' OR 1=1"}` } },
  { q: 'SELECT usage FROM cpu WHERE time > $x LIMIT 2', parameters: { params: '{"x":1704067500000000000}' } },
  { q: 'SELECT usage FROM cpu LIMIT $x', parameters: { params: '{"x":2}' } },
  { q: 'SELECT usage FROM $x LIMIT 2', parameters: { params: '{"x":{"regex":"c.u"}}' } },
  { q: 'SELECT top(usage, $x) FROM cpu', parameters: { params: '{"x":2}' } },
]
