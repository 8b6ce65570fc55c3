import { expect, test } from 'vitest'
import { version } from '../common/version.ts'
import { publishCommands } from './publish.ts'

// What is printed pushes every image under the very name that the chart is then given.

const images = [
  { name: `localhost/holdfast:${version}-0123456789ab`, archive: '/cache/one/image.tar' },
  { name: `localhost/holdfast-storage-node:${version}-ba9876543210`, archive: '/cache/two/image.tar' },
]

test.each(['registry.example.com:5000/team', 'registry.example.com:5000/team/'])('to %s', (registry) => {
  const text = publishCommands(images, registry)
  const pushed = [...text.matchAll(/^docker push (.+)$/gm)].map((match) => match[1]!)
  expect(pushed).toEqual([
    `registry.example.com:5000/team/holdfast:${version}-0123456789ab`,
    `registry.example.com:5000/team/holdfast-storage-node:${version}-ba9876543210`,
  ])
  for (const [index, { name, archive }] of images.entries()) {
    expect(text).toContain(`docker load --input ${archive}\ndocker tag ${name} ${pushed[index]}\n`)
  }
  expect(text).toContain(
    `--set image.repository=registry.example.com:5000/team/holdfast --set image.tag=${version}-0123456789ab`,
  )
  const key = version.split('.').join(String.raw`\.`)
  expect(text).toContain(`--set 'storageNode.images.${key}=${pushed[1]}'`)
})
