/** What a log page's address asks for becomes a filter of the ledger, or is said to be no such thing; nothing is silently left out. */

import type { Entry } from '#ledger/entry.ts'
import type { Filter } from '#ledger/ledger.ts'
import { dayOf } from '#protocol/day.ts'
import { isRefusalCode } from '#protocol/refusal.ts'
import { reaches } from './layout.ts'
import type { Staff } from './staff.ts'

export type Way = 'in' | 'out'

/** What a form of a log page sends; the texts as they were typed. */
export const fields = ['from', 'until', 'peer', 'purpose', 'department', 'matter', 'outcome', 'subject'] as const
export type Field = (typeof fields)[number]
export type Typed = Readonly<Partial<Record<Field, string>>>

/** Which field cannot be used, and whether because of what it says or because of who asks. */
export type Unusable = { readonly field: Field; readonly why: 'form' | 'role' }

const kinds = {
  in: ['answered', 'refused'],
  out: ['outcome', 'declined', 'reported'],
} as const satisfies Record<Way, readonly Entry['kind'][]>

/** What the choice of an outcome may say besides the outcomes and codes of a filter. */
const kindOf = { declined: 'declined', sent: 'asked', reported: 'reported' } as const satisfies Record<
  string,
  Entry['kind']
>

/** Takes the fields that are there and not empty. `get` gives a field of the address, or of a form. */
export function typed(get: (field: Field) => string | undefined): Typed {
  return Object.fromEntries(
    fields.flatMap(field => {
      const text = get(field)?.trim().slice(0, 200)
      return text === undefined || text === '' ? [] : [[field, text]]
    }),
  )
}

/** The address of the same look: what links carry on, and, its values masked, what the ledger keeps of it. */
export function addressOf(typed: Typed): string {
  return new URLSearchParams(typed).toString()
}

const DAY = /^\d{4}-\d{2}-\d{2}$/
const MINUTE = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}$/

/**
 * Gives the filter, or the first field that cannot be used. Times are days or minutes in Asia/Shanghai; a day as `until`
 * includes that whole day, a minute is included too. Only who sees codes in full may look for one.
 */
export function filterOf(way: Way, typed: Typed, staff: Staff | undefined): Filter | Unusable {
  const { from, until, subject, outcome, ...same } = typed
  const begins = from === undefined ? undefined : instant(from, 'begin')
  const ends = until === undefined ? undefined : instant(until, 'end')
  if (from !== undefined && begins === undefined) return { field: 'from', why: 'form' }
  if (until !== undefined && ends === undefined) return { field: 'until', why: 'form' }
  if (subject !== undefined && !(staff && reaches(staff.role, 'auditor'))) return { field: 'subject', why: 'role' }
  if (subject !== undefined && !/^[0-9A-Z]{18}$/i.test(subject)) return { field: 'subject', why: 'form' }
  if (outcome !== undefined && !isOutcome(outcome)) return { field: 'outcome', why: 'form' }
  const kind = outcome !== undefined && isKind(outcome) ? kindOf[outcome] : undefined
  // What a peer refused is one thing, and what we did not send another, which has a choice of its own.
  const meant = way === 'out' && outcome === 'refused' ? (['outcome'] as const) : kinds[way]
  return {
    ...same,
    from: begins,
    until: ends,
    subject: subject?.toUpperCase(),
    kinds: kind === undefined ? meant : [kind],
    outcome: kind === undefined ? outcome : undefined,
  }
}

export function isUnusable(filter: Filter | Unusable): filter is Unusable {
  return 'why' in filter
}

function isKind(text: string): text is keyof typeof kindOf {
  return Object.hasOwn(kindOf, text)
}

function isOutcome(text: string): boolean {
  return ['answered', 'refused', 'unknown'].includes(text) || isKind(text) || isRefusalCode(text)
}

function instant(text: string, edge: 'begin' | 'end'): string | undefined {
  try {
    const zone = 'Asia/Shanghai'
    if (DAY.test(text)) {
      const day = Temporal.PlainDate.from(text)
      return utc((edge === 'end' ? day.add({ days: 1 }) : day).toZonedDateTime(zone))
    }
    if (!MINUTE.test(text)) return undefined
    const minute = Temporal.PlainDateTime.from(text)
    return utc((edge === 'end' ? minute.add({ minutes: 1 }) : minute).toZonedDateTime(zone))
  } catch {
    return undefined
  }
}

function utc(at: Temporal.ZonedDateTime): string {
  return new Date(at.epochMilliseconds).toISOString()
}

/** The days that are asked for most, as they stand in an address; `now` is epoch milliseconds. */
export function usualDays(now: number): { readonly today: Typed; readonly yesterday: Typed; readonly week: Typed } {
  const day = (back: number) => dayOf(now - back * 86_400_000)
  return {
    today: { from: day(0), until: day(0) },
    yesterday: { from: day(1), until: day(1) },
    week: { from: day(6), until: day(0) },
  }
}
