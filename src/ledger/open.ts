/** A ledger is named by its place, the path of a file or the URL of a PostgreSQL; nobody but this file asks which. */
import { Refusal, refuse } from '#protocol/refusal.ts'
import type { Ledger } from './ledger.ts'
import type { LogStore } from './log.ts'
import { auditLog } from './log-audit.ts'
import { isPostgres } from './place.ts'
import { createPostgresLedger, openPostgresLedger } from './postgres.ts'
import { openPostgresLog } from './postgres-log.ts'
import { verifyPostgres } from './postgres-verify.ts'
import { createLedger, openLedger } from './sqlite.ts'
import { openLogStore } from './sqlite-log.ts'
import { hasLog } from './tables.ts'
import { openToRead, verifyLedger } from './verify.ts'
import type { Fault, Verification, VerifyOptions } from './walk.ts'

/**
 * Makes a ledger where there is none; in PostgreSQL a `role` may be named that shall append and read only. Throws
 * `ledger.unavailable` where one is, or where none can be.
 */
export async function createLedgerAt(place: string, city: string, role?: string): Promise<void> {
  if (isPostgres(place)) await createPostgresLedger(place, { city }, role)
  else createLedger(place, city)
}

/** Opens this city's ledger for appending. Evidence is held for `retentionDays`. Throws `ledger.unavailable`, with the reason. */
export async function openLedgerAt(
  place: string,
  city: string,
  options: { readonly retentionDays?: number } = {},
): Promise<Ledger> {
  return isPostgres(place) ? openPostgresLedger(place, city, options) : openLedger(place, city, options)
}

/** Opens the transparency log of a ledger that `openLedgerAt` has opened. Throws `ledger.unavailable`. */
export async function openLogStoreAt(place: string): Promise<LogStore> {
  return isPostgres(place) ? openPostgresLog(place) : openLogStore(place)
}

/** Verifies a ledger, in use or at rest. Throws `ledger.unavailable` only when there is none, or no server. */
export async function verifyLedgerAt(place: string, options: VerifyOptions = {}): Promise<Verification> {
  const found = await (isPostgres(place) ? verifyPostgres(place, options) : verifyLedger(place, options))
  // Of what cannot be read, its log cannot either.
  if (found.identity === undefined) return found
  const { report = 20 } = options
  const faults = [...found.faults]
  let { faultCount } = found
  const add = (fault: Fault) => {
    faultCount += 1
    if (faults.length < report) faults.push(fault)
  }
  try {
    await using store = openLogToRead(place)
    if (store !== undefined) for await (const fault of auditLog(store)) add(fault)
  } catch (fault) {
    add({ name: 'unreadable', index: undefined, detail: fault instanceof Error ? fault.message : String(fault) })
  }
  return { ...found, faults, faultCount, verified: faultCount === 0 }
}

/**
 * Opens the log of a ledger to read only, also on a medium that cannot be written; undefined where it is a file of the version
 * before there was a log. Throws `ledger.unavailable` where it cannot be read, in PostgreSQL when it is first asked.
 */
export function openLogToRead(place: string): LogStore | undefined {
  if (isPostgres(place)) return openPostgresLog(place)
  try {
    using db = openToRead(place)
    return hasLog(db) ? openLogStore(place, { readOnly: true }) : undefined
  } catch (fault) {
    if (fault instanceof Refusal) throw fault
    throw refuse('ledger.unavailable', `${place}: ${fault instanceof Error ? fault.message : String(fault)}`, fault)
  }
}
