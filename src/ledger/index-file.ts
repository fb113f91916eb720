/**
 * The file of a ledger's index: nothing in it that cannot be made again, and nothing taken from it that was not checked.
 *
 * A segment is written in one transaction. Who makes one holds SQLite's write lock meanwhile, so that of several processes one
 * makes it and the others read it; the lock ends with its holder.
 */
import { closeSync, openSync, rmSync } from 'node:fs'
import { endianness } from 'node:os'
import { join, parse } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { crc32 } from 'node:zlib'
import { canonical } from '#protocol/canonical.ts'
import type { Identity } from './entry.ts'
import { kept, type Segment } from './segment.ts'
import { isBusy, resultCode } from './sqlite-code.ts'
import { bytes, text } from './tables.ts'

/** Of the blocks, in the byte order of this machine; another one makes the file anew. */
const FORMAT = `1 ${endianness()}`
/** Room for the numbers of the blocks of one segment. */
const BLOCKS = 4096

/** The file is of no use: for now, or, where `damaged`, until it is made anew. */
export class Unusable extends Error {
  readonly damaged: boolean
  constructor(cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause })
    this.damaged = isDamage(cause)
  }
}

export type IndexFile = Disposable & {
  /**
   * A segment by its number, where it is there and was made of the ledger's entries: `link` is that of the last of them.
   * Throws Unusable, as everything here does and the segment's own functions do.
   */
  segment(n: number, link: () => Uint8Array): Segment | undefined
  /** Takes the write lock, or gives false when another process has it. */
  take(): boolean
  /** Writes a segment under the lock, and lets go of it. */
  write(n: number, link: Uint8Array, blocks: ReadonlyMap<number, Uint8Array>): void
  /** Lets go of the lock without having written. */
  drop(): void
}

/** Where the index of a ledger is: `ledger.index.sqlite` beside `ledger.sqlite`. */
export function indexPath(ledgerPath: string): string {
  const { dir, name } = parse(ledgerPath)
  return join(dir, `${name}.index.sqlite`)
}

/** Opens the index of this ledger, for the owner alone; makes it where there is none. */
export function openIndexFile(path: string, identity: Identity): IndexFile {
  return checked(() => {
    closeSync(openSync(path, 'a', 0o600))
    const db = new DatabaseSync(path, { timeout: 0, defensive: true })
    try {
      return serve(db, canonical({ ...identity, format: FORMAT }))
    } catch (fault) {
      db.close()
      throw fault
    }
  })
}

/** Removes an index, with what SQLite keeps beside it. */
export function removeIndexFile(path: string): void {
  for (const file of [path, `${path}-wal`, `${path}-shm`, `${path}-journal`]) rmSync(file, { force: true })
}

function serve(db: DatabaseSync, of: string): IndexFile {
  // Not synced with every segment: a crash of the machine may lose the last ones, never a part of one.
  db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA trusted_schema = OFF;
    PRAGMA journal_size_limit = 8388608`)
  if (db.prepare('SELECT name FROM sqlite_schema').get() === undefined) make(db, of)
  if (text(db.prepare('SELECT ledger FROM about').get()?.['ledger']) !== of) throw new Error('of another ledger')
  const linkOf = db.prepare('SELECT link FROM segment WHERE n = ?')
  const blockOf = db.prepare('SELECT bytes FROM block WHERE id = ?')
  const insertSegment = db.prepare('INSERT INTO segment VALUES (?, ?)')
  const insertBlock = db.prepare('INSERT INTO block VALUES (?, ?)')
  const segments = new Map<number, Segment>()

  function read(id: number): Uint8Array {
    const block = bytes(blockOf.get(id)?.['bytes'])
    const content = block.subarray(4)
    if (sum(id, content) !== Buffer.from(block.buffer, block.byteOffset, 4).readUInt32BE()) {
      throw new Error(`block ${id} is not as it was written`)
    }
    return content
  }

  return {
    segment: (n, link) =>
      checked(() => {
        const known = segments.get(n)
        if (known !== undefined) return known
        const own = linkOf.get(n)?.['link']
        if (own === undefined) return undefined
        if (Buffer.compare(bytes(own), link()) !== 0) throw new Error('of a ledger that went on otherwise')
        const segment = kept(block => checked(() => read(n * BLOCKS + block)))
        segments.set(n, segment)
        return segment
      }),

    take: () =>
      checked(() => {
        try {
          db.exec('BEGIN IMMEDIATE')
          return true
        } catch (fault) {
          if (isBusy(fault)) return false
          throw fault
        }
      }),

    write: (n, link, blocks) =>
      checked(() => {
        insertSegment.run(n, link)
        for (const [number, content] of blocks) {
          const id = n * BLOCKS + number
          const head = Buffer.alloc(4)
          head.writeUInt32BE(sum(id, content))
          insertBlock.run(id, Buffer.concat([head, content]))
        }
        db.exec('COMMIT')
      }),

    drop: () => {
      if (db.isTransaction) db.exec('ROLLBACK')
    },
    [Symbol.dispose]: () => db.close(),
  }
}

/** All at once: a file either has everything or is empty, also for the process that comes just behind. */
function make(db: DatabaseSync, of: string): void {
  db.exec(`BEGIN IMMEDIATE;
    CREATE TABLE IF NOT EXISTS about (one INTEGER PRIMARY KEY CHECK (one = 1), ledger TEXT NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS segment (n INTEGER PRIMARY KEY, link BLOB NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS block (id INTEGER PRIMARY KEY, bytes BLOB NOT NULL) STRICT`)
  db.prepare('INSERT OR IGNORE INTO about VALUES (1, ?)').run(of)
  db.exec('COMMIT')
}

/** Of the number as well: a block in the place of another is found. */
function sum(id: number, content: Uint8Array): number {
  return crc32(content, id >>> 0)
}

/** Not when it is locked, the disk full or the folder not ours: then it may be whole. Errors of our own checks have no code. */
function isDamage(fault: unknown): boolean {
  const [ERROR, CORRUPT, CONSTRAINT, NOT_A_DATABASE] = [1, 11, 19, 26]
  const code = resultCode(fault)
  if (code === undefined) return !(fault instanceof Error && 'syscall' in fault)
  return code === ERROR || code === CORRUPT || code === CONSTRAINT || code === NOT_A_DATABASE
}

function checked<T>(work: () => T): T {
  try {
    return work()
  } catch (fault) {
    throw fault instanceof Unusable ? fault : new Unusable(fault)
  }
}
