/** InfluxQL's durations: `1h30m`, `10s`, `500ms`, `5u`, `5µ`, `7ns`, `3d`, `2w`; int64 nanoseconds. */
const unitNs: Readonly<Record<string, bigint>> = {
  ns: 1n,
  u: 1_000n,
  µ: 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
  d: 86_400_000_000_000n,
  w: 604_800_000_000_000n,
}
const maxInt64 = 9_223_372_036_854_775_807n

/** @throws Error with the text of InfluxDB 1.x */
export function parseDurationLiteral(text: string): bigint {
  if (!/^-?([0-9]+(ns|ms|[uµsmhdw]))+$/.test(text)) throw new Error('invalid duration')
  let totalNs = 0n
  let last = ''
  for (const [part, amount, unit] of text.matchAll(/([0-9]+)(ns|ms|[uµsmhdw])/g)) {
    if (BigInt(amount!) > maxInt64) throw new Error('invalid duration')
    totalNs = BigInt.asIntN(64, totalNs + BigInt(amount!) * unitNs[unit!]!)
    last = part
  }
  if (text.startsWith('-')) return -totalNs
  if (totalNs < 0n) throw new Error(`overflowed duration ${last}: choose a smaller duration or INF`)
  return totalNs
}

/** In the largest unit that divides it: `90m`, `1w`, `0s`. */
export function formatDuration(ns: bigint): string {
  if (ns === 0n) return '0s'
  for (const unit of ['w', 'd', 'h', 'm', 's', 'ms', 'u'] as const) {
    if (0n === ns % unitNs[unit]!) return `${ns / unitNs[unit]!}${unit}`
  }
  return `${ns}ns`
}

/** As Go prints a time.Duration: `168h0m0s`, `1m30s`, `1.5ms`, `0s`. */
export function formatGoDuration(ns: bigint): string {
  if (ns === 0n) return '0s'
  const sign = ns < 0n ? '-' : ''
  const size = ns < 0n ? -ns : ns
  if (size < unitNs['s']!) {
    for (const [unit, name] of [
      ['ms', 'ms'],
      ['u', 'µs'],
    ] as const) {
      if (size >= unitNs[unit]!) return `${sign}${decimal(size, unitNs[unit]!)}${name}`
    }
    return `${sign}${size}ns`
  }
  const seconds = `${decimal(size % unitNs['m']!, unitNs['s']!)}s`
  const minutes = size / unitNs['m']!
  if (minutes === 0n) return sign + seconds
  if (minutes < 60n) return `${sign}${minutes}m${seconds}`
  return `${sign}${minutes / 60n}h${minutes % 60n}m${seconds}`
}

/** `value / unit` with the digits that it needs. */
function decimal(value: bigint, unit: bigint): string {
  const fraction = (value % unit)
    .toString()
    .padStart(unit.toString().length - 1, '0')
    .replace(/0+$/, '')
  return `${value / unit}${fraction === '' ? '' : `.${fraction}`}`
}
