import { parseArgs, type ParseArgsConfig } from 'node:util'
import { systemClock } from '../common/clock.ts'
import { messageOf } from '../common/errors.ts'
import { kubectlWith } from './kubectl.ts'
import { prove } from './prove.ts'

const usage = `kubectl holdfast prove [NAME ...] [--namespace NAMESPACE | --all-namespaces] [--timeout SECONDS]

Tries every path of organizations that must be closed, with packets, now, each beside a control, and shows what came of
it. All organizations of the namespace where no name is given.

  --namespace, -n        namespace of the Organizations; else that of the context
  --all-namespaces, -A   all of them
  --timeout              seconds to wait for an answer; 60 if not given
  --context, --kubeconfig  as for kubectl

Ends with 0 if everything is closed, 1 if a packet got through, 2 if something could not be proved.
`

const options = {
  namespace: { type: 'string', short: 'n' },
  'all-namespaces': { type: 'boolean', short: 'A', default: false },
  timeout: { type: 'string', default: '60' },
  context: { type: 'string' },
  kubeconfig: { type: 'string' },
  help: { type: 'boolean', short: 'h', default: false },
} as const satisfies ParseArgsConfig['options']

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({ options, allowPositionals: true })
  const [command, ...names] = positionals
  const timeoutMs = Number(values.timeout) * 1_000
  const isAll = values['all-namespaces']
  const isWrong = command !== 'prove' || !(timeoutMs > 0) || (isAll && names.length > 0)
  if (values.help || isWrong) {
    process[values.help ? 'stdout' : 'stderr'].write(usage)
    return values.help ? 0 : 2
  }
  const passedOn = (['context', 'kubeconfig'] as const).flatMap((name) =>
    values[name] === undefined ? [] : [`--${name}`, values[name]],
  )
  const kubectl = kubectlWith(passedOn)
  const print = (text: string) => process.stdout.write(`${text}\n`)
  return prove(
    { kubectl, clock: systemClock, print },
    { names, namespace: values.namespace, isAll, timeoutMs },
  )
}

try {
  process.exitCode = await main()
} catch (error) {
  console.error(messageOf(error))
  process.exitCode = 2
}
