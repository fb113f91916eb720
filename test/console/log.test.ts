import { join } from 'node:path'
import { parse } from 'csv-parse/sync'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Entry } from '#ledger/entry.ts'
import { matches } from '#ledger/filter.ts'
import type { Evidence, Filter, Recorded } from '#ledger/ledger.ts'
import { issueKey, withdrawKey } from '#trust/departments.ts'
import { BOM, csvLine } from '../../src/console/csv.ts'
import { deedOf } from '../../src/console/deed.ts'
import { proveEntry } from '../../src/console/entry-proof.ts'
import { whyGone } from '../../src/console/gone.ts'
import { filterOf, isUnusable, typed } from '../../src/console/log-filter.ts'
import type { Staff } from '../../src/console/staff.ts'
import { answered, company, held as heldFor, uuid7 } from '../ledger/sample.ts'
import { openScene, type Scene, USCC, usualDay } from './scene.ts'

const auditor: Staff = { name: '李伟', role: 'auditor', csrf: '' }
const viewer: Staff = { ...auditor, role: 'viewer' }

describe('a file for a spreadsheet', () => {
  it('is read back cell by cell, whatever the texts, but for the mark before a formula or a long number', () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 40 })
    fc.assert(
      fc.property(fc.array(fc.array(text, { minLength: 3, maxLength: 3 }), { minLength: 1, maxLength: 5 }), rows => {
        const read: string[][] = parse(BOM + rows.map(csvLine).join(''), { bom: true })
        const isKept = (row: readonly string[], i: number) =>
          row.every((cell, k) => [cell, `'${cell}`, `\t${cell}`].includes(read[i]?.[k] ?? ''))
        expect(read.length === rows.length && rows.every(isKept)).toBe(true)
      }),
    )
  })

  it.each(['=1+1', '+1', '-1', '@SUM(A1)', '＝1', ' =cmd', '\t=1', '\r=1', '\u3000=1'])(
    'lets nothing compute: %j',
    text => {
      expect(csvLine([text])).toMatch(/^"'/)
    },
  )

  it('keeps a code of eighteen digits a text', () => {
    expect(csvLine(['913202812503448770'])).toBe('"\t913202812503448770"\r\n')
    expect(csvLine(['91320281250344877K'])).toBe('"91320281250344877K"\r\n')
  })
})

describe('what somebody did', () => {
  it('is said in words, on every page that the gateway writes down', () => {
    expect(deedOf({ action: 'exported', page: 'evidence' }, 'zh')).toBe('导出：证据文件')
    expect(deedOf({ action: 'sign-in-refused', page: 'sign-in' }, 'zh')).toBe('登录未成功')
    expect(deedOf({ action: 'viewed', page: 'of-a-later-version' }, 'en')).toBe('Viewed: of-a-later-version')
  })
})

describe('what a log page is asked for', () => {
  it('takes a day as the whole day in Asia/Shanghai', () => {
    expect(filterOf('in', { from: '2026-11-22', until: '2026-11-22' }, viewer)).toMatchObject({
      from: '2026-11-21T16:00:00.000Z',
      until: '2026-11-22T16:00:00.000Z',
    })
    expect(filterOf('in', { from: '2026-11-22T08:30', until: '2026-11-22T08:30' }, viewer)).toMatchObject({
      from: '2026-11-22T00:30:00.000Z',
      until: '2026-11-22T00:31:00.000Z',
    })
  })

  it.each([
    ['from', '2026-02-30'],
    ['until', 'tomorrow'],
    ['outcome', 'fine'],
    ['subject', '9132'],
  ] as const)('says that %s cannot be %s', (field, text) => {
    expect(filterOf('in', { [field]: text }, auditor)).toEqual({ field, why: 'form' })
  })

  it('lets nobody look for a code who may not see one', () => {
    expect(filterOf('in', { subject: USCC }, viewer)).toEqual({ field: 'subject', why: 'role' })
    expect(filterOf('in', { subject: USCC }, undefined)).toEqual({ field: 'subject', why: 'role' })
    expect(filterOf('in', { subject: USCC.toLowerCase() }, auditor)).toMatchObject({ subject: USCC })
  })

  it('never fails, whatever is typed', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.constantFrom('from', 'until', 'outcome', 'subject', 'matter', 'peer'), fc.string()),
        form => {
          const filter = filterOf(
            'out',
            typed(field => form[field]),
            auditor,
          )
          expect(isUnusable(filter) || filter.kinds !== undefined).toBe(true)
        },
      ),
    )
  })
})

describe('the log of a city', () => {
  let scene: Scene
  beforeAll(async () => {
    scene = await openScene({
      play: async running => {
        await usualDay(running)
        for (let i = 0; i < 120; i++) await running.query('huizhou', 'jiangyin', { matter: `惠批〔2026〕${i}号` })
      },
    })
  }, 120_000)
  afterAll(() => scene?.[Symbol.asyncDispose]())

  const get = async (path: string, role: 'viewer' | 'auditor' = 'auditor') =>
    (await scene.staff[role].get(`/console${path}`)).text
  const csrf = async () => /name="_csrf" value="([^"]+)"/.exec(await get('/in'))?.[1] ?? ''
  const matters = (page: string) => [...page.matchAll(/class="text">([^<]+)</g)].map(([, matter]) => matter)
  const ledger = () => scene.running.gateway('jiangyin').city.ledger

  it('is turned over page by page, every question once, newest first, though new ones come in', async () => {
    const all: (string | undefined)[] = []
    let path: string | undefined = '/in'
    for (let i = 0; path !== undefined && i < 10; i++) {
      const page: string = await get(path)
      all.push(...matters(page))
      path = /href="\/console(\/in\?[^"]*before=[^"]*)" rel="next"/.exec(page)?.[1]?.replaceAll('&amp;', '&')
      await scene.running.query('huizhou', 'jiangyin', { matter: `新〔2026〕${i}号` })
    }
    expect(path).toBeUndefined()
    const old = all.filter(matter => !matter?.startsWith('新'))
    expect(new Set(old).size).toBe(old.length)
    expect(old.slice(0, 3)).toEqual(['惠批〔2026〕119号', '惠批〔2026〕118号', '惠批〔2026〕117号'])
    expect(old).toHaveLength(126)
  }, 60_000)

  it.each([
    ['/in?outcome=refused', ['惠评〔2026〕7号']],
    ['/in?outcome=agreement.purpose', ['惠评〔2026〕7号']],
    ['/in?purpose=procurement', ['惠招〔2026〕012号']],
    ['/in?matter=018', ['惠招〔2026〕018号']],
    ['/in?from=2020-01-01&until=2020-12-31', []],
    ['/out?outcome=declined', ['澄评〔2026〕3号']],
    ['/out?department=demo&outcome=answered&matter=00123', ['澄招〔2026〕00123号']],
  ])('shows for %s what fits and nothing else', async (path, expected) => {
    expect(matters(await get(path))).toEqual(expected)
  })

  it.each([
    ['/in', '筛选', true],
    ['/in?from=2020-01-01&until=2020-01-01&peer=huizhou&outcome=refused', '筛选：2020-01-01 · 未受理 · 惠州市', false],
    ['/in?from=2020-01-01T08:30', '筛选：2020-01-01 08:30 起', false],
    ['/in?until=2020-01-01', '筛选：至 2020-01-01', false],
    ['/out?from=2020-01-01&until=2020-01-03&matter=018', '筛选：2020-01-01 至 2020-01-03 · 事由含“018”', false],
    [`/in?subject=${USCC}&purpose=tendering`, `筛选：招标投标 · ${USCC}`, false],
    ['/in?from=nonsense&outcome=refused', '筛选', true],
  ])('says in words for %s what it is narrowed to, and makes room for what was found', async (path, said, isOpen) => {
    const page = await get(path)
    expect(page).toContain(`<details${isOpen ? ' open' : ''}><summary>${said}</summary>`)
    expect(page.includes(`<a href="/console/${path.slice(1, path.includes('/out') ? 4 : 3)}">清除</a>`)).toBe(
      path !== '/in',
    )
  })

  it('records who looked, at which entries and for what, before it is shown', async () => {
    await get('/in?matter=018')
    const { entries } = await ledger().search({ kinds: ['staff'] }, { limit: 1 })
    expect(entries[0]?.entry).toMatchObject({
      staff: '李伟',
      role: 'auditor',
      action: 'viewed',
      page: 'inbound',
      filter: new URLSearchParams({ matter: '018' }).toString(),
      subjects: [USCC, 'refused'],
      entries: [expect.any(Number)],
    })
  })

  it('tells the auditor in words what was looked for, and not as an address', async () => {
    await get('/in?matter=018&purpose=tendering&outcome=agreement.purpose&from=2026-01-01T08%3A30')
    const page = await get('/records')
    expect(page).toContain('起始时间：2026-01-01 08:30；目的：招标投标；事由：018；结果：协议未约定该查询目的')
    expect(page).not.toContain('purpose=tendering')
  })

  it('is exported whole as JSON Lines, recorded before the first byte', async () => {
    const { status, text, headers } = await scene.staff.auditor.post('/console/in/export', {
      _csrf: await csrf(),
      format: 'jsonl',
    })
    expect([status, headers['content-type']]).toEqual([200, 'application/jsonl; charset=utf-8'])
    const lines: { index: number; entry: { kind: string } }[] = text
      .trim()
      .split('\n')
      .map(line => JSON.parse(line))
    const filter = filterOf('in', {}, auditor)
    if (isUnusable(filter)) throw new Error('unusable')
    expect(lines.length).toBeGreaterThan(126)
    expect(lines.every(({ entry }) => ['answered', 'refused'].includes(entry.kind))).toBe(true)
    const kept = await ledger().entries({ from: 0, limit: 10_000 })
    const wanted = kept.filter(({ entry }) => matches(entry, filter)).map(({ receipt }) => receipt.index)
    expect(lines.map(({ index }) => index)).toEqual(wanted.reverse())
    const [mark] = (await ledger().search({ kinds: ['staff'] }, { limit: 1 })).entries
    expect(mark?.entry).toMatchObject({ action: 'exported', page: 'inbound', filter: 'format=jsonl' })
  })

  it('is exported as a file for Excel with a line for each subject', async () => {
    const { text } = await scene.staff.auditor.post('/console/in/export', {
      _csrf: await csrf(),
      format: 'csv',
      matter: '018',
    })
    const rows: string[][] = parse(text, { bom: true })
    expect(rows.map(row => [row[7], row[8]])).toEqual([
      ['统一社会信用代码', '结果'],
      [USCC, '已答复'],
      ['代码无效（未保存）', '未受理'],
      ['代码无效（未保存）', '未受理'],
    ])
    expect(rows[1]?.[11]).toContain('行政许可')
  })

  it('tells of one enterprise who asked, what our departments asked, and who of us looked, and on paper not who looked', async () => {
    await get(`/enterprise?code=${USCC}`)
    const page = await get(`/enterprise?code=${USCC}`)
    for (const text of ['惠评〔2026〕7号', '澄评〔2026〕3号', '李伟', '行政许可']) expect(page).toContain(text)
    const sheet = await get(`/enterprise/print?code=${USCC}`)
    expect(sheet).toContain('公共信用信息跨市查询记录单')
    expect(sheet).toContain('惠评〔2026〕7号')
    expect(sheet).not.toContain('李伟')
  })

  it('tells of one enterprise what came of the question for it, and not for the others that were asked about with it', async () => {
    expect(await get('/in?matter=018')).toContain('部分答复')
    for (const path of ['/enterprise?code=', '/enterprise/print?code=']) {
      const page = await get(`${path}${USCC}`)
      expect(page).toContain('惠招〔2026〕018号')
      expect(page).not.toContain('部分答复')
    }
  })

  it('names a department as it is registered, by its id where it no longer is, and is searched by it', async () => {
    const path = join(scene.running.federation.city('jiangyin').settings.data, 'departments.json')
    issueKey(path, { id: 'demo', name: '招标办', purposes: ['tendering'], days: 30 }, Date.now())
    const out = await get('/out?department=demo')
    expect(out).toContain('<option value="demo" selected>招标办</option>')
    expect(out).toMatch(/<td[^>]*>招标办<\/td>/)
    const [, entry = ''] = /href="\/console(\/entry\/\d+)"/.exec(out) ?? []
    expect(await get(entry)).toContain('“招标办”')
    expect(await get(`/enterprise?code=${USCC}`)).toContain('招标办 → ')
    const { text } = await scene.staff.auditor.post('/console/out/export', { _csrf: await csrf(), format: 'csv' })
    expect(text).toContain('"招标办"')
    withdrawKey(path, 'demo')
    const after = await get('/out?department=demo')
    expect(after).toContain('<option value="demo" selected>demo</option>')
    expect(after).not.toContain('招标办')
  })

  it('proves an entry again and says each finding', async () => {
    const entry = async (index: number) =>
      (await scene.staff.auditor.post(`/console/entry/${index}/verify`, { _csrf: await csrf() })).text
    const index = (await ledger().search({ kinds: ['answered'] }, { limit: 1 })).entries[0]?.receipt.index ?? -1
    const page = await entry(index)
    expect(page).toContain('查询的签名有效')
    expect(page).toContain('答复的签名有效')
    expect(page).not.toContain('tag bad')
  })

  it('says of each part of an entry that it is not as it was', async () => {
    const { city, transparency } = scene.running.gateway('jiangyin')
    const [recorded] = (await ledger().search({ kinds: ['answered'] }, { limit: 1 })).entries
    const [other] = (await ledger().search({ kinds: ['answered'], purpose: 'procurement' }, { limit: 1 })).entries
    if (recorded?.entry.kind !== 'answered' || other === undefined) throw new Error('nothing was answered')
    const held = (await ledger().evidence(recorded.receipt.index)) ?? {}
    const foreign = (await ledger().evidence(other.receipt.index)) ?? {}
    const wrong = async (each: Recorded, evidence: Evidence) =>
      (await proveEntry(each, evidence, city, transparency.log)).filter(({ ok }) => ok === false).map(({ en }) => en)
    expect(await wrong(recorded, held)).toEqual([])
    const changed = { ...recorded, entry: { ...recorded.entry, matter: '惠批〔2026〕0号' } }
    expect((await wrong(changed, held)).join()).toMatch(/changed.*does not follow/)
    expect((await wrong(recorded, { ...held, question: foreign.question })).join()).toMatch(/question is not the one/)
    expect((await wrong(recorded, { ...held, answer: foreign.answer })).join()).toMatch(/another place|not the one/)
    const [head, body] = held.question?.split('.') ?? []
    const [, , signature] = foreign.question?.split('.') ?? []
    expect((await wrong(recorded, { ...held, question: `${head}.${body}.${signature}` })).join()).toMatch(
      /signature is not that/,
    )
  })

  it('says of an entry that it is not what was signed, though its digests are those of what is held', async () => {
    const { city, transparency } = scene.running.gateway('jiangyin')
    /** What is found wrong with the texts of the newest entry of a kind, told otherwise than it was entered. */
    const wrong = async (filter: Filter, told: (entry: Entry) => object) => {
      const [recorded] = (await ledger().search(filter, { limit: 1 })).entries
      if (recorded === undefined) throw new Error('there is none')
      const held = await ledger().evidence(recorded.receipt.index)
      const lie = { ...recorded, entry: Entry.parse({ ...recorded.entry, ...told(recorded.entry) }) }
      const found = await proveEntry(lie, held, city, transparency.log)
      return found.filter(({ ok, en }) => ok === false && !/digest|link|checkpoint/.test(en)).map(({ en }) => en)
    }
    const other = /^The question: the message says other things/
    const asked = { kinds: ['asked'] } as const
    for (const lie of [
      { subjects: [company(7)] },
      { purpose: 'subsidies' },
      { matter: '澄招〔2026〕9号' },
      { want: [{ family: 'elsewhere' }] },
    ]) {
      expect(await wrong(asked, () => lie)).toEqual([expect.stringMatching(other)])
    }
    expect(await wrong(asked, () => ({}))).toEqual([])
    const later = (entry: Entry) => ({ at: new Date(Date.parse(entry.at) + 600_000).toISOString() })
    expect(await wrong(asked, later)).toEqual([expect.stringMatching(/^The question: the times contradict/)])
    const refused = await wrong({ kinds: ['refused'] }, () => ({ code: 'agreement.unknown' }))
    expect(refused).toEqual([expect.stringMatching(/^The answer: the message says other things.*another reason/)])
    const another = await wrong({ kinds: ['answered'] }, () => ({ peer: 'jimo' }))
    expect(another.join()).toMatch(/question: the certificate of the key.*answer: the message says other things/)
  })

  it('tells by its heading what an entry is of, names the one subject as far as one may see it, and leads back to its day', async () => {
    const [refused] = (await ledger().search({ kinds: ['refused'] }, { limit: 1 })).entries
    if (refused?.entry.kind !== 'refused') throw new Error('nothing was refused')
    const path = `/entry/${refused.receipt.index}`
    const page = await get(path)
    const [, heading = ''] = /<h1>(.*?)<\/h1>/s.exec(page) ?? []
    expect(heading.replaceAll(/<[^>]*>/g, '')).toMatch(/^惠州市的查询 未受理 日志第 [\d,]+ 条$/)
    expect(page).toMatch(/<title>惠州市的查询 · 未受理 · 日志第 [\d,]+ 条 · /)
    expect(page).toContain(`查询主体 ${USCC}。结果：`)
    expect(page).toContain('代码 <span class="code">agreement.purpose</span>')
    const masked = await get(path, 'viewer')
    expect(masked).toContain(`查询主体 ${USCC.slice(0, 4)}…${USCC.slice(-4)}。结果：`)
    expect(masked).not.toContain(USCC)
    const [, back = '', day] =
      /<a class="button" href="\/console(\/in\?from=([^"&]*)&amp;until=\2)">回到当日收到的查询<\/a>/.exec(page) ?? []
    const at = Temporal.Instant.from(refused.entry.at).toZonedDateTimeISO('Asia/Shanghai')
    expect(at.toPlainDate().toString()).toBe(day)
    expect(matters(await get(`${back.replaceAll('&amp;', '&')}&outcome=refused`))).toContain('惠评〔2026〕7号')
    const [, agreement = ''] = /href="\/console(\/agreements\?agreement=[^"]+)"/.exec(page) ?? []
    expect(await get(agreement)).toContain(refused.entry.agreement.id)
  })

  it('counts the subjects of a question where there are several, and says of the one without a code that it was none', async () => {
    const [several] = (await ledger().search({ matter: '惠招〔2026〕018号' }, { limit: 1 })).entries
    expect(await get(`/entry/${several?.receipt.index}`)).toContain('查询 3 个主体。结果：')
    await scene.running.query('huizhou', 'jiangyin', { matter: '惠无〔2026〕1号', subjects: ['91320281MA1W7XUN8M'] })
    const [none] = (await ledger().search({ matter: '惠无〔2026〕1号' }, { limit: 1 })).entries
    expect(await get(`/entry/${none?.receipt.index}`)).toContain('查询 1 个主体（代码无效，未保存）。结果：')
    // Nothing was given for it, and yet it was answered: it stands among what was, as the captions of today say.
    expect(matters(await get(`/in?outcome=answered&matter=${encodeURIComponent('惠无')}`))).toEqual(['惠无〔2026〕1号'])
    expect(await get('')).toContain('“已答复”包括部分答复，以及所查主体均未受理的答复。')
  })

  it.each([
    ['answered', '惠州市的查询 已答复'],
    ['asked', '向惠州市的查询 已发出'],
    ['declined', '向惠州市的查询 本市未发出'],
    ['staff', '李伟 · '],
  ] as const)('has a heading for an entry that is %s', async (kind, heading) => {
    const filter = { kinds: [kind], ...(kind === 'staff' || kind === 'answered' ? {} : { peer: 'huizhou' }) }
    const found = (await ledger().search(filter, { limit: 50 })).entries
    const one = found.find(({ entry }) =>
      entry.kind === 'answered'
        ? entry.status.every(each => each === 'answered')
        : entry.kind !== 'staff' || entry.staff === '李伟',
    )
    const [, said = ''] = /<h1>(.*?)<\/h1>/s.exec(await get(`/entry/${one?.receipt.index}`)) ?? []
    expect(said.replaceAll(/<[^>]*>/g, '')).toContain(heading)
  })

  it('says why signed texts are not there in the same words to who proves the entry and to who wants to read them', async () => {
    const { city } = scene.running.gateway('jiangyin')
    const never = await ledger().append(answered({ jti: uuid7(), subjects: [company(3)] }).entry)
    const sentence = '写入这一条时没有保存签名原文，条目中只有摘要；摘要仍然有效。'
    const verified = (await scene.staff.auditor.post(`/console/entry/${never.index}/verify`, { _csrf: await csrf() }))
      .text
    expect(await get(`/entry/${never.index}/originals`)).toContain(sentence)
    expect(verified).toMatch(new RegExp(`<span class="tag warn">无法核验</span>\\s*<span>${sentence}</span>`))
    const [, heading] = /role="status"><h2>([^<]*)<\/h2>/.exec(verified) ?? []
    const tags = (tone: string) => verified.split(`<li><span class="tag ${tone}">`).length - 1
    expect(heading).toBe(`${tags('good')} 项相符，${tags('warn')} 项无法核验`)
    expect(tags('good')).toBeGreaterThan(0)
    // Past its day, and no entry says that it was let go: neither page says that it was.
    const old = heldFor({ ...answered({ jti: uuid7() }).entry, at: new Date(city.now()).toISOString() }, -1)
    const gone = await whyGone({ entry: old, receipt: never }, city)
    expect(gone.zh).toMatch(/^签名原文应保存至 .*，现在缺失/)
    const found = await proveEntry(
      { entry: old, receipt: never },
      undefined,
      city,
      scene.running.gateway('jiangyin').transparency.log,
    )
    expect(found.map(({ zh }) => zh)).toContain('签名原文：应保存的原文缺失')
  })

  it('counts what a page shows, and says whether there is more, to the one', async () => {
    const ask = async (n: number) => {
      for (let i = 0; i < n; i++) await scene.running.query('huizhou', 'jiangyin', { matter: `惠数〔2026〕${i}号` })
    }
    const counted = async (path: string) => /<p class="soft small">([^<]*)<\/p>/.exec(await get(path))?.[1]
    const path = `/in?matter=${encodeURIComponent('惠数〔2026〕')}`
    await ask(49)
    expect(await counted(path)).toBe('共 49 条')
    await ask(1)
    expect([await counted(path), (await get(path)).includes('rel="next"')]).toEqual(['共 50 条', false])
    await ask(1)
    expect(await counted(path)).toBe('本页 50 条，还有更早的')
    const next = /href="\/console(\/in\?[^"]*before=[^"]*)" rel="next"/
      .exec(await get(path))?.[1]
      ?.replaceAll('&amp;', '&')
    expect(await counted(next ?? '')).toBe('本页 1 条，没有更早的')
  }, 60_000)

  it('says of signed texts that are gone before their day that they are missing', async () => {
    const { city, transparency } = scene.running.gateway('jiangyin')
    const [recorded] = (await ledger().search({ kinds: ['answered'] }, { limit: 1 })).entries
    if (recorded === undefined) throw new Error('nothing was answered')
    const found = await proveEntry(recorded, undefined, city, transparency.log)
    expect(found.filter(({ ok }) => ok === false).map(({ zh }) => zh)).toEqual(['签名原文：应保存的原文缺失'])
  })
})
