import { generateKeyPairSync } from 'node:crypto'
import { existsSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { copyLedger, moveLedger } from '#ledger/copy.ts'
import { openLog } from '#ledger/log.ts'
import { openLedgerAt, openLogStoreAt, verifyLedgerAt } from '#ledger/open.ts'
import { postgresEngine } from './engines.ts'
import { answered, directory, newLedger, signedAnswer, tamper, uuid7 } from './sample.ts'

const postgres = postgresEngine()
const sqlite = { name: 'sqlite', make: async () => newLedger(), room: async () => `${directory()}/ledger.db` }
const { privateKey: key } = generateKeyPairSync('ed25519')
const ways = [
  { source: sqlite, target: postgres },
  { source: postgres, target: sqlite },
  { source: sqlite, target: sqlite },
  { source: postgres, target: postgres },
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
  await store.acknowledge('huizhou', '王某', 'c')
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
      expect(await store.witnessed()).toHaveLength(1)
      expect(await store.contradictions()).toMatchObject([{ acknowledged: { by: '王某', at: 'c' } }])
    },
  )

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
