import { describe, expect, test } from 'vitest'
import type * as z from 'zod'
import { unreachable } from '../../common/errors.ts'
import { ruleCases, type RuleCase } from '../../test/integration/rule-cases.ts'
import { databaseRules, organizationRules, tokenRules, violations, type Rule, type Violation } from './cel.ts'
import { databaseSchema } from './database.ts'
import { organizationSchema } from './organization.ts'
import { tokenSchema } from './token.ts'

// What the API server lets pass or refuses, the operator lets pass or refuses, for the same field. The same table is
// put to a real API server in test/integration.

const metadata = { name: 'x', namespace: 'x', uid: 'u', creationTimestamp: '2026-01-01T00:00:00Z' }

function problems({ kind, name, before, spec, status }: RuleCase): readonly Violation[] {
  const whole = (spec: unknown) => ({
    apiVersion: 'holdfast.dev/v1alpha1',
    kind,
    metadata: { ...metadata, ...(name !== undefined && { name }) },
    spec,
    status,
  })
  const [now, then] = [whole(spec), before && whole(before)]
  switch (kind) {
    case 'Organization':
      return check(organizationSchema, organizationRules, now, then)
    case 'Database':
      return check(databaseSchema, databaseRules, now, then)
    case 'Token':
      return check(tokenSchema, tokenRules, now, then)
    default:
      return unreachable(kind)
  }
}

function check<Schema extends z.ZodType>(
  schema: Schema,
  rules: readonly Rule<z.infer<Schema>>[],
  now: unknown,
  before: unknown,
): readonly Violation[] {
  const parsed = schema.safeParse(now)
  if (parsed.success)
    return violations(rules, parsed.data, before === undefined ? null : schema.parse(before))
  return parsed.error.issues.map((issue) => ({ path: pathText(issue.path), message: issue.message }))
}

const pathText = (path: readonly PropertyKey[]): string =>
  path.reduce<string>(
    (text, step) => (typeof step === 'number' ? `${text}[${step}]` : `${text}${text && '.'}${String(step)}`),
    '',
  )

describe('each rule', () => {
  test.each(ruleCases)('$kind with $what: refused at $refused', (ruleCase) => {
    const found = problems(ruleCase)
    if (ruleCase.refused === null) expect(found).toEqual([])
    else expect(found.map(({ path }) => path)).toContain(ruleCase.refused)
  })

  test('a refusal names the field and what is accepted', () => {
    const [found] = problems({
      kind: 'Organization',
      what: '',
      spec: { storage: { size: '1Mi' } },
      refused: null,
    })
    expect(found?.message).toBe('spec.storage.size: from 100Mi to 1Pi expected, for example 10Gi')
  })

  test('the table breaks each rule at least once', () => {
    const rules = { Organization: organizationRules, Database: databaseRules, Token: tokenRules }
    const untouched = Object.entries(rules).flatMap(([kind, list]) =>
      list
        .filter(
          ({ at, field, message }) =>
            !ruleCases.some(
              (ruleCase) =>
                ruleCase.kind === kind &&
                problems(ruleCase).some(
                  (found) =>
                    found.path === (at === 'spec' ? `spec${field}` : field.slice(1)) &&
                    found.message.endsWith(message),
                ),
            ),
        )
        .map(({ field }) => `${kind} ${field}`),
    )
    expect(untouched).toEqual([])
  })
})
