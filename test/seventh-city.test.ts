/** A city that nobody knew is added with files of the configuration alone, and asks and is asked over real gateways in its own words. */
import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { formatted } from '#agreement/agreement.ts'
import { completeUscc } from '#protocol/subject.ts'
import { MappingForm } from '#schema/format.ts'
import { type DemoTable, fillSqlite } from '../src/demo-tables.ts'
import { readRows } from '../src/rows.ts'
import { type Running, runFederation } from './federation.ts'
import { cityNames, demoTables, mappingFile, vocabulary } from './schema/cities.ts'
import { xingwanMapping, xingwanRows } from './xingwan.ts'

const home = join(import.meta.dirname, '..')
const BREWERY = completeUscc('91999907XXXXXX01')
const QUIET = completeUscc('91999907XXXXXX08')
const folder = mkdtempSync(join(tmpdir(), 'xinqiao-seventh-'))
const form = MappingForm.parse(JSON.parse(xingwanMapping()))
const sent = { today: -1, as: 'YYYY-MM-DD hh:mm:ss' }

/** The first row of docs/mapping.md, decided last month and public for half a year. */
function penal(change: DemoTable['rows'][number]): DemoTable['rows'][number] {
  const [row = {}] = readRows(Buffer.from(xingwanRows))
  const texts = Object.fromEntries(Object.entries(row).map(([column, text]) => [column, text ?? '']))
  const dates = { made_on: { today: -30, as: 'YYYY.MM.DD' }, open_to: { today: 150, as: 'YYYY.MM.DD' }, sent_at: sent }
  return { ...texts, who_code: BREWERY, ...dates, ...change }
}

function tableOf(table: string, columns: readonly string[], rows: DemoTable['rows']): DemoTable {
  const named = [...columns, ...Object.keys(form.tables[table]?.ignored ?? {})]
  return {
    table,
    source: 'city',
    columns: Object.fromEntries(named.map(column => [column, 'text'])),
    indexes: [],
    rows,
  }
}

const columnsOf = (table: string) => Object.keys(form.tables[table]?.columns ?? {})
fillSqlite(join(folder, 'city.sqlite'), [
  tableOf('t07_penal', columnsOf('t07_penal'), [
    penal({ paper_no: '星罚〔2026〕1号', boss_id: '110101199003077758', clerk_tel: '13800138000' }),
    penal({ paper_no: '星罚〔2026〕2号', is_public: '1' }),
    penal({ paper_no: '星罚〔2026〕3号', who_sort: '3' }),
    penal({ paper_no: '星罚〔2026〕4号', draft: '1' }),
    penal({ paper_no: '星罚〔2026〕5号', seq: '1' }),
    penal({ paper_no: '星罚〔2026〕5号', seq: '2', zt: '2' }),
    penal({ paper_no: '星罚〔2026〕6号', sorts: '没收', jieguo: '没收货物，电话13800138000' }),
  ]),
])
fillSqlite(join(folder, 'county.sqlite'), [
  tableOf('t03_permit', columnsOf('permit'), [
    {
      owner_code: BREWERY,
      owner_name: '星湾示例一号酿造厂（虚构）',
      permit_no: 'XW-2024-017',
      permit_sort: '备案',
      scope: '酿造',
      given_on: '2024.05.01',
      good_till: '2099.12.31',
      giver: '星湾县市场监管局',
      zt: '在用',
      sent_at: sent,
    },
    {
      owner_code: BREWERY,
      owner_name: '星湾示例一号酿造厂（虚构）',
      permit_no: 'XW-2020-003',
      permit_sort: '普通',
      scope: '酿造',
      given_on: '2020.05.01',
      good_till: '2024.04.30',
      giver: '星湾县市场监管局',
      zt: '注销',
      sent_at: sent,
    },
  ]),
])

/** Everything that joining takes: three files. */
function enrol(config: string) {
  writeFileSync(
    join(config, 'members', 'xingwan.json'),
    formatted({
      $schema: '../schema/member.schema.json',
      id: 'xingwan',
      name: { zh: form.zh, en: form.en },
      divisions: ['999907'],
      endpoint: 'https://xinqiao.xingwan.example:8443/',
      certificates: { signing: ['xingwan-signing.pem'], transport: ['xingwan-transport.pem'] },
    }),
  )
  writeFileSync(join(config, 'mappings', 'xingwan.json'), xingwanMapping())
  const today = Temporal.Now.plainDateISO('Asia/Shanghai')
  const both = ['jiangyin', 'xingwan']
  const fields = (family: string) => ({ fields: [...(vocabulary.families.get(family)?.fields.keys() ?? [])] })
  writeFileSync(
    join(config, 'agreements', 'jiangyin-xingwan.json'),
    formatted({
      id: 'jiangyin-xingwan',
      title: { zh: '江阴市与星湾市互认协议（虚构）', en: 'Agreement between Jiangyin and Xingwan (fictional)' },
      parties: both,
      signedOn: today.subtract({ days: 2 }).toString(),
      validFrom: today.subtract({ days: 1 }).toString(),
      validTo: today.add({ years: 1 }).toString(),
      quota: { questionsPerMinute: 1000, subjectsPerDay: 10_000 },
      grants: [
        {
          clause: '第一条',
          from: both,
          to: both,
          purposes: ['tendering'],
          kinds: ['enterprise'],
          shareLevel: 'public',
          families: { licence: fields('licence'), penalty: fields('penalty') },
        },
      ],
    }),
  )
}

describe('a seventh city', () => {
  let running: Running
  beforeAll(async () => {
    running = await runFederation({
      cities: ['jiangyin', 'huizhou', 'xingwan'],
      prepare: enrol,
      source: city =>
        city === 'xingwan'
          ? `city=sqlite:${join(folder, 'city.sqlite')},county=sqlite:${join(folder, 'county.sqlite')}`
          : undefined,
    })
  })
  afterAll(async () => {
    await running[Symbol.asyncDispose]()
    rmSync(folder, { recursive: true })
  })

  const ask = async (from: string, peer: string, ...subjects: string[]) => {
    const { status, body } = await running.ask(from, {
      peer,
      subjects,
      purpose: 'tendering',
      matter: '星招〔2026〕1号',
    })
    expect([status, body.peers?.[0]?.outcome], JSON.stringify(body)).toEqual([200, 'answered'])
    const results = body.peers?.[0]?.results ?? []
    return {
      text: JSON.stringify(body),
      statuses: results.map(({ status }) => status),
      records: results.flatMap(({ records }) => records),
    }
  }

  it('has columns that no other city has, and no line of the program knows it', () => {
    const own = Object.values(form.tables).flatMap(({ columns }) => Object.keys(columns))
    const others = cityNames.flatMap(city =>
      Object.values(MappingForm.parse(JSON.parse(mappingFile(city).text)).tables).flatMap(({ columns }) =>
        Object.keys(columns),
      ),
    )
    expect(own.filter(column => others.includes(column))).toEqual([])
    for (const file of readdirSync(join(home, 'src'), { recursive: true, encoding: 'utf8' })) {
      if (file.endsWith('.ts'))
        expect(readFileSync(join(home, 'src', file), 'utf8'), file).not.toMatch(/xingwan|t07_penal|who_code/)
    }
  })

  it('answers another city in that city’s words', async () => {
    const { records, statuses } = await ask('jiangyin', 'xingwan', BREWERY)
    expect(statuses).toEqual(['answered'])
    const first = records.find(({ shared }) => shared.fields['number'] === '星罚〔2026〕1号')
    expect(first?.shared).toMatchObject({
      family: 'penalty',
      fields: {
        fine: { amount: '25000', currency: 'CNY', unit: '1' },
        kinds: { codes: ['01', '02'], original: '警告、罚款' },
        division: '999907',
      },
    })
    // 万元 there, 元 here.
    expect(first?.local).toMatchObject({
      table: 'YW_L_XZCF',
      columns: { CFJDSWH: '星罚〔2026〕1号', XZXDRMC: '星湾示例一号酿造厂（虚构）' },
    })
    const vague = records.find(({ shared }) => shared.fields['number'] === '星罚〔2026〕6号')
    expect(vague?.shared).toMatchObject({
      fields: {
        kinds: { ambiguous: true, codes: ['03', '09'], original: '没收' },
        content: '没收货物，电话***********',
      },
      masked: ['content'],
    })
    const licences = records.filter(({ shared }) => shared.family === 'licence')
    expect(licences.map(({ shared }) => shared.fields)).toMatchObject([
      { number: 'XW-2024-017', kind: { code: 'other', original: '备案' }, validUntil: 'indefinite' },
    ])
    expect(licences[0]?.local).toMatchObject({ columns: { XKJDSWH: 'XW-2024-017' } })
  })

  it('keeps at home what is not public, about a person, a draft, repaired in a newer version, or in no column of the mapping', async () => {
    const { records, text } = await ask('jiangyin', 'xingwan', BREWERY)
    expect(records.map(({ shared }) => shared.fields['number']).sort()).toEqual([
      'XW-2024-017',
      '星罚〔2026〕1号',
      '星罚〔2026〕6号',
    ])
    expect(text).not.toMatch(/110101199003077758|13800138000/)
  })

  it('knows nothing of others and says so', async () => {
    expect(await ask('jiangyin', 'xingwan', QUIET)).toMatchObject({ statuses: ['answered'], records: [] })
  })

  it('asks another city and has the answer in its own words', async () => {
    const licence = await ask('xingwan', 'jiangyin', '91320281250344877K')
    const [permit] = licence.records.filter(({ shared }) => shared.family === 'licence')
    expect(permit?.local).toMatchObject({
      table: 'permit',
      columns: { owner_name: '江苏阳光集团有限公司', permit_sort: '普通' },
      labels: { owner_name: '主体名称' },
    })
    const fined = [...new Set(demoTables('jiangyin').flatMap(({ rows }) => rows.map(row => String(row['TYSHXYDM']))))]
    const { records } = await ask('xingwan', 'jiangyin', ...fined.filter(code => /^91320281X{6}/.test(code)))
    const penalties = records.filter(({ shared }) => shared.family === 'penalty')
    expect(penalties.length).toBeGreaterThan(0)
    for (const { shared, local } of penalties) {
      expect(local.table).toBe('t07_penal')
      expect(local.columns['paper_no']).toBe(shared.fields['number'])
      expect(local.columns['made_on'] ?? '').toMatch(/^[0-9]{4}\.[0-9]{2}\.[0-9]{2}$/)
    }
    const amounts = penalties.flatMap(({ shared: { fields }, local }) => {
      const fine = fields['fine']
      return typeof fine === 'object' && 'amount' in fine
        ? [[Number(fine.amount) / 10_000, Number(local.columns['cash_w'])]]
        : []
    })
    expect(amounts.length).toBeGreaterThan(0)
    for (const [yuan, shown] of amounts) expect(shown).toBe(yuan)
  })

  it('is told by `check` what it will give, who may see it, and what translation loses', async () => {
    const { environment } = running.federation.city('xingwan')
    const check = (...words: string[]) => {
      const { promise, resolve } = Promise.withResolvers<{ code: number; out: string }>()
      const cli = join(home, 'src', 'cli.ts')
      execFile(
        process.execPath,
        [cli, 'check', ...words],
        { env: { ...process.env, ...environment }, maxBuffer: 1e8 },
        (error, out) => resolve({ code: error === null ? 0 : Number(error.code), out }),
      )
      return promise
    }
    const [summary, full, json] = await Promise.all([check(), check('--report'), check('--json')])
    expect([summary.code, full.code, json.code]).toEqual([0, 0, 0])
    expect(summary.out).toMatch(
      /转换报告 translation {3}星湾市[\s\S]*check --report[\s\S]*jiangyin-xingwan {3}xingwan → jiangyin/,
    )
    expect(full.out).toMatch(/处罚台账[\s\S]*不接入 never read {3}boss_id/)
    expect(full.out.length).toBeGreaterThan(summary.out.length)
    expect(JSON.parse(json.out)).toMatchObject({
      ok: true,
      city: 'xingwan',
      disclosures: expect.arrayContaining([
        expect.objectContaining({ from: 'xingwan', to: 'jiangyin', family: 'penalty' }),
      ]),
      translation: {
        city: 'xingwan',
        families: expect.any(Array),
        tables: [{ table: 't07_penal' }, { table: 'permit', assumed: true }],
      },
    })
  })
})
