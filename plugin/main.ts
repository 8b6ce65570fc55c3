import { parseArgs, type ParseArgsConfig } from 'node:util'
import { systemClock } from '../common/clock.ts'
import { messageOf } from '../common/errors.ts'
import { verifyAudit } from './audit.ts'
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

kubectl holdfast audit verify [FILE ...] --key FILE

Verifies the audit lines in logs, whatever else is in them, and names those that are altered, missing, repeated or out
of order. Files in the order in which they were written; what is piped in where none is given.

  --key                  file of the private key

Ends with 0 if all lines are as they were written, 1 if one is not, 2 if something could not be verified.
`

const print = (text: string) => process.stdout.write(`${text}\n`)

const proveOptions = {
  namespace: { type: 'string', short: 'n' },
  'all-namespaces': { type: 'boolean', short: 'A', default: false },
  timeout: { type: 'string', default: '60' },
  context: { type: 'string' },
  kubeconfig: { type: 'string' },
  help: { type: 'boolean', short: 'h', default: false },
} as const satisfies ParseArgsConfig['options']

async function runProve(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: proveOptions,
    allowPositionals: true,
  })
  const [command, ...names] = positionals
  const timeoutMs = Number(values.timeout) * 1_000
  const isAll = values['all-namespaces']
  const isWrong = command !== 'prove' || !(timeoutMs > 0) || (isAll && names.length > 0)
  if (values.help || isWrong) return tell(values.help)
  const passedOn = (['context', 'kubeconfig'] as const).flatMap((name) =>
    values[name] === undefined ? [] : [`--${name}`, values[name]],
  )
  const kubectl = kubectlWith(passedOn)
  return prove(
    { kubectl, clock: systemClock, print },
    { names, namespace: values.namespace, isAll, timeoutMs },
  )
}

const auditOptions = {
  key: { type: 'string' },
  help: { type: 'boolean', short: 'h', default: false },
} as const satisfies ParseArgsConfig['options']

async function runAudit(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: auditOptions,
    allowPositionals: true,
  })
  const [, command, ...files] = positionals
  if (values.help || command !== 'verify' || values.key === undefined) return tell(values.help)
  return verifyAudit({ stdin: process.stdin, print }, { files, keyFile: values.key })
}

function tell(isAsked: boolean): number {
  process[isAsked ? 'stdout' : 'stderr'].write(usage)
  return isAsked ? 0 : 2
}

try {
  const args = process.argv.slice(2)
  process.exitCode = await (args[0] === 'audit' ? runAudit(args) : runProve(args))
} catch (error) {
  console.error(messageOf(error))
  process.exitCode = 2
}
