import { readFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { delimiter, join } from 'node:path'
import { accessSync, constants } from 'node:fs'
import { AppError } from '../common/errors.ts'
import { cached } from '../scripts/cache.ts'
import { run, tryRun, type Progress } from '../scripts/run.ts'

/** What the Go module in `build/` gives: `kube` is etcd, every Kubernetes program and kubectl by its name. */
export type Program = 'kube' | 'coredns' | 'pause' | 'helm' | 'local-path-provisioner'

const MODULE = join(import.meta.dirname, 'build')
const SOURCES = ['go.mod', 'go.sum', 'cmd/kube/main.go', 'cmd/coredns/main.go', 'cmd/pause/main.go']
const KUBERNETES = 'k8s.io/component-base/version'
const HELM = 'helm.sh/helm/v3'
const MIN_GO = [1, 24] as const

/**
 * Two calls of the compiler: the provisioner's module holds a folder that differs from one of another's only by case,
 * which Go refuses within one build.
 */
const BUILDS: readonly (readonly string[])[] = [
  ['github.com/rancher/local-path-provisioner'],
  ['./cmd/kube', './cmd/coredns', './cmd/pause', 'helm.sh/helm/v3/cmd/helm'],
]

/**
 * Compiles the programs of a Kubernetes cluster from their pinned sources, once: about ten minutes on two cores.
 *
 * @returns the folder that holds a file for each `Program`
 * @throws AppError ERR_CLUSTER_GO_MISSING if there is no Go, or one too old
 */
export async function buildPrograms(progress: Progress): Promise<string> {
  const go = findProgram('go', ['/usr/local/go/bin', '/usr/lib/go/bin'])
  const version = go === undefined ? undefined : await tryRun(go, ['env', 'GOVERSION', 'GOARCH'])
  if (go === undefined || version === undefined || !isRecentEnough(version)) {
    throw new AppError(
      'unavailable',
      'ERR_CLUSTER_GO_MISSING',
      `Kubernetes is compiled from source here: install Go ${MIN_GO.join('.')} or later, or use CLUSTER=kind or CLUSTER=current`,
    )
  }
  const sources = await Promise.all(SOURCES.map((path) => readFile(join(MODULE, path))))
  const flags = buildFlags(sources[0]!.toString())
  return cached('kubernetes', [...sources, ...flags, ...BUILDS.flat(), version], async (folder) => {
    for (const packages of BUILDS) {
      await run(go, ['build', ...flags, '-o', `${folder}/`, ...packages], {
        cwd: MODULE,
        env: { CGO_ENABLED: '0', GOFLAGS: '', GOWORK: 'off', GOMAXPROCS: String(availableParallelism()) },
        progress: `compiling ${packages.map((name) => name.split('/').at(-1)).join(', ')}: minutes the first time`,
        report: progress,
      })
    }
  })
}

/**
 * Without a stamped version the API server calls itself v0.0.0, and Helm takes every cluster that it cannot ask for
 * Kubernetes 1.20: charts that ask for a version are refused then.
 * @param goMod the text of `build/go.mod`, which pins both
 */
export function buildFlags(goMod: string): string[] {
  const versionOf = (module: string) => new RegExp(`\\t${module} (v\\S+)`).exec(goMod)?.[1] ?? ''
  const kubernetes = versionOf('k8s.io/kubernetes')
  const [major = '', minor = ''] = kubernetes.slice(1).split('.')
  const stamps = {
    [`${KUBERNETES}.gitVersion`]: kubernetes,
    [`${KUBERNETES}.gitMajor`]: major,
    [`${KUBERNETES}.gitMinor`]: minor,
    [`${HELM}/internal/version.version`]: versionOf(HELM),
    [`${HELM}/pkg/chartutil.k8sVersionMajor`]: major,
    [`${HELM}/pkg/chartutil.k8sVersionMinor`]: minor,
    [`${HELM}/pkg/lint/rules.k8sVersionMajor`]: major,
    [`${HELM}/pkg/lint/rules.k8sVersionMinor`]: minor,
  }
  const link = Object.entries(stamps).map(([name, value]) => `-X ${name}=${value}`)
  return ['-mod=readonly', '-trimpath', '-buildvcs=false', '-ldflags', ['-s', '-w', ...link].join(' ')]
}

/** @param version the two lines of `go env GOVERSION GOARCH`: `go1.26.8` and `amd64` */
export function isRecentEnough(version: string): boolean {
  const [, major, minor] = /^go(\d+)\.(\d+)/.exec(version) ?? []
  return Number(major) > MIN_GO[0] || (Number(major) === MIN_GO[0] && Number(minor) >= MIN_GO[1])
}

/** The path of an installed program, looked for in `PATH` and the given folders; undefined if there is none. */
export function findProgram(name: string, more: readonly string[] = []): string | undefined {
  for (const folder of [...(process.env['PATH'] ?? '').split(delimiter), ...more]) {
    const path = join(folder, name)
    try {
      accessSync(path, constants.X_OK)
      return path
    } catch {
      // Not in this folder: try the next.
    }
  }
  return undefined
}
