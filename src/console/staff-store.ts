/** What the console knows of its staff lies in one SQLite file that its owner alone can read, shared by all processes of the machine. */
import { randomBytes } from 'node:crypto'
import { closeSync, existsSync, openSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { ConfigurationError } from '#protocol/fault.ts'

/** Times are epoch milliseconds. What a browser holds as proof (session, link, spent token) is kept as its SHA-256 alone. */
const SCHEMA = `
  CREATE TABLE secret (id INTEGER PRIMARY KEY CHECK (id = 1), key BLOB NOT NULL) STRICT;
  CREATE TABLE account (
    name TEXT PRIMARY KEY, role TEXT NOT NULL, epoch TEXT NOT NULL, made INTEGER NOT NULL,
    password TEXT, code_secret TEXT, code_step INTEGER NOT NULL DEFAULT 0,
    handle TEXT NOT NULL, link TEXT UNIQUE, link_until INTEGER
  ) STRICT;
  CREATE TABLE passkey (
    id TEXT PRIMARY KEY, account TEXT NOT NULL REFERENCES account (name) ON DELETE CASCADE,
    key BLOB NOT NULL, counter INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE session (
    hash TEXT PRIMARY KEY, name TEXT NOT NULL, role TEXT NOT NULL, realm TEXT NOT NULL, epoch TEXT NOT NULL,
    began INTEGER NOT NULL, seen INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE attempt (key TEXT PRIMARY KEY, failures INTEGER NOT NULL, wait_until INTEGER NOT NULL, last INTEGER NOT NULL) STRICT;
  CREATE TABLE spent (hash TEXT PRIMARY KEY, until INTEGER NOT NULL) STRICT;
  PRAGMA user_version = 1;
`

export type StaffStore = Disposable & {
  readonly db: DatabaseSync
  /** 32 random bytes of this installation: seals what browsers keep for us. */
  readonly secret: Buffer
  /** All of it or nothing of it, and no other process in between. Gives what `work` gives; throws what it throws. */
  transaction<T>(work: () => T): T
}

/**
 * Opens `staff.sqlite` in the data folder, or makes it with nobody in it. Throws ConfigurationError where others may read
 * it, where it is of a later version, and where it cannot be read.
 */
export function openStaffStore(data: string): StaffStore {
  const path = join(data, 'staff.sqlite')
  if (!existsSync(path)) make(path)
  if ((statSync(path).mode & 0o077) !== 0) throw fault('others may read the accounts', `chmod 600 ${path}`)
  try {
    return open(path)
  } catch (error) {
    if (error instanceof ConfigurationError) throw error
    throw fault(String(error), 'bring it back from a backup, or remove it and make the accounts anew')
  }
}

function open(path: string): StaffStore {
  const db = new DatabaseSync(path, { defensive: true, timeout: 2_000 })
  const transaction = <T>(work: () => T): T => {
    db.exec('BEGIN IMMEDIATE')
    try {
      const result = work()
      db.exec('COMMIT')
      return result
    } catch (error) {
      if (db.isTransaction) db.exec('ROLLBACK')
      throw error
    }
  }
  db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF; PRAGMA foreign_keys = ON')
  transaction(() => {
    const version = db.prepare('PRAGMA user_version').get()?.['user_version']
    if (version === 1) return
    if (version !== 0) throw fault(`is of version ${version}`, 'run the program that made it, or a later one')
    db.exec(SCHEMA)
    db.prepare('INSERT INTO secret VALUES (1, ?)').run(randomBytes(32))
  })
  const key = db.prepare('SELECT key FROM secret').get()?.['key']
  if (!(key instanceof Uint8Array)) throw fault('holds no secret', 'bring it back from a backup, or remove it')
  return { db, secret: Buffer.from(key), transaction, [Symbol.dispose]: () => db.close() }
}

function make(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600))
  } catch (error) {
    // Another process was faster, and made the same.
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
  }
}

function fault(problem: string, remedy: string): ConfigurationError {
  return new ConfigurationError([{ file: 'staff.sqlite', path: '', problem, remedy }])
}
