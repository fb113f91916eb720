/** Words are looked for in simplified characters, whichever a text is written in; the text itself is never changed by it. */

const TRADITIONAL =
  '統動諾違輕顯轉歸計認兌關負責經營辦聯業實際資當東監員職廠長證執護駛機闆訴戶報傷繫請罰體個為傭從學張劉陳楊黃趙吳孫馬鄭羅謝許鄧蕭馮蘇葉呂蔣盧陸賈鄒閻龍萬錢賴賀嚴湯溫顧龔龐蘭聶齊駱紀畢蘆遲單饒寧時連車項閔鄔黨陽費於韋'
const SIMPLIFIED =
  '统动诺违轻显转归计认兑关负责经营办联业实际资当东监员职厂长证执护驶机板诉户报伤系请罚体个为佣从学张刘陈杨黄赵吴孙马郑罗谢许邓萧冯苏叶吕蒋卢陆贾邹阎龙万钱赖贺严汤温顾龚庞兰聂齐骆纪毕芦迟单饶宁时连车项闵邬党阳费于韦'
const simple: ReadonlyMap<string, string> = new Map(
  [...TRADITIONAL].map((character, i) => [character, SIMPLIFIED[i] ?? character]),
)
const ANY = new RegExp(`[${TRADITIONAL}]`, 'g')

/** The text for matching: one simplified character for each traditional one of the words and surnames that are looked for. */
export function simplified(text: string): string {
  return text.replace(ANY, found => simple.get(found) ?? found)
}

/** Every way to write a character that is looked for: itself, and the traditional one. */
export function spellingsOf(character: string): readonly string[] {
  return [character, ...[...simple].flatMap(([traditional, plain]) => (plain === character ? [traditional] : []))]
}
