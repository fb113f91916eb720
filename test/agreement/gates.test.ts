import { describe, expect, it } from 'vitest'
import type { Clause } from '#agreement/authorise.ts'
import { gates, stoppedBy } from '#agreement/disclose.ts'
import type { RefusalCode } from '#protocol/refusal.ts'
import { completeUscc, readSubject } from '#protocol/subject.ts'
import type { SharedRecord } from '#schema/record.ts'

const subject = readSubject(completeUscc('91320281MA1TE100'))
const clause: Clause = {
  clause: '第三条',
  kinds: new Set(['enterprise']),
  level: 'government',
  fields: new Set(['number']),
  lists: undefined,
  schemes: undefined,
}
const record: SharedRecord = {
  id: '1',
  family: 'penalty',
  fields: { number: '1' },
  subject: subject.uscc,
  kind: 'enterprise',
  aboutPerson: false,
  level: 'public',
  state: 'normal',
  publishedUntil: undefined,
  endedOn: undefined,
  list: undefined,
  scheme: undefined,
}
const at = { subject, today: '2026-11-22', clauses: [clause] }
const ofLists: Clause = { ...clause, lists: new Set(['wage-arrears']) }
const ofSchemes: Clause = { ...clause, schemes: new Set(['tax-2025']) }

describe('the gates', () => {
  it('let an ordinary record pass', () => {
    expect(stoppedBy(record, at)).toBeUndefined()
  })

  it.each<[string, Partial<SharedRecord>, Partial<typeof at>, RefusalCode]>([
    ['about a natural person', { aboutPerson: true }, {}, 'record.person'],
    ['of which it is not known whether it is about a person', { aboutPerson: 'undetermined' }, {}, 'record.person'],
    ['that was withdrawn', { state: 'withdrawn' }, {}, 'record.ended'],
    ['that was repaired', { state: 'repaired' }, {}, 'record.ended'],
    ['that was deleted', { state: 'deleted' }, {}, 'record.ended'],
    ['that its city declares ended', { state: 'ended' }, {}, 'record.ended'],
    ['whose state is not known', { state: 'undetermined' }, {}, 'record.ended'],
    ['whose publicity ended yesterday', { publishedUntil: '2026-11-21' }, {}, 'record.ended'],
    ['that was taken off its list today', { endedOn: '2026-11-22' }, {}, 'record.ended'],
    ['of a family or kind that no clause covers', {}, { clauses: [] }, 'agreement.family'],
    ['of a list that no clause names', { list: 'computed-black' }, { clauses: [ofLists] }, 'agreement.list'],
    ['of a list that did not translate', { list: undefined }, { clauses: [ofLists] }, 'agreement.list'],
    [
      'of a rating scheme that no clause names',
      { scheme: 'customs-2026' },
      { clauses: [ofSchemes] },
      'agreement.scheme',
    ],
    ['shared only with an authorisation', { level: 'authorised' }, {}, 'agreement.share-level'],
    ['whose share level is not known', { level: undefined }, {}, 'agreement.share-level'],
    [
      'that one clause covers by list and another by level',
      { list: 'wage-arrears', level: 'government' },
      {
        clauses: [
          { ...ofLists, level: 'public' },
          { ...clause, lists: new Set(['computed-black']) },
        ],
      },
      'agreement.share-level',
    ],
  ])('stop a record %s', (_, over, circumstances, rule) => {
    expect(stoppedBy({ ...record, ...over }, { ...at, ...circumstances })).toBe(rule)
  })

  it.each<[string, Partial<SharedRecord>]>([
    ['to which an objection is pending, which is then marked', { state: 'objection' }],
    ['on the last day of its publicity', { publishedUntil: '2026-11-22' }],
    ['of indefinite publicity', { publishedUntil: 'indefinite' }],
    ['that will be taken off its list tomorrow', { endedOn: '2026-11-23' }],
  ])('let a record pass %s', (_, over) => {
    expect(stoppedBy({ ...record, ...over }, at)).toBeUndefined()
  })

  it('are in the order of the law first, the agreement after', () => {
    expect(gates.map(({ rule }) => rule)).toEqual([
      'record.person',
      'record.ended',
      'record.ended',
      'record.ended',
      'agreement.family',
      'agreement.list',
      'agreement.scheme',
      'agreement.share-level',
    ])
  })
})
