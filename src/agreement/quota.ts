/** No peer takes more than the agreement grants: questions by the minute, subjects by the day. Owned by one gateway process. */
import { startOfDay } from '#protocol/day.ts'
import { refuse } from '#protocol/refusal.ts'
import type { Signed } from './agreement.ts'

export type Quotas = {
  /**
   * Counts one question about so many subjects. Throws `load.rate` where that would be too many, and then counts nothing of
   * it; and `load.busy`, which is neither signed nor recorded, from whoever was told so as often as it may ask in a minute:
   * the ledger is not to be filled by what is not answered.
   */
  take(agreement: Signed, peer: string, subjects: number): void
}

type Count = { minute: number; questions: number; refused: number; day: number; subjects: number }

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
        count = { minute, questions: 0, refused: 0, day, subjects: day === first ? spent(id, peer) : 0 }
        counts.set(key, count)
      }
      if (count.minute !== minute) Object.assign(count, { minute, questions: 0, refused: 0 })
      if (count.day !== day) Object.assign(count, { day, subjects: 0 })
      const often = count.questions >= quota.questionsPerMinute
      if (often || count.subjects + subjects > quota.subjectsPerDay) {
        count.refused += 1
        const detail = `${peer}: ${often ? 'questions in this minute' : 'subjects today'}`
        throw refuse(count.refused > quota.questionsPerMinute ? 'load.busy' : 'load.rate', detail)
      }
      count.questions += 1
      count.subjects += subjects
    },
  }
}
