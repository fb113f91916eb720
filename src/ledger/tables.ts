/** What a ledger file is made of: its tables by version, and its rows read back as what they were written from. */
import { DatabaseSync, type SQLOutputValue } from 'node:sqlite'
import type { Identity } from './entry.ts'
import { putTogether } from './evidence.ts'
import type { Evidence } from './ledger.ts'

/** "XQL1": tells `file` and us that this SQLite file is a ledger. */
const APPLICATION_ID = 0x58514c31

/**
 * What holds of a row that records a message of the peer; the same words wherever the partial index is to be used. They
 * stand in tables of the field and never change, so no later kind may be added to `outboundKinds`.
 */
export const isInbound = inbound('')
function inbound(row: '' | 'NEW.'): string {
  return `${row}jti IS NOT NULL AND ${row}kind NOT IN ('asked', 'outcome')`
}

/**
 * One fact stands in one place: what is searched is computed from the text of the entry and cannot disagree with it, and
 * the leaf is left to be hashed again. `previous` is the one thing stored twice (32 bytes): it makes each row provable by
 * itself, and lets the trigger see that an insert knows the head that it follows.
 *
 * A trigger that refuses deletes does not see INSERT OR REPLACE in every program, so an insert is refused whatever it could
 * replace: the index must be the next, the message new. What else is searched has a file of its own; time needs no
 * index, because entries stand in its order.
 */
const FIRST = [
  `CREATE TABLE ledger (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    city TEXT NOT NULL,
    id TEXT NOT NULL,
    created TEXT NOT NULL
  ) STRICT`,
  `CREATE TABLE entry (
    ix INTEGER PRIMARY KEY,
    body TEXT NOT NULL,
    previous BLOB NOT NULL CHECK (length(previous) = 32),
    link BLOB NOT NULL CHECK (length(link) = 32),
    kind TEXT NOT NULL AS (body ->> 'kind') VIRTUAL,
    peer TEXT AS (body ->> 'peer') VIRTUAL,
    jti TEXT AS (body ->> 'jti') VIRTUAL,
    at TEXT NOT NULL AS (body ->> 'at') VIRTUAL
  ) STRICT`,
  `CREATE UNIQUE INDEX entry_inbound ON entry (peer, jti) WHERE ${isInbound}`,
  // No index on expires_at: rows stand nearly in that order by ix, and expiry walks from the oldest.
  `CREATE TABLE evidence (
    ix INTEGER PRIMARY KEY,
    question TEXT,
    answer TEXT,
    expires_at INTEGER NOT NULL
  ) STRICT`,
  // The signed answer less the body, which stands in evidence: written after it, and half the bytes of writing it again.
  `CREATE TABLE signed (
    ix INTEGER PRIMARY KEY,
    header TEXT,
    before TEXT NOT NULL,
    after TEXT,
    signature TEXT
  ) STRICT`,
  `CREATE TABLE probe (one INTEGER PRIMARY KEY CHECK (one = 1), filler BLOB NOT NULL) STRICT`,
  `CREATE TRIGGER entry_follows_head BEFORE INSERT ON entry
    WHEN NEW.ix IS NOT (SELECT coalesce(max(ix), -1) + 1 FROM entry)
      OR (NEW.ix > 0 AND NEW.previous IS NOT (SELECT link FROM entry ORDER BY ix DESC LIMIT 1))
    BEGIN SELECT raise(ABORT, 'an entry follows the head'); END`,
  `CREATE TRIGGER entry_once BEFORE INSERT ON entry
    WHEN ${inbound('NEW.')}
      AND EXISTS (SELECT 1 FROM entry WHERE ${isInbound} AND peer = NEW.peer AND jti = NEW.jti)
    BEGIN SELECT raise(ABORT, 'replayed'); END`,
  `CREATE TRIGGER entry_not_updated BEFORE UPDATE ON entry BEGIN SELECT raise(ABORT, 'the ledger is append-only'); END`,
  `CREATE TRIGGER entry_not_deleted BEFORE DELETE ON entry BEGIN SELECT raise(ABORT, 'the ledger is append-only'); END`,
  `CREATE TRIGGER ledger_not_inserted BEFORE INSERT ON ledger
    WHEN EXISTS (SELECT 1 FROM ledger) BEGIN SELECT raise(ABORT, 'the ledger has a name'); END`,
  `CREATE TRIGGER ledger_not_updated BEFORE UPDATE ON ledger BEGIN SELECT raise(ABORT, 'the ledger has a name'); END`,
  `CREATE TRIGGER ledger_not_deleted BEFORE DELETE ON ledger BEGIN SELECT raise(ABORT, 'the ledger has a name'); END`,
  `CREATE TRIGGER evidence_beside_entry BEFORE INSERT ON evidence
    WHEN NEW.ix IS NOT (SELECT max(ix) FROM entry) OR EXISTS (SELECT 1 FROM evidence WHERE ix = NEW.ix)
    BEGIN SELECT raise(ABORT, 'evidence comes with its entry'); END`,
  `CREATE TRIGGER evidence_not_updated BEFORE UPDATE ON evidence
    BEGIN SELECT raise(ABORT, 'evidence does not change'); END`,
  `CREATE TRIGGER evidence_expires BEFORE DELETE ON evidence
    WHEN OLD.expires_at > unixepoch() BEGIN SELECT raise(ABORT, 'evidence is held until it expires'); END`,
  `CREATE TRIGGER signed_once BEFORE INSERT ON signed
    WHEN NOT EXISTS (SELECT 1 FROM evidence WHERE ix = NEW.ix) OR EXISTS (SELECT 1 FROM signed WHERE ix = NEW.ix)
    BEGIN SELECT raise(ABORT, 'an answer is signed once'); END`,
  `CREATE TRIGGER signed_not_updated BEFORE UPDATE ON signed
    BEGIN SELECT raise(ABORT, 'evidence does not change'); END`,
  `CREATE TRIGGER signed_expires BEFORE DELETE ON signed
    WHEN EXISTS (SELECT 1 FROM evidence WHERE ix = OLD.ix)
    BEGIN SELECT raise(ABORT, 'evidence is held until it expires'); END`,
]

/**
 * The transparency log beside the entries. A tile is full when it comes and never changes; `root` stands before the hashes so
 * that it is read without them. Of checkpoints the newest never goes, and none follows that is not larger; a note only gets
 * more signatures. `witnessed` is what we cosigned of others: of a city the newest row holds, and it only grows. A
 * contradiction is acknowledged once, and stays.
 */
const LOG = [
  `CREATE TABLE tile (
    level INTEGER NOT NULL,
    n INTEGER NOT NULL,
    root BLOB NOT NULL CHECK (length(root) = 32),
    hashes BLOB NOT NULL CHECK (length(hashes) = 8192),
    PRIMARY KEY (level, n)
  ) STRICT`,
  `CREATE TABLE checkpoint (
    size INTEGER PRIMARY KEY,
    note TEXT NOT NULL,
    at TEXT NOT NULL
  ) STRICT`,
  `CREATE TABLE witnessed (
    ix INTEGER PRIMARY KEY,
    city TEXT NOT NULL,
    origin TEXT NOT NULL,
    key TEXT NOT NULL,
    size INTEGER NOT NULL,
    note TEXT NOT NULL,
    at TEXT NOT NULL
  ) STRICT`,
  `CREATE TABLE contradiction (
    ix INTEGER PRIMARY KEY,
    city TEXT NOT NULL,
    name TEXT NOT NULL,
    held TEXT NOT NULL,
    found TEXT NOT NULL,
    detail TEXT NOT NULL,
    at TEXT NOT NULL,
    acknowledged_by TEXT,
    acknowledged_at TEXT
  ) STRICT`,
  `CREATE TRIGGER tile_follows BEFORE INSERT ON tile
    WHEN NEW.n IS NOT (SELECT coalesce(max(n), -1) + 1 FROM tile WHERE level = NEW.level)
    BEGIN SELECT raise(ABORT, 'a tile follows the one before it'); END`,
  `CREATE TRIGGER tile_not_updated BEFORE UPDATE ON tile BEGIN SELECT raise(ABORT, 'the ledger is append-only'); END`,
  `CREATE TRIGGER tile_not_deleted BEFORE DELETE ON tile BEGIN SELECT raise(ABORT, 'the ledger is append-only'); END`,
  `CREATE TRIGGER checkpoint_grows BEFORE INSERT ON checkpoint
    WHEN NEW.size <= (SELECT max(size) FROM checkpoint)
      OR NEW.size > (SELECT coalesce(max(ix), -1) + 1 FROM entry)
    BEGIN SELECT raise(ABORT, 'a checkpoint is larger than the one before it, and of what is there'); END`,
  `CREATE TRIGGER checkpoint_is_cosigned BEFORE UPDATE ON checkpoint
    WHEN NEW.size IS NOT OLD.size OR NEW.at IS NOT OLD.at OR substr(NEW.note, 1, length(OLD.note)) IS NOT OLD.note
    BEGIN SELECT raise(ABORT, 'a checkpoint does not change'); END`,
  `CREATE TRIGGER checkpoint_stays BEFORE DELETE ON checkpoint
    WHEN OLD.size = (SELECT max(size) FROM checkpoint)
    BEGIN SELECT raise(ABORT, 'the newest checkpoint stays'); END`,
  `CREATE TRIGGER witnessed_follows BEFORE INSERT ON witnessed
    WHEN NEW.ix IS NOT (SELECT coalesce(max(ix), -1) + 1 FROM witnessed)
    BEGIN SELECT raise(ABORT, 'a log that is known follows the others'); END`,
  `CREATE TRIGGER witnessed_grows BEFORE UPDATE ON witnessed
    WHEN NEW.ix IS NOT OLD.ix OR NEW.city IS NOT OLD.city OR NEW.origin IS NOT OLD.origin OR NEW.key IS NOT OLD.key
      OR NEW.size < OLD.size OR (NEW.size = OLD.size AND OLD.note <> '')
    BEGIN SELECT raise(ABORT, 'what was cosigned only grows'); END`,
  `CREATE TRIGGER witnessed_not_deleted BEFORE DELETE ON witnessed
    BEGIN SELECT raise(ABORT, 'what was cosigned stays'); END`,
  `CREATE TRIGGER contradiction_follows BEFORE INSERT ON contradiction
    WHEN NEW.ix IS NOT (SELECT coalesce(max(ix), -1) + 1 FROM contradiction)
    BEGIN SELECT raise(ABORT, 'a contradiction follows the others'); END`,
  `CREATE TRIGGER contradiction_is_acknowledged BEFORE UPDATE ON contradiction
    WHEN OLD.acknowledged_by IS NOT NULL OR NEW.acknowledged_by IS NULL OR NEW.acknowledged_at IS NULL
      OR NEW.ix IS NOT OLD.ix OR NEW.city IS NOT OLD.city OR NEW.name IS NOT OLD.name OR NEW.held IS NOT OLD.held
      OR NEW.found IS NOT OLD.found OR NEW.detail IS NOT OLD.detail OR NEW.at IS NOT OLD.at
    BEGIN SELECT raise(ABORT, 'a contradiction does not change'); END`,
  `CREATE TRIGGER contradiction_stays BEFORE DELETE ON contradiction
    BEGIN SELECT raise(ABORT, 'a contradiction stays'); END`,
]

/**
 * A file of version n has had the first n of these steps, in their order, whenever it was made. A step that some ledger
 * has had is never edited: a later program adds one, and a ledger of any earlier day is opened, brought up to it, and
 * verified at rest as what it is. A step adds; it must leave an older program that still has the file open able to append.
 */
export const STEPS: readonly (readonly string[])[] = [FIRST, LOG]

/** The version of the tables of a file; 0 where none was ever written. */
function versionOf(db: DatabaseSync): number {
  return integer(db.prepare('PRAGMA user_version').get()?.['user_version'])
}

/** Whether a file is of a version that has a log beside its entries. */
export function hasLog(db: DatabaseSync): boolean {
  return versionOf(db) > STEPS.indexOf(LOG)
}

/** Says so where a file is of a later version than this program; it cannot be judged then, and must not be written to. */
export function newerThanUs(db: DatabaseSync, steps = STEPS): string | undefined {
  const version = versionOf(db)
  return version > steps.length
    ? `the ledger is of version ${version} and this program knows version ${steps.length}: use the program that wrote it, or a later one`
    : undefined
}

/** Takes every step that a file has not had yet, all of them or none. On an empty file that makes a ledger of today. */
export function bringUp(db: DatabaseSync, steps = STEPS): void {
  if (versionOf(db) >= steps.length) return
  db.exec('BEGIN IMMEDIATE')
  try {
    // Read again under the lock: another process may have taken the steps meanwhile, and one more.
    for (let version = versionOf(db); version < steps.length; version += 1) {
      for (const sql of steps[version] ?? []) db.exec(sql)
      db.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${version + 1}`)
    }
    db.exec('COMMIT')
  } catch (fault) {
    if (db.isTransaction) db.exec('ROLLBACK')
    throw fault
  }
}

/**
 * How the tables, indexes and triggers of a file differ from those of its own version, one sentence each; none when they do
 * not. One read transaction: another process may be bringing the file up.
 */
export function schemaFaults(db: DatabaseSync, steps = STEPS): string[] {
  db.exec('BEGIN')
  try {
    const newer = newerThanUs(db, steps)
    if (newer !== undefined) return [newer]
    const version = versionOf(db)
    const faults: string[] = []
    const id = db.prepare('PRAGMA application_id').get()?.['application_id']
    if (id !== APPLICATION_ID) faults.push('the file is not marked as a ledger')
    if (version < 1) faults.push('the file has no version')
    using model = new DatabaseSync(':memory:')
    // What has no version is held to the first, and is told what it lacks.
    for (const sql of steps.slice(0, Math.max(1, version)).flat()) model.exec(sql)
    const wanted = readSchema(model)
    const found = readSchema(db)
    for (const [name, sql] of wanted) {
      if (!found.has(name)) faults.push(`${name} is missing`)
      else if (found.get(name) !== sql) faults.push(`${name} was changed`)
    }
    for (const name of found.keys()) if (!wanted.has(name)) faults.push(`${name} was added`)
    return faults
  } finally {
    if (db.isTransaction) db.exec('ROLLBACK')
  }
}

function readSchema(db: DatabaseSync): Map<string, string> {
  const rows = db.prepare(`SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL`).all()
  return new Map(rows.map(row => [`${text(row['type'])} ${text(row['name'])}`, text(row['sql'])]))
}

/** Whose ledger a file says it is. Throws when it does not say. */
export function readLedgerIdentity(db: DatabaseSync): Identity {
  const row = db.prepare('SELECT city, id, created FROM ledger').get()
  if (row === undefined) throw new TypeError('the ledger has no name')
  return { city: text(row['city']), id: text(row['id']), created: text(row['created']) }
}

/** The columns that `readEvidence` takes, of evidence joined with signed. */
export const evidenceColumns = 'question, answer, header, before, after, signature'

/** A row of evidence as what was signed; the body alone where a crash came before the signature. */
export function readEvidence(row: Record<string, SQLOutputValue>): Evidence {
  const question = optionalText(row['question'])
  const body = optionalText(row['answer'])
  const before = optionalText(row['before'])
  if (before === undefined) return { question, answer: body }
  const nullable = (name: string) => optionalText(row[name]) ?? null
  const signed = { header: nullable('header'), before, after: nullable('after'), signature: nullable('signature') }
  return { question, answer: putTogether(signed, body ?? '') }
}

/** Where a message of a peer is recorded, by the index that refuses to record it again. */
export const findInbound = `SELECT ix FROM entry INDEXED BY entry_inbound WHERE ${isInbound} AND peer = ? AND jti = ?`

/** Messages recorded more than once, found without any index. */
export const findDuplicates = `SELECT max(ix) AS ix, count(*) AS n FROM entry NOT INDEXED WHERE ${isInbound}
  GROUP BY peer, jti HAVING n > 1`

/** A column's value, held to the type that the table gives it. */
export function integer(value: SQLOutputValue | undefined): number {
  if (typeof value !== 'number') throw new TypeError('an integer was expected')
  return value
}

/** A column's value, held to the type that the table gives it. */
export function text(value: SQLOutputValue | undefined): string {
  if (typeof value !== 'string') throw new TypeError('a text was expected')
  return value
}

/** A column's value that may be absent, held to the type that the table gives it. */
export function optionalText(value: SQLOutputValue | undefined): string | undefined {
  return value === null || value === undefined ? undefined : text(value)
}

/** A column's value, held to the type that the table gives it. */
export function bytes(value: SQLOutputValue | undefined): Uint8Array {
  if (!(value instanceof Uint8Array)) throw new TypeError('bytes were expected')
  return value
}
