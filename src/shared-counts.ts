/** Processes that are one gateway share what they count: those of a machine in a file, those of several in their PostgreSQL. */
import { chmodSync, closeSync, openSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import postgres from 'postgres'
import type { Counts } from '#agreement/counts.ts'
import { openLine, unavailable } from '#ledger/postgres-line.ts'
import { isBusy, whenUnlocked } from '#ledger/sqlite-code.ts'
import { refuse } from '#protocol/refusal.ts'

/** How long to wait while another process makes the file; milliseconds. */
const BUSY_TIMEOUT = 200

/**
 * Counts that the processes of one machine share, in a file that is made where there is none. It need not outlive a crash of
 * the machine: what a ledger holds is given as `from` again. `add` rejects with `load.busy` where another process keeps the file's
 * lock for longer than a count may wait.
 */
export function countInFile(path: string): Counts {
  closeSync(openSync(path, 'a', 0o600))
  chmodSync(path, 0o600)
  const db = new DatabaseSync(path, { defensive: true, timeout: BUSY_TIMEOUT })
  db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA trusted_schema = OFF;
    CREATE TABLE IF NOT EXISTS count (
      name TEXT PRIMARY KEY, period INTEGER NOT NULL, n INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    PRAGMA busy_timeout = 0`)
  const begin = db.prepare('BEGIN IMMEDIATE')
  const commit = db.prepare('COMMIT')
  const rollback = db.prepare('ROLLBACK')
  // An earlier period gives way to a later one; a process whose clock is behind counts within the later.
  const put = db.prepare(
    `INSERT INTO count VALUES (:name, :period, :from + :add) ON CONFLICT (name) DO UPDATE SET
      n = iif(period < excluded.period, excluded.n, n + :add), period = max(period, excluded.period)
      RETURNING n`,
  )
  /** Undefined where another process has the lock. */
  const begun = (): true | undefined => {
    try {
      begin.run()
      return true
    } catch (fault) {
      if (isBusy(fault)) return undefined
      throw fault
    }
  }
  return {
    add: async counts => {
      if ((begun() ?? (await whenUnlocked(begun))) === undefined)
        throw refuse('load.busy', `${path}: another process keeps its lock`)
      try {
        const full = counts.find(({ name, period, add, most, from = 0 }) => {
          const row = put.get({ name, period, add, from })
          return typeof row?.['n'] !== 'number' || row['n'] > most
        })
        ;(full === undefined ? commit : rollback).run()
        return full?.name
      } catch (fault) {
        if (db.isTransaction) rollback.run()
        throw fault
      }
    },
    [Symbol.asyncDispose]: async () => db.close(),
  }
}

/** The code with which `count_up` says that there is no room for the count whose name it gives. */
const FULL = 'XQ003'

/** Counts that all gateways on one PostgreSQL share, beside their ledger. Rejects with `ledger.unavailable` where there is no server. */
export function countInPostgres(url: string): Counts {
  const line = openLine(url, 2)
  return {
    add: async counts => {
      try {
        await line.ask(sql => sql`SELECT count_up(${JSON.stringify(counts)}::text::json)`)
        return undefined
      } catch (fault) {
        if (fault instanceof postgres.PostgresError && fault.code === FULL) return fault.message
        throw unavailable(fault)
      }
    },
    [Symbol.asyncDispose]: () => line.close(),
  }
}
