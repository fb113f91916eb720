/** What this city itself has of an enterprise and anybody may see: its public records, through the gates of every answer. */
import type { Clause } from '#agreement/authorise.ts'
import { freshnessToday, given } from '#agreement/disclose.ts'
import { keptBack } from '#agreement/gates.ts'
import { dayOf } from '#protocol/day.ts'
import type { Freshness, WireRecord, Withheld } from '#protocol/message.ts'
import { type RefusalCode, told } from '#protocol/refusal.ts'
import { type Subject, subjectKinds } from '#protocol/subject.ts'
import { translate } from '#schema/translate.ts'
import { BY_COUNTING, type Vocabulary } from '#schema/vocabulary.ts'
import { lookUp } from '#source/source.ts'
import type { City } from './city.ts'
import type { Told } from './sections.ts'

type Own = {
  readonly clauses: ReadonlyMap<string, readonly Clause[]>
  readonly records: readonly WireRecord[]
  readonly freshness: readonly Freshness[]
  /** Families of which nothing complete is known, and why. */
  readonly unknown: readonly { readonly family: string; readonly reason: Told }[]
  /** The rules by which records are kept back, if there are any. */
  readonly withheld: readonly Withheld[]
}

/**
 * Looks an enterprise up in our own tables. Never throws for a source that fails: its families are unknown. The caller has
 * made sure that the department may ask for its purpose.
 */
export async function ownRecords(subject: Subject, city: City): Promise<Own> {
  const { vocabulary } = city
  const ground = { families: publicClauses(vocabulary), giver: city.id, vocabulary }
  const families = [...ground.families.keys()]
  const today = dayOf(city.now())
  const found = await lookUp({ subjects: [subject.uscc], families }, city.sources)
  const shared = translate(found, city.mapping)
  const freshness = shared.map(each => freshnessToday(each.freshness, today, ground))
  const { records, unclear } = given(subject, shared, ground, today)
  return {
    clauses: ground.families,
    records,
    freshness,
    unknown: shared.flatMap(({ family, unknown: rule }, i) => {
      if (unclear.includes(family)) return [{ family, reason: told('record.undetermined') }]
      if (city.sources.holding(family).length === 0) return [{ family, reason: noTable }]
      if (rule !== undefined) return [{ family, reason: told(rule) }]
      return freshness[i]?.status === 'fresh' ? [] : [{ family, reason: told('source.stale') }]
    }),
    withheld: families.map(family => ({ family, records: keptBack(family, vocabulary).filter(isNoAgreement) })),
  }
}

/** Not that a source is down: there is none, and nothing can be said of what it would hold. */
const noTable: Told = {
  code: 'report.no-table',
  zh: '该市没有此类信息的数据表',
  en: 'The city keeps no table of such records.',
}

/** Here no agreement is asked, so none keeps anything back. */
function isNoAgreement(rule: RefusalCode): boolean {
  return !rule.startsWith('agreement.')
}

/**
 * What is open to everybody needs no agreement, and nothing else is in here: the clause of every family names its fields that
 * are public, for records that are public. It says less than any agreement may, so no gate can be passed by way of it.
 */
function publicClauses({ families, lists, schemes }: Vocabulary): ReadonlyMap<string, readonly Clause[]> {
  return new Map(
    [...families].map(([code, { fields, listField, schemeField }]) => [
      code,
      [
        {
          clause: 'public',
          kinds: new Set(subjectKinds),
          level: 'public',
          fields: new Set([...fields].flatMap(([name, { level }]) => (level === 'public' ? [name] : [])).sort()),
          lists: listField === undefined ? undefined : new Set([...lists.keys()].filter(list => list !== BY_COUNTING)),
          schemes: schemeField === undefined ? undefined : new Set(schemes.keys()),
        },
      ],
    ]),
  )
}
