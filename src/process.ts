/** A gateway as a process of its own, started and ended as an operator's supervisor would. */
import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { home } from './federation.ts'

/**
 * A young generation of 32 MB and not 64, for a gateway's garbage dies at once; and an old one that grows by quarters, for what
 * lives on is small; and one thread for the young, where several keep each other waiting. No compiler in the middle, whose code
 * is made, kept and thrown away again before the best of it is made, and one thread behind the main one, as each keeps memory
 * of its own: docs/performance.md has the figures. The Dockerfile and package.json say the same.
 */
export const lean = [
  '--max-semi-space-size=16',
  '--heap-growing-percent=25',
  '--no-parallel-scavenge',
  '--no-maglev',
  '--v8-pool-size=1',
]

/**
 * Where the engine keeps what it has made of each file, for the next start: without it every process strips the types anew,
 * with a compiler that keeps 20 MB for itself. What is in it is taken for our own program, so it lies where that lies.
 */
const compiled = join(home, 'node_modules', '.cache', 'xinqiao')

/**
 * Starts `xinqiao serve` with exactly this environment and resolves when it says that both surfaces are open.
 * Rejects with what it printed where it ends before that. What it logs goes to `log`, a file descriptor, or nowhere.
 * `words` are further words of the command.
 */
export function startProcess(
  environment: Readonly<Record<string, string>>,
  log: number | 'ignore' = 'ignore',
  words: readonly string[] = [],
): Promise<ChildProcess> {
  const child = spawn(process.execPath, [...lean, join(home, 'src', 'cli.ts'), 'serve', ...words], {
    env: { NODE_COMPILE_CACHE: compiled, ...environment },
    stdio: ['ignore', log, 'pipe'],
  })
  const { promise, resolve, reject } = Promise.withResolvers<ChildProcess>()
  let said = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said += text
    if (said.includes('inside')) resolve(child)
  })
  child.once('exit', code => reject(new Error(`the gateway ended with ${code}:\n${said}`)))
  return promise
}

/** Ends a process and resolves when it is gone. */
export function endProcess(child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve()
  const { promise, resolve } = Promise.withResolvers<void>()
  child.once('exit', () => resolve())
  child.kill(signal)
  return promise
}
