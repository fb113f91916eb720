/** What a city cannot tell is never clean: from a row of its own table to the verdict in another city. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { AskAnswer } from '#exchange/ask.ts'
import { day, newFirm, sixCities } from './six.ts'

let six: Awaited<ReturnType<typeof sixCities>>
beforeAll(async () => {
  six = await sixCities()
}, 60_000)
afterAll(() => six?.[Symbol.asyncDispose]())

const unknown = (family: string) => ({
  status: 'unknown',
  unknown: [{ family, reason: { code: 'record.undetermined' } }],
})

describe('of what cannot be told', () => {
  const entry = (entry_tm: string, remove_tm = '9999-09-09') => {
    const firm = newFirm('ningbo')
    six.put('ningbo', 'zdsswfhmd', firm.toLowerCase(), { entry_tm, remove_tm })
    return firm
  }
  const check = async (subject: string) => {
    const request = { peer: 'ningbo', subjects: [subject], purpose: 'fiscal-funds', matter: '示范〔2026〕9号' }
    const { body } = await six.running.ask('jiangyin', request)
    return AskAnswer.parse(body)
  }

  it.each(['2026-03-31', '2021-03-01', '不详', ''])(
    'a tax black list entry of Ningbo listed on “%s” and never taken off makes the lists unknown, and the veto check with them',
    async listed => {
      const { peers, verdicts } = await check(entry(listed))
      expect(peers[0]?.results[0]).toMatchObject({ records: [], ...unknown('list') })
      expect(verdicts).toMatchObject([{ verdict: 'unknown', why: [{ code: 'record.undetermined' }] }])
    },
  )

  it('one that was taken off says nothing more, and one that is public is given', async () => {
    const [over] = (await check(entry('2021-03-01', '2024-03-01'))).peers
    expect(over?.results[0]).toMatchObject({ records: [], status: 'answered' })
    const [open] = (await check(entry(day(-100)))).peers
    expect(open?.results[0]).toMatchObject({ records: [{ shared: { family: 'list' } }], status: 'answered' })
  })

  it('a rating of Huizhou by a scheme that no vocabulary lists makes the ratings unknown', async () => {
    const firm = newFirm('huizhou')
    six.put('huizhou', 'XY_PJ', firm, { PJTX: '某行业信用等级', PJDJ: 'A' }, { BH: 'PJ20260001' })
    expect(await six.ask('jiangyin', 'huizhou', firm)).toMatchObject({ records: [], ...unknown('rating') })
  })

  it.each(['9', '', null])('a penalty of Jiangyin with the share level %j makes the penalties unknown', async SYFW => {
    const firm = newFirm('jiangyin')
    six.put('jiangyin', 'YW_L_XZCF', firm, { SYFW })
    expect(await six.ask('huizhou', 'jiangyin', firm)).toMatchObject({ records: [], ...unknown('penalty') })
  })

  it('a list entry of Jimo that nobody classified makes the lists unknown, and a secret says nothing', async () => {
    const classified = async (XXFL: string) => {
      const firm = newFirm('jimo')
      six.put('jimo', 'LHJC_MD', firm, { XXFL, RDRQ: day(-20).replaceAll('-', '/') }, { MDBH: 'JM000010' })
      return six.ask('jiangyin', 'jimo', firm)
    }
    expect(await classified('社会公开')).toMatchObject({
      records: [{ shared: { family: 'list' } }],
      status: 'answered',
    })
    for (const word of ['内部', '']) expect(await classified(word)).toMatchObject({ records: [], ...unknown('list') })
    for (const secret of ['国家秘密', '商业秘密', '个人隐私']) {
      expect(await classified(secret)).toMatchObject({ records: [], status: 'answered' })
    }
  })

  it('a penalty of Jimo decided under no rule that its city ends never makes the penalties unknown', async () => {
    const firm = newFirm('jimo')
    six.put('jimo', 'SGS_XZCF-2018', firm, { CF_JDRQ: '2017/09/01', CF_GSJZQ: '2099/12/31' })
    expect(await six.ask('jiangyin', 'jimo', firm)).toMatchObject({ records: [], ...unknown('penalty') })
  })
})

describe('the name of who runs an individual business', () => {
  it('does not leave Huizhou, whatever the surname, and the name of the business does', async () => {
    const [person, shop] = [newFirm('huizhou', '92'), newFirm('huizhou', '92')]
    six.put('huizhou', 'SGS_XZXK', person, { XK_XDR_MC: '虚构人' })
    six.put('huizhou', 'SGS_XZXK', shop, { XK_XDR_MC: '示例三号餐饮店' })
    const holders = async (firm: string) =>
      (await six.ask('jiangyin', 'huizhou', firm, { purpose: 'tendering' })).records.map(({ shared }) => [
        shared.fields['holder'],
        shared.masked,
      ])
    expect(await holders(person)).toEqual([['***', ['holder']]])
    expect(await holders(shop)).toEqual([['示例三号餐饮店', undefined]])
  })
})
