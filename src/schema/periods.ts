/** How long a record is public and how soon a city has to supply it are dated rules, read from the vocabulary and never built in. */
import { z } from 'zod'
import { Code } from '#protocol/message.ts'

/** Years, months and days, as a rule states them; a date and such a period give a day (民法典 articles 201 to 203). */
export type Period = { readonly months: number; readonly days: number }

/** How long one grade of dishonesty is public, counted from the day of the decision. */
type Term = {
  /** Publicity ends on this day of the month at the latest, whatever the table says. */
  readonly most: Period
  /** 原则上不予公示: public only where the city itself states until when. */
  readonly unlessStated: 'unpublished' | undefined
}

/** 公示期限: in force on a day of decision between its dates, both included. */
export type PublicityRule = {
  readonly code: string
  readonly validFrom: string | null
  readonly validTo: string | null
  readonly families: ReadonlySet<string>
  /** By grade of dishonesty, from the lightest to the gravest. */
  readonly grades: ReadonlyMap<string, Term>
  /** The grade that a kind of penalty has by the rule itself, whatever its amount. */
  readonly gradeOf: ReadonlyMap<string, string>
}

/** 报送时限: a family of which nothing was supplied for more working days is stale. */
export type FreshnessRule = {
  readonly code: string
  readonly validFrom: string | null
  readonly validTo: string | null
  readonly families: ReadonlySet<string>
  readonly workingDays: number
  /** Whether a day YYYY-MM-DD is off though it is none of a weekend. */
  readonly isOff: (day: string) => boolean
}

const Duration = z
  .string()
  .regex(/^P(?:[0-9]{1,2}Y)?(?:[0-9]{1,2}M)?(?:[0-9]{1,3}D)?$/, 'not a period such as P3M or P1Y')
  .refine(text => text !== 'P', 'not a period such as P3M or P1Y')
  .transform((text): Period => {
    const { years, months, days } = Temporal.Duration.from(text)
    return { months: years * 12 + months, days }
  })
const Grade = z
  .strictObject({
    /** Publicity cannot be ended by repair before. */
    least: Duration,
    most: Duration,
    unlessStated: z.literal('unpublished').optional(),
    penalties: z.array(Code).min(1).optional(),
  })
  .refine(({ least, most }) => length(least) <= length(most), 'the least is longer than the most')

/** What a rule of publicity says beside what every code of the vocabulary says. */
export const publicityRule = {
  families: z.array(Code).min(1),
  grades: z.record(Code, Grade).refine(grades => Object.keys(grades).length > 0, 'no grade'),
}
/** What a rule of freshness says beside that. */
export const freshnessRule = {
  families: z.array(Code).min(1),
  workingDays: z.int().min(1).max(60),
  daysOff: z.array(z.strictObject({ from: z.iso.date(), to: z.iso.date(), zh: z.string() })).default([]),
}

type Dated = { readonly code: string; readonly validFrom: string | null; readonly validTo: string | null }
type PublicityForm = Dated & z.infer<z.ZodObject<typeof publicityRule>>
type FreshnessForm = Dated & z.infer<z.ZodObject<typeof freshnessRule>>
type Sets = ReadonlyMap<string, ReadonlyMap<string, unknown>>

/** A rule of its file's form. */
export function asPublicity({ code, validFrom, validTo, families, grades }: PublicityForm): PublicityRule {
  const named = Object.entries(grades)
  return {
    code,
    validFrom,
    validTo,
    families: new Set(families),
    grades: new Map(named.map(([grade, { most, unlessStated }]) => [grade, { most, unlessStated }])),
    gradeOf: new Map(named.flatMap(([grade, { penalties = [] }]) => penalties.map(kind => [kind, grade] as const))),
  }
}

/** A rule of its file's form. */
export function asFreshness({
  code,
  validFrom,
  validTo,
  families,
  workingDays,
  daysOff,
}: FreshnessForm): FreshnessRule {
  const isOff = (day: string) => daysOff.some(({ from, to }) => from <= day && day <= to)
  return { code, validFrom, validTo, families: new Set(families), workingDays, isOff }
}

/** Tells every code of the rules that the vocabulary does not have, and every day for which two of them hold. */
export function checkPeriods(
  rules: readonly (PublicityForm | FreshnessForm)[],
  sets: Sets,
  fault: (path: string, problem: string, remedy: string) => void,
): void {
  const remedy = 'Correct the code, or add it to its set'
  for (const [i, rule] of rules.entries()) {
    for (const family of rule.families)
      if (!sets.get('families')?.has(family)) fault(rule.code, `there is no family ${family}`, remedy)
    for (const other of rules.slice(0, i)) {
      const both = other.families.filter(family => rule.families.includes(family))
      if (both.length > 0 && overlap(rule, other))
        fault(rule.code, `holds on days of ${other.code} for ${both.join(', ')}`, 'Correct the dates of one of them')
    }
    if (!('grades' in rule)) continue
    for (const [grade, { penalties = [] }] of Object.entries(rule.grades)) {
      if (!sets.get('dishonesty-grades')?.has(grade)) fault(rule.code, `there is no grade ${grade}`, remedy)
      for (const kind of penalties)
        if (!sets.get('penalty-kinds')?.has(kind)) fault(rule.code, `there is no kind of penalty ${kind}`, remedy)
    }
  }
}

function overlap(a: Dated, b: Dated): boolean {
  return (a.validFrom ?? '') <= (b.validTo ?? '9') && (b.validFrom ?? '') <= (a.validTo ?? '9')
}

function length({ months, days }: Period): number {
  return months * 31 + days
}
