/** Whatever is asked, when and by whom, no peer is given more than its agreement grants, and none is given less for another. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Signed } from '#agreement/agreement.ts'
import { countInMemory } from '#agreement/counts.ts'
import { quotas } from '#agreement/quota.ts'
import { Refusal } from '#protocol/refusal.ts'

const [QUESTIONS, SUBJECTS] = [3, 10]
function agreementOf(id: string): Signed {
  return {
    text: {
      id,
      title: { zh: '协议', en: 'agreement' },
      parties: ['jiangyin', 'huizhou', 'suqian'],
      signedOn: '2026-01-01',
      validFrom: '2026-01-01',
      validTo: '2026-12-31',
      quota: { questionsPerMinute: QUESTIONS, subjectsPerDay: SUBJECTS },
      grants: [],
    },
    digest: 'A'.repeat(43),
    begins: 0,
    ends: Number.MAX_SAFE_INTEGER,
  }
}

function outcome(taken: Promise<void>): Promise<string> {
  return taken.then(
    () => 'taken',
    error => {
      if (error instanceof Refusal) return error.code
      throw error
    },
  )
}

/** Ten minutes before midnight in Asia/Shanghai. */
const EVENING = Date.parse('2026-05-20T15:50:00Z')
const MIDNIGHT = Date.parse('2026-05-20T16:00:00Z')
const day = (at: number) => (at < MIDNIGHT ? 'first' : 'second')
const minute = (at: number) => new Date(at).toISOString().slice(0, 16)

const asking = fc.record({
  wait: fc.constantFrom(0, 0, 0, 1, 1000, 29_999, 60_000, 300_000),
  id: fc.constantFrom('a', 'b'),
  peer: fc.constantFrom('huizhou', 'suqian'),
  subjects: fc.constantFrom(1, 1, 1, 1, 2, 5, 10, 11),
})

describe('a quota', () => {
  it('is kept for each agreement and each peer, to the question and to the subject', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(asking, { minLength: 20, maxLength: 60 }), fc.nat(12), async (questions, spent) => {
        let now = EVENING
        const { take } = quotas(
          () => now,
          () => spent,
          countInMemory(),
        )
        type Event = (typeof questions)[number] & { readonly at: number; readonly code: string }
        const past: Event[] = []
        for (const each of questions) {
          now += each.wait
          // What follows is the sentence of the agreement, counted anew each time from all that was asked.
          const own = past.filter(({ id, peer }) => id === each.id && peer === each.peer)
          const inMinute = own.filter(({ at }) => minute(at) === minute(now))
          const asked = inMinute.filter(({ code }) => code === 'taken').length
          const refused = inMinute.length - asked
          const today = own.filter(({ at, code }) => code === 'taken' && day(at) === day(now))
          const given = today.reduce((sum, { subjects }) => sum + subjects, day(now) === 'first' ? spent : 0)
          const much = asked >= QUESTIONS || given + each.subjects > SUBJECTS
          const expected = !much ? 'taken' : refused >= QUESTIONS ? 'load.busy' : 'load.rate'
          const code = await outcome(take(agreementOf(each.id), each.peer, each.subjects))
          expect(code).toBe(expected)
          past.push({ ...each, at: now, code })
        }
      }),
    )
  })

  it('of questions is for the whole of a minute of the clock', async () => {
    let now = EVENING
    const { take } = quotas(
      () => now,
      () => 0,
      countInMemory(),
    )
    const told: string[] = []
    for (const at of [0, 1, 30_000, 30_001, 59_999, 60_000]) {
      now = EVENING + at
      told.push(await outcome(take(agreementOf('a'), 'huizhou', 1)))
    }
    expect(told).toEqual(['taken', 'taken', 'taken', 'load.rate', 'load.rate', 'taken'])
  })

  it('tells our log which of the two was used up, and by whom', async () => {
    const { take } = quotas(
      () => EVENING,
      () => 0,
      countInMemory(),
    )
    await expect(take(agreementOf('a'), 'huizhou', 11)).rejects.toThrow('huizhou: subjects today')
    for (let i = 0; i < QUESTIONS; i++) await take(agreementOf('a'), 'huizhou', 1)
    await expect(take(agreementOf('a'), 'huizhou', 1)).rejects.toThrow('huizhou: questions in this minute')
  })

  it('asks what was spent before a restart for that agreement and peer, and not on a later day', async () => {
    let now = MIDNIGHT - 1
    const asked: string[] = []
    const { take } = quotas(
      () => now,
      (id, peer) => {
        asked.push(`${id} ${peer}`)
        return 9
      },
      countInMemory(),
    )
    expect(await outcome(take(agreementOf('a'), 'huizhou', 2))).toBe('load.rate')
    expect(await outcome(take(agreementOf('a'), 'huizhou', 1))).toBe('taken')
    now = MIDNIGHT
    expect(await outcome(take(agreementOf('a'), 'suqian', 10))).toBe('taken')
    expect(new Set(asked)).toEqual(new Set(['a huizhou']))
  })
})
