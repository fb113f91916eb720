/** What Jiangyin judges of the entries of Huizhou, by the shipped vocabulary, agreement and measure lists. */
import { scopeOf } from '#agreement/authorise.ts'
import { recognise } from '#agreement/recognise.ts'
import { type Case, type Verdict, verdictOf } from '#agreement/verdict.ts'
import { digest } from '#protocol/canonical.ts'
import type { Want, WireRecord } from '#protocol/message.ts'
import { readSubject } from '#protocol/subject.ts'
import { vocabulary as known } from '../schema/cities.ts'
import { jiangyin } from './measure-lists.ts'
import { shipped, today } from './shipped.ts'

export const exchange = { agreement: shipped, from: 'huizhou', to: 'jiangyin', today }

const signed = { text: shipped, digest: digest(shipped), begins: 0, ends: Number.POSITIVE_INFINITY }

/** What the agreement makes of Jiangyin's wants for the one veto purpose. */
export const wanting = (...want: Want[]) =>
  scopeOf(signed, { from: 'huizhou', to: 'jiangyin', purpose: 'fiscal-funds', want }, known)

/** What follows for fiscal funds from all that Huizhou said of an enterprise, unless a test says otherwise. */
export function judged(records: readonly WireRecord[], over: Partial<Case> = {}, vocabulary = known): Verdict {
  const seen = records.map(shared => ({ shared, recognition: recognise(shared, { ...exchange, ...over }, vocabulary) }))
  return verdictOf(
    {
      ...exchange,
      purpose: 'fiscal-funds',
      subject: readSubject('91441300195971850Y'),
      own: jiangyin,
      scope: wanting({ family: 'list' }, { family: 'penalty' }),
      freshness: [
        { family: 'penalty', status: 'fresh' },
        { family: 'list', status: 'fresh' },
      ],
      result: {},
      records: seen,
      ...over,
    },
    vocabulary,
  )
}
