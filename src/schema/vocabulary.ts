/** The words that all cities share: every code with its names, its source and its dates; a vocabulary with a fault is not used at all. */
import { z } from 'zod'
import { type ConfigFile, ConfigurationError, type Fault, jsonPath, readForm } from '#protocol/fault.ts'
import { Code } from '#protocol/message.ts'
import { subjectKinds } from '#protocol/subject.ts'
import { asItem, type CatalogueItem, catalogueItem, checkCatalogue } from './catalogue.ts'
import {
  asFreshness,
  asPublicity,
  checkPeriods,
  type FreshnessRule,
  freshnessRule,
  type PublicityRule,
  publicityRule,
} from './periods.ts'
import { recordStates, type ShareLevel, shareLevels } from './record.ts'

/** One shared code. Dates are days, the last one included; null means open. */
export type Term = {
  readonly code: string
  readonly zh: string
  readonly en: string
  readonly source: string
  /** False: taken from general knowledge, not read in a published source. */
  readonly verified: boolean
  readonly note: string | undefined
  readonly validFrom: string | null
  readonly validTo: string | null
}

const fieldTypes = ['text', 'date', 'money', 'decimal', 'code', 'codes'] as const
export type FieldType = (typeof fieldTypes)[number]

export type Field = {
  readonly name: string
  readonly zh: string
  readonly en: string
  readonly type: FieldType
  /** The set that a coded field takes its codes from. */
  readonly set: string | undefined
  readonly level: ShareLevel
  readonly required: boolean
}

type Family = Term & {
  readonly fields: ReadonlyMap<string, Field>
  /** The field that names the list, or the rating scheme, of a record. */
  readonly listField: string | undefined
  readonly schemeField: string | undefined
}

type ListType = Term & {
  readonly colour: 'red' | 'black' | 'notice'
  /** 严重失信主体名单: only such a list may carry measures, and only with its legal basis. */
  readonly severe: boolean
  /** 设列依据. Null: none is stated, so it is never a severe list. */
  readonly basis: string | null
}

type RatingLevel = Term & {
  readonly scheme: string
  /** The word or letter of the level alone, as its scheme writes it. */
  readonly short: string
  /** 1 is best. Null: not rated, not to be placed between two levels. */
  readonly rank: number | null
}

type RatingScheme = Term & {
  readonly origin: string
  readonly issuer: string
  readonly levels: readonly RatingLevel[]
}

/** The list that was made by counting: no list by law, whatever it is called where it was made. */
export const BY_COUNTING = 'computed-black'

export type Vocabulary = {
  readonly families: ReadonlyMap<string, Family>
  readonly lists: ReadonlyMap<string, ListType>
  readonly schemes: ReadonlyMap<string, RatingScheme>
  readonly purposes: ReadonlyMap<string, Term>
  readonly catalogue: readonly CatalogueItem[]
  readonly publicity: readonly PublicityRule[]
  readonly freshness: readonly FreshnessRule[]
  /** Every set of codes by name, the ones above included, and `rating-levels` with codes such as `tax-2025.a`. */
  readonly sets: ReadonlyMap<string, ReadonlyMap<string, Term>>
}

const text = z.string().min(1).max(400)
const day = z.iso.date().nullable()
const term = {
  code: Code,
  zh: text,
  en: text,
  source: text,
  verified: z.literal(false).optional(),
  note: text.optional(),
  validFrom: day,
  validTo: day,
}
const head = { set: Code, zh: text, en: text, source: text.optional(), note: text.optional() }

const FieldForm = z.strictObject({
  name: Code,
  zh: text,
  en: text,
  type: z.enum(fieldTypes),
  set: Code.optional(),
  level: z.enum(shareLevels),
  required: z.literal(true).optional(),
  note: text.optional(),
})
const FamilyForm = z.strictObject({ ...term, fields: z.array(FieldForm).min(1) })
const ListForm = z.strictObject({
  ...term,
  colour: z.enum(['red', 'black', 'notice']),
  severe: z.boolean(),
  basis: text.nullable(),
})
const SchemeForm = z.strictObject({
  ...term,
  origin: Code,
  issuer: text,
  /** None where a scheme gives a score alone, or its levels are not published. */
  levels: z.array(
    z.strictObject({ code: Code, zh: text, en: text, rank: z.int().min(1).nullable(), note: text.optional() }),
  ),
})

const set = <Item extends z.ZodType>(item: Item) => z.strictObject({ ...head, codes: z.array(item).min(1) })
export const forms = {
  families: set(FamilyForm),
  'list-types': set(ListForm),
  'rating-schemes': set(SchemeForm),
  catalogue: set(z.strictObject({ ...term, ...catalogueItem })),
  'publicity-rules': set(z.strictObject({ ...term, ...publicityRule })),
  'freshness-rules': set(z.strictObject({ ...term, ...freshnessRule })),
} as const
export const Plain = set(z.strictObject(term))
const Head = z.looseObject({ set: Code })

/** Sets whose codes the program itself speaks of: the files give them words, and have to name exactly these. */
const fixed: Readonly<Record<string, readonly string[]>> = {
  'share-levels': shareLevels,
  'record-states': recordStates,
  'subject-kinds': [...subjectKinds, 'institution', 'social-organisation', 'person'],
}
const needed = [
  'families',
  'list-types',
  'rating-schemes',
  'rating-origins',
  'purposes',
  'catalogue',
  'publicity-rules',
  'freshness-rules',
  ...Object.keys(fixed),
]

/**
 * Reads the vocabulary from the texts of its files, one set a file.
 * Throws ConfigurationError with every fault found in any of them.
 */
export function readVocabulary(files: readonly ConfigFile[]): Vocabulary {
  const faults: Fault[] = []
  const sets = new Map<string, ReadonlyMap<string, Term>>()
  const fileOf = new Map<string, string>()
  const families = new Map<string, Family>()
  const lists = new Map<string, ListType>()
  const schemes = new Map<string, RatingScheme>()
  let catalogue: z.infer<typeof forms.catalogue>['codes'] = []
  let publicity: z.infer<(typeof forms)['publicity-rules']>['codes'] = []
  let freshness: z.infer<(typeof forms)['freshness-rules']>['codes'] = []

  for (const file of files) {
    const named = readForm(file, Head, faults)
    if (named === undefined) continue
    const name = named.set
    const fault = (path: string, problem: string, remedy: string) =>
      faults.push({ file: file.file, path, problem, remedy })
    const earlier = fileOf.get(name)
    if (earlier !== undefined) {
      fault('set', `the set ${name} also stands in ${earlier}`, 'Keep one file for each set')
      continue
    }
    fileOf.set(name, file.file)
    if (name === 'rating-levels') {
      fault('set', 'rating levels stand with their scheme', 'Move them to the file of the set rating-schemes')
    } else if (name === 'families') {
      const codes = readForm(file, forms.families, faults)?.codes ?? []
      for (const family of codes) families.set(family.code, asFamily(family))
      checkCodes(codes, fault)
      sets.set(name, families)
    } else if (name === 'list-types') {
      const codes = readForm(file, forms['list-types'], faults)?.codes ?? []
      for (const list of codes) lists.set(list.code, asList(list))
      checkCodes(codes, fault)
      sets.set(name, lists)
    } else if (name === 'rating-schemes') {
      const codes = readForm(file, forms['rating-schemes'], faults)?.codes ?? []
      for (const scheme of codes) schemes.set(scheme.code, asScheme(scheme))
      checkCodes(codes, fault)
      sets.set(name, schemes)
    } else if (name === 'catalogue') {
      catalogue = readForm(file, forms.catalogue, faults)?.codes ?? []
      checkCodes(catalogue, fault)
      sets.set(name, new Map(catalogue.map(item => [item.code, asTerm(item)])))
    } else if (name === 'publicity-rules') {
      publicity = readForm(file, forms['publicity-rules'], faults)?.codes ?? []
      checkCodes(publicity, fault)
      sets.set(name, new Map(publicity.map(rule => [rule.code, asTerm(rule)])))
    } else if (name === 'freshness-rules') {
      freshness = readForm(file, forms['freshness-rules'], faults)?.codes ?? []
      checkCodes(freshness, fault)
      sets.set(name, new Map(freshness.map(rule => [rule.code, asTerm(rule)])))
    } else {
      const codes = readForm(file, Plain, faults)?.codes ?? []
      checkCodes(codes, fault)
      sets.set(name, new Map(codes.map(code => [code.code, asTerm(code)])))
    }
  }

  sets.set(
    'rating-levels',
    new Map([...schemes.values()].flatMap(({ levels }) => levels.map(level => [level.code, level]))),
  )
  for (const name of needed) {
    if (!fileOf.has(name)) {
      faults.push({ file: 'vocabulary', path: '', problem: `the set ${name} is missing`, remedy: 'Add its file' })
    }
  }
  checkFixed(sets, fileOf, faults)
  checkFamilies(families, sets, fileOf.get('families') ?? 'vocabulary', faults)
  checkLists(lists, fileOf.get('list-types') ?? 'vocabulary', faults)
  checkSchemes(schemes, sets, fileOf.get('rating-schemes') ?? 'vocabulary', faults)
  const reportIn =
    (set: string): Report =>
    (path, problem, remedy) =>
      faults.push({ file: fileOf.get(set) ?? 'vocabulary', path, problem, remedy })
  checkCatalogue(catalogue, { families, lists, schemes }, reportIn('catalogue'))
  checkPeriods(publicity, sets, reportIn('publicity-rules'))
  checkPeriods(freshness, sets, reportIn('freshness-rules'))
  if (faults.length > 0) throw new ConfigurationError(faults)
  return {
    families,
    lists,
    schemes,
    purposes: sets.get('purposes') ?? new Map(),
    catalogue: catalogue.map(asItem),
    publicity: publicity.map(asPublicity),
    freshness: freshness.map(asFreshness),
    sets,
  }
}

/** Whether a code is in force on a day (YYYY-MM-DD). */
export function validOn(dated: Pick<Term, 'validFrom' | 'validTo'>, on: string): boolean {
  return (dated.validFrom === null || dated.validFrom <= on) && (dated.validTo === null || on <= dated.validTo)
}

type TermForm = z.infer<typeof FamilyForm> | z.infer<typeof ListForm> | z.infer<typeof SchemeForm>

function asTerm(form: Pick<TermForm, keyof typeof term>): Term {
  const { code, zh, en, source, verified, note, validFrom, validTo } = form
  return { code, zh, en, source, verified: verified ?? true, note, validFrom, validTo }
}

function asFamily(form: z.infer<typeof FamilyForm>): Family {
  const fields = form.fields.map(
    ({ name, zh, en, type, set, level, required }): Field => ({
      name,
      zh,
      en,
      type,
      set,
      level,
      required: required ?? false,
    }),
  )
  return {
    ...asTerm(form),
    fields: new Map(fields.map(field => [field.name, field])),
    listField: fields.find(field => field.set === 'list-types')?.name,
    schemeField: fields.find(field => field.set === 'rating-schemes')?.name,
  }
}

function asList(form: z.infer<typeof ListForm>): ListType {
  return { ...asTerm(form), colour: form.colour, severe: form.severe, basis: form.basis }
}

function asScheme(form: z.infer<typeof SchemeForm>): RatingScheme {
  const scheme = asTerm(form)
  const levels = form.levels.map(
    (level): RatingLevel => ({
      ...scheme,
      code: `${form.code}.${level.code}`,
      zh: `${form.zh} ${level.zh}`,
      en: `${form.en}: ${level.en}`,
      note: level.note,
      scheme: form.code,
      short: level.zh,
      rank: level.rank,
    }),
  )
  return { ...scheme, origin: form.origin, issuer: form.issuer, levels }
}

type Report = (path: string, problem: string, remedy: string) => void

type Coded = Pick<Term, 'code' | 'validFrom' | 'validTo'> & { readonly fields?: readonly { readonly name: string }[] }

/** What no form can say of one code alone: that it stands once, and that its dates follow each other. */
function checkCodes(codes: readonly Coded[], fault: Report) {
  const seen = new Set<string>()
  for (const [i, { code, validFrom, validTo, fields = [] }] of codes.entries()) {
    if (seen.has(code)) fault(jsonPath(['codes', i, 'code']), `the code ${code} stands twice`, 'Remove one of them')
    seen.add(code)
    if (validFrom !== null && validTo !== null && validTo < validFrom) {
      fault(jsonPath(['codes', i, 'validTo']), 'validTo is before validFrom', 'Correct one of the dates')
    }
    const names = new Set<string>()
    for (const [j, { name }] of fields.entries()) {
      const path = jsonPath(['codes', i, 'fields', j, 'name'])
      if (names.has(name)) fault(path, `the field ${name} stands twice`, 'Remove one of them')
      names.add(name)
    }
  }
}

function checkFixed(sets: Vocabulary['sets'], fileOf: ReadonlyMap<string, string>, faults: Fault[]) {
  for (const [name, codes] of Object.entries(fixed)) {
    const found = sets.get(name)
    const file = fileOf.get(name)
    if (found === undefined || file === undefined) continue
    for (const code of codes) {
      if (!found.has(code))
        faults.push({ file, path: 'codes', problem: `the code ${code} is missing`, remedy: 'Add it' })
    }
    for (const code of found.keys()) {
      if (codes.includes(code)) continue
      const problem = `the gateway knows no code ${code} of the set ${name}`
      faults.push({ file, path: 'codes', problem, remedy: 'Remove it' })
    }
  }
}

/** The families of lists and of ratings, with the field that names which: the gates know them by these names and no others. */
const gated: ReadonlyMap<string, string> = new Map([
  ['list-types', 'list.type'],
  ['rating-schemes', 'rating.scheme'],
])

function checkFamilies(families: Vocabulary['families'], sets: Vocabulary['sets'], file: string, faults: Fault[]) {
  for (const family of families.values()) {
    for (const { name, type, set } of family.fields.values()) {
      const path = `${family.code}.${name}`
      const known = gated.get(set ?? '')
      if (known !== undefined && path !== known) {
        const problem = `the gates judge ${set} in ${known} alone: records of this field would pass them unjudged`
        faults.push({ file, path, problem, remedy: `Use the family and field ${known}, or another set` })
      }
      const coded = type === 'code' || type === 'codes'
      if (coded && set === undefined) {
        faults.push({ file, path, problem: 'a coded field names no set', remedy: 'Add "set"' })
      }
      if (!coded && set !== undefined) {
        faults.push({ file, path, problem: `a field of type ${type} takes no codes`, remedy: 'Remove "set"' })
      }
      if (set !== undefined && !sets.has(set)) {
        faults.push({
          file,
          path,
          problem: `there is no set ${set}`,
          remedy: 'Correct the name, or add the file of the set',
        })
      }
    }
  }
  for (const [set, known] of gated) {
    const [code = '', field = ''] = known.split('.')
    const family = families.get(code)
    if (family === undefined || family.fields.get(field)?.set === set) continue
    const problem = `the field ${field} is not of the set ${set}: no gate would know which list or scheme a record is of`
    faults.push({ file, path: known, problem, remedy: `Give the field ${field} the set ${set}` })
  }
}

function checkLists(lists: Vocabulary['lists'], file: string, faults: Fault[]) {
  for (const { code, severe, basis, colour } of lists.values()) {
    if (severe && (basis === null || colour !== 'black')) {
      const problem = 'a severe list is black and has a legal basis (国办发〔2020〕49号)'
      faults.push({ file, path: code, problem, remedy: 'State the basis, or set "severe" to false' })
    }
  }
}

function checkSchemes(schemes: Vocabulary['schemes'], sets: Vocabulary['sets'], file: string, faults: Fault[]) {
  for (const { code, origin, levels } of schemes.values()) {
    if (!sets.get('rating-origins')?.has(origin)) {
      faults.push({
        file,
        path: `${code}.origin`,
        problem: `there is no origin ${origin}`,
        remedy: 'Use a code of rating-origins',
      })
    }
    const ranks = levels.flatMap(({ rank }) => rank ?? [])
    if (ranks.some((rank, i) => rank !== i + 1)) {
      const remedy = 'Write the levels from best to worst, ranks 1, 2, 3 …; null for what is not rated'
      faults.push({ file, path: `${code}.levels`, problem: 'the ranks do not count up from 1', remedy })
    }
    if (new Set(levels.map(level => level.code)).size < levels.length) {
      faults.push({ file, path: `${code}.levels`, problem: 'a level stands twice', remedy: 'Remove one of them' })
    }
  }
}
