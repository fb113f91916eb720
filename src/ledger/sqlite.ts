/**
 * The embedded ledger: one SQLite file that grows at its end, and by its own triggers takes nothing back.
 *
 * Several processes may append to one file at the same time (an old gateway that drains while the new one starts, later the
 * workers of one machine). Nothing about the head is remembered between two groups: each group takes SQLite's write lock,
 * reads the head under it, and follows it. A lock held for life would have to be told apart from a dead one after a
 * SIGKILL, and the exclusive mode of WAL would shut out `ledger verify` as well. All processes must be on one machine: WAL
 * lives in shared memory, so the file must not be on a network file system.
 */
import { randomUUID } from 'node:crypto'
import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync, statfsSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync, type SQLOutputValue } from 'node:sqlite'
import type { Receipt } from '#protocol/message.ts'
import { type Refusal, refuse } from '#protocol/refusal.ts'
import { base64url, type Identity, leafHash, nextLink, originLink, readEntry } from './entry.ts'
import { takeApart } from './evidence.ts'
import { matches } from './filter.ts'
import { openIndex } from './index.ts'
import type { Head, Ledger, Recorded, SignedAnswer } from './ledger.ts'
import { DEFAULT_RETENTION_DAYS, type Item, openQueue, replayable, type Written } from './queue.ts'
import { firstSinceAt } from './since.ts'
import { extendedCode, isBusy, isConstraint, whenUnlocked } from './sqlite-code.ts'
import {
  bringUp,
  bytes,
  evidenceColumns,
  integer,
  isInbound,
  readEvidence,
  readLedgerIdentity,
  schemaFaults,
  text,
} from './tables.ts'

/** Free bytes below which the ledger calls itself unwritable, while the last appends may still succeed. */
const RESERVE = 1024 * 1024
/** How long a statement waits for another process's commit, in ms; a commit takes 1 to 2. It blocks, so it is short. */
const BUSY_TIMEOUT = 200
/**
 * Makes a ledger where there is none, and closes it. Only `init` and the demo call this: a gateway that finds no file must
 * not start a fresh one, since a lost volume is not a fresh start. Throws `ledger.unavailable` where a ledger, or what one
 * leaves beside it, already is. A ledger that is moved keeps its `id` and the instant when it was `created`.
 *
 * The file appears under its name complete or not at all: a crash leaves `<path>.new`, which never held an entry and which
 * the next attempt replaces.
 */
export function createLedger(
  path: string,
  city: string,
  { id = randomUUID(), created = new Date().toISOString() }: { readonly id?: string; readonly created?: string } = {},
): void {
  for (const trace of [path, `${path}-wal`, `${path}-shm`, `${path}-journal`]) {
    if (existsSync(trace)) throw refuse('ledger.unavailable', `${trace} is there already; a ledger is not begun twice`)
  }
  const unborn = `${path}.new`
  try {
    for (const trace of [unborn, `${unborn}-wal`, `${unborn}-shm`, `${unborn}-journal`]) rmSync(trace, { force: true })
    // Evidence names enterprises: the file, and what SQLite makes beside it after its example, are the owner's alone.
    closeSync(openSync(unborn, 'wx', 0o600))
    {
      using db = new DatabaseSync(unborn)
      // 8 KiB pages: a question and its answer share a page, which makes the file a quarter smaller than 4 KiB ones do.
      db.exec('PRAGMA page_size = 8192')
      bringUp(db)
      db.prepare('INSERT INTO ledger VALUES (1, ?, ?, ?)').run(city, id, created)
      db.exec(`INSERT INTO probe VALUES (1, x''); PRAGMA journal_mode = WAL`)
    }
    sync(unborn)
    renameSync(unborn, path)
    sync(dirname(path))
  } catch (fault) {
    throw unavailable(path, fault)
  }
}

/**
 * Opens the ledger of this city for appending. Evidence is held for `retentionDays` from its entry.
 * Throws `ledger.unavailable` when there is no file, when it is not a ledger, when its tables or triggers are not those
 * of its version, when that version is later than this program, and when it is another city's. An earlier one is brought up.
 */
export function openLedger(path: string, city: string, { retentionDays = DEFAULT_RETENTION_DAYS } = {}): Ledger {
  if (!existsSync(path)) {
    throw refuse('ledger.unavailable', `no ledger at ${path}; \`xinqiao init\` makes one, a backup brings one back`)
  }
  let db: DatabaseSync | undefined
  try {
    db = new DatabaseSync(path, { defensive: true, timeout: BUSY_TIMEOUT })
    // A commit that has returned is on the disk (FULL). A reader that stays long lets the WAL grow; the limit takes it back.
    // Carried over every 32 MB: the pages of the indexes that all entries touch are then written once instead of four times.
    db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF;
      PRAGMA journal_size_limit = 67108864; PRAGMA wal_autocheckpoint = 4096`)
    const changed = schemaFaults(db)
    if (changed.length > 0) throw new Error(changed.join('; '))
    const identity = readLedgerIdentity(db)
    if (identity.city !== city) throw new Error(`it is the ledger of ${identity.city}, not of ${city}`)
    if (!lastIsWhole(db)) throw new Error('its last entry was changed; `xinqiao ledger verify` says more')
    // Last, when it is known to be ours and whole.
    bringUp(db)
    return serve(db, path, identity, retentionDays * 86_400)
  } catch (fault) {
    db?.close()
    throw unavailable(path, fault)
  }
}

function serve(db: DatabaseSync, path: string, identity: Identity, retention: number): Ledger {
  const origin = originLink(identity)
  const begin = db.prepare('BEGIN IMMEDIATE')
  // Done when it is compiled, so it is compiled each time.
  const waitUpTo = (ms: number) => db.exec(`PRAGMA busy_timeout = ${ms}`)
  const commit = db.prepare('COMMIT')
  const rollback = db.prepare('ROLLBACK')
  const last = db.prepare('SELECT ix, link FROM entry ORDER BY ix DESC LIMIT 1')
  const insert = db.prepare('INSERT INTO entry (ix, body, previous, link) VALUES (?, ?, ?, ?)')
  const insertEvidence = db.prepare('INSERT INTO evidence (ix, question, answer, expires_at) VALUES (?, ?, ?, ?)')
  const hasEvidence = db.prepare('SELECT ix FROM evidence WHERE ix = ?')
  const insertSigned = db.prepare('INSERT INTO signed (ix, header, before, after, signature) VALUES (?, ?, ?, ?, ?)')
  const probe = db.prepare('UPDATE probe SET filler = randomblob(4096)')
  const one = db.prepare('SELECT ix, body, link FROM entry WHERE ix = ?')
  const range = db.prepare('SELECT ix, body, link FROM entry WHERE ix >= ? ORDER BY ix LIMIT ?')
  const newest = db.prepare('SELECT ix, body, link FROM entry WHERE ix < ? ORDER BY ix DESC LIMIT ?')
  const evidenceOf = db.prepare(`SELECT ${evidenceColumns} FROM evidence LEFT JOIN signed USING (ix) WHERE ix = ?`)
  const holding = db.prepare('SELECT ix, expires_at FROM evidence WHERE ix >= ? ORDER BY ix LIMIT ?')
  const letGo = db.prepare('DELETE FROM evidence WHERE ix = ? AND expires_at <= unixepoch()')
  const heldSince = db.prepare("SELECT 1 FROM entry WHERE ix >= ? AND kind = 'held' LIMIT 1")
  const letGoSigned = db.prepare('DELETE FROM signed WHERE ix = ?')
  const instantOf = db.prepare('SELECT at FROM entry WHERE ix = ?')
  const used = db.prepare(
    `SELECT body ->> '$.agreement.id' AS agreement, sum(json_array_length(body, '$.subjects')) AS n FROM entry
      WHERE ix >= ? AND kind = 'answered' AND peer = ? AND at >= ? GROUP BY agreement`,
  )

  const { since, most } = replayable()
  const earlier = db
    .prepare(`SELECT peer || ' ' || jti AS message FROM entry WHERE ix >= ? AND ${isInbound}`)
    .all(Math.max(firstSince(since), head().count - most))
    .map(row => text(row['message']))
  const index = openIndex(path, identity)
  const release = async () => {
    await index.close()
    db.close()
  }
  const queue = openQueue({ write, retention, earlier, release })

  function head(): { count: number; link: Uint8Array } {
    const row = last.get()
    return row === undefined ? { count: 0, link: origin } : { count: integer(row['ix']) + 1, link: bytes(row['link']) }
  }

  /**
   * Writes all or nothing. What a crash leaves:
   * - before COMMIT has synced the WAL: nothing of the group, and nobody was told;
   * - after it: all of the group, though perhaps nobody was told. Such a question counts as answered and its replay is
   *   refused, but no answer left: the ledger may say more than happened, never less;
   * - after the answer was signed and sent, before `keep` was written: the body of the answer without our signature;
   * - in a checkpoint: the WAL, from which the next opening goes on.
   * A COMMIT that fails is rolled back, and its frames in the WAL are overwritten by the next. Only a crash in between
   * could bring them to life, and then they too are entries of answers that never left.
   */
  function transaction<T>(work: () => T): T {
    try {
      begin.run()
      const result = work()
      commit.run()
      return result
    } catch (fault) {
      // SQLite may have rolled back by itself, as it does when the disk is full.
      if (db.isTransaction) rollback.run()
      throw fault
    }
  }

  /** Follows the head with one entry. A replay fails by its own statement alone, and the rest of the group stands. */
  function follow(item: Item, at: { count: number; link: Uint8Array }): Receipt | Refusal {
    const leaf = leafHash(item.body)
    const link = nextLink(at.link, leaf)
    try {
      insert.run(at.count, item.body, at.link, link)
    } catch (fault) {
      if (isReplay(fault)) return refuse('token.replayed')
      throw fault
    }
    if (item.evidence !== undefined) {
      const { question = null, answer = null } = item.evidence
      insertEvidence.run(at.count, question, answer, item.expiresAt)
    }
    const receipt = { index: at.count, leaf: base64url(leaf), link: base64url(link), at: item.at }
    at.count += 1
    at.link = link
    return receipt
  }

  function writeSigned(index: number, answer: SignedAnswer): void {
    if (hasEvidence.get(index) === undefined) return
    const { header, before, after, signature } = takeApart(answer)
    try {
      insertSigned.run(index, header, before, after, signature)
    } catch (fault) {
      // What is already signed stays as it is, and the group goes on.
      if (!isConstraint(fault)) throw fault
    }
  }

  function write(group: readonly Item[], signed: ReadonlyMap<number, SignedAnswer>): Written | Promise<Written> {
    const written = tryWrite(group, signed)
    return written ?? writeSoon(group, signed)
  }

  /** Undefined where another process has the write lock. */
  function tryWrite(group: readonly Item[], signed: ReadonlyMap<number, SignedAnswer>): Written | undefined {
    try {
      // A worker that slept in here for another's commit would keep everybody waiting that it could answer meanwhile.
      waitUpTo(0)
      return transaction(() => {
        for (const [index, answer] of signed) writeSigned(index, answer)
        const at = head()
        return group.map(item => follow(item, at))
      })
    } catch (fault) {
      if (isBusy(fault)) return undefined
      throw unavailable(path, fault)
    } finally {
      waitUpTo(BUSY_TIMEOUT)
    }
  }

  async function writeSoon(group: readonly Item[], signed: ReadonlyMap<number, SignedAnswer>): Promise<Written> {
    const written = await whenUnlocked(() => tryWrite(group, signed))
    if (written !== undefined) return written
    throw refuse('ledger.unavailable', `${path}: another process keeps the write lock`)
  }

  function recorded(row: Record<string, SQLOutputValue>): Recorded {
    const body = text(row['body'])
    const entry = readEntry(body)
    const leaf = base64url(leafHash(body))
    return { entry, receipt: { index: integer(row['ix']), leaf, link: base64url(bytes(row['link'])), at: entry.at } }
  }

  function firstSince(instant: string): number {
    return firstSinceAt(head().count, instant, index => {
      const row = instantOf.get(index)
      return row && text(row['at'])
    })
  }

  return {
    city: identity.city,
    id: identity.id,

    append: queue.append,
    keep: queue.keep,
    watch: queue.watch,
    seen: queue.seen,

    entry: async index => {
      const row = one.get(index)
      return row === undefined ? undefined : recorded(row)
    },

    evidence: async index => {
      const row = evidenceOf.get(index)
      return row === undefined ? undefined : readEvidence(row)
    },

    entries: async ({ from, limit }) => range.all(from, limit).map(recorded),

    search: async (filter, { before = Number.MAX_SAFE_INTEGER, limit }) => {
      queue.assertOpen()
      if (Object.values(filter).every(asked => asked === undefined)) {
        const entries = newest.all(before, limit).map(recorded)
        const next = entries.at(-1)?.receipt.index
        return { entries, next: next === 0 ? undefined : next }
      }
      const { indexes, next } = await index.search(filter, { before, limit })
      const found = indexes.map(each => one.get(each)).filter(row => row !== undefined)
      return { entries: found.map(recorded).filter(({ entry }) => matches(entry, filter)), next }
    },

    head: async (): Promise<Head> => {
      const { count, link } = head()
      return { count, link: base64url(link) }
    },

    count: async () => head().count,

    subjectsSince: async (peer, instant) => {
      // Entries stand in the order of time but for a clock that was set back; an hour of that is looked through.
      const from = firstSince(new Date(Date.parse(instant) - 3_600_000).toISOString())
      const rows = used.all(from, peer, new Date(instant).toISOString())
      return new Map(rows.map(row => [text(row['agreement']), integer(row['n'])]))
    },

    holding: async ({ from, limit }) =>
      holding.all(from, limit).map(row => ({ index: integer(row['ix']), until: integer(row['expires_at']) })),

    letGo: async (indexes, judgedBy) => {
      queue.assertOpen()
      try {
        return transaction(() => {
          if (heldSince.get(judgedBy) !== undefined) return 0
          const due = indexes.filter(index => letGo.run(index).changes > 0)
          for (const index of due) letGoSigned.run(index)
          return due.length
        })
      } catch (fault) {
        throw unavailable(path, fault)
      }
    },

    leads: async () => true,

    writable: async () => {
      queue.assertOpen()
      try {
        const { blocks, bavail, bsize } = statfsSync(dirname(path))
        if (blocks > 0 && bavail * bsize < RESERVE) throw new Error(`${bavail * bsize} bytes free on the volume`)
        // A write inside a WAL that is already long needs no room, so the free space above is asked as well.
        transaction(() => probe.run())
      } catch (fault) {
        throw unavailable(path, fault)
      }
    },

    close: queue.close,
    [Symbol.asyncDispose]: queue.close,
  }
}

/** A chain is not continued from an entry that is not what its link says; the earlier ones are for `verify`. */
function lastIsWhole(db: DatabaseSync): boolean {
  const row = db.prepare('SELECT body, previous, link FROM entry ORDER BY ix DESC LIMIT 1').get()
  if (row === undefined) return true
  return Buffer.compare(nextLink(bytes(row['previous']), leafHash(text(row['body']))), bytes(row['link'])) === 0
}

function unavailable(path: string, fault: unknown): Refusal {
  return refuse('ledger.unavailable', `${path}: ${fault instanceof Error ? fault.message : String(fault)}`, fault)
}

function sync(path: string): void {
  const handle = openSync(path, 'r')
  try {
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}

/** The trigger speaks first; the unique index holds if it ever does not. */
function isReplay(fault: unknown): boolean {
  return extendedCode(fault) === 2067 || (isConstraint(fault) && fault instanceof Error && fault.message === 'replayed')
}
