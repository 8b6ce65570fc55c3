import { AppError } from '../common/errors.ts'

/** What a Dockerfile of ours says of its image, beyond that it holds the build context. */
export interface ImageSettings {
  readonly user: string
  readonly workingDir: string
  readonly env: Readonly<Record<string, string>>
  readonly entrypoint: readonly string[]
}

/**
 * Reads a Dockerfile of the one form that needs no builder: `FROM scratch`, `COPY . /`, then only settings. So the
 * Dockerfile is the one place that says them, whether Docker builds the image or this repository's own scripts do.
 * @throws AppError ERR_DOCKERFILE for any other instruction, which the scripts would build differently from Docker
 */
export function readDockerfile(text: string): ImageSettings {
  const settings = {
    user: '',
    workingDir: '/',
    env: {} as Record<string, string>,
    entrypoint: [] as string[],
  }
  const lines = text.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('#'))
  const head = lines.splice(0, 2).join('\n')
  if (head !== 'FROM scratch\nCOPY . /') throw refusal(head)
  for (const line of lines) {
    const [, instruction, rest] = /^([A-Z]+) (.+)$/.exec(line) ?? []
    const variable = /^([A-Z_]+)=([^\s"'$\\]+)$/.exec(rest ?? '')
    if (instruction === 'USER' && /^\d+:\d+$/.test(rest!)) settings.user = rest!
    else if (instruction === 'WORKDIR') settings.workingDir = rest!
    else if (instruction === 'ENV' && variable) settings.env[variable[1]!] = variable[2]!
    else if (instruction === 'ENTRYPOINT' && rest!.startsWith('['))
      settings.entrypoint = JSON.parse(rest!) as string[]
    else throw refusal(line)
  }
  return settings
}

function refusal(line: string): AppError {
  const accepted =
    'FROM scratch, COPY . /, then USER <uid>:<gid>, WORKDIR, ENV NAME=value without quotes, ENTRYPOINT [...]'
  return new AppError('invalid', 'ERR_DOCKERFILE', `"${line}": a Dockerfile here has only ${accepted}`)
}
