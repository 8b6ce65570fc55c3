import { writeFileSync } from 'node:fs'
import { relative } from 'node:path'
import type { Reporter, TestCase, TestModule, TestSuite } from 'vitest/node'
import type { FailureError, TestFailure, TestReport } from './test-report.ts'

/**
 * A reporter of vitest's that writes a `TestReport` to the file that HOLDFAST_TEST_REPORT names. vitest's own JSON says
 * nothing of hooks that failed, of diffs, of causes and of errors outside of every test.
 */
export default class TestReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly FailureError[]): void {
    const file = process.env['HOLDFAST_TEST_REPORT']
    if (file === undefined) throw new Error('HOLDFAST_TEST_REPORT names no file')
    writeFileSync(file, JSON.stringify(reportOf(modules, unhandled)))
  }
}

function reportOf(modules: readonly TestModule[], unhandled: readonly FailureError[]): TestReport {
  const tests = modules.flatMap((module) => [...module.children.allTests()])
  const count = (state: string): number => tests.filter((test) => test.result().state === state).length
  return {
    passed: count('passed'),
    failed: count('failed'),
    skipped: count('skipped'),
    failures: [
      ...modules.flatMap((module) => failuresOf(module)),
      ...unhandled.map((error) => ({ file: '', names: ['outside of every test'], errors: [shownOf(error)] })),
    ],
  }
}

function failuresOf(module: TestModule): readonly TestFailure[] {
  const file = relative(process.cwd(), module.moduleId)
  const failure = (names: readonly string[], errors: readonly FailureError[]): readonly TestFailure[] =>
    errors.length === 0 ? [] : [{ file, names, errors: errors.map((error) => shownOf(error)) }]
  return [
    ...failure([], module.errors()),
    ...[...module.children.allSuites()].flatMap((suite) => failure(namesOf(suite), suite.errors())),
    ...[...module.children.allTests('failed')].flatMap((test) =>
      failure(namesOf(test), test.result().errors ?? []),
    ),
  ]
}

function namesOf(task: TestCase | TestSuite): readonly string[] {
  const { parent } = task
  return parent.type === 'module' ? [task.name] : [...namesOf(parent), task.name]
}

/** Causes may go round in a circle. */
const maxCauses = 3

function shownOf({ message, stack, diff, cause }: FailureError, depth = 0): FailureError {
  return { message, stack, diff, cause: cause && depth < maxCauses ? shownOf(cause, depth + 1) : undefined }
}
