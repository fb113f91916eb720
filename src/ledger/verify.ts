/** Walks a ledger file from its first entry to its last, and names whatever is not as it was written. */
import { existsSync } from 'node:fs'
import { DatabaseSync, type SQLOutputValue, type StatementSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import type { Receipt } from '#protocol/message.ts'
import { refuse } from '#protocol/refusal.ts'
import {
  base64url,
  type Entry,
  type Identity,
  leafHash,
  nextLink,
  originLink,
  outboundKinds,
  readEntry,
} from './entry.ts'
import { contradiction, isBody, lacking, receiptIn } from './evidence.ts'
import {
  bytes,
  evidenceColumns,
  findDuplicates,
  findInbound,
  integer,
  newerThanUs,
  readEvidence,
  readLedgerIdentity,
  schemaFaults,
  text,
} from './tables.ts'

/**
 * - `unreadable`: SQLite itself cannot read the file, or a column holds what it never should.
 * - `version-unknown`: the file is of a later program; nothing else of it was looked at.
 * - `schema-changed`: a table, index or trigger was added, changed or removed; the ledger may have been open to change.
 * - `gap`: entries are missing between two that are there, or before the first.
 * - `edited`: the text, or one of the two links beside it, was changed after it was written.
 * - `reordered`: the entry follows, by its own link, another than the one before it: entries were moved or put in between.
 * - `link-broken`: the entry follows an entry that is not in this ledger.
 * - `malformed`: the text is no entry of this program, or not in its canonical form.
 * - `foreign`: the entry is of another city than the ledger.
 * - `duplicate`: a message that came in is recorded twice, or is not found by the look-up that refuses a replay.
 * - `evidence-swapped`: the evidence contradicts the digests of its entry.
 * - `evidence-missing`: evidence that came with the entry, or a part of it, was removed before its day.
 * - `evidence-stray`: evidence, or a signature, without what it belongs to.
 * - `receipt-broken`: a receipt, in an answer that was signed or held by somebody, is not what stands at its place.
 */
type FaultName =
  | 'unreadable'
  | 'version-unknown'
  | 'schema-changed'
  | 'gap'
  | 'edited'
  | 'reordered'
  | 'link-broken'
  | 'malformed'
  | 'foreign'
  | 'duplicate'
  | 'evidence-swapped'
  | 'evidence-missing'
  | 'evidence-stray'
  | 'receipt-broken'

/** One thing that is wrong, at which entry, in words for an operator. Never holds what an entry says. */
type Fault = { readonly name: FaultName; readonly index: number | undefined; readonly detail: string }

export type Verification = {
  readonly identity: Identity | undefined
  /** Entries that were walked. */
  readonly entries: number
  /** Entries whose question or answer is still held, and those of them whose answer is signed. */
  readonly evidence: number
  readonly signed: number
  /**
   * Evidence was held against the digests of its entries, and its signatures were not checked: that takes the certificates
   * and revocation lists of its day, which a ledger does not hold. `signed` counts signatures; it says nothing of their truth.
   */
  readonly signaturesChecked: false
  /** The link of the last entry: two cities that hold the same one hold the same ledger. */
  readonly head: string | undefined
  /** True when there is no fault. A file cannot show that entries are missing at its end: only a receipt or a witness can. */
  readonly verified: boolean
  /** The first faults, and how many there are. */
  readonly faults: readonly Fault[]
  readonly faultCount: number
}

export type VerifyOptions = {
  /** Called now and then with how many entries are walked, of how many. */
  readonly progress?: (walked: number, total: number) => void
  /** Receipts that peers or we hold: each must still be what stands at its place, so a shortened ledger is found. */
  readonly receipts?: readonly Receipt[]
  /** How many faults are reported in full. */
  readonly report?: number
  /** Epoch milliseconds: evidence whose day has not come by then must be there. */
  readonly now?: number
}

/** Rows of one read transaction: a long one would keep a ledger in use from checkpointing its WAL. */
const BATCH = 512
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
  const state: Walk = {
    now,
    identity: undefined,
    entries: 0,
    total: 0,
    evidence: 0,
    signed: 0,
    link: undefined,
    searches: 0,
  }
  const faults: Fault[] = []
  let faultCount = 0
  for (const step of walk(path, receipts, state)) {
    if (step === 'walked') {
      progress?.(state.entries, state.total)
    } else {
      faultCount += 1
      if (faults.length < report) faults.push(step)
    }
  }
  const { identity, entries, evidence, signed } = state
  const head = state.link && base64url(state.link)
  return {
    identity,
    entries,
    evidence,
    signed,
    signaturesChecked: false,
    head,
    verified: faultCount === 0,
    faults,
    faultCount,
  }
}

/** Owned by one walk: where it is, and what it has counted. */
type Walk = {
  readonly now: number
  identity: Identity | undefined
  entries: number
  total: number
  evidence: number
  signed: number
  link: Uint8Array | undefined
  searches: number
}

function* walk(path: string, receipts: readonly Receipt[], state: Walk): Generator<Fault | 'walked'> {
  try {
    using db = open(path)
    const newer = newerThanUs(db)
    if (newer !== undefined) {
      yield fault('version-unknown', undefined, newer)
      return
    }
    for (const detail of schemaFaults(db)) yield fault('schema-changed', undefined, detail)
    state.identity = readLedgerIdentity(db)
    state.total = integer(db.prepare('SELECT coalesce(max(ix), -1) + 1 AS n FROM entry').get()?.['n'])
    const lookUp = prepareLookUp(db)
    yield* walkEntries(db, state.identity, receipts, lookUp, state)
    if (lookUp === undefined) yield* duplicates(db)
  } catch (cause) {
    yield fault('unreadable', undefined, cause instanceof Error ? cause.message : String(cause))
  }
}

/**
 * Opens for reading only. A ledger at rest on a medium that cannot be written has no place for the shared memory of WAL:
 * then, and only if no WAL lies beside it, the file is read as one that nobody changes.
 */
function open(path: string): DatabaseSync {
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

function* walkEntries(
  db: DatabaseSync,
  identity: Identity,
  receipts: readonly Receipt[],
  lookUp: StatementSync | undefined,
  state: Walk,
): Generator<Fault | 'walked'> {
  const batch = db.prepare(
    `SELECT entry.ix AS ix, body, previous, link, ${evidenceColumns}, evidence.ix AS held FROM entry
      LEFT JOIN evidence ON evidence.ix = entry.ix LEFT JOIN signed ON signed.ix = entry.ix
      WHERE entry.ix >= ? ORDER BY entry.ix LIMIT ${BATCH}`,
  )
  const claimed = Map.groupBy(receipts, receipt => receipt.index)
  let links = [originLink(identity)]
  let next = 0
  let from = Number.MIN_SAFE_INTEGER
  let read: number
  do {
    read = 0
    const start = from
    for (const row of batch.iterate(from)) {
      const index = integer(row['ix'])
      if (index > next) yield fault('gap', next, `entries ${next} to ${index - 1} are missing`)
      const body = text(row['body'])
      const previous = bytes(row['previous'])
      const leaf = leafHash(body)
      const own = bytes(row['link'])
      const wanted = nextLink(previous, leaf)
      const receipt = { index, leaf: base64url(leaf), link: base64url(own) }
      if (index <= next && !links.some(link => same(link, previous))) yield misplaced(db, index, previous, state)
      yield* checkReceipts(receipt, claimed.get(index))
      if (same(own, wanted)) {
        links = [own]
        yield* checkEntry(row, body, receipt, identity, lookUp, state)
      } else {
        yield fault('edited', index, 'the entry and its link do not belong together')
        // One of the two is as it was; the next entry knows which, and is not at fault.
        links = [own, wanted]
      }
      state.link = own
      state.entries += 1
      read += 1
      from = index + 1
      next = Math.max(next, from)
    }
    yield* strays(db, start, read < BATCH ? Number.MAX_SAFE_INTEGER : from - 1)
    yield 'walked'
  } while (read === BATCH)
  state.link ??= links[0]
  for (const index of claimed.keys()) {
    if (index >= next) yield fault('receipt-broken', index, `the ledger ends before this place, after ${next} entries`)
  }
}

/**
 * Says how an entry that is whole in itself came to stand behind one that it does not follow. Links have no index, so the
 * search reads the whole ledger and is made for the first few only.
 */
function misplaced(db: DatabaseSync, index: number, previous: Uint8Array, state: Walk): Fault {
  state.searches += 1
  const other =
    state.searches <= SEARCHES ? db.prepare('SELECT ix FROM entry WHERE link = ?').get(previous)?.['ix'] : undefined
  return typeof other === 'number'
    ? fault('reordered', index, `by its own link it follows entry ${other}`)
    : fault('link-broken', index, 'by its own link it does not follow the entry before it, nor any other found')
}

function* checkReceipts({ index, leaf, link }: Omit<Receipt, 'at'>, held: readonly Receipt[] = []): Generator<Fault> {
  for (const receipt of held) {
    if (receipt.leaf !== leaf || receipt.link !== link) {
      yield fault('receipt-broken', index, 'the receipt is of another entry than the one at its place')
    }
  }
}

function* checkEntry(
  row: Record<string, SQLOutputValue>,
  body: string,
  receipt: Omit<Receipt, 'at'>,
  { city }: Identity,
  lookUp: StatementSync | undefined,
  state: Walk,
): Generator<Fault> {
  const { index } = receipt
  const entry = readOrUndefined(body)
  if (entry === undefined) {
    yield fault('malformed', index, 'the text is not an entry in its canonical form')
    return
  }
  if (entry.city !== city) yield fault('foreign', index, 'an entry of another city')
  const ours = outboundKinds.some(kind => kind === entry.kind)
  if (lookUp && 'jti' in entry && !ours && lookUp.get(entry.peer, entry.jti)?.['ix'] !== index) {
    yield fault('duplicate', index, 'the look-up of this message finds another entry, or none')
  }
  const isDue = 'heldUntil' in entry && entry.heldUntil !== undefined && Date.parse(entry.heldUntil) > state.now
  if (row['held'] === null) {
    if (isDue) yield fault('evidence-missing', index, `it was to be held until ${entry.heldUntil}`)
    return
  }

  state.evidence += 1
  const evidence = readEvidence(row)
  const part = isDue ? lacking(entry, evidence) : undefined
  if (part !== undefined) yield fault('evidence-missing', index, part)
  const wrong =
    contradiction(entry, evidence) ??
    // A signed answer that was kept whole says nothing about the body beside it: both must be what was recorded.
    (typeof row['answer'] === 'string' ? contradiction(entry, { answer: row['answer'] }) : undefined)
  if (wrong !== undefined) yield fault('evidence-swapped', index, wrong)
  if (evidence.answer === undefined || isBody(evidence.answer)) return

  state.signed += 1
  const carried = receiptIn(evidence.answer)
  if (wrong !== undefined || carried === undefined) return
  const place = entry.kind === 'outcome' ? entry.receipt : receipt
  if (place && (carried.index !== place.index || carried.leaf !== place.leaf || carried.link !== place.link)) {
    yield fault(
      'receipt-broken',
      index,
      'the receipt in the signed answer is of another entry than the one at this place',
    )
  }
}

function* strays(db: DatabaseSync, from: number, to: number): Generator<Fault> {
  const evidence = db.prepare(
    'SELECT ix FROM evidence WHERE ix BETWEEN ? AND ? AND NOT EXISTS (SELECT 1 FROM entry WHERE entry.ix = evidence.ix)',
  )
  for (const row of evidence.iterate(from, to)) {
    yield fault('evidence-stray', integer(row['ix']), 'evidence without an entry')
  }
  const signed = db.prepare(
    'SELECT ix FROM signed WHERE ix BETWEEN ? AND ? AND NOT EXISTS (SELECT 1 FROM evidence WHERE evidence.ix = signed.ix)',
  )
  for (const row of signed.iterate(from, to)) {
    yield fault('evidence-stray', integer(row['ix']), 'a signature without its answer')
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

function readOrUndefined(body: string): Entry | undefined {
  try {
    return readEntry(body)
  } catch {
    return undefined
  }
}

function same(one: Uint8Array, other: Uint8Array): boolean {
  return Buffer.compare(one, other) === 0
}

function fault(name: FaultName, index: number | undefined, detail: string): Fault {
  return { name, index, detail }
}
