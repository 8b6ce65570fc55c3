import { version } from '../common/version.ts'
import type { BuiltImage } from './images.ts'

/**
 * The commands that bring built images to a registry and install the chart with them there.
 * @param registry host and path, for example `registry.example.com/team`
 */
export function publishCommands(images: readonly BuiltImage[], registry: string): string {
  const published = images.map((image) => ({
    ...image,
    target: image.name.replace(/^localhost/, registry.replace(/\/+$/, '')),
  }))
  const targetOf = (program: string): string => {
    const found = published.find(({ target }) => target.includes(`/${program}:`))
    if (!found) throw new Error(`no image named ${program} was built`)
    return found.target
  }
  const pushes = published.flatMap(({ name, archive, target }) => [
    `docker load --input ${archive}`,
    `docker tag ${name} ${target}`,
    `docker push ${target}`,
  ])
  const [repository, tag] = targetOf('holdfast').split(/:(?=[^/]*$)/) as [string, string]
  const key = version.replaceAll('.', String.raw`\.`)
  return `${pushes.join('\n')}

helm upgrade --install holdfast charts/holdfast --namespace holdfast-system --create-namespace \\
  --set image.repository=${repository} --set image.tag=${tag} \\
  --set 'storageNode.images.${key}=${targetOf('holdfast-storage-node')}'
`
}
