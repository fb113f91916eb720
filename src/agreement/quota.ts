/** No peer takes more than the agreement grants: questions by the minute, subjects by the day. Owned by one gateway process. */
import { startOfDay } from '#protocol/day.ts'
import { refuse } from '#protocol/refusal.ts'
import type { Signed } from './agreement.ts'

export type Quotas = {
  /** Counts one question about so many subjects; throws `load.rate` where that would be too many, and then counts nothing. */
  take(agreement: Signed, peer: string, subjects: number): void
}

type Count = { minute: number; questions: number; day: number; subjects: number }

const MINUTE = 60_000

/**
 * Counts in memory. `spent` is what the ledger held for a peer at start, since the first instant of that day, so that a
 * restart does not renew a quota. `now` gives epoch milliseconds.
 */
export function quotas(now: () => number, spent: (agreement: string, peer: string) => number): Quotas {
  const counts = new Map<string, Count>()
  const first = startOfDay(now())
  return {
    take({ text: { id, quota } }, peer, subjects) {
      const at = now()
      const minute = Math.floor(at / MINUTE)
      const day = startOfDay(at)
      const key = `${id} ${peer}`
      let count = counts.get(key)
      if (count === undefined) {
        count = { minute, questions: 0, day, subjects: day === first ? spent(id, peer) : 0 }
        counts.set(key, count)
      }
      if (count.minute !== minute) Object.assign(count, { minute, questions: 0 })
      if (count.day !== day) Object.assign(count, { day, subjects: 0 })
      if (count.questions >= quota.questionsPerMinute) throw refuse('load.rate', `${peer}: questions in this minute`)
      if (count.subjects + subjects > quota.subjectsPerDay) throw refuse('load.rate', `${peer}: subjects today`)
      count.questions += 1
      count.subjects += subjects
    },
  }
}
