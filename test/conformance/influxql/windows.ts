// Windows, what fills them, time zones and time ranges.
import { combine, q, span } from './request.ts'

const fills = ['', 'fill(none)', 'fill(0)', 'fill(2.5)', 'fill(previous)', 'fill(linear)', 'fill(null)']

export const windows = [
  ...q(
    ...combine(
      [
        `SELECT mean(usage) FROM cpu WHERE ${span} AND host = 'a'`,
        `SELECT max(cores), count(label) FROM cpu WHERE ${span} AND host = 'c'`,
        `SELECT last(label) FROM cpu WHERE ${span} AND host = 'b'`,
      ],
      ['GROUP BY time(20s)', 'GROUP BY time(13s, 4s), region'],
      fills,
    ),
    ...combine(
      [`SELECT count(usage), mean(idle) FROM cpu WHERE ${span}`],
      [
        'GROUP BY time(4m), host',
        'GROUP BY time(4m, 1m), region',
        'GROUP BY time(4m, -1m), *',
        'GROUP BY host, time(4m)',
      ],
      [
        '',
        'fill(previous) ORDER BY time DESC',
        'LIMIT 2',
        'LIMIT 2 OFFSET 1 SLIMIT 2',
        'ORDER BY time DESC LIMIT 1',
      ],
    ),
  ),
  ...q(
    `SELECT percentile(usage, 8) FROM cpu WHERE ${span} GROUP BY time(13s) fill(none)`,
    'SELECT mean(usage) FROM cpu GROUP BY time(5m) fill(none)',
    "SELECT mean(usage) FROM cpu WHERE time < '2024-01-01T00:03:00Z' GROUP BY time(1m)",
    "SELECT mean(usage) FROM cpu WHERE time < '2024-01-01T00:03:00Z' GROUP BY time(1m) ORDER BY time DESC",
    "SELECT mean(usage) FROM cpu WHERE time >= '2023-12-31T23:58:30Z' AND time < '2024-01-01T00:01:30Z' GROUP BY time(1m)",
    "SELECT mean(usage) FROM cpu WHERE time > '2024-01-01T00:00:00Z' AND time <= '2024-01-01T00:01:00Z' GROUP BY time(30s)",
    "SELECT mean(usage) FROM cpu WHERE time > '2025-01-01' AND time < '2025-01-02' GROUP BY time(1h)",
    `SELECT mean(usage) FROM cpu WHERE ${span} GROUP BY time(1h30m)`,
    `SELECT mean(usage) FROM cpu WHERE ${span} GROUP BY time(2m, '2024-01-01T00:00:30Z')`,
    `SELECT mean(usage) FROM cpu WHERE ${span} GROUP BY nosuch, time(5m)`,
    `SELECT mean(usage) FROM cpu WHERE ${span} GROUP BY cores`,
    `SELECT mean(usage) FROM cpu WHERE ${span} GROUP BY /^h/, time(5m)`,
    `SELECT mean(usage) FROM cpu WHERE ${span} GROUP BY *, time(5m) SLIMIT 2`,
    `SELECT first(v), last(w) FROM ties WHERE ${span} GROUP BY time(2s) LIMIT 4`,
    `SELECT mean(usage) FROM cpu WHERE ${span} GROUP BY time(0s)`,
    `SELECT usage FROM cpu WHERE ${span} GROUP BY time(1m)`,
    `SELECT usage FROM cpu WHERE ${span} fill(none)`,
    `SELECT usage FROM cpu WHERE ${span} fill(linear)`,
    `SELECT usage, cores FROM cpu WHERE ${span} AND host = 'a' fill(previous) LIMIT 5`,
    `SELECT usage, cores FROM cpu WHERE ${span} AND host = 'a' fill(9) LIMIT 5`,
    `SELECT mean(usage) FROM cpu WHERE ${span} GROUP BY time(1m), time(2m)`,
    `SELECT mean(usage) FROM cpu WHERE ${span} GROUP BY time`,
    `SELECT mean(usage) FROM cpu WHERE ${span} GROUP BY time()`,
    `SELECT mean(usage) FROM cpu WHERE ${span} GROUP BY time(1)`,
    `SELECT mean(usage) FROM cpu WHERE ${span} GROUP BY time(1m, now(1))`,
    `SELECT mean(usage) FROM cpu WHERE ${span} GROUP BY mean(host)`,
    `SELECT mean(usage) FROM cpu WHERE ${span} GROUP BY 'a'`,
  ),
  // No lower bound: windows begin with the first value, wherever windows are said to begin.
  ...q(
    ...combine(
      ["SELECT count(n) FROM weeks WHERE time < '2024-03-01T00:00:00Z'"],
      ['GROUP BY time(520w, 1w)', 'GROUP BY time(520w, -1w), parity', 'GROUP BY time(5000w, 1000w)'],
      ['', 'fill(none)', 'ORDER BY time DESC'],
    ),
    "SELECT count(n) FROM weeks WHERE time < '2024-02-01T00:00:00Z' GROUP BY time(5d, 1d) ORDER BY time DESC",
    "SELECT mean(n) FROM weeks WHERE time < '2024-02-22T00:00:00Z' GROUP BY time(5d, -1d), parity fill(none)",
    "SELECT mean(n) FROM weeks WHERE time < '2024-02-22T00:00:00Z' GROUP BY time(5d, -1d) fill(previous) ORDER BY time DESC LIMIT 4",
    "SELECT difference(mean(n)) FROM weeks WHERE time < '2024-02-01T00:00:00Z' GROUP BY time(5d)",
  ),
]

const rome = "time >= '2024-03-30T00:00:00Z' AND time < '2024-04-01T00:00:00Z' AND place = 'rome'"

const york = "time >= '2024-03-09T12:00:00Z' AND time < '2024-03-11T12:00:00Z' AND place = 'newyork'"

const autumn = "time >= '2024-10-26T00:00:00Z' AND time < '2024-10-28T12:00:00Z' AND place = 'autumn'"

export const zones = q(
  ...combine(
    [`SELECT count(n), sum(n) FROM clocks WHERE ${rome}`, `SELECT mean(n) FROM clocks WHERE ${autumn}`],
    [
      'GROUP BY time(1d)',
      'GROUP BY time(6h)',
      'GROUP BY time(1h) fill(none)',
      'GROUP BY time(12h, 3h)',
      'GROUP BY time(2h)',
    ],
    ["tz('Europe/Rome')"],
  ),
  ...combine(
    [`SELECT count(n) FROM clocks WHERE ${york}`],
    [
      'GROUP BY time(1d)',
      'GROUP BY time(3h) fill(previous)',
      'GROUP BY time(1d) ORDER BY time DESC',
      'GROUP BY time(30m) fill(none)',
    ],
    ["tz('America/New_York')"],
  ),
  "SELECT n FROM clocks WHERE place = 'rome' LIMIT 3 tz('Europe/Rome')",
  "SELECT n FROM clocks WHERE time >= '2024-03-31' AND time < '2024-03-31 04:00:00' tz('Europe/Rome')",
  "SELECT n FROM clocks WHERE time >= '2024-03-10 02:30:00' AND time < '2024-03-10 05:00:00' tz('America/New_York')",
  "SELECT n FROM clocks WHERE time >= '2024-03-31T00:00:00Z' AND time < '2024-03-31T02:00:00+02:00' tz('Europe/Rome')",
  "SELECT n FROM clocks LIMIT 2 tz('Asia/Kolkata')",
  "SELECT n FROM clocks LIMIT 2 tz('UTC')",
  "SELECT n FROM clocks LIMIT 2 tz('Nowhere/Town')",
  'SELECT n FROM clocks LIMIT 2 tz(UTC)',
)

export const times = q(
  ...combine(
    ['SELECT count(usage) FROM cpu WHERE'],
    [
      "time >= '2024-01-01'",
      "time >= '2024-01-01 00:05:00'",
      "time >= '2024-01-01 00:05:00.5'",
      "time >= '2024-01-01T00:05:00Z'",
      "time >= '2024-01-01T00:05:00.000000001Z'",
      "time >= '2024-01-01T02:05:00+02:00'",
      'time >= 1704067500000000000',
      'time >= 1704067500s',
      'time >= 1704067500000ms',
      'time >= 28401125m',
      'time >= 1704067500.0',
      "time >= '2024-01-01T00:00:00Z' + 5m",
      "time >= '2024-01-01T00:10:00Z' - 300s",
      'time < now()',
      'time > 0',
      "time = '2024-01-01T00:05:00Z'",
      "'2024-01-01T00:05:00Z' <= time",
      "time > '2024-01-01T00:05:00Z' AND time < '2024-01-01T00:02:00Z'",
      "(time > '2024-01-01T00:05:00Z' AND host = 'a') OR host = 'b'",
      "time > '2024-01-01T00:05:00Z' OR time < '2024-01-01T00:02:00Z'",
      "TIME > '2024-01-01T00:05:00Z'",
      "time != '2024-01-01T00:05:00Z'",
      'time =~ /a/',
      "time > 'yesterday'",
      "time > '2024-13-01'",
      "time > '2024-01-01T25:00:00Z'",
      'time > true',
      'time > usage',
      "time > '9999-01-01'",
      "time > '0001-01-01'",
      'time > 1704067500u',
      'time > 1h30m',
      'time > -5m',
      'usage',
      'count(usage) > 1',
      'now() > 3',
    ],
  ),
)
