import { copyFileSync, mkdirSync, truncateSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { base64url, type Entry, entryText, leafHash, nextLink, originLink } from '#ledger/entry.ts'
import { openLedger } from '#ledger/sqlite.ts'
import { text } from '#ledger/tables.ts'
import { verifyLedger } from '#ledger/verify.ts'
import type { Receipt } from '#protocol/message.ts'
import { answered, company, directory, execute, held, newLedger, signedAnswer, tamper, uuid7 } from './sample.ts'
import { put, rehash, remove, shift, take } from './tampering.ts'

/** A ledger at rest of so many answered questions, and their receipts. */
async function filled(entries: number) {
  const path = newLedger()
  const receipts: Receipt[] = []
  await using ledger = openLedger(path, 'jiangyin')
  for (let i = 0; i < entries; i += 1) {
    const sample = answered()
    const receipt = await ledger.append(sample.entry, sample.evidence)
    ledger.keep(receipt.index, { answer: signedAnswer(sample, receipt) })
    receipts.push(receipt)
  }
  return { path, receipts }
}

/** The names of the faults, each with the entry it is found at. */
function found(path: string, receipts: readonly Receipt[] = []): string[] {
  return verifyLedger(path, { receipts }).faults.map(({ name, index }) => `${name} ${index ?? '-'}`)
}

describe('a ledger as it was written', () => {
  test('verifies, at rest and in use, and gives its head', async () => {
    const { path, receipts } = await filled(5)
    await using ledger = openLedger(path, 'jiangyin')
    const sample = answered()
    receipts.push(await ledger.append(sample.entry, sample.evidence))
    expect(verifyLedger(path, { receipts })).toEqual({
      identity: expect.objectContaining({ city: 'jiangyin', id: ledger.id }),
      entries: 6,
      evidence: 6,
      signed: 5,
      signaturesChecked: false,
      head: (await ledger.head()).link,
      verified: true,
      faults: [],
      faultCount: 0,
    })
  })

  test('tells how far it has been walked', async () => {
    const path = newLedger()
    await using ledger = openLedger(path, 'jiangyin')
    await Promise.all(Array.from({ length: 1100 }, () => ledger.append(answered().entry)))
    const walked: number[][] = []
    verifyLedger(path, { progress: (...step) => walked.push(step) })
    expect(walked).toEqual([
      [512, 1100],
      [1024, 1100],
      [1100, 1100],
    ])
  })

  test('is not there: that is refused, and no file appears', () => {
    const path = join(directory(), 'ledger.db')
    expect(() => verifyLedger(path)).toThrow('ledger.unavailable')
    expect(() => verifyLedger(path)).toThrow('ledger.unavailable')
  })

  test('is one entry and one chain, whatever was appended in whatever groups', async () => {
    const shapes = fc.record({
      kind: fc.constantFrom('answered', 'refused', 'asked', 'outcome', 'replay' as const),
      matter: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }),
      peer: fc.constantFrom('huizhou', 'suzhou'),
      subjects: fc.array(fc.oneof(fc.nat(999).map(company), fc.constant('refused' as const)), {
        minLength: 1,
        maxLength: 5,
      }),
      pause: fc.boolean(),
      proof: fc.boolean(),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(shapes, { maxLength: 80 }), async plan => {
        const path = newLedger()
        await using ledger = openLedger(path, 'jiangyin')
        const earlier: Entry[] = []
        const results: Promise<PromiseSettledResult<Receipt>[]>[] = []
        const wanted: Entry[] = []
        for (const { kind, matter, peer, subjects, pause, proof } of plan) {
          const status = subjects.map(subject => (subject === 'refused' ? 'refused' : 'answered'))
          const sample = answered({ matter, peer, subjects, status })
          const {
            kind: _,
            status: __,
            disclosed: ___,
            withheldDigest: ____,
            answerDigest: _____,
            ...exchange
          } = sample.entry
          const own = { ...exchange, department: '招标办' }
          let entry: Entry = sample.entry
          if (kind === 'refused') entry = { ...exchange, kind, code: 'agreement.purpose' }
          if (kind === 'asked') entry = { ...own, kind, want: [{ family: 'licence' }] }
          if (kind === 'outcome') entry = { ...own, kind, outcome: 'unknown', code: 'peer.slow' }
          const first = earlier[0]
          if (kind === 'replay' && first !== undefined && 'jti' in first)
            entry = { ...sample.entry, peer: first.peer, jti: first.jti }
          else {
            wanted.push(proof && kind === 'answered' ? held(entry) : entry)
            if (entry.kind === 'answered' || entry.kind === 'refused') earlier.push(entry)
          }
          const result = ledger.append(entry, proof && kind === 'answered' ? sample.evidence : undefined)
          results.push(Promise.allSettled([result]))
          if (pause) await result.catch(() => undefined)
        }
        const receipts = (await Promise.all(results))
          .flat()
          .flatMap(result => (result.status === 'fulfilled' ? [result.value] : []))
        let link = originLink(verifyLedger(path).identity ?? { city: '', id: '', created: '' })
        for (const entry of wanted) link = nextLink(link, leafHash(entryText(entry)))
        const verification = verifyLedger(path, { receipts })
        expect(verification.faults).toEqual([])
        expect(verification).toMatchObject({ entries: wanted.length, head: base64url(link) })
        expect(await ledger.head()).toEqual({ count: wanted.length, link: base64url(link) })
      }),
      { numRuns: 40 },
    )
  })
})

describe('what is found', () => {
  const cases: [string, (db: DatabaseSync) => void, string[]][] = [
    [
      'an edit',
      db => db.exec(`UPDATE entry SET body = replace(body, 'bidding', 'lending') WHERE ix = 2`),
      ['edited 2'],
    ],
    [
      'an edit with its own link made anew',
      db => {
        db.exec(`UPDATE entry SET body = replace(body, 'bidding', 'lending') WHERE ix = 2`)
        const { body, previous } = take(db, 2)
        db.prepare('UPDATE entry SET link = ? WHERE ix = 2').run(nextLink(previous, leafHash(body)))
      },
      // The signed answer carries the receipt of the entry as it was.
      ['receipt-broken 2', 'link-broken 3'],
    ],
    ['an edited link', db => db.exec('UPDATE entry SET link = zeroblob(32) WHERE ix = 2'), ['edited 2']],
    ['a deletion', db => remove(db, 2), ['gap 2']],
    ['a deletion of several', db => [1, 2, 3].forEach(index => void remove(db, index)), ['gap 1']],
    ['a deletion at the beginning', db => remove(db, 0), ['gap 0']],
    [
      'a deletion that is numbered over',
      db => {
        remove(db, 2)
        shift(db, 3, -1)
      },
      ['link-broken 2', 'receipt-broken 2', 'receipt-broken 3', 'receipt-broken 4'],
    ],
    [
      'an exchange of two entries with their links',
      db => {
        const [two, three] = [take(db, 2), take(db, 3)]
        db.exec('DELETE FROM entry WHERE ix IN (2, 3)')
        put(db, 2, three)
        put(db, 3, two)
      },
      ['reordered 2', 'evidence-swapped 2', 'reordered 3', 'evidence-swapped 3', 'reordered 4'],
    ],
    [
      'an insertion that links itself',
      db => {
        shift(db, 2, 1)
        const body = entryText(answered().entry)
        const { link } = take(db, 1)
        put(db, 2, { body, previous: link, link: nextLink(link, leafHash(body)) })
      },
      ['reordered 3', 'receipt-broken 3', 'receipt-broken 4', 'receipt-broken 5', 'receipt-broken 6'],
    ],
    [
      'an entry before the first',
      db => put(db, -1, { ...take(db, 0), body: entryText(answered().entry) }),
      ['edited -1', 'link-broken 0'],
    ],
    [
      'an emptied middle',
      db => db.exec('DELETE FROM entry WHERE ix BETWEEN 1 AND 4'),
      ['gap 1', ...[1, 2, 3, 4].map(index => `evidence-stray ${index}`)],
    ],
    [
      'evidence of another entry',
      db => {
        db.exec(`UPDATE evidence SET question = (SELECT question FROM evidence WHERE ix = 1) WHERE ix = 2`)
      },
      ['evidence-swapped 2'],
    ],
    [
      'an answer of another entry',
      db => db.exec(`UPDATE evidence SET answer = (SELECT answer FROM evidence WHERE ix = 1) WHERE ix = 2`),
      ['evidence-swapped 2'],
    ],
    [
      'the signature of another entry',
      db =>
        db.exec(`UPDATE signed SET before = (SELECT before FROM signed WHERE ix = 1),
        after = (SELECT after FROM signed WHERE ix = 1) WHERE ix = 2`),
      ['evidence-swapped 2'],
    ],
    [
      'evidence of nothing',
      db =>
        db.exec(
          `INSERT INTO evidence VALUES (77, 'a.b.c', NULL, 0); INSERT INTO signed VALUES (78, NULL, 'x', NULL, NULL)`,
        ),
      ['evidence-stray 77', 'evidence-stray 78'],
    ],
    [
      'evidence that is gone',
      db => db.exec('DELETE FROM evidence WHERE ix = 2; DELETE FROM signed WHERE ix = 2'),
      ['evidence-missing 2'],
    ],
    [
      'a question that is gone',
      db => db.exec('UPDATE evidence SET question = NULL WHERE ix = 2'),
      ['evidence-missing 2'],
    ],
    [
      'an answer that is gone, with its signature',
      db => db.exec('UPDATE evidence SET answer = NULL WHERE ix = 2; DELETE FROM signed WHERE ix = 2'),
      ['evidence-missing 2'],
    ],
    [
      'evidence that was said to expire early',
      db =>
        db.exec(
          'UPDATE evidence SET expires_at = 0; DELETE FROM evidence WHERE ix > 3; DELETE FROM signed WHERE ix > 3',
        ),
      ['evidence-missing 4', 'evidence-missing 5'],
    ],
    [
      'a text that is not canonical, with the chain made anew',
      db => {
        db.exec(`DELETE FROM signed; UPDATE entry SET body = body || ' ' WHERE ix = 5`)
        rehash(db, 5)
      },
      ['malformed 5'],
    ],
    [
      'an entry of another city, with the chain made anew',
      db => {
        db.exec(
          `DELETE FROM signed; UPDATE entry SET body = replace(body, '"city":"jiangyin"', '"city":"wuxi"') WHERE ix = 5`,
        )
        rehash(db, 5)
      },
      ['foreign 5'],
    ],
    [
      'a message recorded twice, behind an index that lets it pass',
      db => {
        const { sql } = db.prepare(`SELECT sql FROM sqlite_schema WHERE name = 'entry_inbound'`).get() ?? {}
        db.exec('DROP INDEX entry_inbound')
        const { body } = take(db, 1)
        const { link } = take(db, 5)
        put(db, 6, { body, previous: link, link: nextLink(link, leafHash(body)) })
        db.exec(text(sql).replace('UNIQUE ', ''))
      },
      ['schema-changed -', 'duplicate 6', 'evidence-missing 6'],
    ],
    [
      'a message recorded twice, without the index',
      db => {
        db.exec('DROP INDEX entry_inbound')
        const { body } = take(db, 1)
        const { link } = take(db, 5)
        put(db, 6, { body, previous: link, link: nextLink(link, leafHash(body)) })
      },
      ['schema-changed -', 'evidence-missing 6', 'duplicate 6'],
    ],
    ['another name of the ledger', db => db.exec(`UPDATE ledger SET id = 'x'`), ['link-broken 0']],
    ['no name of the ledger', db => db.exec('DELETE FROM ledger'), ['unreadable -']],
    ['a column more', db => db.exec('ALTER TABLE evidence ADD COLUMN note TEXT'), ['schema-changed -']],
  ]

  test.each(cases)('%s', async (_, work, faults) => {
    const { path } = await filled(6)
    tamper(path, work)
    expect(found(path)).toEqual(faults)
  })

  test('evidence that is gone before its day, or after it with no entry that says so', async () => {
    const { path } = await filled(2)
    {
      await using ledger = openLedger(path, 'jiangyin')
      // Came without evidence: nothing is missing.
      await ledger.append(answered().entry)
    }
    tamper(path, db => db.exec('DELETE FROM evidence; DELETE FROM signed'))
    expect(found(path)).toEqual(['evidence-missing 0', 'evidence-missing 1'])
    const later = Date.now() + 180 * 86_400_000
    expect(verifyLedger(path, { now: later - 60_000 }).faultCount).toBe(2)
    const names = verifyLedger(path, { now: later }).faults.map(({ name, index }) => `${name} ${index ?? '-'}`)
    expect(names).toEqual(['evidence-missing 0', 'evidence-missing 1', 'evidence-missing -'])
  })

  test('a body in the place of a refusal, which has none', async () => {
    const path = newLedger()
    {
      await using ledger = openLedger(path, 'jiangyin')
      const { entry, evidence } = answered()
      const { status: _, disclosed: __, withheldDigest: ___, answerDigest: ____, ...exchange } = entry
      await ledger.append({ ...exchange, kind: 'refused', code: 'agreement.purpose' }, { question: evidence.question })
    }
    expect(found(path)).toEqual([])
    tamper(path, db => db.exec(`UPDATE evidence SET answer = '{}'`))
    expect(found(path)).toEqual(['evidence-swapped 0'])
  })

  test('a trigger that is gone', async () => {
    const { path } = await filled(1)
    execute(path, 'DROP TRIGGER entry_follows_head')
    expect(found(path)).toEqual(['schema-changed -'])
  })

  test('a shortened ledger, by whoever holds a receipt', async () => {
    const { path, receipts } = await filled(6)
    tamper(path, db => [4, 5].forEach(index => void remove(db, index)))
    expect(found(path)).toEqual([])
    expect(found(path, receipts)).toEqual(['receipt-broken 4', 'receipt-broken 5'])
  })

  test('a ledger that was edited and hashed anew, by whoever holds a receipt', async () => {
    const { path, receipts } = await filled(4)
    tamper(path, db => {
      db.exec(`DELETE FROM signed; UPDATE entry SET body = replace(body, 'bidding', 'lending') WHERE ix = 2`)
      rehash(db, 2)
    })
    expect(found(path)).toEqual([])
    expect(found(path, receipts)).toEqual(['receipt-broken 2', 'receipt-broken 3'])
  })

  test('a file that is cut off, or is something else', async () => {
    const { path } = await filled(50)
    const cut = join(dirname(path), 'cut.db')
    copyFileSync(path, cut)
    truncateSync(cut, 8192 * 5)
    expect(verifyLedger(cut).verified).toBe(false)
    const other = join(dirname(path), 'other.db')
    writeFileSync(other, 'something else '.repeat(1000))
    expect(found(other)).toEqual(['unreadable -'])
    const empty = join(dirname(path), 'empty.db')
    writeFileSync(empty, '')
    expect(verifyLedger(empty).verified).toBe(false)
    mkdirSync(join(dirname(path), 'folder'))
    expect(found(join(dirname(path), 'folder'))).toEqual(['unreadable -'])
  })

  test('every fault is counted, though only the first are told', async () => {
    const { path } = await filled(60)
    tamper(path, db => db.exec(`UPDATE entry SET body = replace(body, 'bidding', 'lending')`))
    const { faults, faultCount } = verifyLedger(path, { report: 3 })
    expect(faults.map(({ index }) => index)).toEqual([0, 1, 2])
    expect(faultCount).toBe(60)
  })

  test('what a peer sent as its answer must be the one that was accepted', async () => {
    const path = newLedger()
    const peer = answered({ city: 'huizhou' })
    const receipt = { index: 4, leaf: 'l'.repeat(43), link: 'k'.repeat(43), at: peer.entry.at }
    const { kind: _, status: __, disclosed: ___, withheldDigest: ____, ...exchange } = peer.entry
    const outcome = { ...exchange, city: 'jiangyin', peer: 'huizhou', department: '招标办' }
    {
      await using ledger = openLedger(path, 'jiangyin')
      const answer = signedAnswer(peer, receipt)
      await ledger.append({ ...outcome, kind: 'outcome', outcome: 'answered', receipt }, { answer })
      const { answerDigest: _____, ...unknown } = { ...outcome, jti: uuid7() }
      await ledger.append(
        { ...unknown, kind: 'outcome', outcome: 'unknown', code: 'peer.answer' },
        { answer: 'nonsense' },
      )
    }
    expect(found(path)).toEqual([])
    // Another answer, and what it says without the signature of who says it.
    for (const other of [signedAnswer(answered(), receipt), peer.evidence.answer]) {
      tamper(path, db => db.prepare('UPDATE evidence SET answer = ? WHERE ix = 0').run(other))
      expect(found(path)).toEqual(['evidence-swapped 0'])
    }
  })
})
