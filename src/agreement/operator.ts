/** Of what stands as the name of an individual business only that leaves which reads as the name of a business; all else may be that of who runs it. */
import { asterisks } from '#protocol/subject.ts'
import { simplified } from './simple.ts'

/** What a business is called by and hardly anybody: 店, 经营部, 服装厂. */
const PREMISES =
  /[店部厂馆铺坊站屋吧摊所场档]$|(?:中心|超市|公司|工作室|商行|车行|花行|药行|琴行|米行|渔行|果行|粮行|酒行|布行|拍卖行|美食城|网咖|驿站|民宿|农庄|山庄|饭庄|茶庄|布庄|酒庄|农家乐|合作社|旅行社|出版社|幼儿园|卫生室|诊室|画室|琴房|药房|车队|商户|摊位|专柜|柜台|门市|作坊)$/u
/** What it is called by and people are as well (李景行, 王雨轩): only of a longer name. */
const SHARED = /[行庄园轩阁堂社院居斋苑廊楼城房室棚屋窑塘家]$/u
/** What it trades in; of a longer name, for 建材 and 科技 are given names too. */
const TRADE =
  /(?:商贸|贸易|餐饮|饭店|超市|便利|百货|日用|杂货|副食|食品|粮油|蔬菜|水果|水产|海鲜|生鲜|猪肉|牛肉|羊肉|家禽|小吃|烧烤|烤肉|火锅|面馆|快餐|早餐|早点|熟食|奶茶|咖啡|茶叶|烟酒|服装|服饰|鞋帽|纺织|布艺|家纺|窗帘|家具|家居|家电|电器|电子|电脑|手机|通讯|数码|网络|科技|软件|信息|五金|建材|建筑|装饰|装潢|装修|门窗|玻璃|陶瓷|涂料|钢材|木材|木业|机械|机电|模具|塑料|橡胶|金属|汽车|汽配|轮胎|摩托|电动车|维修|修理|洗车|加工|制造|养殖|种植|苗木|花卉|农资|农机|渔业|运输|货运|物流|快递|搬家|仓储|广告|图文|打印|印刷|包装|摄影|婚庆|礼仪|美容|美发|理发|美甲|养生|足浴|按摩|保健|健身|化妆品|母婴|玩具|文具|文化|图书|培训|教育|托管|诊所|药店|医疗|口腔|眼镜|宠物|旅馆|宾馆|酒店|民宿|家政|保洁|服务|租赁|中介|咨询|批发|零售|销售|回收|废品|彩票|棋牌|游戏|农家)(?![员工者师人])/u
/** Between the parts of a person's name: no trade makes such a name one of a business. */
const DOTTED = /[·•‧・.．]/u
/** Of this many characters hardly any name of a person in Chinese is. */
const LONG = 5

/** What stands before or behind a name and is nobody's; it makes no name a business, and none longer than it is. */
const BEFORE = /^(?:个体(?:工商户|经营|户)?|字号|经营者)+/u
const BEHIND = /个体(?:工商户|经营|户)?$/u
/** What a bracket says of a business: its form, or that it is made up for a demonstration. */
const FORM = /^(?:(?:特殊)?普通合伙|有限合伙|个人独资(?:企业)?|虚构)$/u
const BRACKETS: ReadonlySet<string> = new Set(['（', '(', '）', ')'])
const OPENS = /[（(]/u
const CLOSES = /[）)]/u
/** Letters and digits without a blank or a mark, but for the dot between the parts of a person's name. */
const RUN = /(?:[^\s\p{P}\p{S}\p{Cf}]|[·•‧・.．])+/gu

/**
 * The name with all that does not read as that of a business as asterisks, one for one. Each run between marks is looked at by itself,
 * for 示例小吃店（某某） and 某某（示例小吃店） both hold a person; a bracket belongs to the business behind it, as in
 * 江阴市（澄江）示例五金店. Pure; never throws.
 */
export function hideOperator(name: string): string {
  const plain = simplified(name)
  const runs = [...plain.matchAll(RUN)].map(({ 0: run, index }) => {
    const from = index + (BEFORE.exec(run)?.[0].length ?? 0)
    const behind = BEHIND.exec(plain.slice(from, index + run.length))
    const to = behind === null ? index + run.length : from + behind.index
    const text = plain.slice(from, Math.max(from, to))
    const end = index + run.length
    const isForm = FORM.test(text) && OPENS.test(plain.charAt(index - 1)) && CLOSES.test(plain.charAt(end))
    return { index, end, from, to, leaves: isForm || isBusiness(text), isForm }
  })
  for (let i = runs.length - 3; i >= 0; i -= 1) {
    const [before, inside, after] = runs.slice(i, i + 3)
    if (before === undefined || inside === undefined || after === undefined || !after.leaves || after.isForm) continue
    const isBracketed =
      BRACKETS.has(plain.slice(before.end, inside.index)) && BRACKETS.has(plain.slice(inside.end, after.index))
    if (isBracketed) before.leaves = inside.leaves = true
  }
  let done = 0
  let hidden = ''
  for (const { from, to, leaves } of runs) {
    if (from >= to || leaves) continue
    hidden += name.slice(done, from) + asterisks(name.slice(from, to))
    done = to
  }
  return hidden + name.slice(done)
}

function isBusiness(name: string): boolean {
  const length = [...name].length
  if (length < 3) return false
  if (PREMISES.test(name)) return true
  return length >= LONG && !DOTTED.test(name) && (SHARED.test(name) || TRADE.test(name))
}
