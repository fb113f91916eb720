import { describe, expect, test } from 'vitest'
import type { Entry } from '#ledger/entry.ts'
import type { Ledger } from '#ledger/ledger.ts'
import { openLedgerAt, verifyLedgerAt } from '#ledger/open.ts'
import { holdsOf, keepRetention, letGoOfExpired, type Stretch } from '#ledger/retention.ts'
import { describeEngines } from './engines.ts'
import { answered, company, signedAnswer } from './sample.ts'

const DAY = 86_400_000
const HOUR = 3_600_000
const rule = () => ({ retentionDays: 30, now: Date.now, pauseMs: 0 })

function hold(name: string, action: 'placed' | 'lifted', over: Partial<Extract<Entry, { kind: 'held' }>> = {}): Entry {
  const at = new Date().toISOString()
  return {
    kind: 'held',
    at,
    city: 'jiangyin',
    staff: '王审计',
    hold: name,
    action,
    reason: '（2026）苏02民初1号',
    ...over,
  }
}

/** So many answered questions as of so many days ago, each about a company of its own; with evidence and signed answers. */
async function filled(place: string, count: number, daysAgo: number) {
  await using ledger = await openLedgerAt(place, 'jiangyin', { retentionDays: 30 })
  for (let i = 0; i < count; i += 1) {
    const at = new Date(Date.now() - daysAgo * DAY + i).toISOString()
    const sample = answered({ at, subjects: [company(i)] })
    const receipt = await ledger.append(sample.entry, sample.evidence)
    ledger.keep(receipt.index, { answer: signedAnswer(sample, receipt) })
  }
}

/** So many answered questions as of so many days ago, each to be held for so many days. */
async function filledAtOnce(place: string, count: number, daysAgo: number, retentionDays: number) {
  await using ledger = await openLedgerAt(place, 'jiangyin', { retentionDays })
  const at = new Date(Date.now() - daysAgo * DAY).toISOString()
  const samples = Array.from({ length: count }, () => answered({ at }))
  await Promise.all(samples.map(({ entry, evidence }) => ledger.append(entry, evidence)))
}

describeEngines(engine => {
  describe('a pass', () => {
    test('goes on behind what is not due: a rule that was made shorter holds for what came under it', async () => {
      const place = await engine.make()
      await filledAtOnce(place, 300, 60, 180)
      await filledAtOnce(place, 5, 31, 30)
      await using ledger = await openLedgerAt(place, 'jiangyin', { retentionDays: 30 })
      expect(await letGoOfExpired(ledger, rule())).toBe(5)
      expect(await ledger.entry(305)).toMatchObject({ entry: { from: 300, until: 305, count: 5 } })
      expect(await verifyLedgerAt(place)).toMatchObject({ verified: true, evidence: 300 })
    })

    test('does not look again at what it knows to have time, and yet misses no day', async () => {
      const place = await engine.make()
      await filledAtOnce(place, 300, 60, 180)
      await filledAtOnce(place, 300, 28, 30)
      await using ledger = await openLedgerAt(place, 'jiangyin', { retentionDays: 30 })
      const known: Stretch[] = []
      expect(await letGoOfExpired(ledger, { ...rule(), known })).toBe(0)
      const asked: number[] = []
      const watched: Ledger = {
        ...ledger,
        holding: async range => {
          asked.push(range.from)
          return await ledger.holding(range)
        },
      }
      expect(await letGoOfExpired(watched, { ...rule(), known })).toBe(0)
      expect(asked).toEqual([600])
      await filledAtOnce(place, 3, 40, 30)
      expect(await letGoOfExpired(watched, { ...rule(), known })).toBe(3)
      expect(asked).toEqual([600, 600])
      const later = () => Date.now() + 3 * DAY
      await letGoOfExpired(watched, { ...rule(), now: later, known })
      // The first step is not due for months; of the others each is.
      expect(asked).toEqual([600, 600, 256, 512, 603])
    })

    test('ends with the step it is at', async () => {
      const place = await engine.make()
      await filledAtOnce(place, 600, 31, 30)
      await using ledger = await openLedgerAt(place, 'jiangyin', { retentionDays: 30 })
      const faults: unknown[] = []
      const failed = (fault: unknown) => void faults.push(fault)
      const retention = keepRetention(ledger, { ...rule(), firstMs: 0, pauseMs: HOUR, failed })
      await expect.poll(() => ledger.evidence(0), { timeout: 20_000 }).toBeUndefined()
      await retention[Symbol.asyncDispose]()
      expect(await ledger.holding({ from: 0, limit: 1 })).toMatchObject([{ index: 256 }])
      expect(faults).toEqual([])
    })
  })

  describe('evidence', () => {
    test('is let go when its days are over, which is recorded first, and the ledger stays whole', async () => {
      const place = await engine.make()
      await filled(place, 5, 31)
      await filled(place, 3, 29)
      await using ledger = await openLedgerAt(place, 'jiangyin', { retentionDays: 30 })
      expect(await letGoOfExpired(ledger, rule())).toBe(5)
      expect((await ledger.entry(8))?.entry).toMatchObject({
        kind: 'expired',
        from: 0,
        until: 5,
        count: 5,
        retentionDays: 30,
      })
      expect(await ledger.evidence(4)).toBeUndefined()
      expect(await ledger.evidence(5)).toBeDefined()
      expect(await letGoOfExpired(ledger, rule())).toBe(0)
      expect(await ledger.count()).toBe(9)
      expect(await verifyLedgerAt(place)).toMatchObject({ verified: true, entries: 9, evidence: 3, signed: 3 })
    })

    test('that is gone after its day, and no entry says that it was let go, is found missing', async () => {
      const place = await engine.make()
      await filled(place, 5, 31)
      await filled(place, 3, 29)
      {
        await using ledger = await openLedgerAt(place, 'jiangyin', { retentionDays: 30 })
        expect(await ledger.letGo([1], await ledger.count())).toBe(1)
      }
      expect((await verifyLedgerAt(place)).faults.map(({ name, index }) => `${name} ${index}`)).toEqual([
        'evidence-missing 1',
        'evidence-missing undefined',
      ])
    })

    test('under a hold stays, by subject or by time, until the hold is lifted', async () => {
      const place = await engine.make()
      await filled(place, 6, 31)
      await using ledger = await openLedgerAt(place, 'jiangyin', { retentionDays: 30 })
      const fifth = (await ledger.entry(4))?.entry.at
      await ledger.append(hold('case-1', 'placed', { subjects: [company(1)] }))
      await ledger.append(hold('case-2', 'placed', { from: fifth }))
      await ledger.append(hold('case-3', 'placed'))
      expect(await letGoOfExpired(ledger, rule())).toBe(0)
      await ledger.append(hold('case-3', 'lifted'))
      expect([...(await holdsOf(ledger)).keys()].sort()).toEqual(['case-1', 'case-2'])
      expect(await letGoOfExpired(ledger, rule())).toBe(3)
      expect(
        await Promise.all([0, 1, 2, 3, 4, 5].map(async index => (await ledger.evidence(index)) !== undefined)),
      ).toEqual([false, true, false, false, true, true])
      await ledger.append(hold('case-1', 'lifted'))
      await ledger.append(hold('case-2', 'lifted'))
      expect(await letGoOfExpired(ledger, rule())).toBe(3)
      expect((await verifyLedgerAt(place)).verified).toBe(true)
    })

    test('stays where a hold was placed after it was judged, however late', async () => {
      const place = await engine.make()
      await filled(place, 3, 31)
      await using ledger = await openLedgerAt(place, 'jiangyin', { retentionDays: 30 })
      const judgedBy = await ledger.count()
      await ledger.append(hold('case-9', 'placed'))
      expect(await ledger.letGo([0, 1, 2], judgedBy)).toBe(0)
      expect(await ledger.evidence(1)).toBeDefined()
      expect(await ledger.letGo([0, 1, 2], await ledger.count())).toBe(3)
    })

    test('that has time yet stays, whatever is asked for', async () => {
      const place = await engine.make()
      await filled(place, 2, 29)
      await using ledger = await openLedgerAt(place, 'jiangyin')
      expect(await ledger.letGo([0, 1, 7], await ledger.count())).toBe(0)
      expect(await ledger.holding({ from: 1, limit: 5 })).toMatchObject([{ index: 1 }])
      expect((await ledger.evidence(0))?.answer).toBeDefined()
    })
  })

  test('of several processes one leads, and another when it ends', async () => {
    const place = await engine.make()
    const one = await openLedgerAt(place, 'jiangyin')
    await using other = await openLedgerAt(place, 'jiangyin')
    expect(await one.leads()).toBe(true)
    expect(await one.leads()).toBe(true)
    expect(await other.leads()).toBe(engine.name === 'sqlite')
    await one.close()
    await expect.poll(() => other.leads()).toBe(true)
  })
})
