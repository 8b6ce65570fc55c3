export interface ClientCall {
  readonly kubectl: string
  readonly kubeconfig: string
  /** Where the Token's Secret is. */
  readonly namespace: string
  readonly secret: string
  /** Path of the certificate that the gateway's is checked against. */
  readonly authority: string
  readonly url: string
  /** Further arguments of curl. */
  readonly options: readonly string[]
}

/**
 * A line for any POSIX shell that calls the gateway with curl. The token goes from the Secret to curl's standard input:
 * no file holds it, and no list of processes shows it.
 */
export function clientLine({
  kubectl,
  kubeconfig,
  namespace,
  secret,
  authority,
  url,
  options,
}: ClientCall): string {
  const template = `header="Authorization: Token {{base64decode .data.token}}"`
  const token = [kubectl, '--kubeconfig', kubeconfig, '-n', namespace, 'get', 'secret', secret, '-o']
  const call = ['curl', '-sS', '--fail-with-body', '-K', '-', '--cacert', authority, url, ...options]
  return `${words([...token, `go-template=${template}`])} | ${words(call)}`
}

/** Words as a shell reads them back. */
function words(list: readonly string[]): string {
  return list
    .map((word) => (/^[-\w./:=,@]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`))
    .join(' ')
}
