import { Counter, Gauge, type Registry } from 'prom-client'
import type { TlsDirectory } from './tls-directory.ts'

/** When the certificates in force end, and whether new ones are taken up. @param directories by what they hold */
export function certificateMetrics(
  registry: Registry,
  directories: Readonly<Record<string, TlsDirectory>>,
): void {
  const registers = [registry]
  const labelNames = ['certificate'] as const
  const each = (visit: (certificate: string, directory: TlsDirectory) => void): void => {
    for (const [certificate, directory] of Object.entries(directories)) visit(certificate, directory)
  }
  const ends: Gauge<'certificate'> = new Gauge({
    name: 'holdfast_certificate_expiry_timestamp_seconds',
    help: 'When the certificate in force ends, Unix time',
    labelNames,
    registers,
    collect: (): void =>
      each((certificate, { endMs }) => {
        if (endMs !== null) ends.set({ certificate }, endMs / 1_000)
      }),
  })
  const counter = (name: string, help: string, read: (directory: TlsDirectory) => number): void => {
    const found: Counter<'certificate'> = new Counter({
      name,
      help,
      labelNames,
      registers,
      collect(): void {
        found.reset()
        each((certificate, directory) => found.inc({ certificate }, read(directory)))
      },
    })
  }
  counter(
    'holdfast_certificate_reloads_total',
    'Certificates taken up while the process ran',
    ({ counts }) => counts.reloads,
  )
  counter(
    'holdfast_certificate_reload_failures_total',
    'Looks at certificate files that found some that cannot be taken up, while those before stay in force',
    ({ counts }) => counts.failures,
  )
}
