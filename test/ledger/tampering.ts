/** What one can do to a ledger's file who knows how it is made; for the tests of who finds it. */
import type { DatabaseSync } from 'node:sqlite'
import { leafHash, nextLink, originLink } from '#ledger/entry.ts'
import { bytes, integer, readLedgerIdentity, text } from '#ledger/tables.ts'

type Row = { body: string; previous: Uint8Array; link: Uint8Array }

/** An entry's row. */
export function take(db: DatabaseSync, index: number): Row {
  const row = db.prepare('SELECT body, previous, link FROM entry WHERE ix = ?').get(index)
  return { body: text(row?.['body']), previous: bytes(row?.['previous']), link: bytes(row?.['link']) }
}

/** Puts a row in at an index. */
export function put(db: DatabaseSync, index: number, { body, previous, link }: Row): void {
  db.prepare('INSERT INTO entry (ix, body, previous, link) VALUES (?, ?, ?, ?)').run(index, body, previous, link)
}

/** Makes room at an index, with all that hangs on the later ones. */
export function shift(db: DatabaseSync, from: number, by: 1 | -1): void {
  for (const table of ['entry', 'evidence', 'signed']) {
    db.exec(
      `UPDATE ${table} SET ix = -ix - 1 WHERE ix >= ${from}; UPDATE ${table} SET ix = -(ix + 1) + ${by} WHERE ix < 0`,
    )
  }
}

/** Takes an entry out, with all that hangs on it. */
export function remove(db: DatabaseSync, index: number): void {
  for (const table of ['entry', 'evidence', 'signed']) db.exec(`DELETE FROM ${table} WHERE ix = ${index}`)
}

/** What one does who knows how the chain is made: hashes everything anew from an entry on. */
export function rehash(db: DatabaseSync, from: number): void {
  let link = from === 0 ? originLink(readLedgerIdentity(db)) : take(db, from - 1).link
  for (const row of db.prepare('SELECT ix, body FROM entry WHERE ix >= ? ORDER BY ix').all(from)) {
    const next = nextLink(link, leafHash(text(row['body'])))
    db.prepare('UPDATE entry SET previous = ?, link = ? WHERE ix = ?').run(link, next, integer(row['ix']))
    link = next
  }
}
