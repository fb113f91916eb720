import { generateKeyPairSync } from 'node:crypto'
import { existsSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { signCheckpoint } from '#ledger/checkpoint.ts'
import { copyLedger, moveLedger } from '#ledger/copy.ts'
import { openLog } from '#ledger/log.ts'
import { openLedgerAt, openLogStoreAt, verifyLedgerAt } from '#ledger/open.ts'
import { bringUp, STEPS } from '#ledger/tables.ts'
import { postgresEngine } from './engines.ts'
import { companies, fillLedger, manyEntries } from './many.ts'
import { answered, directory, newLedger, raw, signedAnswer, tamper, uuid7 } from './sample.ts'

const postgres = postgresEngine()
const sqlite = { name: 'sqlite', make: async () => newLedger(), room: async () => `${directory()}/ledger.db` }
const { privateKey: key } = generateKeyPairSync('ed25519')
const ways = [
  { source: sqlite, target: postgres },
  { source: postgres, target: sqlite },
  { source: sqlite, target: sqlite },
  { source: postgres, target: postgres },
]

/** A city that began another log, and another: what was cosigned of each. */
const ningbo = [
  { city: 'ningbo', origin: 'first', key: 'k', size: 9, note: 'n', at: 'a' },
  { city: 'ningbo', origin: 'second', key: 'l', size: 3, note: 'm', at: 'b' },
  { city: 'ningbo', origin: 'third', key: 'm', size: 0, note: '', at: 'c' },
]

/** A ledger with all that one may hold: signed answers, bodies without a signature, odd texts, a log and what it knows. */
async function filled(place: string, entries = 700) {
  await using ledger = await openLedgerAt(place, 'jiangyin')
  const receipts = await Promise.all(
    Array.from({ length: entries }, async (_, i) => {
      const sample = answered()
      if (i % 5 === 4) return ledger.append(sample.entry)
      const receipt = await ledger.append(sample.entry, sample.evidence)
      if (i % 5 > 1) ledger.keep(receipt.index, { answer: signedAnswer(sample, receipt) })
      return receipt
    }),
  )
  const {
    kind: _,
    status: __,
    disclosed: ___,
    withheldDigest: ____,
    answerDigest: _____,
    ...exchange
  } = answered().entry
  const odd = { ...exchange, jti: uuid7(), matter: 'a\u0000b', department: '招标办' }
  await ledger.append({ ...odd, kind: 'outcome', outcome: 'unknown', code: 'peer.answer' }, { answer: '\u0000' })
  await using store = await openLogStoreAt(place)
  await openLog({ store, city: 'jiangyin', id: ledger.id, key, now: Date.now }).integrate()
  await store.know({ city: 'huizhou', origin: 'o', key: 'k', size: 5, note: 'n', at: 'a' })
  await store.contradict({ city: 'huizhou', name: 'forked', held: 'h', found: 'f', detail: 'd', at: 'a' })
  await store.acknowledge('huizhou', 1, { by: '王某', at: 'c' })
  for (const [i, row] of ningbo.entries()) {
    await store.know(row)
    await store.acknowledge('ningbo', i, { by: '李某', at: row.at }, row)
    if (i > 0) await store.witness(row, 0)
    await store.contradict({ city: 'ningbo', name: 'replaced', held: row.key, found: 'l', detail: 'd', at: 'a' })
  }
  return receipts
}

describe('a ledger that is moved', () => {
  test.each(ways)(
    'from $source.name to $target.name is the same ledger, and goes on as it',
    { timeout: 60_000 },
    async ({ source, target }) => {
      const [from, to] = [await source.make(), await target.room()]
      const receipts = await filled(from)
      const before = await verifyLedgerAt(from, { receipts })
      const steps: number[] = []
      const moved = await moveLedger(from, to, { progress: (done, total) => steps.push(done / total) })
      expect(moved).toEqual({ ...before, faults: [] })
      expect(steps.at(-1)).toBe(1)
      expect(await verifyLedgerAt(to, { receipts })).toMatchObject({ verified: true, head: before.head })
      if (source === sqlite) expect([existsSync(from), existsSync(`${from}.moved`)]).toEqual([false, true])
      await using ledger = await openLedgerAt(to, 'jiangyin')
      await using store = await openLogStoreAt(to)
      const log = openLog({ store, city: 'jiangyin', id: ledger.id, key, now: Date.now })
      expect((await log.newest())?.size).toBe(701)
      expect((await ledger.append(answered().entry)).index).toBe(701)
      expect((await log.integrate()).size).toBe(702)
      expect(await store.everWitnessed()).toMatchObject([{ city: 'huizhou' }, ...ningbo])
      expect(await store.witnessed()).toMatchObject([{ city: 'huizhou' }, { origin: 'third' }])
      const found = await store.contradictions()
      expect(found.map(each => each.acknowledged?.by)).toEqual(['王某', '李某', '李某', undefined])
    },
  )

  test.each([sqlite, postgres])(
    'to $name is no ledger there before it is whole, and can be moved there yet',
    { timeout: 60_000 },
    async target => {
      const from = newLedger()
      await filled(from)
      const to = await target.room()
      const progress = () => {
        throw new Error('nothing more is heard')
      }
      await expect(moveLedger(from, to, { progress })).rejects.toThrow('nothing more is heard')
      await expect(openLedgerAt(to, 'jiangyin')).rejects.toThrow('ledger.unavailable')
      expect(await moveLedger(from, to)).toMatchObject({ verified: true, entries: 701 })
    },
  )

  test('takes the whole of a long log along', { timeout: 120_000 }, async () => {
    const from = newLedger()
    const { at } = manyEntries(4_400, companies(100))
    fillLedger(from, 4_400, at)
    {
      await using ledger = await openLedgerAt(from, 'jiangyin')
      await using store = await openLogStoreAt(from)
      const log = openLog({ store, city: 'jiangyin', id: ledger.id, key, now: Date.now })
      await log.integrate()
      const { origin } = log
      const roots = await Promise.all(Array.from({ length: 300 }, (_, i) => log.rootAt(i + 1)))
      tamper(from, db => {
        const insert = db.prepare('INSERT INTO checkpoint (size, note, at) VALUES (?, ?, ?)')
        for (const [i, root] of roots.entries()) {
          insert.run(i + 1, signCheckpoint({ origin, size: i + 1, root, extensions: [] }, key), 'a')
        }
      })
    }
    const checkpoints = async (place: string) => {
      await using store = await openLogStoreAt(place)
      return await store.checkpointsFrom(0, 10_000)
    }
    const before = await checkpoints(from)
    expect(before.length).toBeGreaterThan(300)
    const [between, to] = [await postgres.room(), await sqlite.room()]
    await moveLedger(from, between)
    expect(await checkpoints(between)).toEqual(before)
    await moveLedger(between, to)
    expect(await checkpoints(to)).toEqual(before)
  })

  test('is not, where a gateway has it open, where it is not whole, or where one is already', async () => {
    const from = newLedger()
    const open = await openLedgerAt(from, 'jiangyin')
    await open.append(answered().entry)
    await expect(moveLedger(from, await postgres.room())).rejects.toThrow('is in use')
    await open.close()
    await expect(moveLedger(from, newLedger())).rejects.toThrow('there already')
    await expect(moveLedger(from, await postgres.make())).rejects.toThrow('there already')
    tamper(from, db => db.exec(`UPDATE entry SET body = replace(body, 'bidding', 'lending')`))
    await expect(moveLedger(from, await postgres.room())).rejects.toThrow('is not whole')
    expect(existsSync(from)).toBe(true)
  })
})

describe('a backup', () => {
  test('of a file of the version that had no log has none either', async () => {
    const from = `${directory()}/first.db`
    {
      using db = raw(from)
      bringUp(db, STEPS.slice(0, 1))
      db.exec(`INSERT INTO ledger VALUES (1, 'jiangyin', 'id', '2026-01-01T00:00:00.000Z');
        INSERT INTO probe VALUES (1, x''); PRAGMA journal_mode = WAL`)
    }
    const to = `${directory()}/backup.sqlite`
    expect(await copyLedger(from, to)).toMatchObject({ verified: true, entries: 0 })
    await using store = await openLogStoreAt(to)
    expect(await store.newest()).toBeUndefined()
  })

  test.each([sqlite, postgres])(
    'of $name is taken while the ledger is written to, and verifies by itself',
    { timeout: 60_000 },
    async source => {
      const from = await source.make()
      const to = `${directory()}/backup.sqlite`
      await using ledger = await openLedgerAt(from, 'jiangyin')
      let writing = true
      const writer = async () => {
        while (writing) {
          const sample = answered()
          const receipt = await ledger.append(sample.entry, sample.evidence)
          ledger.keep(receipt.index, { answer: signedAnswer(sample, receipt) })
        }
      }
      const writers = Promise.all(Array.from({ length: 16 }, writer))
      await expect.poll(() => ledger.count(), { timeout: 30_000 }).toBeGreaterThan(600)
      const { entries } = await copyLedger(from, to)
      writing = false
      await writers
      expect(entries).toBeGreaterThan(600)
      expect(await ledger.count()).toBeGreaterThan(entries)
      expect(await verifyLedgerAt(to)).toMatchObject({ verified: true, entries })
    },
  )
})
