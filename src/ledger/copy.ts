/** A ledger is carried to another place whole, as the same ledger: entry by entry, and what came out is verified against what went in. */
import { existsSync, renameSync, rmSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import type { Receipt } from '#protocol/message.ts'
import { refuse } from '#protocol/refusal.ts'
import { base64url, type Identity } from './entry.ts'
import { putTogether } from './evidence.ts'
import type { SignedAnswer } from './ledger.ts'
import type { Tile } from './log.ts'
import { openLogStoreAt, verifyLedgerAt } from './open.ts'
import { isPostgres, shown } from './place.ts'
import { connect, createPostgresLedger, openPostgresStore } from './postgres.ts'
import { batches as postgresBatches } from './postgres-verify.ts'
import type { Item } from './queue.ts'
import { createLedger } from './sqlite.ts'
import { filledTiles, perfectRoot } from './tree.ts'
import { batches as fileBatches, openToRead } from './verify.ts'
import type { Batch, Row, Verification } from './walk.ts'

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

/** Copies a ledger up to its head of this moment, also while gateways append to it. Throws as `moveLedger` does. */
export async function copyLedger(from: string, to: string, { progress }: CopyOptions = {}): Promise<Verification> {
  const log = await readLog(from)
  const found = await verifyLedgerAt(from, { report: TURNS })
  const { identity, entries, head } = found
  if (!isWhole(found) || identity === undefined) {
    throw refuse('ledger.unavailable', `${shown(from)} is not whole: \`xinqiao ledger verify\` says more`)
  }
  if (existsSync(to)) throw refuse('ledger.unavailable', `${to} is there already`)
  // A file has its name when it is whole.
  const at = isPostgres(to) ? to : `${to}.part`
  for (const trace of ['', '-wal', '-shm']) rmSync(`${at}${trace}`, { force: true })
  {
    await using target = await begin(at, identity)
    let written = 0
    for await (const { rows } of batchesAt(from)) {
      const group = rows.slice(0, entries - written)
      if (group.length === 0) break
      await target.write(group)
      written += group.length
      progress?.(written, 2 * entries)
    }
  }
  await writeLog(at, log)
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

type Target = AsyncDisposable & { write(rows: readonly Row[]): Promise<void> }

async function begin(to: string, identity: Identity): Promise<Target> {
  if (!isPostgres(to)) {
    createLedger(to, identity.city, identity)
    return fileTarget(to)
  }
  await createPostgresLedger(to, identity)
  const store = await openPostgresStore(to)
  return {
    async write(rows) {
      const items = rows.map(({ body, held }): Item => ({ body, at: '', evidence: held, expiresAt: held?.until ?? 0 }))
      const written = await store.write(items, new Map())
      for (const [i, row] of rows.entries()) expectPlace(row, written[i])
      const signed = rows.flatMap(row => signedIn(row))
      if (signed.length > 0) await store.write([], new Map(signed))
    },
    [Symbol.asyncDispose]: store.close,
  }
}

function signedIn({ index, held }: Row): readonly (readonly [number, SignedAnswer])[] {
  if (held?.signed === undefined) return []
  const { signed, answer = '' } = held
  const { before, after, header } = signed
  const around = header === null || after === null ? undefined : { before, after }
  return [[index, { answer: putTogether(signed, answer), around }]]
}

function expectPlace(row: Row, written: Receipt | Error | undefined): void {
  if (written instanceof Error || written?.index !== row.index || written.link !== base64url(row.link)) {
    throw refuse('ledger.unavailable', `entry ${row.index} did not arrive in its place`)
  }
}

/** Into a file that nobody else has open, and that is of no use before it is whole: without a sync for each batch. */
function fileTarget(path: string): Target {
  const db = new DatabaseSync(path)
  db.exec('PRAGMA synchronous = OFF')
  const entry = db.prepare('INSERT INTO entry (ix, body, previous, link) VALUES (?, ?, ?, ?)')
  const evidence = db.prepare('INSERT INTO evidence (ix, question, answer, expires_at) VALUES (?, ?, ?, ?)')
  const signed = db.prepare('INSERT INTO signed (ix, header, before, after, signature) VALUES (?, ?, ?, ?, ?)')
  return {
    async write(rows) {
      db.exec('BEGIN IMMEDIATE')
      for (const { index, body, previous, link, held } of rows) {
        entry.run(index, body, previous, link)
        if (held === undefined) continue
        evidence.run(index, held.question ?? null, held.answer ?? null, held.until)
        const { signed: parts } = held
        if (parts !== undefined) signed.run(index, parts.header, parts.before, parts.after, parts.signature)
      }
      db.exec('COMMIT')
    },
    async [Symbol.asyncDispose]() {
      db.exec('PRAGMA synchronous = FULL; PRAGMA wal_checkpoint(TRUNCATE)')
      db.close()
    },
  }
}

/** The log goes along: its checkpoints with what was cosigned of them, and all that is known of other cities' logs. */
async function readLog(from: string) {
  await using store = await openLogStoreAt(from)
  const checkpoints = (await store.checkpoints(Number.MAX_SAFE_INTEGER)).toReversed()
  const tiles: Tile[] = []
  for (const spot of filledTiles(0, checkpoints.at(-1)?.size ?? 0)) {
    const hashes = await store.tile(spot)
    if (hashes === undefined) throw refuse('ledger.unavailable', `tile ${spot.level}/${spot.n} of the log is missing`)
    tiles.push({ ...spot, hashes, root: perfectRoot(hashes) })
  }
  return { checkpoints, tiles, witnessed: await store.witnessed(), contradictions: await store.contradictions() }
}

async function writeLog(to: string, log: Awaited<ReturnType<typeof readLog>>): Promise<void> {
  await using store = await openLogStoreAt(to)
  for (const [i, checkpoint] of log.checkpoints.entries()) {
    await store.extend(i === 0 ? log.tiles : [], checkpoint, log.checkpoints[i - 1]?.size)
  }
  for (const row of log.witnessed) await store.know(row)
  for (const found of log.contradictions) {
    await store.contradict(found)
    const { acknowledged } = found
    if (acknowledged !== undefined) await store.acknowledge(found.city, acknowledged.by, acknowledged.at)
  }
}
