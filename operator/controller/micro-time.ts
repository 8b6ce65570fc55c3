/**
 * Kubernetes' MicroTime: exactly six digits after the point. With the three of `toISOString` the API server refuses a
 * Lease, and no leader is ever elected.
 */
export function microTime(nowNs: bigint): string {
  const micros = (nowNs / 1_000n) % 1_000n
  const text = new Date(Number(nowNs / 1_000_000n)).toISOString()
  return `${text.slice(0, -1)}${String(micros).padStart(3, '0')}Z`
}
