/** No text leaves with the number of a person, a telephone or an account in it, nor with the name of who is behind a firm. */
import type { Value } from '#protocol/message.ts'
import { maskPersonalNumbers, type SubjectKind } from '#protocol/subject.ts'

const DIGIT = '[0-9０-９\\u{1d7ce}-\\u{1d7ff}]'
const BETWEEN = '[ \\t\\u00a0\\u3000\\-\\u2010-\\u2015－]{0,2}'
const digits = (least: number, most: number) => `(?:${DIGIT}${BETWEEN}){${least - 1},${most - 1}}${DIGIT}`
const NOT_AFTER_DIGIT = `(?<!${DIGIT})`
const NOT_BEFORE_DIGIT = `(?!${DIGIT})`

/** What is a number of a person or an account by its form, or by the word before it; only digits and letters of group 2 go. */
const numbers: readonly RegExp[] = [
  new RegExp(
    `((?:[账帐賬帳][号户號戶]|开户行|開戶行|卡号|银行卡|銀行卡|卡號|account|a/c)[^0-9０-９]{0,24}?)(${digits(8, 30)})`,
    'giu',
  ),
  new RegExp(
    `((?:电话|電話|致电|致電|手机|手機|聯繫方式|聯絡|联系方式|传真|热线|tel|phone|mobile|fax)[^0-9０-９]{0,12}?)(${digits(7, 13)})`,
    'giu',
  ),
  new RegExp(
    `((?:身份证|身份證|护照|護照|通行证|通行證|居留证|居留證|证件|證件)[^0-9０-９A-Za-z]{0,12}?)([A-Za-z]{0,2}${digits(6, 18)}[XxＸｘ]?)`,
    'gu',
  ),
  // Cards of the national scheme (GB/T 15694): 62 and 14 to 17 more, their check digit right or not.
  new RegExp(`()${NOT_AFTER_DIGIT}([6６]${BETWEEN}[2２]${BETWEEN}${digits(14, 17)})${NOT_BEFORE_DIGIT}`, 'gu'),
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

/** Most texts have no character that matters, and that is told by the engine’s own search; of the others, most by these two. */
const SUSPECT = /[0-9０-９〇零一二三四五六七八九壹贰叁肆伍陆柒捌玖貳參陸⓪-⓿①-⑨人者主员\ud835]/
const CLOSE = '[ \\t\\u00a0\\u3000\\-\\u2010-\\u2015－()（）]{0,2}'
const SIX_DIGITS = new RegExp(`(?:${DIGIT}${CLOSE}){5}${DIGIT}`, 'u')
const A_ROLE = /[责办系表制资有]人|营者|业主|人员/

/**
 * The text with what may not leave replaced by asterisks, one for one, and nothing else changed; the very same text where it
 * holds nothing. To mask too much does no harm. Source: domain rules 2.4 and 5; GB 11643.
 */
export function maskText(text: string): string {
  // A day, of which there are several in every record: too short to be a number of anybody.
  if (text.length === 10 && text.charCodeAt(4) === 0x2d && text.charCodeAt(7) === 0x2d) return text
  if (!SUSPECT.test(text)) return maskPersonalNumbers(text)
  let masked = text
  // Each is looked for in the whole text: a part of one may have the form of another, and none may unmake it.
  if (SIX_DIGITS.test(text)) for (const number of numbers) masked = masked.replace(number, hideNumber)
  masked = either(masked, maskPersonalNumbers(text))
  if (A_ROLE.test(text)) for (const name of names) masked = masked.replace(name, hideName)
  return masked
}

/** Two maskings of one text, an asterisk for each character that either hides. */
function either(one: string, other: string): string {
  if (one === other) return one
  const others = [...other]
  return [...one].map((character, i) => (character === '*' ? character : (others[i] ?? character))).join('')
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
  // A column of telephones can be mapped as amounts; no fine of a city has eleven digits and begins like one.
  const amount = maskText(value.amount)
  return amount === value.amount ? value : { untranslated: amount }
}

/** The name of a party as it may leave: that of an individual business may be a person's. */
export function maskHolder(text: string, kind: SubjectKind | undefined): string {
  const masked = maskText(text)
  if (kind !== 'individual-business') return masked
  const [, before = '', name, rest = ''] = BARE_NAME.exec(masked) ?? []
  return name === undefined || TRADE.test(name) ? masked : before + '*'.repeat([...name].length) + rest
}
