import { run, tryRun } from '../../scripts/run.ts'
import { tableName } from './compile.ts'

const NFT_TIMEOUT_MS = 10_000

/** The kernel's packet filter, as far as the enforcer touches it: one table. */
export interface Firewall {
  /** Whether the table is there. */
  present(): Promise<boolean>
  /**
   * Puts the table in force, in one step: every packet meets either the old rules or the new.
   * @throws AppError ERR_SCRIPT_COMMAND if nftables refuses it; the old rules then stay
   */
  apply(ruleset: string): Promise<void>
  /** Takes the table away, if it is there: everything is open again. */
  remove(): Promise<void>
}

export const nftables: Firewall = {
  present: async () =>
    (await tryRun('nft', ['--terse', 'list', 'table', 'inet', tableName], { timeoutMs: NFT_TIMEOUT_MS })) !==
    undefined,
  apply: async (ruleset) => {
    await run('nft', ['--file', '-'], { input: ruleset, timeoutMs: NFT_TIMEOUT_MS })
  },
  remove: async () => {
    // Naming the table first makes deleting it succeed also when there is none.
    const input = `table inet ${tableName}\ndelete table inet ${tableName}\n`
    await run('nft', ['--file', '-'], { input, timeoutMs: NFT_TIMEOUT_MS })
  },
}
