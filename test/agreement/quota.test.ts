/** What the agreement grants by the minute and by the day, and that neither midnight, a restart nor another agreement gives more. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Signed } from '#agreement/agreement.ts'
import { countInMemory } from '#agreement/counts.ts'
import { quotas } from '#agreement/quota.ts'
import { startOfDay } from '#protocol/day.ts'
import { RefusalMessage, types } from '#protocol/message.ts'
import { Refusal } from '#protocol/refusal.ts'
import { claimsIn, type Running, runFederation } from '../federation.ts'

function agreementOf(questionsPerMinute: number, subjectsPerDay: number, id = 'a'): Signed {
  const both = { zh: '协议', en: 'agreement' }
  const days = { signedOn: '2026-01-01', validFrom: '2026-01-01', validTo: '2027-12-31' }
  const text = {
    id,
    title: both,
    parties: ['a', 'b'],
    ...days,
    quota: { questionsPerMinute, subjectsPerDay },
    grants: [],
  }
  return { text, digest: 'A'.repeat(43), begins: 0, ends: Number.MAX_SAFE_INTEGER }
}

describe('a quota', () => {
  /** 23:59:30 in Asia/Shanghai. */
  const evening = Date.parse('2026-11-22T15:59:30Z')
  let now = evening
  const clock = () => now

  it('of questions is for a minute of the clock', async () => {
    now = evening
    const { take } = quotas(clock, () => 0, countInMemory())
    const agreement = agreementOf(2, 100)
    await take(agreement, 'b', 1)
    await take(agreement, 'b', 1)
    await expect(take(agreement, 'b', 1)).rejects.toThrow('load.rate')
    now += 60_000
    await take(agreement, 'b', 1)
  })

  it('tells whoever goes on asking beyond it no more than that we are busy, which is not recorded, until the minute ends', async () => {
    now = evening
    const { take } = quotas(clock, () => 0, countInMemory())
    const agreement = agreementOf(2, 100)
    const told: string[] = []
    for (let i = 0; i < 6; i += 1) {
      told.push(
        await take(agreement, 'b', 1).then(
          () => 'taken',
          error => (error instanceof Refusal ? error.code : 'fault'),
        ),
      )
    }
    expect(told).toEqual(['taken', 'taken', 'load.rate', 'load.rate', 'load.busy', 'load.busy'])
    now += 60_000
    await take(agreement, 'b', 1)
  })

  it('of subjects is for a day in Asia/Shanghai', async () => {
    now = evening
    const { take } = quotas(clock, () => 0, countInMemory())
    const agreement = agreementOf(100, 10)
    await take(agreement, 'b', 10)
    await expect(take(agreement, 'b', 1)).rejects.toThrow('load.rate')
    now = Date.parse('2026-11-22T16:00:00Z')
    await take(agreement, 'b', 10)
  })

  it('counts nothing for a question that is too much, so that a smaller one still passes', async () => {
    now = evening
    const { take } = quotas(clock, () => 0, countInMemory())
    const agreement = agreementOf(2, 10)
    await take(agreement, 'b', 8)
    for (let i = 0; i < 5; i += 1) await expect(take(agreement, 'b', 3)).rejects.toThrow('subjects today')
    await take(agreement, 'b', 2)
  })

  it('is each peer’s and each agreement’s own', async () => {
    now = evening
    const { take } = quotas(clock, () => 0, countInMemory())
    await take(agreementOf(1, 1), 'b', 1)
    await take(agreementOf(1, 1), 'c', 1)
    await take(agreementOf(1, 1, 'other'), 'b', 1)
  })

  it('begins with what was spent before a restart, on that day and no other', async () => {
    now = evening
    const { take } = quotas(clock, () => 9, countInMemory())
    const agreement = agreementOf(100, 10)
    await expect(take(agreement, 'b', 2)).rejects.toThrow('subjects today')
    now = Date.parse('2026-11-22T16:00:00Z')
    await take(agreement, 'b', 10)
  })

  it('of a day begins at midnight in Asia/Shanghai', () => {
    for (const [at, start] of [
      ['2026-11-22T15:59:59.999Z', '2026-11-21T16:00:00Z'],
      ['2026-11-22T16:00:00.000Z', '2026-11-22T16:00:00Z'],
    ] as const)
      expect(startOfDay(Date.parse(at))).toBe(Date.parse(start))
  })
})

describe('a peer', () => {
  let running: Running
  beforeAll(async () => {
    running = await runFederation({
      edit: agreement => Object.assign(agreement, { quota: { questionsPerMinute: 4, subjectsPerDay: 150 } }),
    })
  })
  afterAll(() => running[Symbol.asyncDispose]())

  const hundred = Array.from({ length: 100 }, () => '91320281250344877K')
  async function refusalOf(over: Readonly<Record<string, unknown>>) {
    const { status, type, text } = await running.query('huizhou', 'jiangyin', over)
    return type === `application/${types.refusal}`
      ? [status, RefusalMessage.parse(claimsIn(text)).refusal.code]
      : [status, undefined]
  }

  it('that has used up its subjects of the day is refused under signature, before and after a restart', async () => {
    expect(await refusalOf({ subjects: hundred })).toEqual([200, undefined])
    expect(await refusalOf({ subjects: hundred })).toEqual([429, 'load.rate'])
    await running.restart('jiangyin')
    expect(await refusalOf({ subjects: hundred })).toEqual([429, 'load.rate'])
    expect(await refusalOf({ subjects: hundred.slice(0, 50) })).toEqual([200, undefined])
    expect(await refusalOf({})).toEqual([429, 'load.rate'])
  })

  it('that asks too often in a minute is refused under signature, told when to come back, and answered then', async () => {
    const seen: number[] = []
    const { ledger } = running.gateway('huizhou').city
    const before = await ledger.count()
    // Wherever in the minute this begins, ten questions are more than two minutes grant.
    for (let i = 0; i < 10; i += 1) {
      const { status, text } = await running.query('jiangyin', 'huizhou', { subjects: ['91441300195971850Y'] })
      seen.push(status)
      if (status === 429) expect(RefusalMessage.parse(claimsIn(text)).refusal.code).toBe('load.rate')
    }
    expect(seen).toContain(200)
    expect(seen).toContain(429)
    // Beyond as many refusals as it has questions, it is only told that we are busy, and nothing is recorded.
    expect(new Set(seen)).toEqual(new Set([200, 429, ...seen.filter(status => status === 503)]))
    expect(await ledger.count()).toBe(before + seen.filter(status => status !== 503).length)
  })

  it('is told of its own department’s question that the quota is used up, and not that nothing is known', async () => {
    const request = { peer: 'jiangyin', subjects: hundred, purpose: 'tendering', matter: '惠招〔2026〕1号' }
    const { body } = await running.ask('huizhou', request)
    expect(body.peers[0]).toMatchObject({ outcome: 'refused', reason: { code: 'load.rate' } })
  })
})
