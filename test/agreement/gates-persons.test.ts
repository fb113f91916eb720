/** No record about a natural person leaves, whatever the configuration says: mappings, agreements and rows that try hard. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Signed } from '#agreement/agreement.ts'
import { authorise } from '#agreement/authorise.ts'
import { disclose } from '#agreement/disclose.ts'
import { digest } from '#protocol/canonical.ts'
import { ConfigurationError } from '#protocol/fault.ts'
import { completeUscc, subjectKinds } from '#protocol/subject.ts'
import { readMapping } from '#schema/mapping.ts'
import type { LocalRow } from '#schema/text.ts'
import { translate } from '#schema/translate.ts'
import { vocabulary } from '../schema/cities.ts'
import { huizhou, verified } from './verified.ts'

const now = Date.parse('2026-11-22T04:00:00Z')
const PERSON = {
  number: '110101199003077758',
  old: '110101900307775',
  mobile: '13800138000',
  account: '6222021234567890123',
}
const secrets = Object.values(PERSON)
const subjects = ['91320281MA1TE100', '92320281MA1TE200', '93320281MA1TE300'].map(completeUscc)

/** A mapping that says of all its rows that they are of enterprises and open to everybody, and fills fields from any column. */
function bold(family: string, columnOf: (field: string) => string, personWord: string | undefined) {
  const { fields } = vocabulary.families.get(family) ?? { fields: new Map() }
  const columns = ['CODE', 'A', 'B', 'C', 'D', 'KIND']
  const codes: Record<string, object> = {}
  const rules: Record<string, object> = {}
  for (const [name, { type, set }] of fields) {
    const column = columnOf(name)
    if (type !== 'code' && type !== 'codes') {
      rules[name] = { column, ...(type === 'money' && { unit: 'yuan' }) }
      continue
    }
    const within = set === 'rating-levels' ? 'tax-2025' : undefined
    const all = [...(vocabulary.sets.get(set ?? '')?.keys() ?? [])].filter(
      code => within === undefined || code.startsWith(`${within}.`),
    )
    codes[name] = {
      zh: '列',
      source: 'test',
      set,
      ...(within !== undefined && { within }),
      // The words of the list are the numbers themselves: the mapping means to send them as "the city's own word".
      read: [{ words: [...secrets, '普通'], relation: 'exact', codes: all.slice(0, 1) }],
      write: all.slice(1).map(code => ({ code, relation: 'none', reason: 'test' })),
    }
    rules[name] = { column, codes: name }
  }
  if (personWord !== undefined) {
    codes['kinds-of-subject'] = {
      zh: '类别',
      source: 'test',
      set: 'subject-kinds',
      read: [
        { words: ['自然人'], relation: 'exact', codes: ['person'] },
        { words: ['企业'], relation: 'exact', codes: ['enterprise'] },
        { words: ['其他'], relation: 'broader', codes: ['person', 'enterprise'] },
      ],
      write: 'never',
    }
  }
  const table = {
    zh: '表',
    family,
    columns: Object.fromEntries(columns.map(column => [column, column])),
    ignored: {},
    key: { columns: ['CODE'] },
    shows: false,
    id: { prefix: 'x', columns: ['A', 'B'] },
    person:
      personWord === undefined
        ? { constant: 'enterprise', reason: 'test' }
        : { column: 'KIND', codes: 'kinds-of-subject' },
    state: [{ constant: 'normal', reason: 'test' }],
    level: { constant: 'public', reason: 'test' },
    fields: rules,
  }
  const used = new Set([
    'CODE',
    'A',
    'B',
    ...[...fields.keys()].map(columnOf),
    ...(personWord === undefined ? [] : ['KIND']),
  ])
  const form = {
    city: 'huizhou',
    zh: '惠州',
    en: 'Huizhou',
    version: '1',
    source: 'test',
    dates: { formats: ['YYYY-MM-DD'] },
    unshown: Object.fromEntries([...vocabulary.families.keys()].map(code => [code, 'test'])),
    codes,
    tables: { T: { ...table, columns: Object.fromEntries([...used].map(column => [column, column])) } },
  }
  return readMapping({ file: 'huizhou.json', text: JSON.stringify(form) }, vocabulary)
}

/** An agreement under which everything there is may be asked by anybody for anything, and a question that asks for it. */
function everything() {
  const text = {
    id: 'everything',
    title: { zh: '全部', en: 'everything' },
    parties: ['jiangyin', 'huizhou'],
    signedOn: '2026-01-01',
    validFrom: '2026-01-01',
    validTo: '2027-12-31',
    quota: { questionsPerMinute: 1_000_000, subjectsPerDay: 1_000_000 },
    grants: [
      {
        clause: '全部',
        from: ['huizhou'],
        to: ['jiangyin'],
        purposes: ['tendering'],
        kinds: [...subjectKinds],
        shareLevel: 'authorised' as const,
        families: Object.fromEntries(
          [...vocabulary.families].map(([code, { fields, listField, schemeField }]) => [
            code,
            {
              fields: [...fields.keys()],
              ...(listField !== undefined && { lists: [...vocabulary.lists.keys()] }),
              ...(schemeField !== undefined && { schemes: [...vocabulary.schemes.keys()] }),
            },
          ]),
        ),
      },
    ],
  }
  const signed: Signed = { text, digest: digest(text), begins: 0, ends: Number.MAX_SAFE_INTEGER }
  const question = verified(signed, {
    subjects: [...subjects, PERSON.number, PERSON.old, 'EMPTY'],
    want: [...vocabulary.families.keys()].map(family => ({ family })),
  })
  return authorise(question, huizhou(signed, now))
}

const permission = await everything()
const cell = fc.oneof(
  fc.constantFrom(...secrets),
  fc.constantFrom('2026-10-08', '2027-01-01', '普通', '江阴某厂'),
  fc.constantFrom(...secrets).map(secret => `当事人身份证${secret}，已处理`),
  fc.constantFrom(...secrets).map(secret => `${secret.slice(0, 3)}-${secret.slice(3, 7)}-${secret.slice(7)}`),
)
const columns = fc.constantFrom('A', 'B', 'C', 'D')

function answered(family: string, columnOf: (field: string) => string, row: LocalRow, personWord?: string) {
  const mapping = bold(family, columnOf, personWord)
  const rows = subjects.map(subject => ({
    table: 'T',
    subject,
    row: { ...row, CODE: subject, KIND: personWord ?? null },
  }))
  return disclose(translate([{ family, rows, freshness: { family, status: 'fresh' } }], mapping), permission)
}

describe('whatever a configuration says', () => {
  const families = fc.constantFrom(...vocabulary.families.keys())
  const chosen = fc.infiniteStream(columns)
  const row = fc.record({ A: cell, B: cell, C: cell, D: cell })
  const stable = (stream: Iterator<string>) => {
    const known = new Map<string, string>()
    return (field: string) => {
      const column = known.get(field) ?? String(stream.next().value)
      known.set(field, column)
      return column
    }
  }
  const bareText = (text: string) => text.replaceAll(/[-\s]/g, '')

  it('no number of a person, telephone or account leaves in any field, word or id', () => {
    let given = 0
    fc.assert(
      fc.property(families, chosen, row, (family, stream, cells) => {
        const { text, body } = answered(family, stable(stream), cells)
        given += body.results.reduce((sum, { records }) => sum + records.length, 0)
        for (const secret of secrets) expect(bareText(text)).not.toContain(secret)
      }),
      { numRuns: 1500 },
    )
    expect(given).toBeGreaterThan(500)
  })

  it.each(['自然人', '其他', '不在表内'])('no row of the kind %s leaves', word => {
    fc.assert(
      fc.property(families, chosen, row, (family, stream, cells) => {
        const { body } = answered(family, stable(stream), cells, word)
        expect(body.results.flatMap(({ records }) => records)).toEqual([])
      }),
      { numRuns: 200 },
    )
  })

  it('no identity number is a subject, and the answer does not repeat it', () => {
    const { body } = answered('licence', () => 'C', { A: 'a', B: 'b', C: '普通', D: '' })
    expect(body.results.slice(3).map(({ status, rule, subject }) => [status, rule, subject])).toEqual([
      ['refused', 'subject.person', undefined],
      ['refused', 'subject.person', undefined],
      ['refused', 'subject.malformed', undefined],
    ])
  })

  it('no table of persons is mapped at all', () => {
    expect(() =>
      readMapping(
        {
          file: 'x.json',
          text: JSON.stringify({
            city: 'huizhou',
            zh: '惠州',
            en: 'Huizhou',
            version: '1',
            source: 'test',
            dates: { formats: ['YYYY-MM-DD'] },
            codes: {},
            tables: {
              T: {
                zh: '自然人',
                family: 'licence',
                columns: { CODE: 'CODE' },
                key: { columns: ['CODE'] },
                shows: false,
                id: { digest: ['CODE'] },
                person: { constant: 'person', reason: 'test' },
                state: [{ constant: 'normal', reason: 'test' }],
                level: { constant: 'public', reason: 'test' },
                fields: {},
              },
            },
          }),
        },
        vocabulary,
      ),
    ).toThrow(ConfigurationError)
  })
})
