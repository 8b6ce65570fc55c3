import { execFile } from 'node:child_process'

/** Runs kubectl with the rights of whoever runs this. @throws Error with kubectl's own words */
export type Kubectl = (...args: readonly string[]) => Promise<string>

const timeoutMs = 30_000
const answerBytes = 64 * 1_024 * 1_024

/** @param passedOn options of every call */
export function kubectlWith(passedOn: readonly string[]): Kubectl {
  return (...args) =>
    new Promise((resolve, reject) => {
      const limits = { timeout: timeoutMs, maxBuffer: answerBytes }
      execFile('kubectl', [...args, ...passedOn], limits, (error, stdout, stderr) => {
        if (error) reject(new Error(stderr.trim() || error.message))
        else resolve(stdout)
      })
    })
}
