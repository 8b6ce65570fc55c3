import { describe, expect, test } from 'vitest'
import { readDockerfile } from './dockerfile.ts'

const head = 'FROM scratch\nCOPY . /\n'

describe('an image made without Docker is the image that Docker would make', () => {
  test('every setting is taken over', () => {
    const text = `# why\n${head}USER 65532:65532\n\nWORKDIR /app\nENV A=1\nENV B_C=/x/y\nENTRYPOINT ["/app/node", "-v"]\n`
    expect(readDockerfile(text)).toEqual({
      user: '65532:65532',
      workingDir: '/app',
      env: { A: '1', B_C: '/x/y' },
      entrypoint: ['/app/node', '-v'],
    })
  })

  test.each([
    ['another base', 'FROM debian\nCOPY . /\n'],
    ['another context', 'FROM scratch\nCOPY x /\n'],
    ['nothing', ''],
    ['a command run in the build', `${head}RUN true\n`],
    ['a second stage', `${head}FROM scratch\n`],
    ['a user by name, which needs a look-up', `${head}USER nobody\n`],
    ['an entrypoint that needs a shell', `${head}ENTRYPOINT /app/node\n`],
    ['quotes, which Docker would take away', `${head}ENV A="1"\n`],
    ['a variable, which Docker would replace', `${head}ENV A=$HOME\n`],
    ['two variables in a line', `${head}ENV A=1 B=2\n`],
    ['an instruction without a value', `${head}USER\n`],
  ])('%s is refused', (_name, text) => {
    expect(() => readDockerfile(text)).toThrow(expect.objectContaining({ code: 'ERR_DOCKERFILE' }))
  })
})
