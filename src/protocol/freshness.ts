/** How fresh a source is has one word in Chinese and one in English, the same on every page and in every command. */
import type { Freshness } from './message.ts'

/** English as it begins a sentence or stands in a table; in the middle of one it is in small letters. */
export const freshnessWords: Readonly<Record<Freshness['status'], { readonly zh: string; readonly en: string }>> = {
  fresh: { zh: '按期', en: 'Fresh' },
  stale: { zh: '逾期', en: 'Stale' },
  unknown: { zh: '未知', en: 'Unknown' },
}
