/** No text leaves with the number of a person, a telephone or an account in it, nor with the name of who is behind a firm. */
import type { Value } from '#protocol/message.ts'
import { isIdentityNumber, maskPersonalNumbers, type SubjectKind } from '#protocol/subject.ts'

const DIGIT = '[0-9０-９\\u{1d7ce}-\\u{1d7ff}]'
const BETWEEN = '[ \\t\\u00a0\\u3000\\-\\u2010-\\u2015－]{0,2}'
const digits = (least: number, most: number) => `(?:${DIGIT}${BETWEEN}){${least - 1},${most - 1}}${DIGIT}`
const NOT_AFTER_DIGIT = `(?<!${DIGIT})`
const NOT_BEFORE_DIGIT = `(?!${DIGIT})`

/** What is a number of a person or an account by its form, or by the word before it; only digits and letters of group 2 go. */
const numbers: readonly RegExp[] = [
  // Cards of the national scheme (GB/T 15694): 62 and 14 to 17 more, their check digit right or not.
  new RegExp(`()${NOT_AFTER_DIGIT}([6６]${BETWEEN}[2２]${BETWEEN}${digits(14, 17)})${NOT_BEFORE_DIGIT}`, 'gu'),
  new RegExp(`((?:[账帐][号户]|卡号|银行卡|account|a/c)[^0-9０-９]{0,24}?)(${digits(8, 30)})`, 'giu'),
  new RegExp(`((?:电话|手机|联系方式|传真|热线|tel|phone|mobile|fax)[^0-9０-９]{0,12}?)(${digits(7, 13)})`, 'giu'),
  new RegExp(
    `((?:身份证|护照|通行证|居留证|证件)[^0-9０-９A-Za-z]{0,12}?)([A-Za-z]{0,2}${digits(6, 18)}[XxＸｘ]?)`,
    'gu',
  ),
  // A telephone by its area code: 0512-58281234, (0752) 280 1234.
  new RegExp(
    `()${NOT_AFTER_DIGIT}([0０]${DIGIT}{2,3}[)）\\-\\u2010-\\u2015－ \\u3000]{1,2}${DIGIT}${digits(6, 7)})${NOT_BEFORE_DIGIT}`,
    'gu',
  ),
]

const SURNAMES =
  '王李张刘陈杨黄赵周吴徐孙朱马胡郭林何高梁郑罗宋谢唐韩曹许邓萧冯曾程蔡彭潘袁于董余苏叶吕魏蒋田杜丁沈姜范江傅钟卢汪戴崔任陆廖姚方金邱夏谭韦贾邹石熊孟秦阎薛侯雷白龙段郝孔邵史毛常万顾赖武康贺严尹钱施牛洪龚汤陶黎温莫易樊乔文安殷颜庄章鲁倪庞邢俞翟蓝聂齐向申葛柴伍覃骆关焦柳欧祝纪尚毕耿芦左季管符辛苗詹曲靳祁路涂兰甘裴梅童翁霍游阮尤岳柯牟滕谷舒卜成饶宁凌盛查单冉鲍华包屈房喻解蒲卫简时连车项闵邬吉党阳司费蒙席晏隋古强穆姬宫景米麦谈柏瞿艾沙鄢桂窦郁缪畅巩卓褚栾戚全娄甄郎池丛边岑农苟迟保商臧佘卞虞刁冷应匡栗仇练楚揭师官佟封燕桑巫敖原植邝仲荆储宗楼干苑寇盖南屠鞠荣井乐银奚明麻雍花闻冼木郜廉衣蔺和冀占门帅利满'
const NAME = `(?:[${SURNAMES}]|欧阳|司马|上官|诸葛|司徒|东方|皇甫|尉迟|公孙|令狐|夏侯)\\p{sc=Han}{1,2}`
const ROLE =
  '(?:法定代表人|法人代表|主要负责人|负责人|经营者|经办人|联系人|办案人员|执法人员|业主|实际控制人|投资人|身份证持有人)'
/** A name behind a role: marked off by a colon, or by its surname and by what follows it. */
const names: readonly RegExp[] = [
  new RegExp(`(${ROLE}(?:姓名)?\\s*[:：]\\s*)(\\p{sc=Han}[\\p{sc=Han}·]{1,3})(?!\\p{sc=Han})`, 'gu'),
  new RegExp(
    `(${ROLE}(?:姓名)?[为是系]?\\s*[:：（(]?\\s*)(${NAME})(?=[^\\p{sc=Han}]|$|在|于|因|的|将|以|未|等|签|及|和|与|先生|女士)`,
    'gu',
  ),
]
/** The name under which an individual business is kept may be the operator's own (张三, 个体工商户张三, 张三（个体工商户）). */
const BARE_NAME = new RegExp(
  `^((?:个体工商户|个体户)?[（(]?)(${NAME})([）)]?(?:[（(]?个体(?:工商户|户|经营)?[）)]?)?)$`,
  'u',
)
const TRADE = /[店部厂行馆铺坊社场站屋吧堂室楼摊庄号院所园厅城记家]$/u

const DIGITS = 1
const A_ROLE = 2
/** The characters before 人, 者, 主 and 员 in the roles above. */
const beforePerson = new Set([...'责办系表制资有'].map(each => each.charCodeAt(0)))
const gaps = new Set([...' \t\u00a0\u3000-‐‑‒–—―－()（）'].map(each => each.charCodeAt(0)))

/** Whether a text has six digits close together, and whether it has a role: almost none has, and to look costs little. */
function lookOver(text: string): number {
  let found = 0
  let run = 0
  let gap = 0
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    // Most characters are ideographs, and most of those are none of the four.
    if (code >= 0x4e00 && code <= 0x9fff) {
      run = 0
      if (code === 0x4eba) {
        if (beforePerson.has(text.charCodeAt(i - 1))) found |= A_ROLE
      } else if (code === 0x8005) {
        if (text.charCodeAt(i - 1) === 0x8425) found |= A_ROLE // 营者
      } else if (code === 0x4e3b) {
        if (text.charCodeAt(i - 1) === 0x4e1a) found |= A_ROLE // 业主
      } else if (code === 0x5458 && text.charCodeAt(i - 1) === 0x4eba) found |= A_ROLE // 人员
    } else if ((code >= 0x30 && code <= 0x39) || (code >= 0xff10 && code <= 0xff19) || code === 0xd835) {
      gap = 0
      if (++run === 6) found |= DIGITS
    } else if (run > 0 && !(code >= 0xdfce && code <= 0xdfff) && (++gap > 2 || !gaps.has(code))) run = 0
  }
  return found
}

/**
 * The text with what may not leave replaced by asterisks, one for one, and nothing else changed; the very same text where it
 * holds nothing. To mask too much does no harm. Source: domain rules 2.4 and 5; GB 11643.
 */
export function maskText(text: string): string {
  // A day, of which there are several in every record: too short to be a number of anybody.
  if (text.length === 10 && text.charCodeAt(4) === 0x2d && text.charCodeAt(7) === 0x2d) return text
  const found = lookOver(text)
  if (found === 0) return text
  let masked = text
  if ((found & DIGITS) !== 0) {
    masked = maskPersonalNumbers(masked)
    for (const number of numbers) masked = masked.replace(number, hideNumber)
  }
  if ((found & A_ROLE) !== 0) for (const name of names) masked = masked.replace(name, hideName)
  return masked
}

function hideNumber(_: string, before: string, found: string): string {
  return before + found.replace(/[0-9０-９A-Za-zＸｘ]|[\u{1d7ce}-\u{1d7ff}]/gu, '*')
}

function hideName(_: string, before: string, name: string): string {
  return before + '*'.repeat([...name].length)
}

/** A value as it may leave; the very same value where there is nothing to mask. */
export function maskValue(value: Value): Value {
  if (typeof value === 'string') return maskText(value)
  if ('original' in value) {
    const original = maskText(value.original)
    return original === value.original ? value : { ...value, original }
  }
  if ('untranslated' in value) {
    const untranslated = maskText(value.untranslated)
    return untranslated === value.untranslated ? value : { untranslated }
  }
  return isIdentityNumber(value.amount) ? { untranslated: '*'.repeat(value.amount.length) } : value
}

/** The name of a party as it may leave: that of an individual business may be a person's. */
export function maskHolder(text: string, kind: SubjectKind | undefined): string {
  const masked = maskText(text)
  if (kind !== 'individual-business') return masked
  const [, before = '', name, rest = ''] = BARE_NAME.exec(masked) ?? []
  return name === undefined || TRADE.test(name) ? masked : before + '*'.repeat([...name].length) + rest
}
