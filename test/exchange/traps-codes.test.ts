/**
 * Every trap of codes, from a row in one city's own table to what another city reads. Neutral facts alone, licences, stand
 * beside the real and published codes.
 *
 * | trap (published codes and their edges)              | test |
 * | real codes with their names                         | “every published code is found …” |
 * | firms of Jimo with the code of a district that is no more | “a firm keeps the code of a district that is no more” |
 * | codes of authorities                                | “an authority’s code goes with its decision, and is no subject” |
 * | check digit 0 (the sum divides by 31)               | “the check digit 0 …” |
 * | X within the organisation code                      | “an X within the organisation code …” |
 * | an individual business                              | “an individual business …” |
 * | codes from the wild that are none                   | “a code that is none …” |
 * | a code written otherwise, lower case in Ningbo      | “a code that a clerk wrote otherwise …” |
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { AskAnswer } from '#exchange/ask.ts'
import { mappingOf } from '../schema/cities.ts'
import { newFirm, sixCities } from './six.ts'

const published: Readonly<Record<string, string>> = {
  '91330100799655058B': '阿里巴巴(中国)有限公司',
  '91330100716105852F': '阿里巴巴(中国)网络技术有限公司',
  '9144030071526726XG': '腾讯科技(深圳)有限公司',
  '91440300708461136T': '深圳市腾讯计算机系统有限公司',
  '914403001922038216': '华为技术有限公司',
  '914419000585344943': '华为终端有限公司(东莞)',
  '91440300192317458F': '比亚迪',
  '91440300192181490G': '万科企业股份有限公司',
  '9144030010001686XA': '招商银行',
  '91440300100012316L': '中国平安',
  '9144030027939873X7': '中兴通讯',
  '91440300192241158P': '深圳能源',
  '91110000802100433B': '百度网讯',
  '91110108551385082Q': '小米科技',
  '91310000132260250X': '上汽集团',
  '91330000733796106P': '吉利控股',
  '91370200264574251E': '青岛啤酒',
  '91370200163562681G': '海尔集团',
  '91320281250344877K': '江苏阳光集团有限公司',
  '91441300195971850Y': 'TCL科技集团',
  '91441300MA51NX9XX6': '惠州市益永畅五金制品有限公司',
  '914419006177625157': '照彰实业(东莞)',
  '91370282794010795T': '青岛瑞信',
  '913702822647245478': '青岛精工电子衡器有限公司',
  '91370282MAC1TEXD2E': '青岛海尔绿色能源科技',
}

let six: Awaited<ReturnType<typeof sixCities>>
beforeAll(async () => {
  six = await sixCities()
}, 60_000)
afterAll(() => six?.[Symbol.asyncDispose]())

const number = (text: string) => ({ XK_WSH: text, XK_XKBH: null })

/** How Jiangyin's own gateway refuses a department that asks Huizhou about it. */
async function refused(subject: string) {
  const question = { peer: 'huizhou', subjects: [subject], purpose: 'tendering', matter: '示范〔2026〕11号' }
  const { status, body } = await six.running.ask('jiangyin', question)
  return [status, body.code]
}

describe('codes, end to end', () => {
  it('every published code is found in Huizhou by Jiangyin, with the name that stands there', async () => {
    for (const [code, XK_XDR_MC] of Object.entries(published))
      six.put('huizhou', 'SGS_XZXK', code, { XK_XDR_MC, ...number('惠演示许〔2026〕900号') })
    const { body } = await six.running.ask('jiangyin', {
      peer: 'huizhou',
      subjects: Object.keys(published),
      purpose: 'tendering',
      matter: '示范〔2026〕10号',
      want: [{ family: 'licence' }],
    })
    for (const { subject = '', status, records } of AskAnswer.parse(body).peers[0]?.results ?? []) {
      const [ours] = records.filter(({ shared }) => shared.fields['number'] === '惠演示许〔2026〕900号')
      expect([status, ours?.local?.columns['XZXDRMC']], subject).toEqual(['answered', published[subject]])
    }
    expect(body.peers[0]?.results).toHaveLength(Object.keys(published).length)
  })

  it('a firm keeps the code of a district that is no more: 370282 is found in Jimo, which is 370215', async () => {
    const code = '91370282794010795T'
    six.put('jimo', 'SGS_XZXK-2018', code, { XK_XDR_MC: '青岛瑞信', ...number('即演示许〔2026〕901号') })
    const { local } = await six.only('jiangyin', 'jimo', code, 'licence')
    expect(local?.columns).toMatchObject({ XZXDRMC: '青岛瑞信', XKJDSWH: '即演示许〔2026〕901号' })
  })

  it('an authority’s code goes with its decision, and is no subject', async () => {
    const firm = newFirm('huizhou')
    for (const authority of ['11441300007187648G', '11420000MB15291767']) {
      six.put('huizhou', 'SGS_XZXK', firm, { XK_XKJGDM: authority, ...number(`惠演示许〔2026〕${authority}号`) })
      expect(await refused(authority)).toEqual([403, 'subject.kind'])
    }
    const { records } = await six.ask('jiangyin', 'huizhou', firm, { purpose: 'tendering' })
    const codes = records.map(({ shared }) => shared.fields['authorityCode'])
    expect(codes).toEqual(expect.arrayContaining(['11441300007187648G', '11420000MB15291767']))
  })

  it.each(['913302256776772080', '91330201MACPUGWN00'])(
    'the check digit 0, where the sum divides by 31, is right: %s is found in Ningbo, where it stands in lower case',
    async code => {
      six.put('ningbo', 'sgs_xzxk', code.toLowerCase(), number('甬演示许〔2026〕902号'))
      const { local } = await six.only('suqian', 'ningbo', code, 'licence')
      expect(local?.columns).toMatchObject({ XK_WSH: '甬演示许〔2026〕902号' })
    },
  )

  it('an X within the organisation code is found by the whole code, and where the organisation code stands alone', async () => {
    const code = '91330212MA281AH5XE'
    six.put('ningbo', 'sgs_xzxk', code.toLowerCase(), number('甬演示许〔2026〕903号'))
    six.put('suqian', 'T_XZXK', null, { XK_XDR_ZDM: 'MA281AH5-X', XK_WSH: '宿演示许〔2026〕904号' })
    const inNingbo = await six.only('suqian', 'ningbo', code, 'licence')
    const inSuqian = await six.only('ningbo', 'suqian', code, 'licence')
    expect(inNingbo.local?.columns).toMatchObject({ XK_WSH: '甬演示许〔2026〕903号' })
    expect(inSuqian.local?.columns).toMatchObject({ XK_WSH: '宿演示许〔2026〕904号' })
  })

  it('an individual business is found by its code, and the name of who runs it is masked', async () => {
    const code = '92330206MA2EL62660'
    six.put('ningbo', 'sgs_xzxk', code.toLowerCase(), {
      XK_XDR_LB: '个体工商户',
      XK_XDR_MC: '王小明',
      ...number('甬演示许〔2026〕905号'),
    })
    const { local, shared } = await six.only('suqian', 'ningbo', code, 'licence', 'tendering')
    expect(local?.columns['XK_XDR']).toMatch(/^王?\*+$/)
    expect(shared.masked).toContain('holder')
  })

  it.each([
    ['91310115MA1H8R7C6D', 'subject.check'],
    ['914413001959718754', 'subject.check'],
    ['91320281TEST000001', 'subject.malformed'],
    ['91441300MA59XXX890', 'subject.check'],
  ])('a code that is none is refused before it is asked, and is written nowhere: %s, %s', async (code, why) => {
    six.put('huizhou', 'SGS_XZXK', code, number('惠演示许〔2026〕906号'))
    expect(await refused(code)).toEqual([400, why])
    for (const city of ['jiangyin', 'huizhou']) {
      const { data } = six.running.federation.city(city).settings
      for (const end of ['', '-wal']) {
        expect(readFileSync(join(data, `ledger.sqlite${end}`)).includes(code), `${city}${end}`).toBe(false)
      }
    }
  })

  const wide = (text: string) => [...text].map(c => String.fromCharCode(c.charCodeAt(0) + 0xfee0)).join('')
  const askers = {
    jiangyin: 'huizhou',
    jimo: 'jiangyin',
    suqian: 'quzhou',
    quzhou: 'suqian',
    ningbo: 'jiangyin',
    huizhou: 'jiangyin',
  }
  const spellings = {
    'in small letters': (code: string) => code.toLowerCase(),
    'in full width': wide,
    'with a blank behind it': (code: string) => `${code} `,
    'with a no-break space before it': (code: string) => `\u00a0${code}`,
    'with blanks and hyphens within': (code: string) => `${code.slice(0, 4)} ${code.slice(4, 9)}-${code.slice(9)}`,
    'with a text around it': (code: string) => `代码：${code}（1/1）`,
  }
  it.each(Object.entries(askers))(
    'a code that a clerk wrote otherwise in a table of %s is found by %s',
    async (city, asker) => {
      const [table] = [...mappingOf(city).tables.values()].filter(
        ({ family, name }) => family === 'penalty' && !name.includes('2015'),
      )
      const firms = Object.entries(spellings).map(([how, spell]) => ({ how, firm: newFirm(city), spell }))
      for (const { firm, spell } of firms) six.put(city, table?.name ?? '', spell(firm), {})
      // Which spellings stand in its tables, a running gateway remembers for a while.
      await six.running.restart(city)
      for (const { how, firm } of firms) {
        const { records } = await six.ask(asker, city, firm)
        expect(
          records.map(({ shared }) => shared.family),
          how,
        ).toEqual(['penalty'])
      }
    },
  )
})
