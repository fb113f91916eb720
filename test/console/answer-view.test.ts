/** What an answer makes of a record is said in words, on the page and on the command line: that an end is not known, and why an entry is doubted. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { AskAnswer } from '#exchange/ask.ts'
import { refusals } from '#protocol/refusal.ts'
import { describeAnswer } from '../../src/describe.ts'
import { type Staffed, said, staffed } from './staffed.ts'
import { tokenIn } from './visitor.ts'

/** Of the demo: a firm of Huizhou on a severe list, with a rating that states no end. */
const firm = '91441300XXXXXX0278'
const question = { peer: 'huizhou', purpose: 'fiscal-funds', matter: '澄财〔2026〕44号' }
const doubt = refusals['record.escalation-doubt']

describe('an answer', () => {
  let here: Staffed
  beforeAll(async () => {
    here = await staffed({
      cities: ['jiangyin', 'huizhou'],
      tables: {
        huizhou: `UPDATE XY_PJ SET PJDJ = '红牌' WHERE BH = 'PJ20260003';
          UPDATE XY_MD SET LRYY = '虚开发票，且未履行承诺' WHERE BH = 'HZ20260001'`,
      },
    })
  })
  afterAll(() => here[Symbol.asyncDispose]())

  const page = async (lang: string) => {
    const _csrf = tokenIn((await here.by.operator.get('/console/ask')).text)
    const { location } = await here.by.operator.post('/console/ask', {
      ...{ ...question, _csrf, department: 'demo', codes: firm },
    })
    return said((await here.by.operator.get(`${location}&lang=${lang}`)).text)
  }

  it('says on its page in either language that the end of a rating is not known, and why an entry is doubted', async () => {
    const zh = await page('zh')
    expect(zh).toContain('有效期至未知，今日是否仍有效不明')
    expect(zh).toContain(doubt.zh)
    expect(zh).toMatch(/核查结论：.*未知/)
    const en = await page('en')
    expect(en).toContain('Its end is not known: whether it still holds today is not said')
    expect(en).toContain(doubt.en)
  })

  it('says the same on the command line, in both languages at once', async () => {
    const { body } = await here.running.ask('jiangyin', { ...question, subjects: [firm] })
    const text = describeAnswer(AskAnswer.parse(body))
    expect(text).toMatch(/认可 recognised: .*红牌 .*\n +有效期至未知，今日是否仍有效不明 its end is not known/)
    expect(text).toContain(`${doubt.zh} ${doubt.en} (record.escalation-doubt)`)
    expect(text).toContain(`核查结论 check ${firm}: 未知 unknown`)
  })
})
