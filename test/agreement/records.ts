/** Records of Jiangyin that every gate lets pass, one of each kind, and the clauses that grant them. */
import type { Clause } from '#agreement/authorise.ts'
import type { Value } from '#protocol/message.ts'
import { completeUscc } from '#protocol/subject.ts'
import type { SharedRecord } from '#schema/record.ts'

export const subject = completeUscc('91320281MA1TE100')
export const clause: Clause = {
  clause: '第三条',
  kinds: new Set(['enterprise']),
  level: 'government',
  fields: new Set(['number']),
  lists: undefined,
  schemes: undefined,
}
export const ofLists: Clause = { ...clause, lists: new Set(['wage-arrears', 'honour', 'local-black']) }
export const ofRatings: Clause = { ...clause, schemes: new Set(['tax-2025', 'huizhou-importers']) }

export const base: SharedRecord = {
  id: '1',
  family: 'licence',
  fields: { number: '1' },
  subject,
  kind: 'enterprise',
  aboutPerson: false,
  level: 'public',
  state: 'normal',
  publishedUntil: undefined,
  endedOn: undefined,
  list: undefined,
  scheme: undefined,
}
export const penalty: SharedRecord = {
  ...base,
  family: 'penalty',
  fields: { decided: '2026-10-01', grade: { code: 'general', original: '一般' } },
}
export const entry: SharedRecord = {
  ...base,
  family: 'list',
  list: 'wage-arrears',
  fields: {
    type: { code: 'wage-arrears', original: '欠薪' },
    listed: '2026-08-01',
    authority: '某局',
    document: '某号',
  },
}
export const local: SharedRecord = { ...entry, list: 'local-black' }
export const honour: SharedRecord = { ...entry, list: 'honour', fields: { ...entry.fields, name: '诚信企业' } }
export const rating: SharedRecord = { ...base, family: 'rating', scheme: 'tax-2025' }

/** The same record, with these fields as well or instead. */
export const saying = (record: SharedRecord, fields: Record<string, Value>) => ({
  ...record,
  fields: { ...record.fields, ...fields },
})

/** A grade of dishonesty or a kind of penalty as a table states it: one, or several of which one holds. */
export const graded = (code: string): Value => ({ code, original: code })
export const either = (...codes: string[]): Value => ({ codes, ambiguous: true, original: codes.join('或') })
