import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'

export interface Source {
  /** Path from the repository's root. */
  readonly path: string
  readonly text: string
}

/** Every file that git tracks or would track, read as text. */
export function sources(...endings: readonly string[]): readonly Source[] {
  return execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '-z'], {
    encoding: 'utf8',
  })
    .split('\0')
    .filter((path) => endings.some((ending) => path.endsWith(ending)) && existsSync(path))
    .map((path) => ({ path, text: readFileSync(path, 'utf8') }))
}

export interface Import {
  readonly from: string
  /** Path from the root for our own modules, package or `node:` name otherwise. */
  readonly to: string
  readonly typeOnly: boolean
}

/** Every static and dynamic import of a source with a literal name. */
export function importsOf(source: Source): readonly Import[] {
  const found: Import[] = []
  const pattern =
    /(?:^|\n)\s*(?:import|export)\s+(type\s+)?[^'"`;]*?from\s+'([^']+)'|(?:^|\n)\s*import\s+'([^']+)'|\bimport\(\s*'([^']+)'/g
  for (const match of source.text.matchAll(pattern)) {
    const name = match[2] ?? match[3] ?? match[4]!
    const to = name.startsWith('.') ? normalize(join(dirname(source.path), name)) : name
    found.push({ from: source.path, to, typeOnly: match[1] !== undefined })
  }
  return found
}
