/** What may follow from a record here is what this city's own list of measures says for that list, and nothing else. */
import { z } from 'zod'
import { type ConfigFile, ConfigurationError, type Fault, jsonPath, readForm } from '#protocol/fault.ts'
import { CityId, Code, type WireRecord } from '#protocol/message.ts'
import type { RefusalCode } from '#protocol/refusal.ts'
import { type Vocabulary, validOn } from '#schema/vocabulary.ts'
import { dayIn, type Recognition, Word } from './recognise.ts'

const text = z.string().min(1).max(400)
const names = { zh: text, en: text, source: text, assumed: z.literal(true).optional(), note: text.optional() }
const day = z.iso.date().nullable()

const Measure = z.strictObject({
  code: Code,
  ...names,
  /** Of which national measure it is the city's own, code of the set `measures`. */
  of: Code,
  /** 措施依据. */
  basis: text,
  /** The lists an entry on which triggers it, codes of `list-types`. */
  lists: z.array(Code).min(1),
  /** The veto purposes that it denies (一票否决). */
  denies: z.array(Code).min(1).optional(),
  /** Holds within the city alone; for every other city it is information. */
  territorial: z.literal(true).optional(),
  /** How long it lasts from the day of the entry, at most until the entry ends: whole months or years (ISO 8601). */
  period: z
    .string()
    .regex(/^P[1-9][0-9]?[YM]$/)
    .optional(),
  validFrom: day,
  validTo: day,
})
type Measure = z.infer<typeof Measure>

const MeasureForm = z.strictObject({
  $schema: z.string().optional(),
  city: CityId,
  ...names,
  /** 异议处理期间: whether a record's use is suspended while an objection is pending, or goes on with a note. */
  objection: z.strictObject({ use: z.enum(['suspended', 'annotated']), basis: text }),
  measures: z.array(Measure),
})
/** 本市失信惩戒措施清单, checked. */
export type MeasureList = z.infer<typeof MeasureForm>

/** A measure that follows from a record, or, of another city, may follow from it there. */
export const Offered = z
  .strictObject({
    ...Word.shape,
    of: Code,
    basis: z.string(),
    territorial: z.literal(true).optional(),
    denies: z.array(Code).optional(),
    /** The last day on which it can hold, YYYY-MM-DD; absent where no end is stated. */
    until: z.string().optional(),
  })
  .meta({ id: 'Measure', description: 'a measure of the city’s own list 本市清单内措施' })
export type Offered = z.infer<typeof Offered>

/**
 * Reads the measure lists of all cities from the texts of their files, by city. Throws ConfigurationError with every fault
 * of every file: of its form, and of codes that the vocabulary does not have.
 */
export function readMeasures(files: readonly ConfigFile[], vocabulary: Vocabulary): ReadonlyMap<string, MeasureList> {
  const faults: Fault[] = []
  const lists = new Map<string, MeasureList>()
  const known = vetoPurposes(vocabulary)
  for (const code of known) {
    if (vocabulary.purposes.has(code)) continue
    const problem = `the veto purpose ${code} is no purpose`
    faults.push({ file: 'vocabulary', path: 'veto-purposes', problem, remedy: 'Use a code of purposes' })
  }
  for (const file of files) {
    const form = readForm(file, MeasureForm, faults)
    if (form === undefined) continue
    const report = (path: readonly PropertyKey[], problem: string, remedy: string) =>
      faults.push({ file: file.file, path: jsonPath(path), problem, remedy })
    if (!file.file.endsWith(`${form.city}.json`))
      report(['city'], 'differs from the file name', 'Name the file after it')
    const seen = new Set<string>()
    for (const [i, measure] of form.measures.entries()) {
      const at = ['measures', i]
      if (seen.has(measure.code)) report([...at, 'code'], `the code ${measure.code} stands twice`, 'Remove one of them')
      seen.add(measure.code)
      if (!vocabulary.sets.get('measures')?.has(measure.of)) {
        report([...at, 'of'], `measure ${measure.of} is not known`, 'Use a code of the set measures')
      }
      for (const code of measure.lists) {
        const list = vocabulary.lists.get(code)
        if (list === undefined) report([...at, 'lists'], `list ${code} is not known`, 'Use a code of list-types')
        else if (!list.severe) {
          const remedy = 'Remove it: only a severe list with a legal basis carries measures (国办发〔2020〕49号)'
          report([...at, 'lists'], `${code} is no severe list`, remedy)
        }
      }
      for (const purpose of measure.denies ?? []) {
        if (!known.has(purpose))
          report([...at, 'denies'], `${purpose} is no veto purpose`, 'Use a code of veto-purposes')
      }
      if (measure.validFrom !== null && measure.validTo !== null && measure.validTo < measure.validFrom) {
        report([...at, 'validTo'], 'ends before it begins', 'Correct one of the dates')
      }
    }
    lists.set(form.city, form)
  }
  if (faults.length > 0) throw new ConfigurationError(faults)
  return lists
}

/** The purposes for which the answer is yes, no or unknown (一票否决). */
export function vetoPurposes(vocabulary: Vocabulary): ReadonlySet<string> {
  return new Set(vocabulary.sets.get('veto-purposes')?.keys())
}

/** Until when a record may be used here: its last day where one is stated; or why it may not. */
export type Use = { readonly until?: string } | { readonly why: RefusalCode }

/** Judges by the record's own dates and our rule for objections. `today` is a day in Asia/Shanghai. Pure. */
export function useOf({ fields, objection }: WireRecord, own: MeasureList | undefined, today: string): Use {
  const until: string[] = []
  for (const [name, lastIncluded] of [
    ['publishedUntil', true],
    ['removed', false],
  ] as const) {
    const stated = fields[name]
    if (stated === undefined || stated === '' || stated === 'indefinite') continue
    const end = dayIn(stated)
    // An end that cannot be read may be past.
    if (end === undefined) return { why: 'recognition.date' }
    until.push(lastIncluded ? end : dayBefore(end))
  }
  const [first] = until.toSorted()
  if (first !== undefined && first < today) return { why: 'record.ended' }
  if (objection && own?.objection.use !== 'annotated') return { why: 'measure.objection' }
  return first === undefined ? {} : { until: first }
}

/**
 * The measures of our own list that an entry recognised as ours triggers today, each with its last day; none for what is
 * not recognised, may not be used, or stands on no list of ours. Pure.
 */
export function offered(
  record: WireRecord,
  recognition: Recognition | undefined,
  own: MeasureList | undefined,
  today: string,
): Offered[] {
  const { outcome, as = [], ambiguous } = recognition ?? {}
  const [entry] = as
  if (record.family !== 'list' || outcome !== 'recognised' || ambiguous || entry === undefined) return []
  const use = useOf(record, own, today)
  if ('why' in use) return []
  return inForceFor(own, entry.code, today).flatMap(measure => {
    // What is undefined comes last in order.
    const [until] = [use.until, lastDay(measure, dayIn(record.fields['listed']))].toSorted()
    return until !== undefined && until < today ? [] : [offer(measure, until)]
  })
}

/** What the other city's own list says that holds there alone: information, whatever it says. Pure. */
export function elsewhere(
  recognition: Recognition | undefined,
  theirs: MeasureList | undefined,
  today: string,
): Offered[] {
  const code = recognition?.original.code
  if (code === undefined) return []
  return inForceFor(theirs, code, today).flatMap(measure => (measure.territorial ? offer(measure, undefined) : []))
}

/** The measures of a list in force on a day for entries on one list. */
function inForceFor(list: MeasureList | undefined, code: string, on: string): Measure[] {
  return (list?.measures ?? []).filter(measure => measure.lists.includes(code) && validOn(measure, on))
}

/** The lists an entry on which denies a purpose today by our own measures. */
export function denying(own: MeasureList | undefined, purpose: string, today: string): ReadonlySet<string> {
  const measures = (own?.measures ?? []).filter(({ denies }) => denies?.includes(purpose))
  return new Set(measures.filter(measure => validOn(measure, today)).flatMap(({ lists }) => lists))
}

function offer({ code, zh, en, of, basis, territorial, denies }: Measure, until: string | undefined): Offered {
  return {
    code,
    zh,
    en,
    of,
    basis,
    ...(territorial && { territorial }),
    ...(denies && { denies }),
    ...(until !== undefined && { until }),
  }
}

function lastDay({ period }: Measure, listed: string | undefined): string | undefined {
  if (period === undefined || listed === undefined) return undefined
  return dayBefore(Temporal.PlainDate.from(listed).add(Temporal.Duration.from(period)).toString())
}

function dayBefore(day: string): string {
  return Temporal.PlainDate.from(day).subtract({ days: 1 }).toString()
}
