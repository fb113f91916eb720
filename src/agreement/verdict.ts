/** A veto check is answered yes, no or unknown, with every record it rests on; unknown is never yes, and nothing unrecognised is ever no. */
import { z } from 'zod'
import { CityId, type Freshness, type Result, type WireRecord } from '#protocol/message.ts'
import { type RefusalCode, told } from '#protocol/refusal.ts'
import type { Subject } from '#protocol/subject.ts'
import { BY_COUNTING, type Vocabulary } from '#schema/vocabulary.ts'
import type { Scope } from './authorise.ts'
import { denying, type MeasureList, Offered, offered, useOf } from './measures.ts'
import { dayIn, type Exchange, inForce, Recognition, Told, tablesFor, text, Word, word } from './recognise.ts'

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
  readonly result: Pick<Result, 'unknown'>
  readonly records: readonly Seen[]
}

const FAMILY = 'list'
const UNDETERMINED = 'record.undetermined'
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
  const unclear = gap === UNDETERMINED ? undefined : gap
  const reliedOn: Verdict['reliedOn'] = []
  const setAside: Verdict['setAside'] = []
  const aside = ({ id }: WireRecord, why: Verdict['why'][number]) => setAside.push({ city: of.from, id, why })
  const grade = gravest(vocabulary)
  let unreadable = false
  let unplaced = false
  for (const { shared, recognition } of of.records) {
    if (shared.family !== FAMILY || recognition === undefined) continue
    const list = vocabulary.lists.get(recognition.original.code ?? '')
    // An honour stands against nobody.
    if (list?.colour === 'red') continue
    const use = useOf(shared, of.own, of.today)
    if (recognition.why !== undefined) {
      aside(shared, recognition.why)
      // A black list of no type may be any, one of ours among them.
      unplaced ||=
        list === undefined ||
        (!list.severe && list.basis === null && list.code !== BY_COUNTING && list.colour === 'black') ||
        (list.severe && (DOUBTED.has(recognition.why.code) || !isListed(shared, of.today)))
    } else if ('why' in use) {
      aside(shared, told(use.why))
      unreadable ||= use.why === 'recognition.date'
    } else if (unclear !== undefined) aside(shared, told(unclear))
    else {
      const measures = offered(shared, recognition, of.own, of.today).filter(({ denies }) =>
        denies?.includes(of.purpose),
      )
      const [ours] = recognition.as ?? []
      if (ours === undefined || measures.length === 0) aside(shared, told('measure.none'))
      else {
        const { id, fields, objection } = shared
        const { relation, clause } = recognition
        const basis = text(fields['basis']) ?? list?.basis ?? ''
        const said = { ...statedIn(fields), ...use, relation, clause, ...(objection && { objection }) }
        reliedOn.push({ city: of.from, id, list: ours, grade, basis, ...said, measures })
      }
    }
  }
  if (reliedOn.length > 0) return { verdict: 'no', reliedOn, setAside, why: [] }
  const why = [
    gap,
    uncovered(of),
    unreadable ? 'recognition.date' : undefined,
    unplaced ? 'measure.incomplete' : undefined,
  ]
  const reasons = [...new Set(why.filter((code): code is RefusalCode => code !== undefined))]
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

/** Whether the day of the entry can be read, and has come: another day may be a slip, and the entry one that holds today. */
function isListed({ fields }: WireRecord, today: string): boolean {
  const listed = dayIn(fields['listed'])
  return listed !== undefined && listed <= today
}

/** Why the lists of this subject are not known in full and fresh: what is so of all of them before what is so of one entry. */
function unclearIn({ result: { unknown = [] }, freshness }: Case): RefusalCode | undefined {
  const gaps = unknown.flatMap(({ family, rule }) => (family === FAMILY ? [rule] : []))
  const ofAll = gaps.find(rule => rule !== UNDETERMINED)
  if (ofAll !== undefined) return ofAll
  const list = freshness.find(({ family }) => family === FAMILY)
  if (list === undefined) return 'measure.incomplete'
  return list.status === 'fresh' ? gaps[0] : 'source.stale'
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

function statedIn(fields: WireRecord['fields']) {
  const [authority, document, listed] = [text(fields['authority']), text(fields['document']), dayIn(fields['listed'])]
  return {
    ...(authority !== undefined && { authority }),
    ...(document !== undefined && { document }),
    ...(listed !== undefined && { listed }),
  }
}

/** Of this grade is every entry that is relied on. */
function gravest({ sets }: Vocabulary): Word {
  const known = sets.get('dishonesty-grades')?.get('serious')
  return known ? word(known) : { code: 'serious', zh: '严重', en: 'Serious' }
}
