/** A report over two running cities: what it says, what it never says, and what it leaves behind in the ledger. */
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Recognition } from '#agreement/recognise.ts'
import { Report, ReportFile } from '#exchange/report.ts'
import { namesIn, type Part, sectionsOf } from '#exchange/sections.ts'
import { verifyLedger } from '#ledger/verify.ts'
import { canonical, sha256 } from '#protocol/canonical.ts'
import type { WireRecord } from '#protocol/message.ts'
import { told } from '#protocol/refusal.ts'
import type { Vocabulary } from '#schema/vocabulary.ts'
import { issueKey } from '#trust/departments.ts'
import { reportPage } from '../../src/report-page.ts'
import { type Running, runFederation } from '../federation.ts'

let running: Running
let vocabulary: Vocabulary
beforeAll(async () => {
  running = await runFederation({ peerTimeout: 700 })
  vocabulary = running.gateway('huizhou').city.vocabulary
})
afterAll(() => running[Symbol.asyncDispose]())

const textile = '91320281XXXXXX0197'
const today = Temporal.Now.plainDateISO('Asia/Shanghai').toString()
const request = {
  subject: textile,
  purpose: 'tendering',
  matter: '惠招〔2026〕118号',
  period: { from: '2020-01-01', to: today },
}

async function post(body: unknown, { city = 'huizhou', key = running.federation.city(city).departmentKey } = {}) {
  const response = await fetch(`${running.gateway(city).insideUrl}/report`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}

async function made(over: object = {}, options?: Parameters<typeof post>[1]): Promise<ReportFile> {
  const { status, body } = await post({ ...request, ...over }, options)
  expect(status, JSON.stringify(body)).toBe(200)
  return ReportFile.parse(body)
}

const sectionIn = ({ report }: ReportFile, code: string) => {
  const section = report.sections.find(each => each.code === code)
  if (section === undefined) throw new RangeError(code)
  return section
}
const entriesIn = ({ report }: ReportFile) => report.sections.flatMap(({ entries }) => entries)

describe('a report', () => {
  it('has the ten sections of the national report, in their order', async () => {
    const { report } = await made()
    expect(report.sections.map(({ zh }) => zh).join(' · ')).toBe(
      '行政管理 · 诚实守信 · 严重失信主体名单 · 经营异常 · 信用承诺 · 信用评价 · 司法判决 · 其他信息 · 信用状况提升建议 · 公共信用信息地方补充内容',
    )
  })

  it('holds the records of the peer and of our own city, each with its city, department and date', async () => {
    const entries = sectionIn(await made(), 'administration').entries
    expect(new Set(entries.map(({ city }) => city))).toEqual(new Set(['huizhou', 'jiangyin']))
    for (const { department } of entries) expect(department).toMatch(/\p{Script=Han}/u)
    expect(entries.map(({ date }) => date).filter(date => date !== undefined)).toEqual(
      entries.flatMap(({ date }) => date ?? []).sort((a, b) => b.localeCompare(a)),
    )
  })

  it('says who asked, why, for which days, when it was made and how long it is good for', async () => {
    const { report } = await made()
    expect(report).toMatchObject({
      iss: 'huizhou',
      issuer: { name: { zh: '惠州市' }, department: { id: 'demo', name: '演示部门' } },
      subject: { code: textile, kind: { code: 'enterprise', zh: '企业' } },
      purpose: { code: 'tendering', zh: '招标投标' },
      matter: request.matter,
      period: request.period,
    })
    expect(report.exp - report.iat).toBe(30 * 86_400)
    expect(Math.abs(report.iat - Date.now() / 1000)).toBeLessThan(60)
  })

  it('says of each city what came of asking it, how fresh it was, and which were not asked', async () => {
    const { report } = await made()
    const [own, peer] = report.cities
    expect([own?.city, own?.outcome]).toEqual(['huizhou', 'own'])
    expect(peer).toMatchObject({ city: 'jiangyin', outcome: 'answered', agreement: { id: 'jiangyin-huizhou-2026' } })
    expect(peer?.receipt?.leaf).toHaveLength(43)
    expect(peer?.freshness.map(({ family }) => family)).toContain('penalty')
  })

  it('holds no field that is not open to the public, whatever the agreement gives for the purpose', async () => {
    const file = await made({ purpose: 'fiscal-funds' })
    expect(entriesIn(file).length).toBeGreaterThan(0)
    for (const { family, lines } of entriesIn(file))
      for (const { code } of lines) expect(vocabulary.families.get(family)?.fields.get(code)?.level).toBe('public')
  })

  it('leaves out what was decided before or after its period, and keeps both its days', async () => {
    const dated = sectionIn(await made(), 'administration').entries.flatMap(({ date }) => date ?? [])
    const [newest = ''] = dated
    const day = await made({ period: { from: newest, to: newest } })
    expect(new Set(sectionIn(day, 'administration').entries.flatMap(({ date }) => date ?? []))).toEqual(
      new Set([newest]),
    )
    const before = Temporal.PlainDate.from(newest).subtract({ days: 1 }).toString()
    const earlier = await made({ period: { from: '2020-01-01', to: before } })
    expect(sectionIn(earlier, 'administration').entries.map(({ date }) => date)).not.toContain(newest)
  })

  it('tells of a foreign honour what it is here, and of none more than the agreement makes of it', async () => {
    const [honour] = sectionIn(await made(), 'good-faith').entries
    expect(honour).toMatchObject({ city: 'jiangyin', recognition: { outcome: 'informational' } })
  })

  it('marks a record under objection, and says what its subject may do', async () => {
    const file = await made()
    expect(entriesIn(file).some(({ objection }) => objection)).toBe(true)
    expect(sectionIn(file, 'advice').advice?.some(({ zh }) => zh.includes('异议'))).toBe(true)
  })

  it('is signed over its canonical text, with the verification code of its digest', async () => {
    const { report, jws } = await made()
    expect(Buffer.from(jws.split('.')[1] ?? '', 'base64url').toString()).toBe(canonical(report))
    expect(JSON.parse(Buffer.from(jws.split('.')[0] ?? '', 'base64url').toString())).toMatchObject({
      typ: 'credit-report+jwt',
    })
  })

  it('is no message between cities: a peer refuses it as a question', async () => {
    const { jws } = await made()
    const { status, text } = await running.post('huizhou', 'jiangyin', jws)
    expect([status, JSON.parse(text).code]).toEqual([401, 'token.type'])
  })

  it('gives no line of its own to a score, and computes none', async () => {
    const text = JSON.stringify((await made({ purpose: 'fiscal-funds' })).report.sections)
    expect(text).not.toContain('"score"')
  })

  it('can be had from the other city as well, about the same enterprise', async () => {
    const file = await made({}, { city: 'jiangyin' })
    expect(file.report.cities.map(({ city, outcome }) => [city, outcome])).toEqual([
      ['jiangyin', 'own'],
      ['huizhou', 'answered'],
    ])
    expect(sectionIn(file, 'administration').entries.length).toBeGreaterThan(2)
  })
})

describe('a section', () => {
  it('that is empty never says that there is no record where a list or family is not agreed, but that this is unknown, by whom and why', async () => {
    const file = await made()
    expect(sectionIn(file, 'abnormal')).toMatchObject({ state: 'unknown', complete: false })
    expect(sectionIn(file, 'abnormal').notes).toContainEqual({
      kind: 'unknown',
      cities: ['jiangyin'],
      about: [{ code: 'abnormal-operation', zh: '经营异常名录', en: expect.any(String) }],
      rules: [told('agreement.list')],
    })
    const why = sectionIn(file, 'commitments').notes.filter(({ kind }) => kind === 'unknown')
    expect(why.map(({ cities, rules }) => [cities, rules.map(({ code }) => code)])).toEqual([
      [['huizhou'], ['report.no-table']],
      [['jiangyin'], ['agreement.family']],
    ])
    expect(sectionIn(file, 'judgments')).toMatchObject({ state: 'unknown', entries: [] })
  })

  it('that is empty says so where every city answered: no rating that may be given', async () => {
    expect(sectionIn(await made(), 'ratings')).toMatchObject({ state: 'none', complete: true, entries: [] })
  })

  const silent = (city: string): Part => ({
    city,
    silence: told('peer.unreachable'),
    clauses: new Map(),
    withheld: [],
    freshness: [],
    unknown: [],
    records: [],
  })
  const everything = () =>
    new Map(
      [...vocabulary.families].map(([family, { fields, listField, schemeField }]) => [
        family,
        [
          {
            clause: '第三条',
            kinds: new Set(['enterprise'] as const),
            level: 'public' as const,
            fields: new Set(fields.keys()),
            lists: listField === undefined ? undefined : new Set(vocabulary.lists.keys()),
            schemes: schemeField === undefined ? undefined : new Set(vocabulary.schemes.keys()),
          },
        ],
      ]),
    )
  const full = (city: string, over: Partial<Part> = {}): Part => ({
    city,
    clauses: everything(),
    withheld: [],
    freshness: [...vocabulary.families.keys()].map(family => ({ family, status: 'fresh' })),
    unknown: [],
    records: [],
    ...over,
  })
  const period = { from: '2020-01-01', to: '2026-12-31' }
  const states = (parts: readonly Part[]) =>
    Object.fromEntries(sectionsOf(parts, 'enterprise', period, vocabulary).map(({ code, state }) => [code, state]))

  it('is empty only if each city was fresh, asked about all of it and not silent; one that is not makes it unknown', () => {
    expect(states([full('huizhou'), full('jiangyin')])).toMatchObject({
      serious: 'none',
      abnormal: 'none',
      other: 'none',
    })
    const family = fc.constantFrom(...vocabulary.families.keys())
    const list = fc.constantFrom(...[...vocabulary.lists.values()].filter(({ colour }) => colour !== 'red'))
    const gap = fc.oneof(
      fc.record({ kind: fc.constant('silent' as const) }),
      fc.record({ kind: fc.constant('family' as const), family }),
      fc.record({
        kind: fc.constant('stale' as const),
        family,
        status: fc.constantFrom('stale' as const, 'unknown' as const),
      }),
      fc.record({ kind: fc.constant('missing' as const), family }),
      fc.record({ kind: fc.constant('unread' as const), family }),
      fc.record({ kind: fc.constant('list' as const), list }),
    )
    const sectionsWith = (family: string) => {
      if (family === 'list') return ['good-faith', 'serious', 'abnormal', 'local']
      return [
        { licence: 'administration', penalty: 'administration', commitment: 'commitments', rating: 'ratings' }[
          family
        ] ?? 'other',
      ]
    }
    fc.assert(
      fc.property(gap, fc.boolean(), (gap, first) => {
        const part = full('jiangyin')
        const clauses = everything()
        const flaw = (): Part => {
          switch (gap.kind) {
            case 'silent':
              return silent('jiangyin')
            case 'family':
              clauses.delete(gap.family)
              return { ...part, clauses }
            case 'stale':
              return {
                ...part,
                freshness: part.freshness.map(each =>
                  each.family === gap.family ? { ...each, status: gap.status } : each,
                ),
              }
            case 'missing':
              return { ...part, freshness: part.freshness.filter(each => each.family !== gap.family) }
            case 'unread':
              return { ...part, unknown: [{ family: gap.family, reason: told('source.slow') }] }
            case 'list': {
              const [clause] = clauses.get('list') ?? []
              clause?.lists?.delete(gap.list.code)
              return { ...part, clauses }
            }
          }
        }
        const parts = first ? [flaw(), full('huizhou')] : [full('huizhou'), flaw()]
        const found = states(parts)
        const touched =
          gap.kind === 'silent'
            ? Object.keys(found).filter(code => code !== 'advice' && code !== 'judgments')
            : gap.kind === 'list'
              ? gap.list.code === 'computed-black'
                ? []
                : [gap.list.severe ? 'serious' : gap.list.code === 'abnormal-operation' ? 'abnormal' : 'local']
              : sectionsWith(gap.family)
        for (const [code, state] of Object.entries(found)) {
          if (code === 'advice' || code === 'judgments') continue
          expect([code, state]).toEqual([code, touched.includes(code) ? 'unknown' : 'none'])
        }
      }),
    )
  })

  const entry = (fields: WireRecord['fields'], over: Partial<WireRecord> = {}): WireRecord => ({
    id: '1',
    family: 'list',
    fields: { holder: '演示一号有限公司', listed: '2026-01-01', ...fields },
    ...over,
  })
  const severe = {
    type: { code: 'work-safety', original: '安全生产' },
    authority: '某市应急局',
    document: '某应急〔2026〕1号',
  }

  it.each<[string, Part['records'][number], string]>([
    ['a severe entry with authority and document', { record: entry(severe) }, 'serious'],
    ['one without its document', { record: entry({ ...severe, document: '' }) }, 'local'],
    ['one that is a local notice only', { record: entry(severe, { notice: true }) }, 'local'],
    [
      'one that the agreement takes as information',
      { record: entry(severe), recognition: { outcome: 'informational', original: {} } },
      'local',
    ],
    [
      'one that is recognised here',
      {
        record: entry(severe),
        recognition: { outcome: 'recognised', original: {}, as: [{ code: 'work-safety', zh: '安全生产', en: 'x' }] },
      },
      'serious',
    ],
    ['one whose list did not translate', { record: entry({ ...severe, type: { untranslated: '黑榜' } }) }, 'local'],
    ['an honour', { record: entry({ type: { code: 'tax-a', original: 'A' } }) }, 'good-faith'],
    [
      'a notice of abnormal operation',
      { record: entry({ type: { code: 'abnormal-operation', original: '1' } }) },
      'abnormal',
    ],
  ])('holds %s where it belongs, and no other does', (_, record, section) => {
    const found = states([full('jiangyin', { records: [record] })])
    expect(found).toMatchObject({
      serious: 'none',
      'good-faith': 'none',
      abnormal: 'none',
      local: 'none',
      [section]: 'records',
    })
  })

  it('does not lose a record whose date cannot be read: it stands first and says so', () => {
    const undated = entry({ ...severe, listed: { untranslated: '去年' } })
    const [serious] = sectionsOf(
      [full('jiangyin', { records: [{ record: entry(severe) }, { record: { ...undated, id: '2' } }] })],
      'enterprise',
      period,
      vocabulary,
    ).filter(({ code }) => code === 'serious')
    expect(serious?.entries.map(({ id, date }) => [id, date])).toEqual([
      ['2', undefined],
      ['1', '2026-01-01'],
    ])
    expect(serious?.entries[0]?.lines).toContainEqual(expect.objectContaining({ said: '去年（未转换）' }))
  })

  it('holds exactly the records decided within the period, its first and last day included', () => {
    const at = fc
      .integer({ min: 0, max: 4000 })
      .map(days => Temporal.PlainDate.from('2018-01-01').add({ days }).toString())
    fc.assert(
      fc.property(fc.array(at, { maxLength: 12 }), at, at, (days, one, other) => {
        const [from = one, to = other] = [one, other].sort()
        const records = days.map((listed, i) => ({ record: entry({ ...severe, listed }, { id: `r${i}` }) }))
        const found = sectionsOf([full('jiangyin', { records })], 'enterprise', { from, to }, vocabulary)
        const wanted = days.flatMap((day, i) => (from <= day && day <= to ? [`r${i}`] : []))
        expect(found.flatMap(({ entries }) => entries.map(({ id }) => id)).sort()).toEqual(wanted.sort())
      }),
    )
  })

  it('prints no personal number, though a peer sent one', () => {
    const record = entry({ ...severe, reason: '负责人电话13812345678，身份证11010519491231002X' })
    const [serious] = sectionsOf(
      [full('jiangyin', { records: [{ record }] })],
      'enterprise',
      period,
      vocabulary,
    ).filter(({ code }) => code === 'serious')
    expect(JSON.stringify(serious)).not.toMatch(/13812345678|11010519491231002X/)
    expect(serious?.entries[0]?.masked).toEqual(['reason'])
  })
})

describe('what a peer sent is masked on paper as our own is', () => {
  const sent: WireRecord = {
    id: '1',
    family: 'penalty',
    fields: {
      holder: '虚构人',
      number: '某罚〔2026〕051287654321号',
      facts: '经营者：张三丰，电话0512-58281234，账号3202018800012345678',
      decided: '2026-05-01',
      authority: '某局（负责人：李小明）',
      grade: { code: 'general', original: '一般，联系13812345678' },
    },
  }
  const part = (over: Partial<WireRecord> = {}): Part => ({
    city: 'jiangyin',
    clauses: new Map(),
    withheld: [],
    freshness: [],
    unknown: [],
    records: [{ record: { ...sent, ...over } }],
  })
  const printed = (kind: 'enterprise' | 'individual-business') =>
    sectionsOf([part()], kind, { from: '2026-01-01', to: '2026-12-31' }, vocabulary)[0]?.entries[0]

  it('names behind a role, telephones and accounts are gone, and the number of the document stays', () => {
    const entry = printed('enterprise')
    expect(JSON.stringify(entry)).not.toMatch(/张三丰|李小明|58281234|3202018800012345678|13812345678/)
    expect(entry?.department).toBe('某局（负责人：***）')
    expect(entry?.lines.find(({ code }) => code === 'number')?.said).toBe('某罚〔2026〕051287654321号')
    expect(entry?.masked).toEqual(['authority', 'facts', 'grade'])
  })

  it('so is the name of who runs an individual business, in its lines and in the heading', () => {
    expect(printed('individual-business')?.lines.find(({ code }) => code === 'holder')?.said).toBe('***')
    expect(namesIn([part()], 'individual-business')).toEqual([{ name: '***', cities: ['jiangyin'] }])
    const shop = part({ fields: { holder: '示例五金店' } })
    expect(namesIn([shop], 'individual-business')).toEqual([{ name: '示例五金店', cities: ['jiangyin'] }])
  })
})

describe('the page of a report', () => {
  it('says of a rating whose end its city does not tell that nobody knows whether it still holds, and of a doubted entry why', async () => {
    const { report } = await made()
    const records = (recognition: Recognition, record: WireRecord) => ({
      ...silence,
      records: [{ record, recognition }],
    })
    const silence = { city: 'jiangyin', clauses: new Map(), withheld: [], freshness: [], unknown: [] }
    const fields = { decided: '2026-05-01', listed: '2026-05-01' }
    const level = { code: 'tax-2025.a', zh: 'A', en: 'A' }
    const parts = [
      records(
        { outcome: 'recognised', original: {}, as: [level], endUnknown: true },
        { id: '1', family: 'rating', fields },
      ),
      records(
        { outcome: 'informational', original: {}, why: told('record.escalation-doubt') },
        { id: '2', family: 'list', fields, notice: true },
      ),
    ]
    const sections = [...sectionsOf(parts, 'enterprise', request.period, vocabulary)]
    const page = await reportPage({ ...report, sections })
    expect(page).toContain('有效期至未知，今日是否仍有效不明')
    expect(page).toContain('its end is not known: whether it still holds today is not said')
    expect(page).toContain(told('record.escalation-doubt').zh)
    expect(page).toContain(told('record.escalation-doubt').en)
  })
})

describe('the ledger', () => {
  it('holds before a report leaves who had it made, of which outcomes, and its digest, and no word of it', async () => {
    const { ledger } = running.gateway('huizhou').city
    const from = await ledger.count()
    const file = await made()
    const entries = await ledger.entries({ from, limit: 10 })
    expect(entries.map(({ entry }) => entry.kind)).toEqual(['asked', 'outcome', 'reported'])
    const [, outcome, reported] = entries
    expect(reported?.entry).toEqual({
      kind: 'reported',
      at: expect.any(String),
      city: 'huizhou',
      department: 'demo',
      purpose: 'tendering',
      matter: request.matter,
      subjects: [textile],
      period: request.period,
      report: file.report.jti,
      reportDigest: sha256(canonical(file.report)),
      outcomes: [outcome?.receipt.index],
    })
    expect(JSON.stringify(reported)).not.toContain('江阴')
  })

  it('with reports in it is verified whole', async () => {
    await made()
    const { data } = running.federation.city('huizhou').settings
    expect(verifyLedger(join(data, 'ledger.sqlite'))).toMatchObject({ verified: true, faults: [] })
  })
})

describe('a department', () => {
  it.each([
    ['about a person', { subject: '11010519491231002X' }, 403, 'subject.person'],
    ['about nonsense', { subject: 'nonsense' }, 400, 'subject.malformed'],
    ['for a purpose that no agreement provides for', { purpose: 'awards' }, 403, 'agreement.purpose'],
    ['with a matter that names a person', { matter: '身份证11010519491231002X' }, 400, 'query.matter'],
    ['for a period that has not ended', { period: { from: today, to: '2999-01-01' } }, 400, 'request.form'],
    ['for a period that ends before it begins', { period: { from: today, to: '2020-01-01' } }, 400, 'request.form'],
    ['for no period', { period: undefined }, 400, 'request.form'],
    ['of a city that is no member', { peer: 'atlantis' }, 404, 'peer.unknown'],
    ['with a word that is not described', { urgent: true }, 400, 'request.form'],
  ])('that asks for a report %s is told why, and nothing is looked up', async (_, over, status, code) => {
    const { ledger } = running.gateway('huizhou').city
    const from = await ledger.count()
    const response = await post({ ...request, ...over })
    expect([response.status, response.body['code']]).toEqual([status, code])
    const entries = await ledger.entries({ from, limit: 10 })
    expect(entries.every(({ entry }) => entry.kind === 'declined')).toBe(true)
    expect(JSON.stringify(entries)).not.toContain('11010519491231002X')
  })

  it('without a key, or with one for another purpose, has none made', async () => {
    const file = join(running.federation.city('huizhou').settings.data, 'departments.json')
    const key = issueKey(file, { id: 'narrow', name: '市审批局', purposes: ['licence-approval'], days: 1 }, Date.now())
    expect((await post(request, { key: 'xq_demo_wrong' })).body['code']).toBe('department.key')
    expect((await post(request, { key })).body['code']).toBe('department.purpose')
  })
})

describe('when the peer is silent', () => {
  it('nothing reads as clean: every section that it should have filled is unknown or says that it is not complete', async () => {
    await running.stop('jiangyin')
    try {
      const { report } = await made()
      expect(report.cities[1]).toMatchObject({ outcome: 'unknown', reason: { code: 'peer.unreachable' } })
      for (const { state, complete } of report.sections) expect([state === 'none', complete]).toEqual([false, false])
      expect(Report.parse(report)).toEqual(report)
    } finally {
      await running.start('jiangyin')
    }
  })
})
