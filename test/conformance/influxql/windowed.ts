// Every function over windows with every fill, in pages and backwards; local clocks over every change.
import { combine, q, span } from './request.ts'

const functions = [
  'count(usage)',
  'sum(cores)',
  'mean(idle)',
  'min(cores)',
  'first(label)',
  'last(up)',
  'median(cores)',
  'spread(cores)',
  'stddev(usage)',
  'distinct(cores)',
  'percentile(usage, 50)',
  'count(distinct(label))',
]
const changes = [
  'derivative(X)',
  'difference(X)',
  'cumulative_sum(X)',
  'elapsed(X, 10s)',
  'moving_average(X, 2)',
]
const changing = ['mean(usage)', 'sum(cores)', 'count(label)', 'last(cores)', 'median(idle)']
const minutes = "WHERE time >= '2024-01-01T00:01:00Z' AND time < '2024-01-01T00:05:00Z'"

const nights = [
  "place = 'rome' AND time >= '2024-03-30T20:00:00Z' AND time < '2024-03-31T06:00:00Z'",
  "place = 'newyork' AND time >= '2024-03-10 04:00:00' AND time < '2024-03-10 12:00:00'",
  "place = 'autumn' AND time >= '2024-10-26T20:00:00Z' AND time < '2024-10-27T08:00:00Z'",
]
const zones = [
  "tz('Europe/Rome')",
  "tz('America/New_York')",
  "tz('Australia/Lord_Howe')",
  "tz('Asia/Kolkata')",
]
const instants = [
  '2024-03-31 02:30:00',
  '2024-10-27 02:30:00',
  '2024-03-10 02:30:00',
  '2024-10-27T02:30:00+01:00',
]

export const windowed = q(
  ...combine(
    functions.map((text) => `SELECT ${text} FROM cpu WHERE ${span}`),
    ['GROUP BY time(97s), host'],
    ['', 'fill(none)', 'fill(-3)', 'fill(previous)', 'fill(linear)'],
    ['LIMIT 4', 'ORDER BY time DESC LIMIT 3 OFFSET 1 SLIMIT 2'],
  ),
  ...combine(
    changes.flatMap((text) =>
      changing.map((call) => `SELECT ${text.replace('X', call)} FROM cpu ${minutes}`),
    ),
    ['GROUP BY time(30s)', 'GROUP BY time(45s), host fill(previous) ORDER BY time DESC LIMIT 2'],
  ),
  ...combine(
    ['SELECT count(n), max(n) FROM clocks WHERE'],
    nights,
    [
      'GROUP BY time(30m)',
      'GROUP BY time(2h, 1h) fill(linear)',
      'GROUP BY time(6h)',
      'GROUP BY time(1d) fill(none)',
    ],
    zones,
  ),
  ...instants.flatMap((instant) =>
    zones.map((zone) => `SELECT count(n), first(n) FROM clocks WHERE time >= '${instant}' ${zone}`),
  ),
)
