import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ReportFile } from '#exchange/report.ts'
import { type Staffed, said, staffed } from './staffed.ts'
import { tokenIn } from './visitor.ts'

const firm = '91441300XXXXXX019D'
const markup = '<svg onload=alert(1)>'

describe('a credit report in the console', () => {
  let here: Staffed
  let made = ''
  const form = async (over: Readonly<Record<string, string>> = {}) => ({
    _csrf: tokenIn((await here.by.operator.get('/console/report')).text),
    department: 'demo',
    peer: '*',
    purpose: 'tendering',
    matter: '澄招〔2026〕44号',
    codes: firm,
    from: '2020-01-01',
    to: '2026-01-01',
    ...over,
  })
  beforeAll(async () => {
    here = await staffed({ tables: { huizhou: `UPDATE SGS_XZCF SET CF_SY = '${markup}'` } })
    const { status, location } = await here.by.operator.post('/console/report', await form())
    expect(status).toBe(303)
    made = location
  })
  afterAll(() => here[Symbol.asyncDispose]())
  const at = (what: 'print' | 'file') => made.replace('/made?', `/${what}?`)

  it('is for operators alone', async () => {
    for (const role of ['viewer', 'auditor'] as const) {
      for (const path of ['/console/report', made, at('print'), at('file')]) {
        expect((await here.by[role].get(path)).status).toBe(403)
      }
    }
  })

  it('is recorded before it is asked for, as asked by whom, and as reported', async () => {
    const [reported] = (await here.entries('reported')).slice(-1)
    expect(reported).toMatchObject({ department: 'demo', purpose: 'tendering', subjects: [firm] })
    const asked = (await here.entries('staff')).filter(({ action, page }) => action === 'asked' && page === 'report')
    expect(asked).toMatchObject([{ staff: 'operator', subjects: [firm] }])
  })

  it('shows what was made, with its verification code and the cities asked, and asks nobody again', async () => {
    const before = (await here.entries('asked')).length
    const { status, text } = await here.by.operator.get(made)
    expect(status).toBe(200)
    expect(said(text)).toMatch(/核验码 [0-9A-Z]{4}(-[0-9A-Z]{4}){3}/)
    expect(said(text)).toMatch(/惠州市? 已答复/)
    expect((await here.entries('asked')).length).toBe(before)
  })

  it('prints as the report’s own page, which runs nothing and loads nothing', async () => {
    const { status, text, headers } = await here.by.operator.get(at('print'))
    expect(status).toBe(200)
    expect(headers['content-security-policy']).toBe(
      "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    )
    expect(text).toContain('公共信用信息跨市查询报告')
    expect(text).not.toContain(markup)
    const [look] = (await here.entries('staff')).slice(-1)
    expect(look).toMatchObject({ action: 'viewed', page: 'report', subjects: [firm] })
  })

  it('gives the signed file as a download, and records that', async () => {
    const { text, headers } = await here.by.operator.get(at('file'))
    const file = ReportFile.parse(JSON.parse(text))
    expect(headers['content-disposition']).toBe(`attachment; filename="report-${file.code}.json"`)
    expect((await here.entries('staff')).at(-1)).toMatchObject({ action: 'exported', page: 'report', subjects: [firm] })
  })

  it.each([
    ['two codes', { codes: `${firm} 91320281250344877K` }, 400, '一份报告只载一个主体'],
    ['a wrong code', { codes: '91441300XXXXXX019X' }, 400, '1 个代码有误'],
    ['a period that ends before it begins', { from: '2026-01-01', to: '2025-01-01' }, 400, '请填全目的、事由和期间'],
    ['a period that has not ended', { to: '2099-01-01' }, 400, 'request.form'],
    ['no matter', { matter: ' ' }, 400, '请填全目的、事由和期间'],
    ['another department', { department: 'other' }, 403, '不能以该部门名义出具'],
  ])('is not made of %s', async (_, over, status, why) => {
    const before = (await here.entries('reported')).length
    const answer = await here.by.operator.post('/console/report', await form(over))
    expect(answer.status).toBe(status)
    expect(said(answer.text)).toContain(why)
    expect((await here.entries('reported')).length).toBe(before)
  })

  it('is gone for who has no such report', async () => {
    for (const path of ['made', 'print', 'file']) {
      expect((await here.by.operator.get(`/console/report/${path}?id=x`)).status).toBe(404)
    }
  })
})
