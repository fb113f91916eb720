/** Walks a ledger file from its first entry to its last, and names whatever is not as it was written. */
import { existsSync } from 'node:fs'
import { DatabaseSync, type SQLOutputValue, type StatementSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import { refuse } from '#protocol/refusal.ts'
import {
  bytes,
  evidenceColumns,
  findDuplicates,
  findInbound,
  integer,
  newerThanUs,
  optionalText,
  readLedgerIdentity,
  schemaFaults,
  text,
} from './tables.ts'
import {
  type Batch,
  type Fault,
  fault,
  type Held,
  type Misplaced,
  misplaced,
  openFindings,
  type Row,
  type Verification,
  type VerifyOptions,
  Walk,
} from './walk.ts'

/** Rows of one read transaction: a long one would keep a ledger in use from checkpointing its WAL. */
const BATCH = 512
/** A search for the entry that another follows reads the whole ledger, and is made for the first few only. */
const SEARCHES = 8

/**
 * Verifies a ledger file, in use or at rest, without writing to it. Memory stays flat however long the ledger is.
 * Throws `ledger.unavailable` only when there is no such file; whatever is wrong inside is a fault.
 */
export function verifyLedger(
  path: string,
  { progress, receipts = [], report = 20, now = Date.now() }: VerifyOptions = {},
): Verification {
  if (!existsSync(path)) throw refuse('ledger.unavailable', `no ledger at ${path}`)
  const findings = openFindings(report)
  let walk: Walk | undefined
  try {
    using db = openToRead(path)
    const newer = newerThanUs(db)
    if (newer !== undefined) {
      findings.add(fault('version-unknown', undefined, newer))
      return findings.told(undefined)
    }
    for (const detail of schemaFaults(db)) findings.add(fault('schema-changed', undefined, detail))
    walk = new Walk(readLedgerIdentity(db), receipts, now)
    const total = integer(db.prepare('SELECT coalesce(max(ix), -1) + 1 AS n FROM entry').get()?.['n'])
    const lookUp = prepareLookUp(db)
    const searched = openSearch(db)
    for (const batch of batches(db, lookUp)) {
      for (const found of walk.step(batch)) findings.add('follows' in found ? searched(found) : found)
      progress?.(walk.entries, total)
    }
    for (const found of walk.end()) findings.add(found)
    if (lookUp === undefined) for (const found of duplicates(db)) findings.add(found)
  } catch (cause) {
    findings.add(fault('unreadable', undefined, cause instanceof Error ? cause.message : String(cause)))
  }
  return findings.told(walk)
}

/**
 * Opens for reading only. A ledger at rest on a medium that cannot be written has no place for the shared memory of WAL:
 * then, and only if no WAL lies beside it, the file is read as one that nobody changes.
 */
export function openToRead(path: string): DatabaseSync {
  const options = { readOnly: true, defensive: true, timeout: 1000 }
  const db = new DatabaseSync(path, options)
  try {
    db.exec('PRAGMA trusted_schema = OFF; SELECT count(*) FROM sqlite_schema')
    return db
  } catch (cause) {
    db.close()
    if (existsSync(`${path}-wal`)) throw cause
    const still = pathToFileURL(path)
    still.searchParams.set('immutable', '1')
    return new DatabaseSync(still, options)
  }
}

/** All rows of a ledger, in batches; each is one read transaction. */
export function* batches(db: DatabaseSync, lookUp?: StatementSync | undefined): Generator<Batch> {
  const batch = db.prepare(
    `SELECT entry.ix AS ix, body, previous, link, ${evidenceColumns}, evidence.ix AS held, expires_at FROM entry
      LEFT JOIN evidence ON evidence.ix = entry.ix LEFT JOIN signed ON signed.ix = entry.ix
      WHERE entry.ix >= ? ORDER BY entry.ix LIMIT ${BATCH}`,
  )
  const evidence = db.prepare(
    'SELECT ix FROM evidence WHERE ix BETWEEN ? AND ? AND NOT EXISTS (SELECT 1 FROM entry WHERE entry.ix = evidence.ix)',
  )
  const signed = db.prepare(
    'SELECT ix FROM signed WHERE ix BETWEEN ? AND ? AND NOT EXISTS (SELECT 1 FROM evidence WHERE evidence.ix = signed.ix)',
  )
  const found = lookUp && ((_: number, peer: string, jti: string) => optionalInteger(lookUp.get(peer, jti)?.['ix']))
  let from = Number.MIN_SAFE_INTEGER
  for (;;) {
    const rows = batch.all(from).map(
      (row): Row => ({
        index: integer(row['ix']),
        body: text(row['body']),
        previous: bytes(row['previous']),
        link: bytes(row['link']),
        held: row['held'] === null ? undefined : heldIn(row),
      }),
    )
    const last = rows.at(-1)
    const isLast = rows.length < BATCH || last === undefined
    const to = isLast ? Number.MAX_SAFE_INTEGER : last.index
    const strays = {
      evidence: evidence.all(from, to).map(row => integer(row['ix'])),
      signed: signed.all(from, to).map(row => integer(row['ix'])),
    }
    yield { rows, strays, found }
    if (isLast) return
    from = last.index + 1
  }
}

function heldIn(row: Record<string, SQLOutputValue>): Held {
  const before = optionalText(row['before'])
  const nullable = (name: string) => optionalText(row[name]) ?? null
  return {
    question: optionalText(row['question']),
    answer: optionalText(row['answer']),
    until: integer(row['expires_at']),
    signed:
      before === undefined
        ? undefined
        : { header: nullable('header'), before, after: nullable('after'), signature: nullable('signature') },
  }
}

/** Links have no index, so the search for one reads the whole ledger. */
function openSearch(db: DatabaseSync): (found: Misplaced) => Fault {
  let searches = 0
  return found => {
    searches += 1
    const row = searches <= SEARCHES ? db.prepare('SELECT ix FROM entry WHERE link = ?').get(found.follows) : undefined
    return misplaced(found, optionalInteger(row?.['ix']))
  }
}

/** The look-up that refuses replays, or undefined where its index is gone or can no longer serve it. */
function prepareLookUp(db: DatabaseSync): StatementSync | undefined {
  try {
    return db.prepare(findInbound)
  } catch {
    return undefined
  }
}

/** Without that index nothing has refused a replay, and the messages are compared by sorting them all. */
function* duplicates(db: DatabaseSync): Generator<Fault> {
  for (const row of db.prepare(findDuplicates).iterate()) {
    yield fault('duplicate', integer(row['ix']), `the same message is recorded ${integer(row['n'])} times`)
  }
}

function optionalInteger(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined
}
