import { describe, expect, test } from 'vitest'
import { openLedger } from '#ledger/sqlite.ts'
import { verifyLedger } from '#ledger/verify.ts'
import { answered, execute, newLedger, raw, signedAnswer } from './sample.ts'

const samples = [answered(), answered(), answered()]

/** A ledger of three entries with signed answers, and a connection of somebody with an SQLite tool. */
async function three() {
  const path = newLedger()
  {
    await using ledger = openLedger(path, 'jiangyin')
    for (const sample of samples) {
      const receipt = await ledger.append(sample.entry, sample.evidence)
      ledger.keep(receipt.index, { answer: signedAnswer(sample, receipt) })
    }
  }
  return { path, db: raw(path) }
}

describe('the file refuses by itself', () => {
  const cases: [string, string, RegExp][] = [
    ['a change of a text', `UPDATE entry SET body = replace(body, 'bidding', 'lending') WHERE ix = 1`, /append-only/],
    ['a change of a link', `UPDATE entry SET link = zeroblob(32)`, /append-only/],
    ['a deletion', `DELETE FROM entry WHERE ix = 2`, /append-only/],
    ['a truncation', `DELETE FROM entry`, /append-only/],
    [
      'a gap',
      `INSERT INTO entry (ix, body, previous, link) SELECT 7, '{}', link, link FROM entry WHERE ix = 2`,
      /head/,
    ],
    [
      'a place before the first',
      `INSERT INTO entry (ix, body, previous, link) SELECT -1, '{}', link, link FROM entry LIMIT 1`,
      /head/,
    ],
    [
      'a place of its own choice',
      `INSERT INTO entry (body, previous, link) SELECT '{}', link, link FROM entry WHERE ix = 2`,
      /head/,
    ],
    [
      'an entry that does not know the head',
      `INSERT INTO entry (ix, body, previous, link) SELECT 3, '{}', link, link FROM entry WHERE ix = 1`,
      /head/,
    ],
    [
      'a replacement',
      `INSERT OR REPLACE INTO entry (ix, body, previous, link) SELECT ix, body, previous, link FROM entry WHERE ix = 1`,
      /head|replayed/,
    ],
    [
      'a replacement by way of the message',
      `INSERT OR REPLACE INTO entry (ix, body, previous, link) SELECT 3, (SELECT body FROM entry WHERE ix = 0), link, link FROM entry WHERE ix = 2`,
      /replayed/,
    ],
    [
      'an insertion that would be ignored',
      `INSERT OR IGNORE INTO entry (ix, body, previous, link) SELECT 3, (SELECT body FROM entry WHERE ix = 0), link, link FROM entry WHERE ix = 2`,
      /replayed/,
    ],
    [
      'an upsert',
      `INSERT INTO entry (ix, body, previous, link) SELECT ix, body, previous, link FROM entry WHERE ix = 1 ON CONFLICT DO UPDATE SET body = '{}'`,
      /head|replayed/,
    ],
    ['another city', `UPDATE ledger SET city = 'huizhou'`, /has a name/],
    ['a second name', `INSERT OR REPLACE INTO ledger VALUES (1, 'huizhou', 'x', 'x')`, /has a name/],
    ['no name', `DELETE FROM ledger`, /has a name/],
    ['a change of evidence', `UPDATE evidence SET question = 'a.b.c'`, /does not change/],
    ['a longer life of evidence', `UPDATE evidence SET expires_at = expires_at + 1`, /does not change/],
    ['the loss of evidence before its time', `DELETE FROM evidence`, /until it expires/],
    ['a replacement of evidence', `INSERT OR REPLACE INTO evidence VALUES (2, 'a.b.c', NULL, 0)`, /with its entry/],
    ['evidence that comes late', `INSERT INTO evidence VALUES (9, 'a.b.c', NULL, 0)`, /with its entry/],
    ['another signature', `INSERT OR REPLACE INTO signed VALUES (2, NULL, 'a.b.c', NULL, NULL)`, /signed once/],
    ['a change of the signature', `UPDATE signed SET signature = 'x'`, /does not change/],
    ['the loss of the signature alone', `DELETE FROM signed`, /until it expires/],
  ]

  test.each(cases)('%s', async (_, sql, message) => {
    const { path, db } = await three()
    using _db = db
    for (const recursive of ['ON', 'OFF']) {
      db.exec(`PRAGMA recursive_triggers = ${recursive}`)
      expect(() => db.exec(sql)).toThrow(message)
    }
    expect(verifyLedger(path)).toMatchObject({ verified: true, entries: 3, evidence: 3, signed: 3 })
  })

  test('but lets evidence go when its time has come: the chain stays whole, and what no entry speaks of is missing', async () => {
    const path = newLedger()
    {
      await using ledger = openLedger(path, 'jiangyin', { retentionDays: 30 })
      const old = answered({ at: '2026-01-01T00:00:00.000Z' })
      const receipt = await ledger.append(old.entry, old.evidence)
      ledger.keep(receipt.index, { answer: signedAnswer(old, receipt) })
    }
    execute(path, 'DELETE FROM evidence; DELETE FROM signed')
    const { faults, ...found } = verifyLedger(path)
    expect(found).toMatchObject({ entries: 1, evidence: 0, signed: 0 })
    expect(new Set(faults.map(({ name }) => name))).toEqual(new Set(['evidence-missing']))
  })
})
