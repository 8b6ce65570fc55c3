/**
 * Who a component is, as a URI in its certificate's subject alternative names: `holdfast://<id>/<role>`. A storage
 * node carries its organization's id; the others that of the installation they belong to. Every
 * listener demands exactly the identities that may call it, and every caller the one it means to reach.
 */
export type Role = 'node' | 'gateway' | 'operator' | 'probe'

export function identity(id: string, role: Role): string {
  return `holdfast://${id}/${role}`
}

/**
 * The Holdfast identities of a peer's certificate. The caller must have checked the chain before.
 * @param subjectAltName as Node gives it, for example `DNS:a, URI:holdfast://0123456789abcdef/node`
 */
export function identitiesOf(subjectAltName: string | undefined): readonly string[] {
  // Node writes a name that holds a comma or a quote as a JSON string. None of ours does, so what is quoted is cut out
  // before the list is split: a quoted name must not be able to smuggle an entry in.
  return (subjectAltName ?? '')
    .replaceAll(/"(?:[^"\\]|\\.)*"/g, '')
    .split(', ')
    .filter((entry) => entry.startsWith('URI:holdfast://'))
    .map((entry) => entry.slice('URI:'.length))
}
