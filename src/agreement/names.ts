/** Names of persons are found by what stands before or behind them, and by their surname; to hide too much does no harm. */
import { asterisks } from '#protocol/subject.ts'
import { simplified, spellingsOf } from './simple.ts'

const SURNAMES =
  '王李张刘陈杨黄赵周吴徐孙朱马胡郭林何高梁郑罗宋谢唐韩曹许邓萧冯曾程蔡彭潘袁于董余苏叶吕魏蒋田杜丁沈姜范江傅钟卢汪戴崔任陆廖姚方金邱夏谭韦贾邹石熊孟秦阎薛侯雷白龙段郝孔邵史毛常万顾赖武康贺严尹钱施牛洪龚汤陶黎温莫易樊乔文安殷颜庄章鲁倪庞邢俞翟蓝聂齐向申葛柴伍覃骆关焦柳欧祝纪尚毕耿芦左季管符辛苗詹曲靳祁路涂兰甘裴梅童翁霍游阮尤岳柯牟滕谷舒卜成饶宁凌盛查单冉鲍华包屈房喻解蒲卫简时连车项闵邬吉党阳司费蒙席晏隋古强穆姬宫景米麦谈柏瞿艾沙鄢桂窦郁缪畅巩卓褚栾戚全娄甄郎池丛边岑农苟迟保商臧佘卞虞刁冷应匡栗仇练楚揭师官佟封燕桑巫敖原植邝仲荆储宗楼干苑寇盖南屠鞠荣井乐银奚明麻雍花闻冼木郜廉衣蔺和冀占门帅利满'
export const DOTS = '·•‧・'
/** Of one or two characters behind a surname, or with a dot between at most seven parts, as in 阿迪力·买买提. */
const NAME = `(?:(?:[${SURNAMES}]|欧阳|司马|上官|诸葛|司徒|东方|皇甫|尉迟|公孙|令狐|夏侯)\\p{sc=Han}{1,2}|\\p{sc=Han}{1,8}(?:[${DOTS}]\\p{sc=Han}{1,8}){1,6})`

/** What a person is to a firm or in its case. */
const ROLES = [
  ...['法定代表人', '法人代表', '法人', '负责人', '责任人', '直接责任人员', '经营者', '业主', '店主', '老板', '户主'],
  ...['经办人', '联系人', '办案人员', '执法人员', '工作人员', '从业人员', '实际控制人', '持有人', '代理人', '委托人'],
  ...['投资人', '出资人', '合伙人', '股东', '董事', '监事', '董事长', '理事长', '经理', '厂长', '店长', '员工', '职工'],
  ...['当事人', '申请人', '处罚人', '行为人', '受害人', '举报人', '投诉人', '死者', '伤者', '患者', '消费者', '公民'],
  ...['驾驶员', '司机', '承包人', '承租人', '雇主', '签收人', '见证人', '询问人', '家属', '会计', '出纳'],
]
const ROLE = `(?:${ROLES.toSorted((a, b) => b.length - a.length).join('|')})`
/** Words that begin like a name and stand behind a role. */
const NO_NAME =
  '(?!应[当该]|任[何意职期]|方[可面式]|高度|[全整][部体]|连[续同]|安[全排置]|单[位独]|关[于系联]|成[立为员]|计划|程序|时[间候任]|申[请辩报诉领述]|项目|[严平]|房[屋产]|车辆|金额|文[件书化]|管[理辖]|明[确知显]|和解|查[处封明]|解[除释决]|符合|万元|向[我本该其原县市区行法执]|于[本上次今当同该其是年]|和[员股法负经其该他董监])'
/** What can follow a name where nothing else marks it off: also the next role, as in 死者王五家属赵六. */
const BEHIND = `(?=[^\\p{sc=Han}]|$|${ROLE}|[在于因的将以未等签及和与先女违擅持驾系是涉无销生经使提伪拒已对向被不为有到出称表名认转从进通利自作没分受担])`

/** What may stand between a role and a name. */
const MARKS = ':：﹕∶（(、,，“「『【《〈"\\-—/;；='

/** A name marked off by a colon behind a role; by its surname and what follows; by the role in brackets behind it. */
const FORMS: readonly RegExp[] = [
  new RegExp(`(${ROLE}(?:姓名)?\\s*[:：]\\s*)(\\p{sc=Han}[\\p{sc=Han}·]{1,3})(?!\\p{sc=Han})`, 'gu'),
  // Blanks stand in one way before the mark and in one way behind it: a long run of them is read once.
  new RegExp(
    `(${ROLE}(?:姓名)?[为是系]?\\s*(?:[${MARKS}]\\s*)?)${NO_NAME}(${NAME}(?:[、,，]\\s*${NAME})*)${BEHIND}`,
    'gu',
  ),
  new RegExp(`((?<!\\p{sc=Han}))(${NAME})(?=\\s*[（(](?:[^（()）]{0,8})${ROLE})`, 'gu'),
]

/** The last two characters of each role and of 个体, in either writing: the cheapest sign of a name, by the second of them. */
const SIGNS = new Map<number, Set<number>>()
for (const word of [...ROLES, '个体']) {
  for (const last of spellingsOf(word.at(-1) ?? '')) {
    const before = SIGNS.get(last.charCodeAt(0)) ?? new Set()
    SIGNS.set(last.charCodeAt(0), before)
    for (const first of spellingsOf(word.at(-2) ?? '')) before.add(first.charCodeAt(0))
  }
}

/** Whether a sign of a name may end with this character, whatever stands before it. */
export function maySign(character: string): boolean {
  return SIGNS.has(character.charCodeAt(0))
}

/** Whether a sign of a name ends at a place in a text: the word of a role, or 个体. */
export function isSign(text: string, at: number): boolean {
  return SIGNS.get(text.charCodeAt(at))?.has(text.charCodeAt(at - 1)) === true
}

/** The text with the names behind a role, or before one in brackets, as asterisks, one for one. */
export function hideNames(text: string): string {
  let hidden = text
  // The asterisks of one form stay, so that no other sees a name in what is left of it.
  for (const form of FORMS) {
    let done = 0
    let before = ''
    for (const { 1: head = '', 2: name = '', index } of simplified(hidden).matchAll(form)) {
      const at = index + head.length
      before += hidden.slice(done, at) + name.replace(/[^、,，\s]/gu, '*')
      done = at + name.length
    }
    if (done > 0) hidden = before + hidden.slice(done)
  }
  return hidden
}

/** A firm is never called by a surname and one or two characters more: such a holder is a person. */
const BARE = new RegExp(
  `^((?:个体工商户|个体户)?[（(]?)([${SURNAMES}]\\s{1,2}\\p{sc=Han}{1,2}|${NAME})([）)]?(?:[（(]?个体(?:工商户|户|经营)?[）)]?)?)$`,
  'u',
)
/** A longer holder is none, unless it holds a sign of a name. */
export const LONGEST_BARE = 8
/** 何家店, 马记厂: that of a shop. */
const SHOP = /[店部厂行馆铺坊社站屋吧摊所]$/u

/** The name under which a party is kept, as asterisks where it is a person's own (张三, 个体工商户张三, 张三（个体工商户）). */
export function hideBareName(text: string): string {
  const [, before = '', name, rest = ''] = BARE.exec(simplified(text)) ?? []
  return name === undefined || SHOP.test(name) ? text : before + asterisks(name) + rest
}
