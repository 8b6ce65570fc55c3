import { join } from 'node:path'
import { run } from '../../scripts/run.ts'
import { releaseNamespace } from '../../scripts/install.ts'
import type { TestCluster } from './kubernetes.ts'

const chart = join(import.meta.dirname, '../../charts/holdfast')

/** The parts of the installed release's values that tests build on. */
export interface ReleaseValues {
  readonly storageNode: {
    readonly defaultVersion: string
    readonly images: Readonly<Record<string, string>>
  }
}

/** The release that `make up` installed, as an administrator handles it. */
export interface Release {
  values(): Promise<ReleaseValues>
  /** Changes values, and waits until operator and gateway run with them. */
  upgrade(values: object): Promise<void>
  /** Goes back to the values before the last change. */
  rollback(): Promise<void>
}

export function releaseOn({ cluster }: TestCluster): Release {
  const helm = (args: readonly string[], input?: string): Promise<string> =>
    run(
      cluster.helm,
      [...args, '--namespace', releaseNamespace, '--kubeconfig', cluster.kubeconfig],
      input === undefined ? {} : { input },
    )
  const wait = ['--wait', '--timeout', '3m']
  return {
    values: async () => JSON.parse(await helm(['get', 'values', 'holdfast', '-o', 'json'])) as ReleaseValues,
    upgrade: async (values) => {
      const args = ['upgrade', 'holdfast', chart, '--reuse-values', '--values', '-', ...wait]
      await helm(args, JSON.stringify(values))
    },
    rollback: async () => void (await helm(['rollback', 'holdfast', ...wait])),
  }
}
