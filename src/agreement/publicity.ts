/** Publicity ends by the rule in force on the day of the decision, or before where the city says so; never after. */

import type { Period, PublicityRule } from '#schema/periods.ts'
import type { Day, SharedRecord } from '#schema/record.ts'
import { type Vocabulary, validOn } from '#schema/vocabulary.ts'

/** 自司法、行政公务文书认定之日: the field that holds that day, in the families whose records are of dishonesty. */
const begins: Readonly<Record<string, string>> = { penalty: 'decided', list: 'listed', breach: 'recorded' }

/**
 * The last day on which a record is public; `indefinite` for one that no clock runs for, and that its city does not end
 * either. Undefined where that cannot be told, or where a record of its grade is not published at all. `today` is a day
 * YYYY-MM-DD in Asia/Shanghai. Pure; never throws. Source: NDRC orders 58 and 36, as the vocabulary holds them.
 */
export function lastPublicDay(record: SharedRecord, today: Day, vocabulary: Vocabulary): Day | undefined {
  return within(ownEnd(record), record, today, vocabulary)
}

/** The same without regard to the day on which it is taken off its list: until when its publicity lasts, as the wire tells it. */
export function publicUntil(record: SharedRecord, today: Day, vocabulary: Vocabulary): Day | undefined {
  return within(record.publishedUntil, record, today, vocabulary)
}

/** The city's own end, or that of the rule where it is earlier. */
function within(own: Day | undefined, record: SharedRecord, today: Day, vocabulary: Vocabulary): Day | undefined {
  const begin = begins[record.family]
  if (begin === undefined || isNoDishonesty(record, vocabulary)) return record.publishedUntil ?? 'indefinite'
  const decided = record.fields[begin]
  // What no day is known for has no rule; a day to come is a slip of the pen, and would make it public for too long.
  if (typeof decided !== 'string' || decided > today) return undefined
  const rule = ruleOn(decided, record, vocabulary)
  // For ever is no end: where no rule gives one, it cannot be told.
  if (rule === undefined) return own === 'indefinite' ? undefined : own
  const { earliest, latest } = boundsOf(decided, record, rule)
  // What is public for ever has no end of its own, and where there is a rule it needs one.
  if (own === undefined || own === 'indefinite') return earliest
  // 达到最长公示期但未纠正的，按照行业主管部门有关规定执行: the end that the city states is that of its sector.
  return record.uncorrected || own < latest ? own : latest
}

/**
 * Whether the publicity of a record is over for certain, or it is not published at all: by its city's own end, or by every
 * grade that it may be of. Of a record without a last public day the other case is that nobody can tell. Pure; never throws.
 */
export function isSurelyPast(record: SharedRecord, today: Day, vocabulary: Vocabulary): boolean {
  if ((ownEnd(record) ?? 'indefinite') < today) return true
  const decided = record.fields[begins[record.family] ?? '']
  if (typeof decided !== 'string' || decided > today) return false
  // One that may be an honour may have no clock; for one that is not corrected the rule leaves the end to its sector.
  const { list, uncorrected } = record
  const { listField } = vocabulary.families.get(record.family) ?? {}
  if (uncorrected || (listField !== undefined && list === undefined) || isNoDishonesty(record, vocabulary)) return false
  const rule = ruleOn(decided, record, vocabulary)
  if (rule === undefined) return false
  const possible = gradesOf(record, rule)
  return [...rule.grades].every(
    ([grade, { most, unlessStated }]) =>
      possible?.includes(grade) === false || unlessStated === 'unpublished' || after(decided, most) < today,
  )
}

/** The rule in force on the day of the decision. */
function ruleOn(decided: Day, { family }: SharedRecord, { publicity }: Vocabulary): PublicityRule | undefined {
  return publicity.find(each => each.families.has(family) && validOn(each, decided))
}

/** Honours are no dishonesty, and a register of abnormal operation ends when the enterprise is taken off it. */
function isNoDishonesty({ list }: SharedRecord, { lists }: Vocabulary): boolean {
  const colour = lists.get(list ?? '')?.colour
  return colour === 'red' || colour === 'notice'
}

/** The first day on which the city itself ends it; undefined where it states none. */
function ownEnd({ publishedUntil, endedOn }: SharedRecord): Day | undefined {
  if (publishedUntil === undefined || endedOn === undefined) return publishedUntil ?? endedOn
  return publishedUntil < endedOn ? publishedUntil : endedOn
}

/**
 * The first and the last of the days that the grades possible for a record allow. The first is undefined where one of them
 * is not published at all unless the city states until when.
 */
function boundsOf(decided: Day, record: SharedRecord, rule: PublicityRule) {
  let earliest: Day | undefined = 'indefinite'
  let latest = ''
  const possible = gradesOf(record, rule)
  for (const [grade, { most, unlessStated }] of rule.grades) {
    if (possible !== undefined && !possible.includes(grade)) continue
    const end = after(decided, most)
    if (end > latest) latest = end
    if (unlessStated === 'unpublished') earliest = undefined
    else if (earliest !== undefined && end < earliest) earliest = end
  }
  return { earliest, latest }
}

/** The grades that a record may be of by the rule; undefined: any. */
function gradesOf({ family, fields }: SharedRecord, { grades, gradeOf }: PublicityRule): readonly string[] | undefined {
  if (family === 'list') return grades.has('serious') ? SERIOUS : undefined
  const { grade, kinds } = fields
  if (typeof grade === 'object' && ('code' in grade || 'codes' in grade)) {
    const stated = 'code' in grade ? [grade.code] : grade.codes
    return stated.some(code => grades.has(code)) ? stated : undefined
  }
  if (typeof kinds !== 'object' || 'ambiguous' in kinds) return undefined
  const codes = 'code' in kinds ? [kinds.code] : 'codes' in kinds ? kinds.codes : []
  if (codes.length === 0) return undefined
  // A decision of several kinds is as grave as the gravest; one kind whose grade depends on an amount leaves it open.
  const order = [...grades.keys()]
  let gravest = -1
  for (const code of codes) {
    const known = gradeOf.get(code)
    if (known === undefined) return undefined
    gravest = Math.max(gravest, order.indexOf(known))
  }
  return order.slice(gravest, gravest + 1)
}

const SERIOUS = ['serious']

/**
 * The day a period after a day, which itself does not count: the same day of the month, or its last where there is none
 * (民法典 articles 201 to 203).
 */
function after(day: Day, period: Period): Day {
  const known = ends.get(period) ?? new Map<Day, Day>()
  ends.set(period, known)
  const before = known.get(day)
  if (before !== undefined) return before
  const end = added(day, period)
  // Bounded, or every day there ever was would stand here.
  if (known.size >= 4096) known.clear()
  known.set(day, end)
  return end
}

/** The days of decision of one batch are few. */
const ends = new WeakMap<Period, Map<Day, Day>>()

function added(day: Day, { months, days }: Period): Day {
  if (days > 0) return Temporal.PlainDate.from(day).add({ months, days }).toString()
  const [year, month, date] = [Number(day.slice(0, 4)), Number(day.slice(5, 7)), Number(day.slice(8, 10))]
  const since = year * 12 + month - 1 + months
  const [endYear, endMonth] = [Math.floor(since / 12), (since % 12) + 1]
  return `${String(endYear).padStart(4, '0')}-${two(endMonth)}-${two(Math.min(date, lengthOf(endYear, endMonth)))}`
}

function two(number: number): string {
  return number < 10 ? `0${number}` : String(number)
}

function lengthOf(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31
}
