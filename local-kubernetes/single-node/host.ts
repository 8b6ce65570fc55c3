import { lstat, mkdir, readFile, rename, rmdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { run, tryRun } from '../../scripts/run.ts'
import { NFT_TABLES, NODE_ADDRESS, NODE_LINK, paths, POD_CIDR } from './layout.ts'

/** Kernel settings that we or the kubelet change, and the least that we need of them where it is us. */
const SETTINGS: Readonly<Record<string, number | undefined>> = {
  'net/ipv4/ip_forward': 1,
  'fs/inotify/max_user_instances': 1024,
  'vm/overcommit_memory': undefined,
  'vm/panic_on_oom': undefined,
  'kernel/panic': undefined,
  'kernel/panic_on_oops': undefined,
  'kernel/keys/root_maxkeys': undefined,
  'kernel/keys/root_maxbytes': undefined,
}

/** Folders that the kubelet, containerd and CNI use whatever they are told, innermost first. */
const FIXED_FOLDERS = [
  '/var/lib/kubelet/device-plugins',
  '/var/lib/kubelet',
  '/var/lib/cni/results',
  '/var/lib/cni',
  '/var/log/containers',
  '/run/containerd/s',
  '/run/containerd',
] as const

/** How the machine was before the cluster. */
interface HostBefore {
  readonly settings: Readonly<Record<string, string>>
  readonly absentFolders: readonly string[]
}

/** Notes, the first time, what `restoreHost` will put back. */
export async function rememberHost(): Promise<void> {
  if ((await readHostBefore()) !== undefined) return
  const settings: Record<string, string> = {}
  for (const name of Object.keys(SETTINGS)) {
    const value = await readFile(join('/proc/sys', name), 'utf8').catch(() => undefined)
    if (value !== undefined) settings[name] = value.trim()
  }
  const absent = await Promise.all(FIXED_FOLDERS.map(async (path) => ((await exists(path)) ? [] : [path])))
  const before: HostBefore = { settings, absentFolders: absent.flat() }
  await mkdir(dirname(paths.hostBefore), { recursive: true, mode: 0o755 })
  await writeFile(`${paths.hostBefore}.draft`, JSON.stringify(before))
  await rename(`${paths.hostBefore}.draft`, paths.hostBefore)
}

/**
 * Puts the kernel's settings back and removes the fixed folders that were not there before, but for one that somebody
 * else uses by now.
 */
export async function restoreHost(): Promise<void> {
  const before = await readHostBefore()
  if (before === undefined) return
  for (const [name, value] of Object.entries(before.settings)) {
    const path = join('/proc/sys', name)
    const now = await readFile(path, 'utf8').catch(() => undefined)
    if (now !== undefined && now.trim() !== value) await writeFile(path, value)
  }
  for (const folder of before.absentFolders) {
    await rmdir(folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT' && error.code !== 'ENOTEMPTY') throw error
    })
  }
}

/** Gives the node its address, lets the kernel route, and lets pods out of the cluster. */
export async function prepareHost(): Promise<void> {
  for (const [name, least] of Object.entries(SETTINGS)) {
    const path = join('/proc/sys', name)
    if (least !== undefined && Number(await readFile(path, 'utf8')) < least)
      await writeFile(path, String(least))
  }
  // A bridge without ports: the kernel may know no dummy links, and this one keeps its address all the same.
  if (!(await exists(`/sys/class/net/${NODE_LINK}`)))
    await run('ip', ['link', 'add', NODE_LINK, 'type', 'bridge'])
  await run('ip', ['address', 'replace', `${NODE_ADDRESS}/32`, 'dev', NODE_LINK])
  await run('ip', ['link', 'set', NODE_LINK, 'up'])
  const [family, table] = NFT_TABLES[0]
  await run('nft', ['-f', '-'], {
    input: `table ${family} ${table}
delete table ${family} ${table}
table ${family} ${table} {
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr ${POD_CIDR} ip daddr != ${POD_CIDR} masquerade
  }
}
`,
  })
}

/** Takes the node's link and every table of ours away. */
export async function removeNetwork(): Promise<void> {
  for (const [family, table] of NFT_TABLES) await tryRun('nft', ['delete', 'table', family, table])
  if (await exists(`/sys/class/net/${NODE_LINK}`)) await run('ip', ['link', 'delete', NODE_LINK])
}

/** True if the node's link and the table of `prepareHost` are there. */
export async function isHostPrepared(): Promise<boolean> {
  const [family, table] = NFT_TABLES[0]
  const rules = await tryRun('nft', ['list', 'table', family, table])
  return rules !== undefined && rules.includes('masquerade') && (await exists(`/sys/class/net/${NODE_LINK}`))
}

/** The machine's name servers that a pod can reach too: one on the loopback is only the machine's own. */
export function reachableNameServers(resolvConf: string): string[] {
  return resolvConf
    .split('\n')
    .map((line) => /^\s*nameserver\s+(\S+)/.exec(line)?.[1])
    .filter((address) => address !== undefined)
    .filter((address) => /^\d+\.\d+\.\d+\.\d+$/.test(address) && !address.startsWith('127.'))
}

async function readHostBefore(): Promise<HostBefore | undefined> {
  try {
    return JSON.parse(await readFile(paths.hostBefore, 'utf8')) as HostBefore
  } catch {
    return undefined
  }
}

async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  )
}
