import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { refusals } from '#protocol/refusal.ts'
import { type Staffed, said, staffed } from './staffed.ts'
import { tokenIn } from './visitor.ts'

/** Of the demo: a firm of Huizhou with a penalty and more. */
const firm = '91441300XXXXXX019D'
const markup = '<img src=x onerror=alert(1)>'

describe('asking in the console', () => {
  let here: Staffed
  beforeAll(async () => {
    here = await staffed({
      cities: ['jiangyin', 'huizhou', 'jimo'],
      tables: { huizhou: `UPDATE SGS_XZCF SET CF_XDR_MC = CF_XDR_MC || '${markup}', CF_SY = '${markup}'` },
    })
  })
  afterAll(() => here[Symbol.asyncDispose]())
  const form = async (over: Readonly<Record<string, string>> = {}) => ({
    _csrf: tokenIn((await here.by.operator.get('/console/ask')).text),
    department: 'demo',
    peer: 'huizhou',
    purpose: 'tendering',
    matter: '澄招〔2026〕44号',
    codes: firm,
    ...over,
  })
  const asked = async (over: Readonly<Record<string, string>> = {}) =>
    here.by.operator.post('/console/ask', await form(over))

  it('is for operators: nobody else sees the form, or asks by a request', async () => {
    for (const role of ['viewer', 'auditor'] as const) {
      expect((await here.by[role].get('/console/ask')).status).toBe(403)
      const _csrf = tokenIn((await here.by[role].get('/console')).text)
      expect((await here.by[role].post('/console/ask', { ...(await form()), _csrf })).status).toBe(403)
    }
    expect(await here.entries('asked')).toEqual([])
  })

  it('offers the departments of the mandate with their purposes, and the cities with an agreement', async () => {
    const { status, text } = await here.by.operator.get(`/console/ask?codes=${firm}`)
    expect(status).toBe(200)
    expect(text).toMatch(/<option value="demo" selected>演示部门<\/option>/)
    expect(text).toContain('<option value="tendering">招标投标</option>')
    expect(text).toContain('<option value="huizhou">')
    expect(text).toContain(`>${firm}</textarea>`)
  })

  it('answers in our words with the original beside, relation and clause, and asks nobody again when it is loaded again', async () => {
    const { status, location } = await asked()
    expect([status, location]).toEqual([303, expect.stringMatching(/^\/console\/ask\/answer\?id=/)])
    const before = (await here.entries('asked')).length
    for (let i = 0; i < 2; i++) {
      const { status: shown, text } = await here.by.operator.get(location)
      const page = said(text)
      expect(shown).toBe(200)
      expect(page).toMatch(/惠州市? 已答复/)
      expect(page).toContain(firm)
      expect(page).toContain('本市用语')
      expect(page).toMatch(/惠州市?原文/)
      expect(page).toMatch(/按规则不提供的内容/)
      expect(page).toContain('澄招〔2026〕44号')
    }
    expect((await here.entries('asked')).length).toBe(before)
  })

  it('shows what a peer wrote for what it is, a text', async () => {
    const { text } = await here.by.operator.get((await asked()).location)
    expect(said(text)).toContain(markup)
    expect(text).not.toContain('<img')
  })

  it('speaks English where that is chosen', async () => {
    const { location } = await asked()
    const { text } = await here.by.operator.get(`${location}&lang=en`)
    expect(said(text)).toMatch(/In our words .*, original/)
    await here.by.operator.get('/console?lang=zh')
  })

  it('records who asked before the question, and each look at the answer', async () => {
    const { location } = await asked({ matter: '澄招〔2026〕45号' })
    const [question] = (await here.entries('asked')).slice(-1)
    const [who] = (await here.entries('staff')).slice(-1)
    expect(question).toMatchObject({
      department: 'demo',
      purpose: 'tendering',
      matter: '澄招〔2026〕45号',
      subjects: [firm],
    })
    const filter = 'department=demo&peer=huizhou&purpose=tendering'
    expect(who).toMatchObject({ staff: 'operator', action: 'asked', page: 'ask', subjects: [firm], filter })
    expect(Date.parse(who?.at ?? '')).toBeLessThanOrEqual(Date.parse(question?.at ?? ''))
    await here.by.operator.get(location)
    const [look] = (await here.entries('staff')).slice(-1)
    expect(look).toMatchObject({ action: 'viewed', page: 'ask', subjects: [firm] })
    expect(look?.entries).toHaveLength(1)
  })

  it('shows an answer to who asked and to nobody else', async () => {
    const { location } = await asked()
    const { signIn, newPerson } = await import('./door.ts')
    const { visitor } = await import('./visitor.ts')
    const { accounts } = await import('../../src/console/accounts.ts')
    const { openStaffStore } = await import('../../src/console/staff-store.ts')
    using store = openStaffStore(here.running.federation.city('jiangyin').settings.data)
    const other = visitor(here.running.gateway('jiangyin').insideUrl)
    await signIn(other, await newPerson(accounts(store), 'somebody', 'operator'), Date.now())
    const { status, text } = await other.get(location)
    expect(status).toBe(404)
    expect(text).not.toContain(firm)
    expect((await here.by.operator.get('/console/ask/answer?id=made-up')).status).toBe(404)
  })

  it('judges codes one by one, asks nothing where one is wrong, and shows no person’s number again', async () => {
    const before = (await here.entries('asked')).length
    const person = '110101199003077758'
    const { status, text } = await asked({ codes: `${firm}\n91441300XXXXXX019X、${person}\n<b>x</b>` })
    const page = said(text)
    expect(status).toBe(400)
    expect(page).toContain('3 个代码有误，未发出任何查询')
    expect(page).toContain('91441300XXXXXX019X')
    expect(page).toMatch(/（已隐去） .*自然人/)
    expect(text).not.toContain(person)
    expect(text).not.toContain('<b>x</b>')
    expect((await here.entries('asked')).length).toBe(before)
  })

  it('keeps what was typed, as text, when it is refused, and says why', async () => {
    const { status, text } = await asked({ matter: '"><script>x</script>', purpose: '' })
    expect(status).toBe(400)
    expect(text).toContain('value="&quot;&gt;&lt;script&gt;x&lt;/script&gt;"')
    expect((await asked({ codes: '' })).status).toBe(400)
    expect((await asked({ matter: ' ' })).status).toBe(400)
  })

  it('refuses what the department may not ask, as it would the department itself, and records it', async () => {
    const { status, text } = await asked({ purpose: 'nonsense' })
    expect(status).toBe(403)
    const { zh, en } = refusals['department.purpose'].hint
    expect(said(text)).toContain(`${zh}（department.purpose）`)
    expect(said(text)).not.toContain(en)
    expect((await here.entries('declined')).at(-1)).toMatchObject({ department: 'demo', code: 'department.purpose' })
  })

  it('asks in nobody else’s name, and tells who has no department what to do', async () => {
    expect((await asked({ department: 'other' })).status).toBe(403)
    try {
      here.mandate('{"somebody-else":["demo"]}')
      const { text } = await here.by.operator.get('/console/ask')
      expect(said(text)).toMatch(/尚未指定您代表哪个部门查询 .*mandates\.json/)
      expect(text).not.toContain('<textarea')
      expect((await asked()).status).toBe(403)
      here.mandate('{"operator":"demo"}')
      expect(said((await here.by.operator.get('/console/ask')).text)).toContain('mandates.json 有误')
      here.mandate('{"operator":["demo","unknown"],"__proto__":["demo"]}')
      expect(said((await here.by.operator.get('/console/ask')).text)).toContain('mandates.json 有误')
    } finally {
      here.mandate('{"operator":["demo"]}')
    }
  })

  it('asks all cities at once, and never shows one that is silent as one that has nothing', async () => {
    await here.running.stop('huizhou')
    try {
      const { location } = await asked({ peer: '*' })
      const page = said((await here.by.operator.get(location)).text)
      expect(page).toMatch(/惠州市? 未知/)
      expect(page).toContain('情况未知，不表示没有记录')
      expect(page).toMatch(/即墨区? 已答复|即墨区? 未受理/)
    } finally {
      await here.running.start('huizhou')
    }
  })
})
