/** What another city’s lists and ratings are in ours, from a row in its own table to the answer that a department reads. */
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Agreement, formatted } from '#agreement/agreement.ts'
import type { RecognitionTable } from '#agreement/recognition.ts'
import { AskAnswer } from '#exchange/ask.ts'
import { describeAnswer } from '../../src/describe.ts'
import { agreementId, type Running, runFederation } from '../federation.ts'
import { vocabulary } from '../schema/cities.ts'

const delta = ['jiangyin', 'suqian', 'quzhou', 'ningbo']
const all = ['huizhou', ...delta]
const [TEXTILES, LOGISTICS, CHEMICALS, ELECTRONICS] = [
  '91320281XXXXXX0197',
  '91320281XXXXXX051J',
  '91441300XXXXXX0278',
  '91441300XXXXXX019D',
]
const [LIQUOR, FLOWERS, BUILDER, CRABS] = [
  '91321302XXXXXX115L',
  '91321322XXXXXX123E',
  '91321300XXXXXX1585',
  '93321324XXXXXX14XP',
]
const [QUZHOU_CHEMICALS, NINGBO_SHIPPING] = ['91330802XXXXXX019W', '91330200XXXXXX0191']

const today = Temporal.Now.plainDateISO('Asia/Shanghai')
const ago = (days: number) => today.subtract({ days }).toString().replaceAll('-', '/')
const ahead = (days: number) => today.add({ days }).toString()

/** The model agreement between five cities, with everything granted and each table for all whom it can concern. */
function between(model: Agreement): Agreement {
  const families = Object.fromEntries(
    [...vocabulary.families].map(([code, family]) => [
      code,
      {
        fields: [...family.fields.keys()],
        ...(family.listField !== undefined && { lists: [...vocabulary.lists.keys()] }),
        ...(family.schemeField !== undefined && { schemes: [...vocabulary.schemes.keys()] }),
      },
    ]),
  )
  const kinds: Agreement['grants'][number]['kinds'] = ['enterprise', 'cooperative']
  const grant = { from: all, to: all, kinds, shareLevel: 'government' as const, families }
  const widened = (model.recognition ?? []).map((table): RecognitionTable => {
    if (table.kind === 'rating' && table.foreign === 'environment-yrd')
      return { ...table, from: delta, to: ['huizhou'] }
    if (table.kind === 'rating' && table.ours === 'environment-yrd') return { ...table, from: ['huizhou'], to: delta }
    return { ...table, from: all, to: all }
  })
  return {
    ...model,
    parties: all,
    grants: [{ ...grant, clause: '第三条', purposes: ['tendering', 'fiscal-funds', 'supervision'] }],
    recognition: [...widened, same('third-party-aaa', '第七条'), same('zhejiang-enterprise', '第八条')],
  }
}

/** A scheme that both sides use, level by level. */
function same(scheme: string, clause: string): RecognitionTable {
  const rows = (vocabulary.schemes.get(scheme)?.levels ?? []).map(({ code }) => {
    const of = code.slice(scheme.length + 1)
    return { of, as: [of], relation: 'exact' as const, outcome: 'recognised' as const }
  })
  return { kind: 'rating', foreign: scheme, ours: scheme, clause, from: all, to: all, rows }
}

let running: Running
beforeAll(async () => {
  running = await runFederation({
    cities: all,
    peerTimeout: 5_000,
    prepare: config => {
      const agreements = join(config, 'agreements')
      const file = join(agreements, `${agreementId}.json`)
      const model: Agreement = JSON.parse(readFileSync(file, 'utf8'))
      for (const name of readdirSync(agreements)) rmSync(join(agreements, name))
      writeFileSync(file, formatted(between(model)))
    },
  })
})
afterAll(() => running[Symbol.asyncDispose]())

function database(city: string): DatabaseSync {
  return new DatabaseSync(join(running.federation.city(city).settings.data, 'city.sqlite'))
}

type Cells = Readonly<Record<string, string>>

/** Puts rows like an existing one into a city’s own table. */
function addLike(city: string, table: string, like: Cells, rows: readonly Cells[]): void {
  using db = database(city)
  const [[column = '', value = ''] = []] = Object.entries(like)
  const row = db.prepare(`select * from "${table}" where "${column}" = ?`).get(value)
  for (const change of rows) {
    const made = { ...row, ...change }
    const names = Object.keys(made)
    db.prepare(
      `insert into "${table}" (${names.map(name => `"${name}"`).join(', ')}) values (${names.map(() => '?').join(', ')})`,
    ).run(...Object.values(made))
  }
}

function run(city: string, sql: string): void {
  using db = database(city)
  db.exec(sql)
}

async function ask(from: string, to: string, subject: string, over: Readonly<Record<string, unknown>> = {}) {
  const { status, body } = await running.ask(from, {
    peer: to,
    subjects: [subject],
    purpose: 'tendering',
    matter: '互认〔2026〕1号',
    ...over,
  })
  expect(status).toBe(200)
  return AskAnswer.parse(body)
}

/** The records of a family, as they were told. */
async function records(from: string, to: string, subject: string, family: string) {
  const { peers } = await ask(from, to, subject, { want: [{ family }] })
  // What stands beside them and nobody can tell is said; it takes nothing from what is given.
  const { status, unknown = [] } = peers[0]?.results[0] ?? {}
  expect(unknown.filter(({ reason }) => reason.code !== 'record.undetermined')).toEqual([])
  expect(status).toBe(unknown.length > 0 ? 'unknown' : 'answered')
  return (peers[0]?.results[0]?.records ?? []).filter(({ shared }) => shared.family === family)
}

/** What each rating is here, by the other city’s own word and the day of the rating. */
async function ratings(from: string, to: string, subject: string, scheme: string) {
  const found = await records(from, to, subject, 'rating')
  return Object.fromEntries(
    found.flatMap(({ shared, recognition }) => {
      const { scheme: stated, decided } = shared.fields
      if (typeof stated !== 'object' || !('code' in stated) || stated.code !== scheme || recognition === undefined)
        return []
      const { outcome, as, ambiguous, relation, why, original } = recognition
      const here = as?.map(({ code }) => code).join(' | ')
      const said = `${original.text ?? ''}${scheme.startsWith('customs') ? ` ${decided}` : ''}`
      return [[said, [outcome, ...(here ? [here] : []), ...(ambiguous ? ['one of'] : []), relation, why?.code]]]
    }),
  )
}

const none = ['informational', 'none', 'recognition.none']

describe('environment colours', () => {
  it('five of the Yangtze Delta become four national plates: red and black are red, and yellow is not yellow', async () => {
    const colours = ['绿', '黄', '红', '黑'].map((PDJG, i) => ({ ID: `80${i}`, PDJG, PDRQ: `2026/05/0${i + 1}` }))
    addLike('jiangyin', 'YW_L_FRHYPD', { ID: '1023' }, colours)
    expect(await ratings('huizhou', 'jiangyin', TEXTILES, 'environment-yrd')).toEqual({
      绿: ['recognised', 'environment-national.green', 'exact', undefined],
      蓝: ['recognised', 'environment-national.blue', 'exact', undefined],
      黄: none,
      红: ['recognised', 'environment-national.red', 'narrower', undefined],
      黑: ['recognised', 'environment-national.red', 'narrower', undefined],
    })
  })

  it('four national plates go back: red is red or black, which cannot be told, and "not rated" is between no two', async () => {
    const plates = ['绿牌', '蓝牌', '红牌', '不参评'].map((PJDJ, i) => ({ BH: `PJ2026008${i}`, PJDJ }))
    addLike('huizhou', 'XY_PJ', { BH: 'PJ20260003' }, plates)
    expect(await ratings('jiangyin', 'huizhou', CHEMICALS, 'environment-national')).toEqual({
      绿牌: ['recognised', 'environment-yrd.green', 'exact', undefined],
      蓝牌: ['recognised', 'environment-yrd.blue', 'exact', undefined],
      黄牌: none,
      红牌: ['recognised', 'environment-yrd.red | environment-yrd.black', 'one of', 'broader', undefined],
      不参评: none,
    })
  })

  it('keep the other city’s own word beside what they are here', async () => {
    const found = await records('huizhou', 'jiangyin', TEXTILES, 'rating')
    const red = found.find(({ recognition }) => recognition?.original.text === '红')
    expect(red?.recognition).toMatchObject({
      original: { code: 'environment-yrd.red', zh: '长三角环保信用评价 红', text: '红' },
      as: [{ code: 'environment-national.red', zh: '企业环境信用评价（国家） 红牌' }],
      clause: '第六条第二款',
    })
    expect(red?.shared.fields['level']).toEqual({ code: 'environment-yrd.red', original: '红' })
  })

  it('say in which scheme a Suqian yellow is, for a city with the other yellow', async () => {
    expect(await ratings('huizhou', 'suqian', LIQUOR, 'environment-yrd')).toEqual({ 黄色: none })
    expect(await ratings('huizhou', 'suqian', BUILDER, 'environment-yrd')).toEqual({
      黑色: ['recognised', 'environment-national.red', 'narrower', undefined],
    })
  })
})

describe('what is no rating', () => {
  it('tax M and customs "routine" are never between two levels', async () => {
    expect(await ratings('huizhou', 'jiangyin', LOGISTICS, 'tax-2025')).toEqual({ M: none })
    expect(await ratings('huizhou', 'jiangyin', LOGISTICS, 'customs-2026')).toEqual({ '常规 2026-06-01': none })
    expect(await ratings('jiangyin', 'huizhou', ELECTRONICS, 'tax-2025')).toEqual({ M: none })
  })

  it('a Zhejiang score without a level gets none, from either city of Zhejiang', async () => {
    const quzhou = await records('huizhou', 'quzhou', QUZHOU_CHEMICALS, 'rating')
    const ningbo = await records('huizhou', 'ningbo', NINGBO_SHIPPING, 'rating')
    const scored = [...quzhou, ...ningbo].filter(({ shared }) => JSON.stringify(shared.fields).includes('815'))
    expect(scored.map(({ recognition }) => [recognition?.outcome, recognition?.why?.code, recognition?.as])).toEqual([
      ['informational', 'recognition.untranslated', undefined],
      ['informational', 'recognition.no-level', undefined],
    ])
  })

  it('a breach of a commitment, a first minor offence and a minor grade are no list entries and trigger nothing', async () => {
    const { peers, verdicts } = await ask('huizhou', 'suqian', FLOWERS, { purpose: 'fiscal-funds' })
    const found = peers[0]?.results[0]?.records ?? []
    expect(found.map(({ shared }) => shared.family)).toEqual(expect.arrayContaining(['breach', 'penalty', 'list']))
    for (const { shared, recognition, measures } of found) {
      if (shared.family !== 'list' && shared.family !== 'rating') expect(recognition).toBeUndefined()
      if (shared.family !== 'list') expect(measures).toBeUndefined()
    }
    expect(verdicts?.[0]?.reliedOn).toEqual([])
  })
})

describe('customs levels', () => {
  it('are those of the record’s own day: before 2026-04-01 the old scheme, from then on the new one', async () => {
    addLike('jiangyin', 'YW_L_FRHYPD', { ID: '1025' }, [
      { ID: '811', PDRQ: '2026/03/31' },
      { ID: '812', PDRQ: '2026/04/01' },
    ])
    expect(await ratings('huizhou', 'jiangyin', TEXTILES, 'customs-2021')).toEqual({
      '高级认证 2025-09-01': ['recognised', 'customs-2021.advanced', 'exact', undefined],
      '高级认证 2026-03-31': ['recognised', 'customs-2021.advanced', 'exact', undefined],
    })
    expect(await ratings('huizhou', 'jiangyin', TEXTILES, 'customs-2026')).toEqual({
      '高级认证 2026-04-01': ['recognised', 'customs-2026.advanced', 'exact', undefined],
    })
  })
})

describe('a third party’s rating', () => {
  const of = (subject: string) => ratings('huizhou', 'suqian', subject, 'third-party-aaa')
  const taken = ['recognised', 'third-party-aaa.aa', 'exact', undefined]
  const refused = ['refused', undefined, 'recognition.rater']

  it('is recognised while its rater is in good standing, refused when suspended, information when nobody knows', async () => {
    expect(await of(LIQUOR)).toEqual({ AA: taken })
    expect(await of(BUILDER)).toEqual({ AAA: refused })
    expect(await of(CRABS)).toEqual({ AA: ['informational', undefined, 'recognition.rater-unknown'] })
  })

  it('is refused after its rater was struck off, whenever it was made', async () => {
    expect(await of(FLOWERS)).toEqual({ AAA: refused })
    run('suqian', `update T_DSFPJ set JGZT = '清除出市场' where BGBH = 'SQBG001'`)
    try {
      expect(await of(LIQUOR)).toEqual({ AA: refused })
    } finally {
      run('suqian', `update T_DSFPJ set JGZT = '正常' where BGBH = 'SQBG001'`)
    }
  })
})

describe('a list', () => {
  it('made by counting, without basis, authority and document, is refused as one', async () => {
    addLike('suqian', 'T_HHMD', { MDBH: 'SQ0002' }, [
      { MDBH: 'SQ0902', LRRQ: ago(10), GSJZQ: ahead(60).replaceAll('-', '/') },
    ])
    const found = await records('huizhou', 'suqian', LIQUOR, 'list')
    const counted = found.filter(({ recognition }) => recognition?.original.code === 'computed-black')
    expect(counted.length).toBeGreaterThan(0)
    for (const { recognition, measures } of counted) {
      expect([recognition?.outcome, recognition?.why?.code, recognition?.as]).toEqual([
        'refused',
        'recognition.list-basis',
        undefined,
      ])
      expect(measures).toBeUndefined()
    }
  })

  it('of a city alone, without a legal basis, is information and triggers nothing', async () => {
    const { peers, verdicts } = await ask('huizhou', 'jiangyin', '91320281XXXXXX0272', { purpose: 'fiscal-funds' })
    const entry = peers[0]?.results[0]?.records.find(({ shared }) => shared.family === 'list')
    expect([entry?.recognition?.outcome, entry?.recognition?.why?.code, entry?.measures]).toEqual([
      'informational',
      'recognition.none',
      undefined,
    ])
    expect(verdicts).toMatchObject([
      // It may be an entry of any list: its table does not say of which, and what cannot be told is never clean.
      { verdict: 'unknown', reliedOn: [], setAside: [{ city: 'jiangyin', why: { code: 'recognition.none' } }] },
    ])
  })

  it('that is severe but shows no document is refused as one', async () => {
    const found = await records('huizhou', 'ningbo', '91330201XXXXXX027A', 'list')
    expect(found.map(({ recognition }) => [recognition?.outcome, recognition?.why?.code])).toContainEqual([
      'refused',
      'recognition.list-basis',
    ])
    expect(found.flatMap(({ measures = [] }) => measures)).toEqual([])
  })

  it('that is recognised offers the measures of our own list for it, each with its end, and no other city’s', async () => {
    const [entry] = (await records('huizhou', 'suqian', BUILDER, 'list')).filter(
      ({ recognition }) => recognition?.original.code === 'wage-arrears',
    )
    expect(entry?.recognition).toMatchObject({
      outcome: 'recognised',
      as: [{ code: 'wage-arrears' }],
      relation: 'exact',
    })
    expect(entry?.measures?.map(({ code, territorial = false }) => [code, territorial])).toEqual([
      ['fiscal-funds-veto', false],
      ['land-bidding', false],
      ['huizhou-construction', true],
    ])
    const twoYears = today.subtract({ days: 80 }).add({ years: 2 }).subtract({ days: 1 }).toString()
    expect(entry?.measures?.find(({ territorial }) => territorial)?.until).toBe(twoYears)
  })

  it('has the other city’s territorial measure as information, and not among ours', async () => {
    addLike('huizhou', 'XY_MD', { BH: 'HZ20260001' }, [
      {
        BH: 'HZ20260081',
        MDLX: '拖欠农民工工资失信联合惩戒对象',
        SLYJ: '人力资源和社会保障部令第45号',
        XDR_SHXYM: ELECTRONICS,
      },
    ])
    const { peers, verdicts } = await ask('jiangyin', 'huizhou', ELECTRONICS, { purpose: 'fiscal-funds' })
    const entry = peers[0]?.results[0]?.records.find(({ recognition }) => recognition?.original.code === 'wage-arrears')
    expect(entry?.elsewhere).toMatchObject([{ code: 'huizhou-construction', territorial: true }])
    expect(entry?.measures?.map(({ code }) => code)).toEqual(['fiscal-funds-veto', 'key-supervision'])
    expect(JSON.stringify(verdicts)).not.toContain('huizhou-construction')
  })
})

describe('may this firm receive fiscal funds', () => {
  const veto = { purpose: 'fiscal-funds' }

  it('is no where a recognised entry denies it, with record, basis, grade, end, clause and measure', async () => {
    const { verdicts, peers } = await ask('jiangyin', 'huizhou', CHEMICALS, veto)
    expect(verdicts).toMatchObject([
      {
        subject: CHEMICALS,
        verdict: 'no',
        why: [],
        reliedOn: [
          {
            city: 'huizhou',
            list: { code: 'tax-major-violation', zh: '重大税收违法失信主体' },
            grade: { code: 'serious', zh: '严重' },
            basis: '国家税务总局令第54号',
            document: '惠税演示〔2026〕1号',
            clause: '第六条第一款',
            relation: 'exact',
            measures: [{ code: 'fiscal-funds-veto', zh: '不予安排财政性资金' }],
          },
        ],
      },
    ])
    const { reliedOn: [ground] = [], verdict } = peers[0]?.results[0]?.verdict ?? {}
    expect(verdict).toBe('no')
    expect(peers[0]?.results[0]?.records.map(({ shared }) => shared.id)).toContain(ground?.id)
    expect(ground?.until).toMatch(/^20/)
  })

  it('is yes where every list that denies it could have come and none did', async () => {
    const { verdicts } = await ask('jiangyin', 'huizhou', TEXTILES, veto)
    expect(verdicts).toMatchObject([{ subject: TEXTILES, verdict: 'yes', reliedOn: [], setAside: [], why: [] }])
  })

  it('is not no for an entry that is repaired, and not for one whose end has come', async () => {
    for (const change of [`JLZT = '已修复'`, `YCRQ = '${ago(1)}'`, `GSJZQ = '${ago(1)}'`]) {
      run('huizhou', `update XY_MD set ${change} where BH = 'HZ20260001'`)
      const { verdicts } = await ask('jiangyin', 'huizhou', CHEMICALS, veto)
      expect(verdicts, change).toMatchObject([{ verdict: 'yes', reliedOn: [] }])
      run('huizhou', `update XY_MD set JLZT = '正常', YCRQ = null, GSJZQ = '${ahead(900)}' where BH = 'HZ20260001'`)
    }
  })

  it('is not no for an entry under objection: its use is suspended, and it is said', async () => {
    run('huizhou', `update XY_MD set JLZT = '异议' where BH = 'HZ20260001'`)
    try {
      const { verdicts, peers } = await ask('jiangyin', 'huizhou', CHEMICALS, veto)
      expect(verdicts).toMatchObject([
        { verdict: 'yes', reliedOn: [], setAside: [{ city: 'huizhou', why: { code: 'measure.objection' } }] },
      ])
      const entry = peers[0]?.results[0]?.records.find(({ shared }) => shared.objection)
      expect([entry?.recognition?.outcome, entry?.measures]).toEqual(['recognised', undefined])
    } finally {
      run('huizhou', `update XY_MD set JLZT = '正常' where BH = 'HZ20260001'`)
    }
  })

  it('is unknown for a kind of subject that the agreement does not cover, and where less was asked for', async () => {
    const shop = await ask('jiangyin', 'huizhou', '92441300XXXXXX0350', veto)
    expect(shop.verdicts).toMatchObject([{ verdict: 'unknown', why: [{ code: 'measure.incomplete' }] }])
    for (const want of [[{ family: 'licence' }], [{ family: 'list', fields: ['reason'] }]]) {
      const { verdicts } = await ask('jiangyin', 'huizhou', TEXTILES, { ...veto, want })
      expect(verdicts).toMatchObject([{ verdict: 'unknown', why: [{ code: 'measure.incomplete' }] }])
    }
  })

  it('over all cities is no where one says no, and tells by each what it says alone', async () => {
    const { verdicts, peers } = await ask('jiangyin', '*', CHEMICALS, veto)
    expect(verdicts).toMatchObject([{ verdict: 'no', reliedOn: [{ city: 'huizhou' }] }])
    const each = Object.fromEntries(peers.map(({ peer, results }) => [peer, results[0]?.verdict?.verdict]))
    expect(each).toEqual({ huizhou: 'no', suqian: 'yes', quzhou: 'yes', ningbo: 'yes' })
  })

  it('has no verdict on a person', async () => {
    const person = '11010519491231002X'
    const { status, body } = await running.ask('jiangyin', {
      peer: 'huizhou',
      subjects: [person, TEXTILES],
      matter: '互认〔2026〕2号',
      ...veto,
    })
    expect(status).toBe(200)
    expect(body.verdicts?.map(({ subject }) => subject)).toEqual([TEXTILES])
    expect(body.peers[0]?.results.map(({ verdict }) => verdict?.verdict)).toEqual([undefined, 'yes'])
    expect(JSON.stringify(body)).not.toContain(person)
  })

  it('has no verdict for a purpose that is no veto', async () => {
    const { verdicts, peers } = await ask('jiangyin', 'huizhou', CHEMICALS)
    expect([verdicts, peers[0]?.results[0]?.verdict]).toEqual([undefined, undefined])
  })

  it('is printed for a clerk in both languages, with what it rests on and what each rating is here', async () => {
    const text = describeAnswer(await ask('jiangyin', 'huizhou', CHEMICALS, veto))
    expect(text).toContain(`核查结论 check ${CHEMICALS}: 不可 no`)
    expect(text).toMatch(/依据 relies on: huizhou \S+ · 重大税收违法失信主体 Major tax violations · 严重 Serious/)
    expect(text).toContain('措施 measure: 不予安排财政性资金 No fiscal funds')
    expect(text).toContain(
      '认可 recognised: 企业环境信用评价（国家） 红牌 → 长三角环保信用评价 红 Environmental credit (Yangtze Delta): Red: bad / 长三角环保信用评价 黑 Environmental credit (Yangtze Delta): Black: very bad，其中之一 one of them · 第六条第三款 宽于 broader',
    )
    expect(text).toMatch(/仅供参考 information only: .*黄牌 .*协议约定本市没有相应的名单或等级 .*\(recognition\.none\)/)
  })

  it('is unknown where the list is stale, whatever came, and where the city does not answer', async () => {
    run('huizhou', `update XY_MD set SJC = '2026-01-01 00:00:00'`)
    // How old a table is, a running gateway remembers for a minute.
    await running.restart('huizhou')
    const stale = await ask('jiangyin', 'huizhou', CHEMICALS, veto)
    expect(stale.verdicts).toMatchObject([
      {
        verdict: 'unknown',
        reliedOn: [],
        why: [{ code: 'source.stale' }],
        setAside: [{ why: { code: 'source.stale' } }],
      },
    ])
    await running.stop('huizhou')
    const gone = await ask('jiangyin', '*', TEXTILES, veto)
    expect(gone.verdicts).toMatchObject([{ verdict: 'unknown', why: [{ code: 'peer.unreachable' }] }])
    expect(describeAnswer(gone)).toContain('未知 unknown')
  })
})

describe('the shipped agreement', () => {
  it('answers a veto check in both directions', async () => {
    await using two = await runFederation()
    const check = async (from: string, peer: string, subject: string) => {
      const request = { peer, subjects: [subject], purpose: 'fiscal-funds', matter: '互认〔2026〕3号' }
      return (await two.ask(from, request)).body.verdicts
    }
    expect(await check('jiangyin', 'huizhou', CHEMICALS)).toMatchObject([
      { verdict: 'no', reliedOn: [{ city: 'huizhou', list: { code: 'tax-major-violation' } }] },
    ])
    expect(await check('huizhou', 'jiangyin', TEXTILES)).toMatchObject([{ verdict: 'yes', reliedOn: [] }])
  })
})
