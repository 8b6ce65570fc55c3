import { expect, test } from 'vitest'
import { clientLine } from './client-line.ts'
import { run } from './run.ts'

// A line that is printed to be pasted does what it says in the plainest of shells.

test('curl gets the token on its standard input and every word as it was meant', async () => {
  const words = ["SELECT * FROM visits WHERE page = 'home'", '$HOME `id` "quoted"', '']
  const line = clientLine({
    kubectl: 'kubectl',
    kubeconfig: '/a folder/kubeconfig',
    namespace: 'marketing',
    secret: 'marketing-api-token',
    authority: '/run/ca.crt',
    url: 'https://192.0.2.7:30086/api/v2/write?org=Marketing&bucket=metrics',
    options: ['--data-urlencode', ...words],
  })
  const stand = `kubectl() { for word; do echo "kubectl <$word>"; done; }; curl() { cat; for word; do echo "<$word>"; done; }`
  const output = await run('sh', ['-c', `${stand}\n${line}`])
  expect(output).toContain('kubectl </a folder/kubeconfig>')
  expect(output).toContain('kubectl <go-template=header="Authorization: Token {{base64decode .data.token}}">')
  expect(output).toContain('<https://192.0.2.7:30086/api/v2/write?org=Marketing&bucket=metrics>')
  for (const word of words) expect(output).toContain(`\n<${word}>\n`)
})
