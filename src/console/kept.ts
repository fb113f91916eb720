/** What was asked for is shown as often as its page is loaded and asked for once: it is kept for a while, for who asked alone. */
import { randomBytes } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { AskAnswer } from '#exchange/ask.ts'
import type { ReportFile } from '#exchange/report.ts'

/** Minutes for which an answer is shown again; after that it is asked anew, and recorded anew. */
export const MINUTES = 30
/** Answers of all staff that are kept at once, and their characters in all; the oldest makes room. */
const MOST = { answers: 64, characters: 64 * 1024 * 1024 }

/** What was asked, and what came of it. `at` is epoch milliseconds. */
type Asked = {
  readonly kind: 'answer'
  readonly at: number
  readonly department: string
  readonly matter: string
  readonly answer: AskAnswer
}
type Made = { readonly kind: 'report'; readonly at: number; readonly file: ReportFile }

export type Kept = {
  /** Gives the id under which `staff` finds it again. */
  put(staff: string, what: Asked | Made): string
  /** Undefined where there is none of that id, no longer, or it is another's. */
  answer(staff: string, id: string | undefined): Asked | undefined
  report(staff: string, id: string | undefined): Made | undefined
}

/** In memory alone: a restart forgets it, and the ledger holds what counts. */
export function openKept(): Kept {
  const held = new LRUCache<string, { readonly staff: string; readonly what: Asked | Made }>({
    max: MOST.answers,
    maxSize: MOST.characters,
    sizeCalculation: ({ what }) => JSON.stringify(what).length,
    ttl: MINUTES * 60_000,
  })
  const find = (staff: string, id: string | undefined) => {
    const found = held.get(id ?? '')
    return found?.staff === staff ? found.what : undefined
  }
  return {
    put(staff, what) {
      const id = randomBytes(16).toString('base64url')
      held.set(id, { staff, what })
      return id
    },
    answer(staff, id) {
      const what = find(staff, id)
      return what?.kind === 'answer' ? what : undefined
    },
    report(staff, id) {
      const what = find(staff, id)
      return what?.kind === 'report' ? what : undefined
    },
  }
}
