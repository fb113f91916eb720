/** A veto check is answered yes, no or unknown, with every record it rests on; unknown is never yes, and nothing unrecognised is ever no. */
import { z } from 'zod'
import { CityId, type Freshness, type Result, type WireRecord } from '#protocol/message.ts'
import { type RefusalCode, told } from '#protocol/refusal.ts'
import type { Subject } from '#protocol/subject.ts'
import { BY_COUNTING, type Vocabulary } from '#schema/vocabulary.ts'
import type { Scope } from './authorise.ts'
import { denying, type MeasureList, Offered, offered, useOf } from './measures.ts'
import { codeOf, dayIn, type Exchange, inForce, Recognition, Told, tablesFor, text, Word, word } from './recognise.ts'

const Ground = z.strictObject({
  city: CityId,
  /** The record's id, as its city gave it. */
  id: z.string(),
  list: Word,
  /** 失信严重程度: an entry on a severe list (严重失信主体名单) is serious. */
  grade: Word,
  basis: z.string(),
  authority: z.string().optional(),
  document: z.string().optional(),
  listed: z.string().optional(),
  /** The last day on which it may be used, YYYY-MM-DD; absent where its city states none. */
  until: z.string().optional(),
  relation: Recognition.shape.relation,
  clause: Recognition.shape.clause,
  /** An objection is pending, and our own rule lets the record be used meanwhile. */
  objection: z.literal(true).optional(),
  measures: z.array(Offered),
})

export const Verdict = z
  .strictObject({
    verdict: z.enum(['yes', 'no', 'unknown']).meta({ description: 'whether the purpose may be granted 可否' }),
    reliedOn: z.array(Ground),
    /** Entries on black lists that were seen and may not be relied on. */
    setAside: z.array(z.strictObject({ city: CityId, id: z.string(), why: Told })),
    /** Why it is unknown. */
    why: z.array(Told),
  })
  .meta({ id: 'Verdict', description: 'the answer to a veto check, with the records it rests on 一票否决核查结论' })
export type Verdict = z.infer<typeof Verdict>

type Seen = { readonly shared: WireRecord; readonly recognition?: Recognition | undefined }

/** What one city said of one subject, and by what it is judged. */
export type Case = Exchange & {
  readonly purpose: string
  readonly subject: Subject
  readonly own: MeasureList | undefined
  readonly scope: Scope
  readonly freshness: readonly Freshness[]
  readonly result: Pick<Result, 'status' | 'unknown'>
  readonly records: readonly Seen[]
}

const FAMILY = 'list'
/** Without these nobody can tell of which list an entry is, since when, and on what it rests. */
const NEEDED = ['type', 'listed', 'authority', 'document']

/** A severe list in full form, of which its city or its words say that it may be none. */
const DOUBTED: ReadonlySet<string> = new Set<RefusalCode>([
  'record.notice',
  'record.computed',
  'record.escalation-doubt',
])

/** Judges what one city said of one subject. Pure; computes no score, and says nothing of a person. */
export function verdictOf(of: Case, vocabulary: Vocabulary): Verdict {
  const gap = unclearIn(of)
  // What cannot be told of one entry takes nothing from another; of a source that is down or old, nothing holds.
  const unclear = gap === 'record.undetermined' ? undefined : gap
  const reliedOn: Verdict['reliedOn'] = []
  const setAside: Verdict['setAside'] = []
  const aside = ({ id }: WireRecord, why: Verdict['why'][number]) => setAside.push({ city: of.from, id, why })
  let unreadable = false
  let unplaced = false
  for (const { shared, recognition } of of.records) {
    if (shared.family !== FAMILY || recognition === undefined || !isAdverse(recognition, vocabulary)) continue
    const use = useOf(shared, of.own, of.today)
    if (recognition.why !== undefined) {
      aside(shared, recognition.why)
      // A black list of no type may be any, one of ours among them.
      const list = vocabulary.lists.get(recognition.original.code ?? '')
      unplaced ||=
        list === undefined ||
        (!list.severe && list.basis === null && list.code !== BY_COUNTING && list.colour === 'black') ||
        (list.severe && (DOUBTED.has(recognition.why.code) || dayIn(shared.fields['listed']) === undefined))
    } else if ('why' in use) {
      aside(shared, told(use.why))
      unreadable ||= use.why === 'recognition.date'
    } else if (unclear !== undefined) aside(shared, told(unclear))
    else {
      const measures = offered(shared, recognition, of.own, of.today).filter(({ denies }) =>
        denies?.includes(of.purpose),
      )
      if (measures.length === 0) aside(shared, told('measure.none'))
      else reliedOn.push(groundOf(shared, recognition, measures, use, of, vocabulary))
    }
  }
  const why = [
    gap,
    reliedOn.length > 0 ? undefined : uncovered(of),
    unreadable ? 'recognition.date' : undefined,
    unplaced ? 'measure.incomplete' : undefined,
  ]
  const reasons = [...new Set(why.filter((code): code is RefusalCode => code !== undefined))]
  if (reliedOn.length > 0) return { verdict: 'no', reliedOn, setAside, why: [] }
  return { verdict: reasons.length > 0 ? 'unknown' : 'yes', reliedOn, setAside, why: reasons.map(told) }
}

/** Of a city that did not answer: nothing is known, and why. */
export function noVerdict(why: Verdict['why'][number]): Verdict {
  return { verdict: 'unknown', reliedOn: [], setAside: [], why: [why] }
}

/** Over all cities asked: one ground is enough for no, one gap for unknown. */
export function together(verdicts: readonly Verdict[]): Verdict {
  const has = (which: Verdict['verdict']) => verdicts.some(({ verdict }) => verdict === which)
  const verdict = has('no') ? 'no' : has('unknown') || verdicts.length === 0 ? 'unknown' : 'yes'
  const why = new Map(verdicts.flatMap(each => each.why.map(told => [told.code, told] as const)))
  return {
    verdict,
    reliedOn: verdicts.flatMap(({ reliedOn }) => reliedOn),
    setAside: verdicts.flatMap(({ setAside }) => setAside),
    why: [...why.values()],
  }
}

/** Why the lists of this subject are not known in full and fresh. */
function unclearIn({ result: { status, unknown = [] }, freshness }: Case): RefusalCode | undefined {
  const gap = unknown.find(({ family }) => family === FAMILY)
  if (gap !== undefined) return gap.rule
  if (status === 'answered') return undefined
  const list = freshness.find(({ family }) => family === FAMILY)
  if (list === undefined) return 'measure.incomplete'
  return list.status === 'fresh' ? undefined : 'source.stale'
}

/**
 * Whether every list on which our own measures deny the purpose could have come, in full and for this kind of subject, and
 * would have been recognised: what could not be seen is not known to be absent.
 */
function uncovered(of: Case): RefusalCode | undefined {
  const needed = denying(of.own, of.purpose, of.today)
  if (needed.size === 0) return 'measure.none'
  const given = new Set(
    (of.scope.families.get(FAMILY) ?? [])
      .filter(({ kinds, fields }) => kinds.has(of.subject.kind) && NEEDED.every(field => fields.has(field)))
      .flatMap(({ lists }) => [...(lists ?? [])]),
  )
  const recognised = new Set(
    tablesFor(of)
      .filter(table => table.kind === 'list' && inForce(table, of.today))
      .flatMap(({ rows }) => rows.filter(({ of: list, outcome }) => outcome === 'recognised' && given.has(list)))
      .flatMap(({ as }) => as),
  )
  return needed.isSubsetOf(recognised) ? undefined : 'measure.incomplete'
}

function isAdverse({ original }: Recognition, { lists }: Vocabulary): boolean {
  return lists.get(original.code ?? '')?.colour !== 'red'
}

function groundOf(
  { id, fields, objection }: WireRecord,
  { as = [], original, relation, clause }: Recognition,
  measures: Offered[],
  use: { readonly until?: string },
  { from }: Case,
  { lists, sets }: Vocabulary,
): Verdict['reliedOn'][number] {
  const [list = { code: original.code ?? '', zh: '', en: '' }] = as
  const serious = sets.get('dishonesty-grades')?.get('serious')
  const [authority, document, listed] = [text(fields['authority']), text(fields['document']), dayIn(fields['listed'])]
  return {
    city: from,
    id,
    list,
    grade: serious ? word(serious) : { code: 'serious', zh: '严重', en: 'Serious' },
    basis: text(fields['basis']) ?? lists.get(codeOf(fields['type']) ?? '')?.basis ?? '',
    ...(authority !== undefined && { authority }),
    ...(document !== undefined && { document }),
    ...(listed !== undefined && { listed }),
    ...use,
    relation,
    clause,
    ...(objection && { objection }),
    measures,
  }
}
