/** What a ledger is carried into is a ledger when all of it is written, and none before. */
import { randomUUID } from 'node:crypto'
import { DatabaseSync } from 'node:sqlite'
import type { Receipt } from '#protocol/message.ts'
import { refuse } from '#protocol/refusal.ts'
import { base64url, type Identity } from './entry.ts'
import { putTogether } from './evidence.ts'
import type { SignedAnswer } from './ledger.ts'
import type { Contradiction, Kept, Tile, Witnessed } from './log.ts'
import { isPostgres } from './place.ts'
import { appendGroup, createPostgresLedger, type Statements } from './postgres.ts'
import type { Item } from './queue.ts'
import { createLedger } from './sqlite.ts'
import type { Row } from './walk.ts'

/** Takes all that a ledger holds, a page at a time: entries first, then of the log each in the order in which it grew. */
export type Target = {
  entries(rows: readonly Row[]): Promise<void>
  tiles(tiles: readonly Tile[]): Promise<void>
  checkpoints(kept: readonly Kept[]): Promise<void>
  /** All that is known of other cities' logs, at once. */
  others(witnessed: readonly Witnessed[], contradictions: readonly Contradiction[]): Promise<void>
}

/**
 * Begins the ledger of this name at a place and has it filled. In PostgreSQL that is one transaction. A file is not synced before
 * its end: whoever calls gives it its name when it is whole. Throws `ledger.unavailable`.
 */
export async function fillLedgerAt(
  to: string,
  identity: Identity,
  fill: (target: Target) => Promise<void>,
): Promise<void> {
  if (isPostgres(to)) {
    return await createPostgresLedger(to, identity, undefined, async sql => {
      await fill(postgresTarget(sql))
      await sql`DELETE FROM writer`
    })
  }
  createLedger(to, identity.city, identity)
  using db = new DatabaseSync(to)
  db.exec('PRAGMA synchronous = OFF')
  await fill(fileTarget(db))
  db.exec('PRAGMA synchronous = FULL; PRAGMA wal_checkpoint(TRUNCATE)')
}

function fileTarget(db: DatabaseSync): Target {
  const entry = db.prepare('INSERT INTO entry (ix, body, previous, link) VALUES (?, ?, ?, ?)')
  const evidence = db.prepare('INSERT INTO evidence (ix, question, answer, expires_at) VALUES (?, ?, ?, ?)')
  const signed = db.prepare('INSERT INTO signed (ix, header, before, after, signature) VALUES (?, ?, ?, ?, ?)')
  const tile = db.prepare('INSERT INTO tile (level, n, root, hashes) VALUES (?, ?, ?, ?)')
  const checkpoint = db.prepare('INSERT INTO checkpoint (size, note, at) VALUES (?, ?, ?)')
  const witnessed = db.prepare(
    'INSERT INTO witnessed (ix, city, origin, key, size, note, at) VALUES (?, ?, ?, ?, ?, ?, ?)',
  )
  const contradiction = db.prepare('INSERT INTO contradiction VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)')
  const each = async <T>(rows: readonly T[], insert: (row: T, i: number) => void) => {
    db.exec('BEGIN IMMEDIATE')
    for (const [i, row] of rows.entries()) insert(row, i)
    db.exec('COMMIT')
  }
  return {
    entries: rows =>
      each(rows, ({ index, body, previous, link, held }) => {
        entry.run(index, body, previous, link)
        if (held === undefined) return
        evidence.run(index, held.question ?? null, held.answer ?? null, held.until)
        const { signed: parts } = held
        if (parts !== undefined) signed.run(index, parts.header, parts.before, parts.after, parts.signature)
      }),
    tiles: tiles => each(tiles, ({ level, n, root, hashes }) => tile.run(level, n, root, hashes)),
    checkpoints: kept => each(kept, ({ size, note, at }) => checkpoint.run(size, note, at)),
    async others(logs, contradictions) {
      await each(logs, ({ city, origin, key, size, note, at }, i) =>
        witnessed.run(i, city, origin, key, size, note, at),
      )
      await each(contradictions, ({ city, name, held, found, detail, at, acknowledged }, i) =>
        contradiction.run(i, city, name, held, found, detail, at, acknowledged?.by ?? null, acknowledged?.at ?? null),
      )
    },
  }
}

function postgresTarget(sql: Statements): Target {
  return {
    async entries(rows) {
      const items = rows.map(({ body, held }): Item => ({ body, at: '', evidence: held, expiresAt: held?.until ?? 0 }))
      const written = await appendGroup(sql, { writer: randomUUID(), turn: 1 }, items, new Map())
      for (const [i, row] of rows.entries()) expectPlace(row, written[i])
      const signed = rows.flatMap(row => signedIn(row))
      if (signed.length > 0) await appendGroup(sql, { writer: randomUUID(), turn: 1 }, [], new Map(signed))
    },
    async tiles(tiles) {
      const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64')
      const made = tiles.map(({ level, n, root, hashes }) => ({ level, n, root: base64(root), hashes: base64(hashes) }))
      await sql`INSERT INTO tile (level, n, root, hashes)
        SELECT level, n, decode(root, 'base64'), decode(hashes, 'base64')
          FROM json_to_recordset(${JSON.stringify(made)}::text::json)
            AS made (level integer, n bigint, root text, hashes text) ORDER BY level, n`
    },
    async checkpoints(kept) {
      await sql`INSERT INTO checkpoint (size, note, at)
        SELECT size, note, at FROM json_to_recordset(${JSON.stringify(kept)}::text::json)
          AS kept (size bigint, note text, at text) ORDER BY size`
    },
    async others(logs, contradictions) {
      const known = logs.map((row, ix) => ({ ix, ...row }))
      await sql`INSERT INTO witnessed (ix, city, origin, key, size, note, at)
        SELECT ix, city, origin, key, size, note, at FROM json_to_recordset(${JSON.stringify(known)}::text::json)
          AS known (ix bigint, city text, origin text, key text, size bigint, note text, at text)`
      const found = contradictions.map(({ acknowledged, ...row }, ix) => ({
        ix,
        ...row,
        acknowledged_by: acknowledged?.by,
        acknowledged_at: acknowledged?.at,
      }))
      await sql`INSERT INTO contradiction
          (ix, city, name, held, found, detail, at, acknowledged_by, acknowledged_at)
        SELECT ix, city, name, held, found, detail, at, acknowledged_by, acknowledged_at
          FROM json_to_recordset(${JSON.stringify(found)}::text::json) AS found (ix bigint, city text, name text, held text,
            found text, detail text, at text, acknowledged_by text, acknowledged_at text)`
    },
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
