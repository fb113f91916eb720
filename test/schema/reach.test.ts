/** The mapping format reaches the schemas of the cities that come later, with their real quirks (domain.md 3.1, 6.3, 6.4, 6.6). */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, describe, expect, test } from 'vitest'
import { type CompiledMapping, readMapping } from '#schema/mapping.ts'
import type { SharedRecord } from '#schema/record.ts'
import { translate } from '#schema/translate.ts'
import { gather, lookUp } from '#source/source.ts'
import { openSqlite } from '#source/sql.ts'
import { vocabulary } from './cities.ts'

type Json = Record<string, unknown>
const A = '91330200MA281AH5XE'

/** Fills in what every mapping has to say and these small ones need not spell out. */
function mapping(
  city: string,
  parts: { codes: Json; tables: Record<string, Json>; none?: string[]; dates?: Json },
): CompiledMapping {
  const tables = Object.entries(parts.tables).map(([name, table]) => {
    const mapped = table['fields'] as Json
    const absent = [...(vocabulary.families.get(String(table['family']))?.fields.keys() ?? [])].filter(
      field => !(field in mapped),
    )
    const columns = Object.fromEntries((table['columns'] as string[]).map(column => [column, `列${column}`]))
    const full = {
      zh: name,
      shows: false,
      person: { constant: 'enterprise', reason: 'test' },
      state: [{ constant: 'normal', reason: 'test' }],
      level: { constant: 'public', reason: 'test' },
      ...table,
      columns,
      absent: Object.fromEntries(absent.map(field => [field, 'test'])),
    }
    return [name, full]
  })
  const form = {
    city,
    zh: city,
    en: city,
    version: '1',
    source: 'domain.md',
    none: parts.none ?? [],
    dates: parts.dates ?? { formats: ['YYYY-MM-DD'] },
    unshown: Object.fromEntries([...vocabulary.families.keys()].map(family => [family, 'test'])),
    codes: parts.codes,
    tables: Object.fromEntries(tables),
  }
  return readMapping({ file: `${city}.json`, text: JSON.stringify(form) }, vocabulary)
}

const exact = (words: string[], code: string) => ({ words, relation: 'exact', codes: [code] })
const facts = (set: string, read: Json[]) => ({ zh: set, source: 'test', set, read, write: 'never' })

const directory = mkdtempSync(join(tmpdir(), 'xinqiao-reach-'))
afterAll(() => rmSync(directory, { recursive: true }))

/** What the city answers about enterprise A from a database of these rows. */
async function recordsOf(city: CompiledMapping, rows: Record<string, readonly Json[]>): Promise<SharedRecord[]> {
  const path = join(directory, `${city.city}-${Math.random()}.db`)
  {
    using db = new DatabaseSync(path)
    for (const [table, each] of Object.entries(rows)) {
      const columns = [...new Set(each.flatMap(Object.keys))]
      for (const { table: name, columns: read, where } of city.tables.values()) {
        if (name === table)
          columns.push(...[...read, ...where.map(({ column }) => column)].filter(column => !columns.includes(column)))
      }
      db.exec(`create table "${table}" (${[...new Set(columns)].map(column => `"${column}" text`).join(', ')})`)
      for (const row of each) {
        const names = Object.keys(row)
        db.prepare(
          `insert into "${table}" (${names.map(name => `"${name}"`).join(', ')}) values (${names.map(() => '?').join(', ')})`,
        ).run(...names.map(name => (row[name] === null ? null : String(row[name]))))
      }
    }
  }
  const sources = gather([openSqlite({ name: 'city', path, tables: [...city.tables.values()] })])
  const found = await lookUp({ subjects: [A], families: [...city.families] }, sources)
  await sources.close()
  return translate(found, city).flatMap(({ records, unknown }) => {
    expect(unknown).toBeUndefined()
    return records.get(A) ?? []
  })
}

describe('Jimo: two generations of double publicity mixed in one table', () => {
  const gen = (where: Json[], fields: Json, more: Json) => ({
    table: 'SGS_XK',
    family: 'licence',
    where,
    key: { columns: ['XK_XDR_SHXYM'] },
    id: { digest: ['XK_WSH'] },
    fields,
    ...more,
  })
  const jimo = mapping('jimo', {
    dates: { formats: ['YYYY/MM/DD', 'YYYY-M-D'], indefinite: ['2099-12-31'] },
    codes: {
      'state-2015': facts('record-states', [
        exact(['0'], 'normal'),
        exact(['1'], 'withdrawn'),
        exact(['2'], 'objection'),
      ]),
      'state-2018': facts('record-states', [exact(['1'], 'normal'), exact(['2'], 'ended')]),
    },
    tables: {
      'XK-2015': gen(
        [{ column: 'XK_XDR_LB', empty: true }],
        {
          holder: { columns: ['XK_XDR', 'XK_XDR_MC'], take: 'first' },
          number: { column: 'XK_WSH' },
          validUntil: { columns: ['XK_JZQ', 'XK_YXQZI'], take: 'first' },
          authority: { columns: ['XK_XZJG', 'XK_XKJG'], take: 'first' },
        },
        {
          columns: [
            'XK_XDR_SHXYM',
            'XK_WSH',
            'XK_XDR',
            'XK_XDR_MC',
            'XK_JZQ',
            'XK_YXQZI',
            'XK_XZJG',
            'XK_XKJG',
            'XK_ZT',
            'XK_XDR_LB',
          ],
          state: [{ column: 'XK_ZT', codes: 'state-2015' }],
        },
      ),
      'XK-2018': gen(
        [{ column: 'XK_XDR_LB', empty: false }],
        {
          holder: { column: 'XK_XDR_MC' },
          number: { column: 'XK_WSH' },
          validUntil: { column: 'XK_YXQZI' },
          authority: { column: 'XK_XKJG' },
        },
        {
          columns: ['XK_XDR_SHXYM', 'XK_WSH', 'XK_XDR_MC', 'XK_YXQZI', 'XK_XKJG', 'XK_ZT', 'XK_XDR_LB'],
          state: [{ column: 'XK_ZT', codes: 'state-2018' }],
        },
      ),
    },
  })

  test('each row is read by its own generation: 1 is withdrawn in the old and valid in the new', async () => {
    const records = await recordsOf(jimo, {
      SGS_XK: [
        { XK_XDR_SHXYM: A, XK_WSH: '旧1', XK_XDR: '甲', XK_JZQ: '2020/01/01', XK_XZJG: '旧局', XK_ZT: '1' },
        {
          XK_XDR_SHXYM: A,
          XK_WSH: '旧2',
          XK_XDR_MC: '甲',
          XK_YXQZI: '2099/12/31',
          XK_XKJG: '新局',
          XK_ZT: '0',
          XK_XDR_LB: ' ',
        },
        {
          XK_XDR_SHXYM: A,
          XK_WSH: '新1',
          XK_XDR_MC: '甲',
          XK_YXQZI: '2030-1-2',
          XK_XKJG: '新局',
          XK_ZT: '1',
          XK_XDR_LB: '法人及非法人组织',
        },
      ],
    })
    expect(
      records
        .map(({ state, fields }) => [fields['number'], state, fields['validUntil'], fields['authority']])
        .toSorted(),
    ).toEqual([
      ['新1', 'normal', '2030-01-02', '新局'],
      ['旧1', 'withdrawn', '2020-01-01', '旧局'],
      ['旧2', 'normal', 'indefinite', '新局'],
    ])
  })
})

describe('Ningbo: lower-case codes, \\N, 9999-09-09, list-in and list-out', () => {
  const ningbo = mapping('ningbo', {
    none: ['\\N', '暂无'],
    dates: {
      formats: ['YYYY-MM-DD', 'YYYYMMDD', 'YYYY-M-D', 'YYYY-MM-DD *'],
      none: ['1900-01-01', '1899-12-31'],
      indefinite: ['2099-12-31', '9999-09-09'],
    },
    codes: {
      published: facts('record-states', [exact(['0'], 'normal'), exact(['1'], 'withdrawn'), exact(['2'], 'deleted')]),
      levels: {
        zh: '纳税等级',
        source: 'test',
        set: 'rating-levels',
        within: 'tax-2025',
        read: ['a', 'b', 'c', 'd', 'm'].map(letter => exact([letter], `tax-2025.${letter}`)),
        write: [],
      },
    },
    tables: {
      dw_zj_scjdgl_yzwfsx: {
        family: 'list',
        columns: [
          'ill_comp_id',
          'abn_tm',
          'serill_rea',
          'rem_dt',
          'rem_excpres_rea',
          'uni_social_crd_cd',
          'comp_name',
          'decorg_org',
        ],
        key: { columns: ['uni_social_crd_cd'] },
        id: { prefix: 'yzwf', columns: ['ill_comp_id'] },
        ended: { column: 'rem_dt' },
        fields: {
          type: { constant: 'market-serious-violation' },
          holder: { column: 'comp_name' },
          reason: { column: 'serill_rea' },
          listed: { column: 'abn_tm' },
          removed: { column: 'rem_dt' },
          removalReason: { column: 'rem_excpres_rea' },
          authority: { column: 'decorg_org' },
        },
      },
      tax_credit: {
        family: 'rating',
        columns: ['uniscid', 'id', 'evalua_year', 'tax_credit_level', 'evalua_dept', 'publicstatus'],
        key: { columns: ['uniscid'] },
        id: { prefix: 'tax', columns: ['id'] },
        state: [{ column: 'publicstatus', codes: 'published', default: '0' }],
        fields: {
          scheme: { constant: 'tax-2025' },
          level: { column: 'tax_credit_level', codes: 'levels' },
          period: { column: 'evalua_year' },
          authority: { column: 'evalua_dept' },
        },
      },
    },
  })

  test('an entry that is out is known to be out, one that is not has no end', async () => {
    const row = { uni_social_crd_cd: A.toLowerCase(), comp_name: '甲', serill_rea: '\\N', decorg_org: '局' }
    const records = await recordsOf(ningbo, {
      dw_zj_scjdgl_yzwfsx: [
        { ...row, ill_comp_id: 1, abn_tm: '20200316', rem_dt: '2023-9-4', rem_excpres_rea: '已修复' },
        { ...row, ill_comp_id: 2, abn_tm: '2024-05-06 10:00:00', rem_dt: '9999-09-09' },
        { ...row, ill_comp_id: 3, abn_tm: '2098-12-31 00:00;00', rem_dt: '1900-1-1' },
        { ...row, ill_comp_id: 4, abn_tm: '\\N', rem_dt: '\\N' },
      ],
      tax_credit: [
        {
          uniscid: A.toLowerCase(),
          id: 5,
          evalua_year: 2025,
          tax_credit_level: 'a',
          evalua_dept: '税务局',
          publicstatus: null,
        },
      ],
    })
    expect(records.map(({ id, endedOn, fields }) => [id, endedOn, fields['listed']])).toEqual([
      ['yzwf-1', '2023-09-04', '2020-03-16'],
      ['yzwf-2', 'indefinite', '2024-05-06'],
      ['yzwf-3', undefined, '2098-12-31'],
      ['yzwf-4', undefined, undefined],
      ['tax-5', undefined, undefined],
    ])
    expect(records[0]?.fields['reason']).toBeUndefined()
    expect(records[4]).toMatchObject({ state: 'normal', fields: { level: { code: 'tax-2025.a', original: 'a' } } })
  })
})

describe('Quzhou: data items, 0 means public, version numbers', () => {
  const quzhou = mapping('quzhou', {
    dates: { formats: ['YYYYMMDD'] },
    codes: {
      party: facts('subject-kinds', [
        exact(['1'], 'person'),
        {
          words: ['2'],
          relation: 'broader',
          codes: ['enterprise', 'cooperative', 'institution', 'social-organisation'],
        },
        { words: ['3'], relation: 'broader', codes: ['individual-business', 'person'] },
      ]),
      open: facts('share-levels', [exact(['0'], 'public'), { words: ['1'], relation: 'none', reason: '不公开' }]),
      state: facts('record-states', [exact(['1'], 'normal'), exact(['2'], 'withdrawn'), exact(['3'], 'deleted')]),
      kinds: {
        zh: '处罚种类',
        source: 'test',
        set: 'penalty-kinds',
        read: [...(vocabulary.sets.get('penalty-kinds')?.values() ?? [])].map(({ code, zh }) =>
          exact([code, zh], code),
        ),
        write: [],
      },
    },
    tables: {
      CF01: {
        family: 'penalty',
        columns: [
          'USCC',
          'CF010001',
          'CF010002',
          'CF010003',
          'CF010004',
          'CF010008',
          'CF010012',
          'CF010014',
          'CF010017',
        ],
        key: { columns: ['USCC'] },
        id: { prefix: 'CF01', columns: ['CF010001'] },
        version: 'CF010017',
        person: { column: 'CF010008', codes: 'party' },
        state: [{ column: 'CF010014', codes: 'state' }],
        level: { column: 'CF010012', codes: 'open' },
        fields: {
          number: { column: 'CF010002' },
          kinds: { column: 'CF010003', split: [','], codes: 'kinds' },
          decided: { column: 'CF010004' },
        },
      },
    },
  })
  const row = { USCC: A, CF010003: '01,02', CF010004: '20260316', CF010008: 2, CF010012: 0, CF010014: 1 }

  test('the latest version of a record is the record, also where that is its end', async () => {
    const records = await recordsOf(quzhou, {
      CF01: [
        { ...row, CF010001: 'x', CF010002: '一', CF010017: 9 },
        { ...row, CF010001: 'x', CF010002: '一（更正）', CF010017: 10 },
        { ...row, CF010001: 'y', CF010002: '二', CF010014: 3, CF010017: 2 },
        { ...row, CF010001: 'y', CF010002: '二', CF010017: 1 },
      ],
    })
    expect(records.map(({ id, state, level, fields }) => [id, state, level, fields['number']])).toEqual([
      ['CF01-x', 'normal', 'public', '一（更正）'],
      ['CF01-y', 'deleted', 'public', '二'],
    ])
    expect(records[0]?.fields['kinds']).toEqual({ codes: ['01', '02'], original: '01,02' })
  })

  test('a version that is no number, or stands twice, drops nothing', async () => {
    const versions = ['a', 1, 1, null, 2].map((CF010017, i) => ({
      ...row,
      CF010001: 'x',
      CF010002: String(i),
      CF010017,
    }))
    const records = await recordsOf(quzhou, { CF01: versions })
    expect(records.map(({ fields }) => String(fields['number'])).sort()).toEqual(['0', '1', '2', '3', '4'])
  })

  test('1 is not public, and what may be a person is not taken for none', async () => {
    const records = await recordsOf(quzhou, {
      CF01: [
        { ...row, CF010001: 'a', CF010012: 1 },
        { ...row, CF010001: 'b', CF010008: 3 },
        { ...row, CF010001: 'c', CF010008: 1 },
      ],
    })
    expect(records.map(({ level, aboutPerson }) => [level, aboutPerson])).toEqual([
      [undefined, false],
      ['public', 'undetermined'],
      ['public', true],
    ])
  })
})

describe('Suqian: field names of 2015, raters that were struck off, records found by organisation code', () => {
  const suqian = mapping('suqian', {
    none: ['00000000000000000X'],
    dates: { formats: ['YYYY/MM/DD'], none: ['1900/01/01'] },
    codes: {
      rater: facts('record-states', [exact(['正常'], 'normal'), exact(['清除', '停业整顿'], 'ended')]),
      kinds: {
        zh: '处罚类别',
        source: 'test',
        set: 'penalty-kinds',
        read: [
          exact(['警告'], '01'),
          exact(['罚款'], '02'),
          { words: ['其他'], relation: 'broader', codes: ['07', '08'] },
        ],
        write: [...(vocabulary.sets.get('penalty-kinds')?.keys() ?? [])]
          .filter(code => code !== '01' && code !== '02')
          .map(code => ({ code, relation: 'broader', word: '其他' })),
      },
      levels: {
        zh: '等级',
        source: 'test',
        set: 'rating-levels',
        within: 'third-party-aaa',
        read: [exact(['AAA'], 'third-party-aaa.aaa'), exact(['AA'], 'third-party-aaa.aa')],
        write: (vocabulary.schemes.get('third-party-aaa')?.levels ?? [])
          .filter(({ rank }) => (rank ?? 0) > 2)
          .map(({ code }) => ({ code, relation: 'none', reason: 'test' })),
      },
    },
    tables: {
      CF: {
        source: 'county',
        family: 'penalty',
        columns: ['CF_XDR_SHXYM', 'CF_XDR_ZDM', 'CF_WSH', 'CF_CFLB1', 'CF_CFLB2', 'CF_SY', 'CF_JG', 'CF_JDRQ'],
        key: { columns: ['CF_XDR_SHXYM', 'CF_XDR_ZDM'], forms: ['code', 'organisation', 'organisation-hyphen'] },
        id: { digest: ['CF_WSH', 'CF_JDRQ'] },
        fields: {
          number: { column: 'CF_WSH' },
          kinds: { columns: ['CF_CFLB1', 'CF_CFLB2'], take: 'all', split: ['；'], codes: 'kinds' },
          content: { columns: ['CF_SY', 'CF_JG'], take: 'join', join: '；' },
          decided: { column: 'CF_JDRQ' },
        },
      },
      PJBG: {
        family: 'rating',
        columns: ['USCC', 'BH', 'DJ', 'JGZT', 'YXQ'],
        key: { columns: ['USCC'] },
        id: { prefix: 'pj', columns: ['BH'] },
        state: [{ column: 'JGZT', codes: 'rater' }],
        ended: { column: 'YXQ' },
        fields: {
          scheme: { constant: 'third-party-aaa' },
          level: { column: 'DJ', codes: 'levels' },
          validUntil: { column: 'YXQ' },
        },
      },
    },
  })

  test('a row without a unified code is found by its organisation code, printed either way', async () => {
    const records = await recordsOf(suqian, {
      CF: [
        {
          CF_XDR_SHXYM: '00000000000000000X',
          CF_XDR_ZDM: 'MA281AH5X',
          CF_WSH: '一',
          CF_CFLB1: '警告',
          CF_CFLB2: '其他',
          CF_SY: '事由',
          CF_JG: '结果',
          CF_JDRQ: '2019/05/06',
        },
        {
          CF_XDR_SHXYM: null,
          CF_XDR_ZDM: 'MA281AH5-X',
          CF_WSH: '二',
          CF_CFLB1: '罚款',
          CF_JG: '结果',
          CF_JDRQ: '1900/01/01',
        },
        { CF_XDR_SHXYM: '91320281250344877K', CF_XDR_ZDM: 'MA281AH5X', CF_WSH: '他人', CF_CFLB1: '罚款' },
      ],
      PJBG: [
        { USCC: A, BH: 1, DJ: 'AAA', JGZT: '正常', YXQ: '2027/01/01' },
        { USCC: A, BH: 2, DJ: 'AAA', JGZT: '清除', YXQ: '2027/01/01' },
      ],
    })
    expect(records.map(({ fields, state }) => [fields['number'] ?? fields['level'], fields['content'], state])).toEqual(
      [
        ['一', '事由；结果', 'normal'],
        ['二', '结果', 'normal'],
        [{ code: 'third-party-aaa.aaa', original: 'AAA' }, undefined, 'normal'],
        [{ code: 'third-party-aaa.aaa', original: 'AAA' }, undefined, 'ended'],
      ],
    )
    expect(records[0]?.fields['kinds']).toEqual({ codes: ['01', '07', '08'], ambiguous: true, original: '警告；其他' })
    expect(suqian.tables.get('CF')?.source).toBe('county')
  })
})

describe('a crawler’s table with all kinds of records in one', () => {
  const one = (family: string, where: string[], fields: Json) => ({
    table: 'F_CREDIT',
    family,
    columns: ['F_CODE', 'F_ID', 'F_MDLB', 'F_NAME', 'F_LRYY', 'F_FBSJ', 'F_RPST'].filter(
      column => family === 'list' || column !== 'F_LRYY',
    ),
    where: [{ column: 'F_MDLB', in: where }],
    key: { columns: ['F_CODE'], prefixes: ['统一社会信用代码：'] },
    id: { prefix: family, columns: ['F_ID'] },
    state: [{ column: 'F_RPST', codes: 'repair', default: '未修复' }],
    fields,
  })
  const crawler = mapping('crawler', {
    codes: {
      repair: facts('record-states', [exact(['未修复'], 'normal'), exact(['已修复'], 'repaired')]),
      types: {
        zh: '名单类别',
        source: 'test',
        set: 'list-types',
        read: [
          exact(['2'], 'honour'),
          exact(['4'], 'key-attention'),
          { words: ['8'], relation: 'overlapping', codes: ['local-black', 'computed-black'] },
        ],
        write: [...vocabulary.lists.keys()]
          .filter(code => code !== 'honour' && code !== 'key-attention')
          .map(code => ({ code, relation: 'none', reason: 'test' })),
      },
    },
    tables: {
      licences: one('licence', ['1'], { number: { column: 'F_NAME' }, decided: { column: 'F_FBSJ' } }),
      lists: one('list', ['2', '4', '8'], {
        type: { column: 'F_MDLB', codes: 'types' },
        name: { column: 'F_NAME' },
        reason: { column: 'F_LRYY' },
        listed: { column: 'F_FBSJ' },
      }),
    },
  })

  test('is read as several tables, by the column that tells the kinds apart', async () => {
    const row = { F_CODE: `统一社会信用代码：${A}`, F_FBSJ: '2026-01-01' }
    const records = await recordsOf(crawler, {
      F_CREDIT: [
        { ...row, F_ID: 1, F_MDLB: 1, F_NAME: '许可' },
        { ...row, F_ID: 2, F_MDLB: 2, F_NAME: '红' },
        { ...row, F_ID: 3, F_MDLB: 8, F_NAME: '黑', F_RPST: '已修复' },
        { ...row, F_ID: 4, F_MDLB: 0, F_NAME: '概览' },
      ],
    })
    expect(records.map(({ id, state, list }) => [id, state, list])).toEqual([
      ['licence-1', 'normal', undefined],
      ['list-2', 'normal', 'honour'],
      ['list-3', 'repaired', undefined],
    ])
  })
})
