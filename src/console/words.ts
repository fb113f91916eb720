/** Every word of the console stands in Chinese and English: one that lacks either does not compile. */
import type { Said } from '#protocol/said.ts'

export type Language = 'zh' | 'en'

type Speech = Readonly<Record<string, Said | ((...values: never[]) => Said)>>
type Spoken<S extends Speech> = {
  readonly [W in keyof S]: S[W] extends (...values: infer V) => Said ? (...values: V) => string : string
}

/**
 * Takes the words of a page, each as `{ zh, en }` or as a function that gives such a pair, and gives them by language:
 * `const t = words[language]`, then `t.title` is a text and `t.entries(3)` too. A page keeps its words in a table of its own,
 * so that both languages are read side by side where they are used.
 */
export function spoken<const S extends Speech>(speech: S): Readonly<Record<Language, Spoken<S>>> {
  const by = (language: Language) =>
    Object.fromEntries(
      Object.entries(speech).map(([word, said]) => [
        word,
        typeof said === 'function' ? (...values: never[]) => said(...values)[language] : said[language],
      ]),
    ) as Spoken<S>
  return { zh: by('zh'), en: by('en') }
}

/** The words that several pages share. */
export const words = spoken({
  // The frame
  product: { zh: '信桥', en: 'Xinqiao' },
  console: { zh: '信用网关工作台', en: 'Credit gateway console' },
  skip: { zh: '跳到正文', en: 'Skip to content' },
  navigation: { zh: '主导航', en: 'Main' },
  otherLanguage: { zh: 'English', en: '中文' },
  signOut: { zh: '退出', en: 'Sign out' },
  // Pages
  today: { zh: '今日', en: 'Today' },
  inbound: { zh: '收到的查询', en: 'Received questions' },
  outbound: { zh: '发出的查询', en: 'Sent questions' },
  ask: { zh: '查询', en: 'Ask' },
  enterprise: { zh: '一户企业', en: 'One enterprise' },
  agreements: { zh: '协议', en: 'Agreements' },
  mappings: { zh: '映射', en: 'Mappings' },
  members: { zh: '成员', en: 'Members' },
  unusual: { zh: '异常', en: 'Unusual use' },
  records: { zh: '人员操作记录', en: 'Staff records' },
  // Roles
  viewer: { zh: '查阅员', en: 'Viewer' },
  auditor: { zh: '审计员', en: 'Auditor' },
  operator: { zh: '操作员', en: 'Operator' },
  // An exchange
  time: { zh: '时间', en: 'Time' },
  peer: { zh: '城市', en: 'City' },
  purpose: { zh: '目的', en: 'Purpose' },
  matter: { zh: '事由', en: 'Matter' },
  subject: { zh: '主体代码', en: 'Subject' },
  department: { zh: '部门', en: 'Department' },
  outcome: { zh: '结果', en: 'Outcome' },
  reason: { zh: '原因', en: 'Why' },
  agreement: { zh: '协议', en: 'Agreement' },
  answered: { zh: '已答复', en: 'Answered' },
  refused: { zh: '未受理', en: 'Refused' },
  unknown: { zh: '未知', en: 'Unknown' },
  open: { zh: '未完成', en: 'Unfinished' },
  // Doing
  show: { zh: '查看', en: 'Show' },
  clear: { zh: '清除', en: 'Clear' },
  all: { zh: '全部', en: 'All' },
  asTable: { zh: '表格', en: 'As a table' },
  total: { zh: '合计', en: 'Total' },
  none: { zh: '无', en: 'None' },
  yes: { zh: '是', en: 'Yes' },
  no: { zh: '否', en: 'No' },
  good: { zh: '正常', en: 'In order' },
  soon: { zh: '将到期', en: 'Ends soon' },
  bad: { zh: '有问题', en: 'Not in order' },
})
