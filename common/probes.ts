import { compatibleVersion } from './dialect.ts'
import { version } from './version.ts'

/** What `/health` says where all is well: the fields of InfluxDB 1.8 and 2 together. */
export function healthBody(status: 'pass' | 'fail', message: string): string {
  return JSON.stringify({
    checks: [],
    message,
    name: 'influxdb',
    status,
    version: compatibleVersion,
    commit: `holdfast-${version}`,
  })
}

/** What `/ready` says; clients parse `up` as a duration of Go. @param more what only we say */
export function readyBody(startedMs: number, nowMs: number, more: object = {}): string {
  const upSeconds = Math.max(0, Math.floor((nowMs - startedMs) / 1000))
  const hours = Math.floor(upSeconds / 3600)
  const minutes = Math.floor((upSeconds % 3600) / 60)
  const up = `${hours > 0 ? `${hours}h` : ''}${hours > 0 || minutes > 0 ? `${minutes}m` : ''}${upSeconds % 60}s`
  return JSON.stringify({ status: 'ready', started: new Date(startedMs).toISOString(), up, ...more })
}

/** What `/ping?verbose=true` says; without it there is no body. */
export function pingBody(): string {
  return `${JSON.stringify({ version: compatibleVersion })}\n`
}
