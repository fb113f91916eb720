/** A foreign list entry or rating is one of ours only where the agreement's own tables say so for its day; the original always stays beside it. */
import { z } from 'zod'
import { Code, type Value, type WireRecord } from '#protocol/message.ts'
import { type RefusalCode, told } from '#protocol/refusal.ts'
import { relations } from '#schema/format.ts'
import { BY_COUNTING, type Term, type Vocabulary, validOn } from '#schema/vocabulary.ts'
import type { Agreement } from './agreement.ts'
import { saidBy } from './entry-words.ts'
import type { RecognitionRow, RecognitionTable } from './recognition.ts'

export const Told = z
  .strictObject({ code: z.string(), zh: z.string(), en: z.string() })
  .meta({ id: 'Refusal', description: 'why, in both languages 原因' })

/** A code of the vocabulary with its names. */
export const Word = z.strictObject({ code: Code, zh: z.string(), en: z.string() }).meta({ id: 'Word' })
export type Word = z.infer<typeof Word>

export const Recognition = z
  .strictObject({
    outcome: z.enum(['recognised', 'informational', 'refused']),
    /** What the other city said: its list or level in shared words where it translated, and in its own. */
    original: z.strictObject({ ...Word.partial().shape, text: z.string().optional() }),
    /** What it is here, only where recognised. */
    as: z.array(Word).min(1).optional(),
    /** It is one of `as`, and which is not known. */
    ambiguous: z.literal(true).optional(),
    relation: z.enum(relations).optional(),
    clause: z.string().optional(),
    /** Why it is not recognised. */
    why: Told.optional(),
    /** A rating that is recognised, and until when it holds its city does not tell, or was not asked. */
    endUnknown: z.literal(true).optional(),
  })
  .meta({ id: 'Recognition', description: 'what a list entry or rating of the other city is in this one 互认结果' })
export type Recognition = z.infer<typeof Recognition>

/** Who gave the record to whom under what. `today` is a day YYYY-MM-DD in Asia/Shanghai. */
export type Exchange = {
  readonly agreement: Agreement
  readonly from: string
  readonly to: string
  readonly today: string
}

/**
 * What a record of another city is in ours; undefined for one that is neither list entry nor rating, for a penalty or a
 * breach of a commitment is never either. Pure; never throws for what the other city wrote.
 */
export function recognise(record: WireRecord, exchange: Exchange, vocabulary: Vocabulary): Recognition | undefined {
  const { listField, schemeField } = vocabulary.families.get(record.family) ?? {}
  if (listField !== undefined) return recogniseEntry(record, record.fields[listField], exchange, vocabulary)
  if (schemeField !== undefined) return recogniseRating(record, record.fields[schemeField], exchange, vocabulary)
  return undefined
}

/** 国办发〔2020〕49号: a list has a legal basis, and an entry on it an authority and a document. */
function recogniseEntry(
  { fields, notice, territorial }: WireRecord,
  stated: Value | undefined,
  exchange: Exchange,
  vocabulary: Vocabulary,
): Recognition {
  const list = vocabulary.lists.get(codeOf(stated) ?? '')
  const original = originalOf(stated, list)
  if (list === undefined) return informational('recognition.untranslated', original)
  const shown = [text(fields['basis']) ?? list.basis ?? undefined, text(fields['authority']), text(fields['document'])]
  const missing = shown.filter(each => each === undefined).length
  if (list.code === BY_COUNTING || missing === shown.length || (list.severe && missing > 0)) {
    return refused('recognition.list-basis', original)
  }
  // What the entry says of itself counts, whatever list its city puts it on.
  const { counted, lesser } = saidBy(fields)
  if (counted) return refused('record.computed', original)
  if (lesser && list.colour === 'black') {
    return list.severe ? informational('record.escalation-doubt', original) : refused('record.escalation', original)
  }
  const on = dayIn(fields['listed'])
  if (on === undefined || on > exchange.today || !validOn(list, on)) return informational('recognition.date', original)
  const tables = tablesFor(exchange).filter(({ kind }) => kind === 'list')
  const found = byRow(list.code, tables, on, original, code => vocabulary.lists.get(code))
  // What its own city gives as no more than a notice, or as holding there alone, is no more here.
  const marked = notice ? 'record.notice' : territorial ? 'record.territorial' : undefined
  return found.outcome === 'recognised' && marked !== undefined ? informational(marked, original) : found
}

function recogniseRating(
  { fields }: WireRecord,
  stated: Value | undefined,
  exchange: Exchange,
  vocabulary: Vocabulary,
): Recognition {
  const { schemes, sets } = vocabulary
  const scheme = schemes.get(codeOf(stated) ?? '')
  const said = fields['level']
  const level = sets.get('rating-levels')?.get(codeOf(said) ?? '')
  const original = originalOf(said ?? stated, level ?? (said === undefined ? scheme : undefined))
  if (scheme === undefined) return informational('recognition.untranslated', original)
  if (scheme.origin === 'third-party' || codeOf(fields['origin']) === 'third-party') {
    const standing = codeOf(fields['raterStatus'])
    if (standing === undefined) return informational('recognition.rater-unknown', original)
    if (standing !== 'active') return refused('recognition.rater', original)
  }
  if (said === undefined) return informational('recognition.no-level', original)
  const short = level && shortOf(level.code, scheme.code)
  if (short === undefined) return informational('recognition.untranslated', original)
  const until = fields['validUntil']
  // An end that cannot be read may be past, and what is not yet made is no rating.
  if (until !== undefined && until !== 'indefinite' && dayIn(until) === undefined)
    return informational('recognition.date', original)
  if ((dayIn(until) ?? exchange.today) < exchange.today) return informational('record.ended', original)
  const on = dayIn(fields['decided']) ?? dayIn(fields['validFrom'])
  if ((on ?? '') > exchange.today || !inForce(scheme, on)) return informational('recognition.date', original)
  const tables = tablesFor(exchange).filter(table => table.kind === 'rating' && table.foreign === scheme.code)
  const found = byRow(short, tables, on, original, (code, table) =>
    table.kind === 'rating' && inForce(schemes.get(table.ours), on)
      ? sets.get('rating-levels')?.get(`${table.ours}.${code}`)
      : undefined,
  )
  return until === undefined && found.outcome === 'recognised' ? { ...found, endUnknown: true } : found
}

/** The one row for a list or level on a day, and what it makes of it. */
function byRow(
  of: string,
  tables: readonly RecognitionTable[],
  on: string | undefined,
  original: Recognition['original'],
  termOf: (code: string, table: RecognitionTable) => Term | undefined,
): Recognition {
  const rows = tables.flatMap(table => table.rows.filter(row => row.of === of).map(row => ({ table, row })))
  const found = rows.find(({ table }) => inForce(table, on))
  if (found === undefined) {
    return informational(rows.length > 0 ? 'recognition.date' : 'recognition.unlisted', original)
  }
  const { table, row } = found
  const terms = row.as.flatMap(code => termOf(code, table) ?? [])
  const cited = { relation: row.relation, clause: table.clause }
  // What is no word of ours on the record's day cannot be what it is here.
  const why = whyNot(row) ?? (terms.length < row.as.length ? 'recognition.date' : undefined)
  if (why !== undefined) return { ...informational(why, original), ...cited }
  return {
    outcome: 'recognised',
    original,
    as: terms.map(word),
    ...(!isCertain(row) && { ambiguous: true }),
    ...cited,
  }
}

function whyNot({ relation, outcome }: RecognitionRow): RefusalCode | undefined {
  if (outcome === 'recognised') return undefined
  return relation === 'none' ? 'recognition.none' : 'recognition.information'
}

function isCertain({ relation }: RecognitionRow): boolean {
  return relation === 'exact' || relation === 'narrower'
}

/** The tables of an agreement by which one city recognises what another gives. */
export function tablesFor({ agreement, from, to }: Omit<Exchange, 'today'>): readonly RecognitionTable[] {
  if (from === to) return []
  return (agreement.recognition ?? []).filter(table => table.from.includes(from) && table.to.includes(to))
}

type Dated = { readonly validFrom?: string | null | undefined; readonly validTo?: string | null | undefined }

/** Whether something dated holds on a day; where the day is not known, only what has no dates does. */
export function inForce(dated: Dated | undefined, on: string | undefined): boolean {
  if (dated === undefined) return false
  const { validFrom = null, validTo = null } = dated
  return on === undefined ? validFrom === null && validTo === null : validOn({ validFrom, validTo }, on)
}

function informational(why: RefusalCode, original: Recognition['original']): Recognition {
  return { outcome: 'informational', original, why: told(why) }
}

function refused(why: RefusalCode, original: Recognition['original']): Recognition {
  return { outcome: 'refused', original, why: told(why) }
}

export function word({ code, zh, en }: Word): Word {
  return { code, zh, en }
}

function originalOf(value: Value | undefined, term: Term | undefined): Recognition['original'] {
  const said = typeof value !== 'object' ? value : 'untranslated' in value ? value.untranslated : undefined
  const original = typeof value === 'object' && 'original' in value ? value.original : said
  return { ...(term && word(term)), ...(original !== undefined && { text: original }) }
}

/** A level's code without its scheme's name; undefined where the level is of another scheme. */
function shortOf(level: string, scheme: string): string | undefined {
  return level.startsWith(`${scheme}.`) ? level.slice(scheme.length + 1) : undefined
}

/** The one code of a value; undefined for several, for none, and for what did not translate. */
export function codeOf(value: Value | undefined): string | undefined {
  return typeof value === 'object' && 'code' in value ? value.code : undefined
}

export function text(value: Value | undefined): string | undefined {
  return typeof value === 'string' && value.trim() !== '' ? value : undefined
}

/** A day of the calendar; undefined for none, for one that there never was, for `indefinite` and for what did not translate. */
export function dayIn(value: Value | undefined): string | undefined {
  return typeof value === 'string' && z.regexes.date.test(value) ? value : undefined
}
