/** A ledger is carried to another place whole, as the same ledger: entry by entry, and what came out is verified against what went in. */
import { existsSync, renameSync, rmSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { refuse } from '#protocol/refusal.ts'
import { fillLedgerAt, type Target } from './copy-target.ts'
import type { Kept, LogStore, Tile } from './log.ts'
import { openLogToRead, verifyLedgerAt } from './open.ts'
import { isPostgres, shown } from './place.ts'
import { connect } from './postgres-line.ts'
import { batches as postgresBatches } from './postgres-verify.ts'
import { filledTiles, perfectRoot, type TilePlace } from './tree.ts'
import { batches as fileBatches, openToRead } from './verify.ts'
import type { Batch, Verification } from './walk.ts'

/** Of the log, what is read and written at once: some 200 KB of tiles, and half a megabyte of checkpoints with ten cosignatures. */
const TILES = 16
const CHECKPOINTS = 256

export type CopyOptions = {
  /** Called now and then with how many entries are done, of how many; each is read, written and verified. */
  readonly progress?: ((done: number, total: number) => void) | undefined
}

/**
 * Moves a ledger. No gateway may use it meanwhile: a file that is in use is refused, and has another name afterwards, so that
 * nobody goes on with it; of a PostgreSQL it is found out at the end. Throws `ledger.unavailable` where the source is not
 * whole, where a ledger is at the target already, or where what arrived is not what was sent; then the source is as it was.
 */
export async function moveLedger(from: string, to: string, options: CopyOptions = {}): Promise<Verification> {
  if (isPostgres(from)) {
    const copied = await copyLedger(from, to, options)
    const still = await verifyLedgerAt(from)
    if (still.head === copied.head) return copied
    throw refuse(
      'ledger.unavailable',
      'entries were added while the ledger was moved: end every gateway, and begin again',
    )
  }
  using lock = alone(from)
  const copied = await copyLedger(from, to, options)
  renameSync(from, `${from}.moved`)
  lock.exec('ROLLBACK')
  return copied
}

/** Keeps a file from being written to by anybody else, and is refused where somebody has it open. */
function alone(path: string): DatabaseSync {
  if (!existsSync(path)) throw refuse('ledger.unavailable', `no ledger at ${path}`)
  const db = new DatabaseSync(path, { timeout: 1000 })
  try {
    // SQLite leaves the WAL only for the last one that has the file open; then the file is all there is, and can be renamed.
    db.exec('PRAGMA journal_mode = DELETE; BEGIN IMMEDIATE')
    return db
  } catch (fault) {
    db.close()
    throw refuse(
      'ledger.unavailable',
      `${path} is in use; end its gateway first (${fault instanceof Error ? fault.message : ''})`,
    )
  }
}

/** Times that a clock was turned back, up to which a ledger is carried. */
const TURNS = 1_000

/** Whether a ledger is what was written. A clock that was once turned back stands in it for ever, and must not keep it from being saved. */
function isWhole({ faults, faultCount }: Verification): boolean {
  return faults.filter(({ name }) => name === 'time-turned-back').length === faultCount
}

/**
 * Copies a ledger up to its head of this moment, also while gateways append to it. What is not whole at the target is no ledger
 * there. Throws as `moveLedger` does.
 */
export async function copyLedger(from: string, to: string, { progress }: CopyOptions = {}): Promise<Verification> {
  await using log = openLogToRead(from)
  // What is signed from here on is of entries that may not come along.
  const newest = await log?.newest()
  const found = await verifyLedgerAt(from, { report: TURNS })
  const { identity, entries, head } = found
  if (!isWhole(found) || identity === undefined) {
    throw refuse('ledger.unavailable', `${shown(from)} is not whole: \`xinqiao ledger verify\` says more`)
  }
  if (existsSync(to)) throw refuse('ledger.unavailable', `${to} is there already`)
  // A file has its name when it is whole.
  const at = isPostgres(to) ? to : `${to}.part`
  for (const trace of ['', '-wal', '-shm']) rmSync(`${at}${trace}`, { force: true })
  await fillLedgerAt(at, identity, async target => {
    let written = 0
    for await (const { rows } of batchesAt(from)) {
      const group = rows.slice(0, entries - written)
      if (group.length === 0) break
      await target.entries(group)
      written += group.length
      progress?.(written, 2 * entries)
    }
    if (log !== undefined) await carryLog(log, newest, target)
  })
  const arrived = await verifyLedgerAt(at, {
    report: TURNS,
    progress: count => progress?.(entries + count, 2 * entries),
  })
  if (!isWhole(arrived) || arrived.entries !== entries || arrived.head !== head) {
    throw refuse('ledger.unavailable', `what arrived at ${shown(to)} is not what was sent`)
  }
  if (at !== to) {
    renameSync(at, to)
    // Whoever verified it left them; they hold nothing, and would be taken for those of a ledger begun later.
    for (const trace of ['-wal', '-shm']) rmSync(`${at}${trace}`, { force: true })
  }
  return arrived
}

async function* batchesAt(from: string): AsyncGenerator<Batch> {
  if (isPostgres(from)) {
    const sql = connect(from, 1, { statement_timeout: 0, default_transaction_read_only: true })
    try {
      yield* postgresBatches(sql)
    } finally {
      await sql.end({ timeout: 1 })
    }
  } else {
    using db = openToRead(from)
    yield* fileBatches(db)
  }
}

/**
 * The log goes along up to this checkpoint: tiles, checkpoints with what was cosigned of them, and all that was ever known of
 * other cities' logs.
 */
async function carryLog(log: LogStore, newest: Kept | undefined, target: Target): Promise<void> {
  if (newest !== undefined) {
    for (const places of pages(filledTiles(0, newest.size), TILES)) {
      await target.tiles(await Promise.all(places.map(place => tileAt(log, place))))
    }
    for await (const kept of checkpointsUpTo(log, newest)) await target.checkpoints(kept)
  }
  await target.others(await log.everWitnessed(), await log.contradictions())
}

async function tileAt(log: LogStore, place: TilePlace): Promise<Tile> {
  const hashes = await log.tile(place)
  if (hashes === undefined) throw refuse('ledger.unavailable', `tile ${place.level}/${place.n} of the log is missing`)
  return { ...place, hashes, root: perfectRoot(hashes) }
}

/** Pages of checkpoints by rising size. The last is there, though a gateway that goes on meanwhile may let it go. */
async function* checkpointsUpTo(log: LogStore, newest: Kept): AsyncGenerator<readonly Kept[]> {
  for (let from = 0; ; ) {
    const kept = (await log.checkpointsFrom(from, CHECKPOINTS)).filter(({ size }) => size < newest.size)
    yield kept
    const last = kept.at(-1)
    if (last === undefined || kept.length < CHECKPOINTS) break
    from = last.size + 1
  }
  const [still] = await log.checkpointsFrom(newest.size, 1)
  yield [still?.size === newest.size ? still : newest]
}

function* pages<T>(all: readonly T[], length: number): Generator<readonly T[]> {
  for (let from = 0; from < all.length; from += length) yield all.slice(from, from + length)
}
