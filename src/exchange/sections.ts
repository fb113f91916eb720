/** What the cities said becomes the sections of the national credit report; a section is empty only where every city would have said otherwise. */
import { z } from 'zod'
import type { Clause } from '#agreement/authorise.ts'
import { maskField, maskHolder } from '#agreement/mask.ts'
import { Recognition } from '#agreement/recognise.ts'
import { CityId, Code, type Freshness, Value, WireRecord, type Withheld } from '#protocol/message.ts'
import { type RefusalCode, told } from '#protocol/refusal.ts'
import type { SubjectKind } from '#protocol/subject.ts'
import { BY_COUNTING, type Field, type Term, type Vocabulary } from '#schema/vocabulary.ts'

const Named = z.strictObject({ code: Code, zh: z.string(), en: z.string() }).meta({ id: 'Named' })
type Named = z.infer<typeof Named>

const Line = z
  .strictObject({
    ...Named.shape,
    value: Value,
    /** The value as it is printed; what has an English name has it too. */
    said: z.string(),
    saidEn: z.string().optional(),
  })
  .meta({ id: 'ReportLine' })
type Line = z.infer<typeof Line>

const Entry = z
  .strictObject({
    city: CityId.meta({ description: 'whose record it is 来源城市' }),
    id: WireRecord.shape.id,
    family: Code,
    title: z.strictObject({ zh: z.string(), en: z.string() }),
    department: z.string().optional().meta({ description: 'absent: the record names none 部门' }),
    date: z.iso.date().optional().meta({ description: 'absent: the record states none that can be read 日期' }),
    objection: WireRecord.shape.objection,
    notice: WireRecord.shape.notice,
    territorial: WireRecord.shape.territorial,
    masked: WireRecord.shape.masked,
    /** Of list entries and ratings of other cities: what they are in the issuing city. */
    recognition: Recognition.omit({ original: true }).optional(),
    lines: z.array(Line),
  })
  .meta({ id: 'ReportEntry' })
export type Entry = z.infer<typeof Entry>

/**
 * What a reader has to know beside the records. `unknown`: these cities could not say, and the section is not complete.
 * `withheld`: these parts are not given. `if-any`: records of which these rules hold are not given, if there are any.
 */
const Note = z
  .strictObject({
    kind: z.enum(['unknown', 'withheld', 'if-any']),
    cities: z.array(CityId).min(1),
    /** Families, lists, rating schemes, fields or kinds of subject; none: all of the section. */
    about: z.array(Named),
    rules: z.array(Named).min(1),
  })
  .meta({ id: 'ReportNote' })
export type Note = z.infer<typeof Note>

const Advice = z.strictObject({ zh: z.string(), en: z.string() }).meta({ id: 'ReportAdvice' })

export const Section = z
  .strictObject({
    ...Named.shape,
    state: z
      .enum(['records', 'none', 'unknown'])
      .meta({ description: 'none only where every city asked answered freshly; unknown never means none' }),
    /** Whether every city asked answered freshly about all of it that is agreed. */
    complete: z.boolean(),
    entries: z.array(Entry),
    notes: z.array(Note),
    advice: z.array(Advice).optional(),
  })
  .meta({ id: 'ReportSection' })
export type Section = z.infer<typeof Section>

/** A rule with its words; a refusal of the table, or what only a report has to say. */
export type Told = { readonly code: string; readonly zh: string; readonly en: string }

/** What one city said of the one enterprise. */
export type Part = {
  readonly city: string
  /** Why nothing came; undefined where the city answered. */
  readonly silence?: Told | undefined
  /** By family, what the city may say to us. */
  readonly clauses: ReadonlyMap<string, readonly Clause[]>
  readonly withheld: readonly Withheld[]
  readonly freshness: readonly Freshness[]
  readonly unknown: readonly { readonly family: string; readonly reason: Told }[]
  readonly records: readonly { readonly record: WireRecord; readonly recognition?: Recognition | undefined }[]
}

/** Days, both included. */
export type Period = { readonly from: string; readonly to: string }

type Plan = { readonly code: string; readonly zh: string; readonly en: string; readonly families?: readonly string[] }

/** The sections of a report of 信用中国, in their order. What no section names is in `other`; lists are placed by their type. */
const plan = [
  { code: 'administration', zh: '行政管理', en: 'Administrative decisions', families: ['licence', 'penalty'] },
  { code: 'good-faith', zh: '诚实守信', en: 'Good faith and honours' },
  { code: 'serious', zh: '严重失信主体名单', en: 'Lists of serious dishonesty' },
  { code: 'abnormal', zh: '经营异常', en: 'Abnormal operation' },
  { code: 'commitments', zh: '信用承诺', en: 'Credit commitments', families: ['commitment'] },
  { code: 'ratings', zh: '信用评价', en: 'Credit ratings', families: ['rating'] },
  { code: 'judgments', zh: '司法判决', en: 'Judgments' },
  { code: 'other', zh: '其他信息', en: 'Other information' },
  { code: 'advice', zh: '信用状况提升建议', en: 'How to improve the credit record' },
  { code: 'local', zh: '公共信用信息地方补充内容', en: 'Local supplementary information' },
] as const satisfies readonly Plan[]
type SectionCode = (typeof plan)[number]['code']

/** The notice list that has a section of its own. */
const ABNORMAL = 'abnormal-operation'

const noVocabulary: Told = {
  code: 'report.vocabulary',
  zh: '共同词汇表未收录此类信息，未向任何城市查询',
  en: 'Not in the shared vocabulary: no city was asked.',
}

/**
 * Puts what each city said into sections: records decided in the period or without a date that can be read, newest first, in
 * the shared words; and by city and rule what is unknown or withheld. `parts` in the order in which cities are to stand.
 * Pure.
 */
export function sectionsOf(
  parts: readonly Part[],
  kind: SubjectKind,
  period: Period,
  vocabulary: Vocabulary,
): readonly Section[] {
  const entries = Map.groupBy(
    parts.flatMap(({ city, records }) =>
      records
        .map(each => ({ at: sectionOf(each, vocabulary), entry: entryOf(city, each, kind, vocabulary) }))
        .filter(({ entry: { date } }) => date === undefined || (period.from <= date && date <= period.to)),
    ),
    ({ at }) => at,
  )
  const held = (code: SectionCode) =>
    (entries.get(code) ?? []).map(({ entry }) => entry).sort((a, b) => newestFirst(a.date, b.date))
  const sections = plan.flatMap(({ code, zh, en }): Section[] => {
    if (code === 'advice') return []
    const notes = parts.flatMap(part => notesOf(part, code, kind, vocabulary))
    if (familiesOf(code, vocabulary).length === 0) {
      const cities = parts.map(({ city }) => city)
      notes.push({ kind: 'unknown', cities, about: [], rules: [named(noVocabulary)] })
    }
    const complete = notes.every(note => note.kind !== 'unknown')
    const found = held(code)
    const state = found.length > 0 ? 'records' : complete ? 'none' : 'unknown'
    return [{ code, zh, en, state, complete, entries: found, notes: merged(notes) }]
  })
  const complete = sections.every(section => section.complete)
  const advice = adviceOn(sections)
  const state = advice.length > 0 ? 'records' : complete ? 'none' : 'unknown'
  return plan.flatMap(({ code, zh, en }) => {
    if (code === 'advice') return [{ code, zh, en, state, complete, entries: [], notes: [], advice }]
    return sections.find(section => section.code === code) ?? []
  })
}

/** What has no date stands first: it is what a reader has to look at. */
function newestFirst(one = '9999', other = '9999'): number {
  return one === other ? 0 : one < other ? 1 : -1
}

function named({ code, zh, en }: Told | Term): Named {
  return { code, zh, en }
}

/** The families that a section speaks of; the family of lists is in several, a part of it in each. */
function familiesOf(code: SectionCode, { families }: Vocabulary): readonly string[] {
  const listed = [...families].flatMap(([family, { listField }]) => (listField === undefined ? [] : [family]))
  const own = plan.find(each => each.code === code)
  if (own !== undefined && 'families' in own) return own.families.filter(family => families.has(family))
  if (code === 'judgments' || code === 'advice') return []
  if (code !== 'other') return listed
  const elsewhere = new Set<string>([...listed, ...plan.flatMap(each => ('families' in each ? each.families : []))])
  return [...families.keys()].filter(family => !elsewhere.has(family))
}

/** Where a list stands if its entry shows what such a list has to show. */
function sectionOfList(code: string, { lists }: Vocabulary): SectionCode {
  const list = lists.get(code)
  if (code === ABNORMAL) return 'abnormal'
  if (list?.colour === 'red') return 'good-faith'
  return list?.severe === true ? 'serious' : 'local'
}

/**
 * An entry is one of a severe list only with authority and document of its own (国办发〔2020〕49号), and one of another city
 * only where the agreement recognises it as that; else it is what its city wrote down, and no more.
 */
function sectionOf({ record, recognition }: Part['records'][number], vocabulary: Vocabulary): SectionCode {
  const { family, fields } = record
  const { listField } = vocabulary.families.get(family) ?? {}
  if (listField === undefined) {
    return plan.find(each => familiesOf(each.code, vocabulary).includes(family))?.code ?? 'other'
  }
  const [as] = recognition?.as ?? []
  const type = fields[listField]
  const code = as?.code ?? (typeof type === 'object' && 'code' in type ? type.code : undefined)
  if (code === undefined || record.notice || recognition?.outcome === 'refused') return 'local'
  const section = sectionOfList(code, vocabulary)
  if (section !== 'serious') return section
  const proved = ['authority', 'document'].every(name => typeof fields[name] === 'string' && fields[name] !== '')
  return proved && (recognition === undefined || recognition.outcome === 'recognised') ? section : 'local'
}

/** Text of another city is masked once more before it is on paper, by the very rules by which our own leaves. */
function entryOf(
  city: string,
  { record, recognition }: Part['records'][number],
  kind: SubjectKind,
  vocabulary: Vocabulary,
): Entry {
  const { id, family, fields, objection, notice, territorial } = record
  const known = vocabulary.families.get(family)
  const open = (name: string, value: Value) => maskField(value, name, kind)
  const text = (name: string) => {
    const value = fields[name]
    const said = value === undefined ? undefined : open(name, value)
    return typeof said === 'string' ? said : undefined
  }
  const [department] = ['authority', 'source'].filter(name => text(name) !== undefined)
  const dated = dateFieldOf(family, vocabulary)
  const date = dated === undefined ? undefined : z.iso.date().safeParse(fields[dated]).data
  const masked = new Set(record.masked)
  if (department !== undefined && text(department) !== fields[department]) masked.add(department)
  const lines: Line[] = []
  for (const [name, field] of known?.fields ?? []) {
    const value = fields[name]
    if (value === undefined || name === department || (name === dated && date !== undefined)) continue
    const shown = open(name, value)
    if (shown !== value) masked.add(name)
    lines.push({ code: name, zh: field.zh, en: field.en, ...lineOf(shown, field, vocabulary) })
  }
  return {
    city,
    id,
    family,
    title: titleOf(record, vocabulary),
    ...(department !== undefined && { department: text(department) ?? '' }),
    ...(date !== undefined && { date }),
    ...(objection && { objection }),
    ...(notice && { notice }),
    ...(territorial && { territorial }),
    ...(recognition && { recognition: withoutOriginal(recognition) }),
    ...(masked.size > 0 && { masked: [...masked].sort() }),
    lines,
  }
}

/** The original stands in the lines. */
function withoutOriginal({ original: _, ...rest }: Recognition): Omit<Recognition, 'original'> {
  return rest
}

/** The date by which a record belongs to a period: the one that every record of its family has to state. */
function dateFieldOf(family: string, { families }: Vocabulary): string | undefined {
  const fields = [...(families.get(family)?.fields.values() ?? [])]
  return fields.find(({ type, required }) => type === 'date' && required)?.name
}

/** Of which list or rating scheme, or else of which family. */
function titleOf({ family, fields }: WireRecord, vocabulary: Vocabulary): { zh: string; en: string } {
  const { listField, schemeField, zh = family, en = family } = vocabulary.families.get(family) ?? {}
  const value = fields[listField ?? schemeField ?? '']
  if (typeof value !== 'object' || !('code' in value)) return { zh, en }
  const term = (listField === undefined ? vocabulary.schemes : vocabulary.lists).get(value.code)
  return { zh: term?.zh ?? zh, en: term?.en ?? en }
}

/** A value in print. */
function lineOf(value: Value, { set, type }: Field, vocabulary: Vocabulary): Pick<Line, 'value' | 'said' | 'saidEn'> {
  if (typeof value === 'string') {
    const indefinite = type === 'date' && value === 'indefinite'
    return { value, ...(indefinite ? { said: '长期', saidEn: 'indefinite' } : { said: value }) }
  }
  if ('untranslated' in value) return { value, said: `${value.untranslated}（未转换）`, saidEn: 'not translated' }
  if ('amount' in value) {
    const digits = grouped(value.amount)
    const said = value.currency === 'CNY' ? `${digits} 元` : `${digits} ${value.currency}`
    return { value, said, saidEn: `${value.currency} ${digits}` }
  }
  const terms = ('code' in value ? [value.code] : value.codes).map(code => {
    const term = vocabulary.sets.get(set ?? '')?.get(code)
    return { zh: term?.zh ?? code, en: term?.en ?? code }
  })
  const ambiguous = 'ambiguous' in value && value.ambiguous === true
  const zh = terms.map(term => term.zh).join(ambiguous ? ' 或 ' : '、')
  const remarks = [
    ...(ambiguous ? ['含义不唯一'] : []),
    ...(terms.length === 1 && terms[0]?.zh === value.original ? [] : [`原文：${value.original}`]),
  ]
  return {
    value,
    said: remarks.length === 0 ? zh : `${zh}（${remarks.join('；')}）`,
    saidEn: terms.map(term => term.en).join(ambiguous ? ' or ' : ', '),
  }
}

/** Exact digits with a comma after each third. */
function grouped(amount: string): string {
  const [whole = '', fraction] = amount.split('.')
  const groups = whole.replace(/\B(?=(?:[0-9]{3})+$)/g, ',')
  return fraction === undefined ? groups : `${groups}.${fraction}`
}

function notesOf(part: Part, code: SectionCode, kind: SubjectKind, vocabulary: Vocabulary): Note[] {
  const families = familiesOf(code, vocabulary)
  const cities = [part.city]
  const note = (of: Note['kind'], about: readonly Named[], ...rules: readonly Told[]): Note => ({
    kind: of,
    cities,
    about: [...about],
    rules: rules.map(named),
  })
  if (families.length === 0) return []
  if (part.silence !== undefined) return [note('unknown', [], part.silence)]
  return families.flatMap(family => {
    const known = vocabulary.families.get(family)
    if (known === undefined) return []
    const whole = [named(known)]
    const clauses = (part.clauses.get(family) ?? []).filter(clause => clause.kinds.has(kind))
    if (clauses.length === 0) return [note('unknown', whole, told('agreement.family'))]
    const notes: Note[] = []
    if (known.listField !== undefined) {
      const wanted = [...vocabulary.lists.values()].filter(
        // What was made by counting is not told of anybody on paper, and nobody has to say that it is not there.
        list => sectionOfList(list.code, vocabulary) === code && list.code !== BY_COUNTING,
      )
      const missing = wanted.filter(list => !clauses.some(({ lists }) => lists?.has(list.code)))
      // An honour that is not told of takes nothing from a report; a black list that is not told of is not known to be empty.
      const of = code === 'good-faith' && missing.length < wanted.length ? 'withheld' : 'unknown'
      if (missing.length > 0) notes.push(note(of, missing.map(named), told('agreement.list')))
      if (missing.length > 0 && missing.length === wanted.length) return notes
    }
    if (known.schemeField !== undefined) {
      const missing = [...vocabulary.schemes.values()].filter(
        scheme => !clauses.some(({ schemes }) => schemes?.has(scheme.code)),
      )
      if (missing.length > 0) notes.push(note('withheld', missing.map(named), told('agreement.scheme')))
    }
    const unknown = part.unknown.filter(each => each.family === family)
    const fresh = part.freshness.some(each => each.family === family && each.status === 'fresh')
    if (!fresh && unknown.length === 0) unknown.push({ family, reason: told('source.stale') })
    for (const { reason } of unknown) notes.push(note('unknown', whole, reason))
    notes.push(...withheldFrom(part, family, vocabulary).map(({ of, about, rules }) => note(of, about, ...rules)))
    return notes
  })
}

type Rule = { readonly of: Note['kind']; readonly about: readonly Named[]; readonly rules: readonly Told[] }

/** Lists and schemes that are not agreed are said by name elsewhere. */
const saidByName: ReadonlySet<RefusalCode> = new Set(['agreement.list', 'agreement.scheme'])

function withheldFrom({ withheld }: Part, family: string, vocabulary: Vocabulary): Rule[] {
  const known = vocabulary.families.get(family)
  return withheld.flatMap((each): Rule[] => {
    if (each.family !== family) return []
    if ('fields' in each) {
      const about = each.fields.flatMap(name => {
        const field = known?.fields.get(name)
        return field === undefined ? [] : [{ code: name, zh: field.zh, en: field.en }]
      })
      return [{ of: 'withheld', about, rules: [told(each.rule)] }]
    }
    if ('records' in each) {
      const rules = each.records.filter(rule => !saidByName.has(rule)).map(rule => told(rule))
      return rules.length === 0 ? [] : [{ of: 'if-any', about: known === undefined ? [] : [named(known)], rules }]
    }
    return []
  })
}

/** Notes that say the same of several cities are one note; those that say the same of several families as well. */
function merged(notes: readonly Note[]): Note[] {
  const byCity = gather(notes, ({ kind, about, rules }) => [kind, about, rules])
  const all = gather(byCity, ({ kind, cities, rules }) => [kind, cities, rules])
  return all.sort((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind))
}

/** What makes a section incomplete is read first. */
const order: readonly Note['kind'][] = Note.shape.kind.options

function gather(notes: readonly Note[], key: (note: Note) => unknown): Note[] {
  return [...Map.groupBy(notes, note => JSON.stringify(key(note))).values()].flatMap(([first, ...same]) => {
    if (first === undefined) return []
    const all = [first, ...same]
    const cities = [...new Set(all.flatMap(note => note.cities))]
    const about = [...new Map(all.flatMap(note => note.about).map(each => [each.code, each])).values()]
    return [{ ...first, cities, about }]
  })
}

/** What the records themselves let be advised; nothing is weighed against anything, and no score stands behind it. */
function adviceOn(sections: readonly Section[]): z.infer<typeof Advice>[] {
  const all = sections.flatMap(({ code, entries }) => entries.map(entry => ({ code, entry })))
  const has = (family: string) => all.some(({ entry }) => entry.family === family)
  const within = (code: SectionCode) => all.some(each => each.code === code)
  const advice: z.infer<typeof Advice>[] = []
  if (has('penalty')) {
    advice.push({
      zh: '行政处罚信息：义务履行完毕、公示期达到最短期限后，可向作出认定的单位申请信用修复（谁认定、谁修复）。',
      en: 'Penalties: once the duties are fulfilled and the shortest term of publicity is over, repair may be applied for at the authority that decided.',
    })
  }
  if (within('serious')) {
    advice.push({
      zh: '严重失信主体名单：整改并履行义务后，可按该名单的规定向列入机关申请移出。',
      en: 'Lists of serious dishonesty: after correction and fulfilment, removal may be applied for at the listing authority, by the rules of that list.',
    })
  }
  if (within('abnormal')) {
    advice.push({
      zh: '经营异常：补报、更正有关事项后，可向列入机关申请移出。',
      en: 'Abnormal operation: after the matter is corrected, removal may be applied for at the listing authority.',
    })
  }
  if (has('breach')) {
    advice.push({
      zh: '承诺、合同未履行：履行后可请认定单位更新履约状态。',
      en: 'Commitments and contracts not fulfilled: once they are, the authority that recorded it may be asked to update it.',
    })
  }
  if (all.some(({ entry }) => entry.objection)) {
    advice.push({
      zh: '异议处理中的记录：请关注来源单位的处理结果，结果作出后可重新出具报告。',
      en: 'Records under objection: follow the decision of their source; a new report can be made after it.',
    })
  }
  return advice
}

/**
 * The names under which the cities hold the enterprise; none where nobody said one. Full-width and half-width forms of a name
 * are one name, as the first city writes it; the name of a person is masked, whoever sent it.
 */
export function namesIn(parts: readonly Part[], kind: SubjectKind): { name: string; cities: string[] }[] {
  const names = new Map<string, { name: string; cities: Set<string> }>()
  for (const { city, records } of parts) {
    for (const { record } of records) {
      const { holder } = record.fields
      if (typeof holder !== 'string') continue
      const name = maskHolder(holder, kind)
      const known = names.get(name.normalize('NFKC')) ?? { name, cities: new Set() }
      names.set(name.normalize('NFKC'), known)
      known.cities.add(city)
    }
  }
  return [...names.values()].map(({ name, cities }) => ({ name, cities: [...cities] }))
}
