/** A day is a day in Asia/Shanghai, which has had no summer time since 1991; everything else is an instant. */

const OFFSET = 8 * 3_600_000
const DAY = 86_400_000

/** The day asked about last: every question asks for today, and several times. */
let last = { begins: Number.NaN, day: '' }

/** The calendar day YYYY-MM-DD of an instant in epoch milliseconds. */
export function dayOf(at: number): string {
  const begins = startOfDay(at)
  if (begins !== last.begins) last = { begins, day: new Date(at + OFFSET).toISOString().slice(0, 10) }
  return last.day
}

/** The first instant of the day that holds this one; both epoch milliseconds. */
export function startOfDay(at: number): number {
  return Math.floor((at + OFFSET) / DAY) * DAY - OFFSET
}
