/** What SQLite says of a statement that failed, told from every other error; and how its lock is waited for. */
import { setTimeout as pause } from 'node:timers/promises'

/**
 * How long another process's lock is waited for, and how often it is tried for; ms. A commit takes 1 to 2, but on a machine with more
 * to do than processors the process that holds it may be made to pause in the middle.
 */
const LOCK_PATIENCE = 1_000
const LOCK_PAUSE = 1

/** The extended result code of an error, https://sqlite.org/rescode.html; undefined for an error that is none of SQLite's. */
export function extendedCode(fault: unknown): number | undefined {
  return fault instanceof Error && 'errcode' in fault && typeof fault.errcode === 'number' ? fault.errcode : undefined
}

/** The same less its extension. */
export function resultCode(fault: unknown): number | undefined {
  const code = extendedCode(fault)
  return code === undefined ? undefined : code & 0xff
}

/** SQLITE_BUSY: another connection has the lock, or needed it for a moment, as for a checkpoint. */
export function isBusy(fault: unknown): boolean {
  return resultCode(fault) === 5
}

/** SQLITE_CONSTRAINT: a row, or a trigger, refused. */
export function isConstraint(fault: unknown): boolean {
  return resultCode(fault) === 19
}

/**
 * Tries again what gave nothing because another process has the lock, until it gives something; undefined where that takes too long.
 * Meanwhile the event loop goes on, as it does not where SQLite itself waits.
 */
export async function whenUnlocked<T>(attempt: () => T | undefined): Promise<T | undefined> {
  const until = performance.now() + LOCK_PATIENCE
  do {
    await pause(LOCK_PAUSE)
    const done = attempt()
    if (done !== undefined) return done
  } while (performance.now() < until)
  return undefined
}
