/** What may be done with a record is one ordered list of small gates, each a rule of the law or the agreement; there is no other list and no way round it. */
import { dayOf } from '#protocol/day.ts'
import type { Freshness, Value } from '#protocol/message.ts'
import type { RefusalCode } from '#protocol/refusal.ts'
import { holdsPersonalNumber, isIdentityNumber, type SubjectKind } from '#protocol/subject.ts'
import { type Day, reaches, type SharedRecord } from '#schema/record.ts'
import { BY_COUNTING, type Vocabulary, validOn } from '#schema/vocabulary.ts'
import type { Clause } from './authorise.ts'
import { saidBy, wordOf } from './entry-words.ts'
import { look, PERSONAL as PERSONAL_NUMBER } from './look.ts'
import { maskField } from './mask.ts'
import { isSurelyPast, lastPublicDay } from './publicity.ts'

/** In what a record is judged. */
export type Circumstances = {
  /** A day YYYY-MM-DD in Asia/Shanghai. */
  readonly today: Day
  /** Those of the question’s clauses that cover the family and the kind of subject. */
  readonly clauses: readonly Clause[]
  /** The city whose record it is. */
  readonly giver: string
  readonly vocabulary: Vocabulary
}

/** What a record carries with it, so that nobody takes it for more than it is. */
export type Mark = 'notice' | 'objection' | 'territorial'

type Step = {
  /** Which rule of docs/gates.md it is. */
  readonly section: number
  readonly rule: RefusalCode
}
/**
 * Keeps a record back. `of` names the families that have such records; absent, all. `unsure` tells of a record that it stops
 * whether it does so only because something cannot be told; absent, the rule itself says that the record stays.
 */
type Stop = Step & {
  readonly stops: (record: SharedRecord, at: Circumstances) => boolean
  readonly unsure?: (record: SharedRecord, at: Circumstances) => boolean
  readonly of?: (family: string, vocabulary: Vocabulary) => boolean
}
/** Lets a record go with a mark. */
type Marking = Step & { readonly marks: Mark; readonly when: (record: SharedRecord, at: Circumstances) => boolean }
/** Makes of a field’s value what may leave of it; the very same where nothing has to go. */
type Masking = Step & { readonly masks: (value: Value, field: string, kind: SubjectKind | undefined) => Value }
/** Tells that a family’s source is too old for anything to be said of what it lacks. */
type Ageing = Step & { readonly ages: (freshness: Freshness, today: Day, vocabulary: Vocabulary) => boolean }
export type Gate = Stop | Marking | Masking | Ageing

const ofLists = (family: string, { families }: Vocabulary) => families.get(family)?.listField !== undefined
const ofRatings = (family: string, { families }: Vocabulary) => families.get(family)?.schemeField !== undefined

/** The gates, in the order of the rules. Each has its code, its public text in both languages, and its test. */
export const gates: readonly Gate[] = [
  { section: 1, rule: 'record.person', stops: isOfPerson, unsure: mayBeOfFirm },
  { section: 2, rule: 'record.catalogue', stops: isUncatalogued, unsure: mayBeCatalogued },
  { section: 3, rule: 'record.computed', stops: isUnnamedComputed, of: ofLists },
  { section: 3, rule: 'record.notice', marks: 'notice', when: isNotice },
  { section: 4, rule: 'agreement.family', stops: (_, { clauses }) => clauses.length === 0, of: () => false },
  { section: 4, rule: 'agreement.list', stops: isUnnamedList, unsure: mayBeGranted, of: ofLists },
  { section: 4, rule: 'agreement.scheme', stops: isUnnamedScheme, unsure: mayBeGranted, of: ofRatings },
  { section: 4, rule: 'agreement.share-level', stops: isAboveLevel, unsure: mayBeGranted },
  { section: 5, rule: 'record.publicity', stops: isPastPublicity, unsure: mayBePublic },
  { section: 6, rule: 'record.ended', stops: isEnded, unsure: mayGoOn },
  { section: 6, rule: 'record.objection', marks: 'objection', when: ({ state }) => state === 'objection' },
  { section: 7, rule: 'record.territorial', marks: 'territorial', when: isTerritorial },
  { section: 8, rule: 'record.escalation', stops: isEscalated, of: ofLists },
  { section: 8, rule: 'record.escalation-doubt', marks: 'notice', when: mayBeEscalated },
  { section: 10, rule: 'record.masked', masks: maskField },
  { section: 12, rule: 'source.stale', ages: isStale },
]

const stops = gates.filter(gate => 'stops' in gate)
const markings = gates.filter(gate => 'marks' in gate)

/** The rule that stops a record, or undefined where it may leave. */
export function stoppedBy(record: SharedRecord, at: Circumstances): RefusalCode | undefined {
  for (const gate of stops) if (gate.stops(record, at)) return gate.rule
  return undefined
}

/**
 * Whether a record stays, and every gate that stops it does so only because something cannot be told: a day, a word, a grade.
 * Then nobody can say that there is nothing. One rule that clearly keeps it back is enough for the contrary.
 */
export function isUndetermined(record: SharedRecord, at: Circumstances): boolean {
  // Of what nobody knows how it stands nobody knows either which list or scheme it rightly is of.
  const known = record.state === 'undetermined' ? { ...record, list: undefined, scheme: undefined } : record
  let isStopped = false
  for (const gate of stops) {
    if (!gate.stops(known, at)) continue
    if (gate.unsure?.(known, at) !== true) return false
    isStopped = true
  }
  return isStopped
}

/** Gates that give the same mark stand side by side. */
const byMark = [...Map.groupBy(markings, ({ marks }) => marks)]
  .map(([mark, gates]) => ({ mark, gates }))
  .sort((a, b) => (a.mark < b.mark ? -1 : 1))

/** The marks with which a record goes that no gate stops, in the order of RFC 8785. */
export function marksOf(record: SharedRecord, at: Circumstances): readonly Mark[] {
  let marks: Mark[] | undefined
  for (const { mark, gates } of byMark) {
    for (const gate of gates) {
      if (!gate.when(record, at)) continue
      marks ??= []
      marks.push(mark)
      break
    }
  }
  return marks ?? UNMARKED
}

const UNMARKED: readonly Mark[] = []

/** The rules by which records of a family may be kept back; they depend on nothing that exists. */
export function keptBack(family: string, vocabulary: Vocabulary): RefusalCode[] {
  return stops.filter(({ of }) => of === undefined || of(family, vocabulary)).map(({ rule }) => rule)
}

// 1 · Subject 主体: enterprises alone; persons, their numbers and their scores never, and no setting says otherwise.

const PERSONAL = /个人|自然人|青年志愿者/

function isOfPerson(record: SharedRecord): boolean {
  return record.aboutPerson !== false || record.kind === undefined || speaksOfPerson(record)
}

/** A column that says whether it is about a person holds no word that is known, and nothing else tells. */
function mayBeOfFirm(record: SharedRecord): boolean {
  return record.aboutPerson === 'undetermined' && record.kind !== undefined && !speaksOfPerson(record)
}

function speaksOfPerson(record: SharedRecord): boolean {
  const { holder, scheme, type, rated, name } = record.fields
  if (typeof holder === 'string' && isOrHoldsNumber(holder)) return true
  if (record.family === 'rating') return PERSONAL.test(wordOf(scheme)) || PERSONAL.test(wordOf(rated))
  return record.family === 'list' && (PERSONAL.test(wordOf(type)) || PERSONAL.test(wordOf(name)))
}

function isOrHoldsNumber(holder: string): boolean {
  return (look(holder) & PERSONAL_NUMBER) !== 0 && (holdsPersonalNumber(holder) || isIdentityNumber(holder))
}

// 2 · Catalogue 目录: national, or the giving city's own where the agreement names it.

type Names = { all: boolean; readonly names: Set<string> }
type Items = { readonly national: ReadonlyMap<string, Names>; readonly local: ReadonlyMap<string, Names> }
/** Worked out once a day for a city. */
const catalogues = new WeakMap<Vocabulary, { giver: string; today: Day; items: Items }>()

function isUncatalogued(record: SharedRecord, at: Circumstances): boolean {
  const { national, local } = itemsOf(at)
  const name = record.list ?? record.scheme
  if (holds(national, record.family, name)) return false
  return (
    !holds(local, record.family, name) ||
    !at.clauses.some(clause => admitsList(clause, record) && admitsScheme(clause, record))
  )
}

/** Of a list or a scheme that has no word of ours, in a family of which something is in a catalogue. */
function mayBeCatalogued(record: SharedRecord, at: Circumstances): boolean {
  const { national, local } = itemsOf(at)
  return isUnnamed(record, at) && (national.has(record.family) || local.has(record.family))
}

function isUnnamed({ family, list, scheme }: SharedRecord, { vocabulary }: Circumstances): boolean {
  const { listField, schemeField } = vocabulary.families.get(family) ?? {}
  return (listField !== undefined && list === undefined) || (schemeField !== undefined && scheme === undefined)
}

function holds(items: Items['national'], family: string, name: string | undefined): boolean {
  const known = items.get(family)
  return known !== undefined && (known.all || (name !== undefined && known.names.has(name)))
}

function itemsOf({ giver, today, vocabulary }: Circumstances): Items {
  const known = catalogues.get(vocabulary)
  if (known !== undefined && known.giver === giver && known.today === today) return known.items
  const [national, local] = [new Map<string, Names>(), new Map<string, Names>()]
  for (const item of vocabulary.catalogue) {
    if (!validOn(item, today) || (item.cities !== undefined && !item.cities.includes(giver))) continue
    const of = item.cities === undefined ? national : local
    const known = of.get(item.family) ?? { all: false, names: new Set() }
    of.set(item.family, known)
    if (item.names === undefined) known.all = true
    for (const name of item.names ?? []) known.names.add(name)
  }
  const items = { national, local }
  catalogues.set(vocabulary, { giver, today, items })
  return items
}

// 3 · List 名单: what was made by counting is no list; what lacks basis, authority or document is no severe one (国办发〔2020〕49号).

function isComputed({ family, list, fields }: SharedRecord): boolean {
  return family === 'list' && (list === BY_COUNTING || saidBy(fields).counted)
}

function isUnnamedComputed(record: SharedRecord, { clauses }: Circumstances): boolean {
  return isComputed(record) && !clauses.some(({ lists }) => lists?.has(BY_COUNTING))
}

function isNotice(record: SharedRecord, { vocabulary }: Circumstances): boolean {
  if (record.family !== 'list') return false
  if (isComputed(record)) return true
  const type = vocabulary.lists.get(record.list ?? '')
  if (type?.colour !== 'black') return type === undefined
  return !isSevere(record, vocabulary)
}

/** Of a severe list 严重失信主体名单 in all that makes one: legal basis, authority and document. */
function isSevere({ list, fields: { authority, document } }: SharedRecord, { lists }: Vocabulary): boolean {
  const { severe = false, basis = null } = lists.get(list ?? '') ?? {}
  return severe && basis !== null && isText(authority) && isText(document)
}

function isText(value: Value | undefined): boolean {
  return typeof value === 'string' && value !== ''
}

// 4 · Share level 共享级别 of the record, with agreement and purpose: one and the same clause has to cover it all.

function isUnnamedList(record: SharedRecord, { clauses }: Circumstances): boolean {
  for (const clause of clauses) if (admitsList(clause, record)) return false
  return true
}

function isUnnamedScheme(record: SharedRecord, { clauses }: Circumstances): boolean {
  for (const clause of clauses) if (admitsScheme(clause, record)) return false
  return true
}

function isAboveLevel(record: SharedRecord, { clauses }: Circumstances): boolean {
  for (const clause of clauses) if (admits(clause, record)) return false
  return true
}

/** A list made by counting leaves only where its own kind is named, whatever its type says. */
function admitsList({ lists }: Clause, record: SharedRecord): boolean {
  if (lists === undefined) return true
  return record.list !== undefined && lists.has(record.list) && (lists.has(BY_COUNTING) || !isComputed(record))
}

function admitsScheme({ schemes }: Clause, { scheme }: SharedRecord): boolean {
  return schemes === undefined || (scheme !== undefined && schemes.has(scheme))
}

/** Whether one and the same clause lets the record pass; clauses do not lend each other their parts. */
export function admits(clause: Clause, record: SharedRecord): boolean {
  return reaches(clause.level, record.level) && admitsList(clause, record) && admitsScheme(clause, record)
}

/**
 * Whether some clause would let the record pass, were its list, its scheme and its level what it covers. What its city says
 * is not shared is not among them: 国家秘密 and 商业秘密 have no level, and not even that there is such a record may be told.
 */
function mayBeGranted(record: SharedRecord, { clauses }: Circumstances): boolean {
  return clauses.some(
    clause =>
      (record.level === 'undetermined' || reaches(clause.level, record.level)) &&
      (record.list === undefined || admitsList(clause, record)) &&
      (record.scheme === undefined || admitsScheme(clause, record)),
  )
}

// 5 · Clock 公示期限 and 6 · Ends 修复、撤销、移出.

function isPastPublicity(record: SharedRecord, { today, vocabulary }: Circumstances): boolean {
  const last = lastPublicDay(record, today, vocabulary)
  return last === undefined || last < today
}

/** Without a day, a grade, an end or a rule for its day it may be public, and may not. */
function mayBePublic(record: SharedRecord, { today, vocabulary }: Circumstances): boolean {
  return !isSurelyPast(record, today, vocabulary)
}

function isEnded({ state, endedOn }: SharedRecord, { today }: Circumstances): boolean {
  return (state !== 'normal' && state !== 'objection') || (endedOn !== undefined && endedOn <= today)
}

function mayGoOn({ state, endedOn }: SharedRecord, { today }: Circumstances): boolean {
  return state === 'undetermined' && !(endedOn !== undefined && endedOn <= today)
}

// 7 · Territory 地域: what is forbidden in one city is information in another.

const RESTRICTS =
  /(?:禁止|限制|不得|暂停|取消|停止|屏蔽)[^。；;]{0,40}?(?:承接|承揽|参与|参加|投标|竞买|竞拍|进入|从事|申请|申报|受理)/
const HERE = /[本我全该当](?:地|市|区|县|省|州|盟|旗)|属地|辖区|辖内|行政区域/
/** Of two characters it is known without what it is (惠州); of one only with it (歙县, 单县). */
const PLACES = /(?<name>\p{sc=Han}{2})[市区县省州盟旗]|(?<whole>\p{sc=Han}[市区县州旗])/gu
/** 开发区, 城区: places that every city has. */
const NO_PLACE = /^(?:开发|高新|技术|经济|工业|产业|园区|城区|社区|地区|新区|矿区|林区|景区|辖区)$/

function isTerritorial({ family, fields }: SharedRecord): boolean {
  if (family !== 'penalty' && family !== 'list') return false
  return (
    isConfined(fields['content'], fields) ||
    isConfined(fields['result'], fields) ||
    isConfined(fields['reason'], fields)
  )
}

/** A restriction that names the place of who imposed it, or speaks of "this city". */
function isConfined(value: Value | undefined, fields: SharedRecord['fields']): boolean {
  if (typeof value !== 'string' || !RESTRICTS.test(value)) return false
  if (HERE.test(value)) return true
  for (const { groups } of wordOf(fields['authority']).matchAll(PLACES)) {
    const place = groups?.['name'] ?? groups?.['whole'] ?? ''
    if (!NO_PLACE.test(place) && value.includes(place)) return true
  }
  return false
}

// 8 · No escalation 不得升级: a breach of a commitment, a first or a minor offence is never an entry on a black list. A lawful
// entry of a severe list may speak of one as well (拖欠工资，且未履行承诺): it is not dropped, and it is not taken for more either.

function isEscalated(record: SharedRecord, { vocabulary }: Circumstances): boolean {
  return isLesser(record, vocabulary) && !isSevere(record, vocabulary)
}

function mayBeEscalated(record: SharedRecord, { vocabulary }: Circumstances): boolean {
  return isLesser(record, vocabulary) && isSevere(record, vocabulary)
}

function isLesser({ family, list, fields }: SharedRecord, { lists }: Vocabulary): boolean {
  return family === 'list' && lists.get(list ?? '')?.colour === 'black' && saidBy(fields).lesser
}

// 12 · Freshness 时效: double publicity within so many working days; what is older is not known, and never clean.

const DAY = 86_400_000
/** The same few instants are judged again and again on one day, by one vocabulary. */
const agedBy = new WeakMap<Vocabulary, { today: Day; known: Map<string, boolean> }>()

function isStale({ family, asOf }: Freshness, today: Day, vocabulary: Vocabulary): boolean {
  if (asOf === undefined) return false
  const rule = vocabulary.freshness.find(each => each.families.has(family) && validOn(each, today))
  if (rule === undefined) return false
  let aged = agedBy.get(vocabulary)
  if (aged === undefined || aged.today !== today || aged.known.size > 1000) {
    aged = { today, known: new Map() }
    agedBy.set(vocabulary, aged)
  }
  const key = `${rule.code} ${asOf}`
  const known = aged.known.get(key)
  if (known !== undefined) return known
  const end = Date.parse(today)
  let worked = 0
  // A day in Asia/Shanghai, as an instant of UTC that has the same date; the day of supply itself does not count.
  for (let day = Date.parse(dayOf(Date.parse(asOf))) + DAY; day <= end && worked <= rule.workingDays; day += DAY) {
    const weekday = new Date(day).getUTCDay()
    if (weekday !== 0 && weekday !== 6 && !rule.isOff(new Date(day).toISOString().slice(0, 10))) worked++
  }
  const stale = worked > rule.workingDays
  aged.known.set(key, stale)
  return stale
}
