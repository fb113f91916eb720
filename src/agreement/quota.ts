/** No peer takes more than the agreement grants: questions by the minute, subjects by the day, over all processes that share the counts. */
import { startOfDay } from '#protocol/day.ts'
import { refuse } from '#protocol/refusal.ts'
import type { Signed } from './agreement.ts'
import type { Counts } from './counts.ts'

export type Quotas = {
  /**
   * Counts one question about so many subjects. Rejects with `load.rate` where that would be too many, and then counts nothing
   * of it; and with `load.busy`, which is neither signed nor recorded, for whoever was told so as often as it may ask in a
   * minute: the ledger is not to be filled by what is not answered.
   */
  take(agreement: Signed, peer: string, subjects: number): Promise<void>
}

const MINUTE = 60_000

/**
 * `spent` is what the ledger held for a peer at start, since the first instant of that day, so that a restart does not renew a
 * quota. `now` gives epoch milliseconds.
 */
export function quotas(now: () => number, spent: (agreement: string, peer: string) => number, counts: Counts): Quotas {
  const first = startOfDay(now())
  return {
    async take({ text: { id, quota } }, peer, subjects) {
      const at = now()
      const period = Math.floor(at / MINUTE) * MINUTE
      const day = startOfDay(at)
      const key = `${id} ${peer}`
      const questions = { name: `${key} questions`, period, add: 1, most: quota.questionsPerMinute }
      const from = day === first ? spent(id, peer) : 0
      const today = { name: `${key} subjects`, period: day, add: subjects, most: quota.subjectsPerDay, from }
      const full = await counts.add([questions, today])
      if (full === undefined) return
      const told = await counts.add([{ ...questions, name: `${key} refused` }])
      const detail = `${peer}: ${full === questions.name ? 'questions in this minute' : 'subjects today'}`
      throw refuse(told === undefined ? 'load.rate' : 'load.busy', detail)
    },
  }
}
