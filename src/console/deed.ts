/** What one of our staff did, in words: the action, and on which page. */
import type { Entry } from '#ledger/entry.ts'
import { type Language, spoken } from './words.ts'

type Deed = Pick<Extract<Entry, { kind: 'staff' }>, 'action' | 'page'>

/** `查看：一户企业`. A page that has no word here is named as it stands in the ledger. */
export function deedOf({ action, page }: Deed, language: Language): string {
  const t = words[language]
  if (action === 'asked' && page === 'ask') return t.askedCities
  if (action === 'asked' && page === 'report') return t.askedReport
  const place = `p-${page}`
  const where = isPlace(place) ? t[place] : page
  return where === '' ? t[action] : t.at(t[action], where)
}

const places = {
  'p-sign-in': { zh: '', en: '' },
  'p-sign-out': { zh: '', en: '' },
  'p-today': { zh: '今日', en: 'Today' },
  'p-inbound': { zh: '收到的查询', en: 'Received questions' },
  'p-outbound': { zh: '发出的查询', en: 'Sent questions' },
  'p-in': { zh: '收到的查询', en: 'Received questions' },
  'p-out': { zh: '发出的查询', en: 'Sent questions' },
  'p-entry': { zh: '一条记录', en: 'An entry' },
  'p-originals': { zh: '签名原文', en: 'Signed originals' },
  'p-evidence': { zh: '证据文件', en: 'Evidence file' },
  'p-enterprise': { zh: '一户企业', en: 'One enterprise' },
  'p-enterprise-sheet': { zh: '查询记录单', en: 'The sheet for the enterprise' },
  'p-records': { zh: '人员操作记录', en: 'Staff records' },
  'p-contradiction': { zh: '日志自相矛盾', en: 'A contradiction of a log' },
  'p-ask': { zh: '查询结果', en: 'An answer' },
  'p-answer': { zh: '查询结果', en: 'An answer' },
  'p-report': { zh: '信用报告', en: 'Report' },
  'p-agreements': { zh: '协议', en: 'Agreements' },
  'p-mappings': { zh: '映射', en: 'Mappings' },
  'p-members': { zh: '成员', en: 'Members' },
  'p-unusual': { zh: '异常', en: 'Unusual use' },
} as const

function isPlace(name: string): name is keyof typeof places {
  return Object.hasOwn(places, name)
}

const words = spoken({
  ...places,
  at: (did: string, where: string) => ({ zh: `${did}：${where}`, en: `${did}: ${where}` }),
  'signed-in': { zh: '登录', en: 'Signed in' },
  'sign-in-refused': { zh: '登录未成功', en: 'Was not let in' },
  refused: { zh: '无权查看', en: 'Was refused a page' },
  'signed-out': { zh: '退出', en: 'Signed out' },
  viewed: { zh: '查看', en: 'Viewed' },
  asked: { zh: '查询', en: 'Asked' },
  askedCities: { zh: '代部门查询', en: 'Asked for a department' },
  askedReport: { zh: '代部门出具信用报告', en: 'Asked for a credit report' },
  exported: { zh: '导出', en: 'Exported' },
  verified: { zh: '核验', en: 'Verified' },
  held: { zh: '办理法定保全', en: 'Changed a hold' },
  acknowledged: { zh: '确认', en: 'Acknowledged' },
})
