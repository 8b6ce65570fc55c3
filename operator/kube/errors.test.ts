import { describe, expect, test } from 'vitest'
import { answerError } from './errors.ts'

// The promise: whoever refused is named, and nothing is quoted of a Secret. What an admission policy refuses is a matter of
// rights, whatever its status says, and so is tried again while a right may still be on its way.

const asked = { verb: 'create', resource: 'secrets', namespace: 'ns', name: 'a' }
const refusal = (message: string) => ({ kind: 'Status', reason: 'Invalid', message })

describe('an admission policy', () => {
  const message = `x "a" is forbidden: ValidatingAdmissionPolicy 'holdfast-operator' with binding 'b' denied request: hunter2`

  test.each([403, 422])('that refuses with %i has refused a right, and is named', (statusCode) => {
    expect(answerError(statusCode, refusal(message), { ...asked, resource: 'rolebindings' })).toMatchObject({
      kind: 'forbidden',
      code: 'ERR_KUBE_FORBIDDEN',
      message: `create rolebindings ns/a: ${statusCode} ${message}`,
    })
  })

  test('that refuses a Secret is named without its words, which may quote the Secret', () => {
    expect(answerError(422, refusal(message), asked).message).toBe(
      'create secrets ns/a: 422 Invalid by ValidatingAdmissionPolicy holdfast-operator',
    )
  })

  test.each([
    ['the schema', 'x "a" is invalid: spec: Invalid value'],
    [
      'a webhook that speaks of one',
      `admission webhook "w" denied the request: ValidatingAdmissionPolicy 'b' `,
    ],
  ])('is not taken for %s', (_who, words) => {
    expect(answerError(422, refusal(words), asked)).toMatchObject({
      kind: 'invalid',
      code: 'ERR_KUBE_INVALID',
      message: 'create secrets ns/a: 422 Invalid',
    })
  })
})
