/** The transparency log of the embedded ledger stands in the ledger's own file, so that one backup holds both or neither. */
import { DatabaseSync, type SQLOutputValue } from 'node:sqlite'
import { refuse } from '#protocol/refusal.ts'
import { withLines } from './checkpoint.ts'
import { leafHash } from './entry.ts'
import { COSIGNABLE, type Contradiction, contradictionNames, type LogStore, type Witnessed } from './log.ts'
import { bytes, integer, text } from './tables.ts'
import { openToRead } from './verify.ts'

/** As the ledger's own, which writes to the same file from the same thread: only another process can be in the way. */
const BUSY_TIMEOUT = 200

/**
 * Opens the log of a ledger file that `openLedger` has brought up to this program's version; to read only, also of one at rest on
 * a medium that cannot be written. Throws `ledger.unavailable`.
 */
export function openLogStore(path: string, { readOnly = false } = {}): LogStore {
  const guarded = <T>(work: () => T): T => {
    try {
      return work()
    } catch (fault) {
      throw refuse('ledger.unavailable', `${path}: ${fault instanceof Error ? fault.message : String(fault)}`, fault)
    }
  }
  return guarded(() => {
    const db = readOnly ? openToRead(path) : new DatabaseSync(path, { defensive: true, timeout: BUSY_TIMEOUT })
    try {
      // Tiles are read once in a while, and the WAL is carried over by the ledger's own connection when it is time.
      db.exec(
        'PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF; PRAGMA cache_size = -1024; PRAGMA wal_autocheckpoint = 0',
      )
      return serve(db, guarded)
    } catch (fault) {
      db.close()
      throw fault
    }
  })
}

function serve(db: DatabaseSync, guarded: <T>(work: () => T) => T): LogStore {
  const count = db.prepare('SELECT coalesce(max(ix), -1) + 1 AS n FROM entry')
  const bodies = db.prepare('SELECT body FROM entry WHERE ix >= ? AND ix < ? ORDER BY ix')
  const tile = db.prepare('SELECT hashes FROM tile WHERE level = ? AND n = ?')
  const roots = db.prepare('SELECT root FROM tile WHERE level = ? AND n >= ? AND n < ? ORDER BY n')
  const newest = db.prepare('SELECT size, note, at FROM checkpoint ORDER BY size DESC LIMIT ?')
  const sized = db.prepare('SELECT size, note, at FROM checkpoint WHERE size >= ? ORDER BY size LIMIT ?')
  const insertTile = db.prepare('INSERT INTO tile (level, n, root, hashes) VALUES (?, ?, ?, ?)')
  const insertCheckpoint = db.prepare('INSERT INTO checkpoint (size, note, at) VALUES (?, ?, ?)')
  const aWhileAgo = db.prepare(`SELECT size, note FROM checkpoint ORDER BY size DESC LIMIT 1 OFFSET ${COSIGNABLE}`)
  const letGo = db.prepare('DELETE FROM checkpoint WHERE size = ?')
  const noteOf = db.prepare('SELECT note FROM checkpoint WHERE size = ?')
  const setNote = db.prepare('UPDATE checkpoint SET note = ? WHERE size = ?')
  const known = db.prepare(
    `SELECT city, origin, key, size, note, at FROM witnessed
      WHERE ix IN (SELECT max(ix) FROM witnessed GROUP BY city) ORDER BY city`,
  )
  const ever = db.prepare('SELECT city, origin, key, size, note, at FROM witnessed ORDER BY ix')
  const ofCity = db.prepare('SELECT ix, size FROM witnessed WHERE city = ? ORDER BY ix DESC LIMIT 1')
  const ofOrigin = db.prepare(
    'SELECT size, note, at FROM witnessed WHERE city = ? AND origin = ? ORDER BY ix DESC LIMIT 1',
  )
  const setWitnessed = db.prepare('UPDATE witnessed SET size = ?, note = ?, at = ? WHERE ix = ?')
  const insertWitnessed = db.prepare(
    `INSERT INTO witnessed SELECT coalesce(max(ix), -1) + 1, ?, ?, ?, ?, ?, ? FROM witnessed`,
  )
  const contradictions = db.prepare('SELECT * FROM contradiction WHERE city = coalesce(?, city) ORDER BY ix')
  const isKnown = db.prepare(
    `SELECT 1 FROM contradiction WHERE city = ? AND name = ?
      AND (held = ? AND (name <> 'replaced' OR acknowledged_by IS NULL)
        OR acknowledged_by IS NULL AND city <> (SELECT city FROM ledger))`,
  )
  const insertContradiction = db.prepare(
    `INSERT INTO contradiction SELECT coalesce(max(ix), -1) + 1, ?, ?, ?, ?, ?, ?, NULL, NULL FROM contradiction`,
  )
  const acknowledge = db.prepare(
    `UPDATE contradiction SET acknowledged_by = ?, acknowledged_at = ? WHERE acknowledged_by IS NULL
      AND ix IN (SELECT ix FROM contradiction WHERE city = ? ORDER BY ix LIMIT ?) RETURNING name`,
  )
  const transaction = <T>(work: () => T): T =>
    guarded(() => {
      db.exec('BEGIN IMMEDIATE')
      try {
        const result = work()
        db.exec('COMMIT')
        return result
      } catch (fault) {
        if (db.isTransaction) db.exec('ROLLBACK')
        throw fault
      }
    })

  return {
    count: async () => guarded(() => integer(count.get()?.['n'])),
    leaves: async (from, many) =>
      guarded(() => Buffer.concat(bodies.all(from, from + many).map(row => leafHash(text(row['body']))))),
    tile: async ({ level, n }) =>
      guarded(() => {
        const row = tile.get(level, n)
        return row && bytes(row['hashes'])
      }),
    roots: async (level, from, many) =>
      guarded(() => Buffer.concat(roots.all(level, from, from + many).map(row => bytes(row['root'])))),
    newest: async () => guarded(() => newest.all(1).map(keptIn)[0]),
    checkpoints: async limit => guarded(() => newest.all(limit).map(keptIn)),
    checkpointsFrom: async (size, limit) => guarded(() => sized.all(size, limit).map(keptIn)),
    extend: async (tiles, { size, note, at }, after) =>
      transaction(() => {
        const row = newest.get(1)
        if ((row && keptIn(row).size) !== after) return false
        for (const { level, n, root, hashes } of tiles) insertTile.run(level, n, root, hashes)
        insertCheckpoint.run(size, note, at)
        const old = aWhileAgo.get()
        if (old !== undefined && !isCosigned(text(old['note']))) letGo.run(integer(old['size']))
        return true
      }),
    cosigned: async (size, lines) =>
      transaction(() => {
        const row = noteOf.get(size)
        if (row === undefined) return
        const note = text(row['note'])
        const grown = withLines(note, lines)
        if (grown !== note) setNote.run(grown, size)
      }),
    witnessed: async () => guarded(() => known.all().map(witnessedIn)),
    everWitnessed: async () => guarded(() => ever.all().map(witnessedIn)),
    witness: async ({ city, size, note, at }, after) =>
      transaction(() => {
        const row = ofCity.get(city)
        if (row === undefined || integer(row['size']) !== after) return false
        setWitnessed.run(size, note, at, integer(row['ix']))
        return true
      }),
    know: async ({ city, origin, key, size, note, at }) =>
      transaction(() => {
        if (ofCity.get(city) === undefined) insertWitnessed.run(city, origin, key, size, note, at)
      }),
    contradictions: async city => guarded(() => contradictions.all(city ?? null).map(contradictionIn)),
    contradict: async ({ city, name, held, found, detail, at }) =>
      transaction(() => {
        if (isKnown.get(city, name, held) !== undefined) return false
        insertContradiction.run(city, name, held, found, detail, at)
        return true
      }),
    acknowledge: async (city, seen, { by, at }, published) =>
      transaction(() => {
        const marked = acknowledge.all(by, at, city, seen)
        if (published !== undefined && marked.some(({ name }) => name === 'replaced')) {
          const { origin, key } = published
          const row = ofOrigin.get(city, origin)
          const held = row === undefined ? { size: 0, note: '', at } : keptIn(row)
          insertWitnessed.run(city, origin, key, held.size, held.note, held.at)
        }
        return marked.length
      }),
    [Symbol.asyncDispose]: async () => db.close(),
  }
}

/** Whether a note has more than the signature of its log. */
function isCosigned(note: string): boolean {
  return note.indexOf('\n— ') !== note.lastIndexOf('\n— ')
}

type Row = Record<string, SQLOutputValue>

function keptIn(row: Row) {
  return { size: integer(row['size']), note: text(row['note']), at: text(row['at']) }
}

function witnessedIn(row: Row): Witnessed {
  return { ...keptIn(row), city: text(row['city']), origin: text(row['origin']), key: text(row['key']) }
}

function contradictionIn(row: Row): Contradiction {
  const name = contradictionNames.find(each => each === row['name'])
  if (name === undefined) throw new TypeError('a contradiction of no known name')
  const { acknowledged_by: by, acknowledged_at: at } = row
  return {
    city: text(row['city']),
    name,
    held: text(row['held']),
    found: text(row['found']),
    detail: text(row['detail']),
    at: text(row['at']),
    ...(by !== null && { acknowledged: { by: text(by), at: text(at) } }),
  }
}
