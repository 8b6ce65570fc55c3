import { mkdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { stringify } from 'yaml'
import type { KubeObject } from '../../operator/kube/object.ts'
import { run } from '../../scripts/run.ts'

/** A git repository with one branch, main, in a folder of its own. */
export class Repository {
  readonly folder: string

  private constructor(folder: string) {
    this.folder = folder
  }

  static async create(folder: string): Promise<Repository> {
    await mkdir(folder, { recursive: true })
    const repository = new Repository(folder)
    await repository.git('init', '--quiet', '--initial-branch', 'main')
    return repository
  }

  /** @returns the id of the commit in which the file at `path` holds these objects, or is gone, if there are none */
  async commit(path: string, objects: readonly KubeObject[]): Promise<string> {
    const file = join(this.folder, path)
    await mkdir(dirname(file), { recursive: true })
    if (objects.length === 0) await rm(file, { force: true })
    else await writeFile(file, objects.map((object) => stringify(object)).join('---\n'))
    await this.git('add', '--all')
    const who = ['-c', 'user.name=tests', '-c', 'user.email=tests@example.com']
    await this.git(...who, 'commit', '--quiet', '--allow-empty', '--message', path)
    return (await this.git('rev-parse', 'HEAD')).trim()
  }

  git(...args: readonly string[]): Promise<string> {
    return run('git', args, { cwd: this.folder })
  }
}
