/** Today shows in one look whether anything needs somebody: what was asked and answered, what was refused and why, what ends soon. */
import { html } from 'hono/html'
import { contradictionsOf } from './contradictions.ts'
import { before, dayIn, direction, refusalsOf, refusalsTable, sum, yesterdaysRefusals } from './day-questions.ts'
import { BASE, type Visit } from './desk.ts'
import { endings } from './endings.ts'
import { latencyOf } from './latency.ts'
import { type Markup, page } from './layout.ts'
import { countOf, dayOf } from './shown.ts'
import { conditionsTable, endingsTable, latencyTable, needed, slowness, sourceAges, sourcesTable } from './standing.ts'
import { words as shared, spoken } from './words.ts'

/** Milliseconds that the page waits for what was just now entered to be counted. */
const PATIENCE = 1_000

/** `GET /`: the counts of a day, what was refused and why, and of today the conditions of now; no subject stands on it. */
export async function todayPage(c: Visit): Promise<Response> {
  const [desk, language] = [c.get('desk'), c.get('language')]
  const [t, s] = [words[language], shared[language]]
  const now = desk.city.now()
  const day = dayIn(c)
  const isWhole = await desk.lookout.caughtUp(PATIENCE)
  const counts = desk.tally.counts(day.from, day.until)
  const { gossip } = desk.transparency
  const [conditions, contradictions, against, ages, head, came, went] = await Promise.all([
    desk.health(),
    gossip.contradictions(),
    gossip.againstUs(),
    sourceAges(c, now),
    desk.city.ledger.head(),
    latencyOf(desk.seconds, 'in'),
    latencyOf(desk.seconds, 'out'),
  ])
  const ends = endings(desk.city, now)
  const inbound = counts.filter(({ direction }) => direction === 'in')
  const outbound = counts.filter(({ direction }) => direction === 'out')
  // Whoever looks at a day that is over looks for what went wrong in it.
  const refused = refusalsTable(counts, day, c)
  const other = day.name === 'today' ? 'yesterday' : 'today'
  const body = html`
<div class="head"><h1>${day.name === 'today' ? s.today : t.yesterday} <span class="soft small">${dayOf(day.from)}</span></h1>
<p class="does"><a class="button" href="${BASE}${other === 'yesterday' ? '?day=yesterday' : ''}">${t[`to-${other}`]}</a>${day.name === 'today' && yesterdaysRefusals(before(day), c)}</p></div>
${contradictionsOf(contradictions, against, c)}
${needed(conditions, ends, day.name === 'today', now, language)}
${!isWhole && html`<p class="told">${t.counting}</p>`}
<dl class="figures">
${figure(s.inbound, sum(inbound), c, refusalsOf(inbound, day, c))}
${figure(s.outbound, sum(outbound), c, t.unansweredOf(countOf(sum(outbound) - sum(outbound, 'answered'), language)))}
${day.name === 'today' && html`${slowness(t.took, came, language)}${figure(t.entries, head.count, c, t.entriesOf)}`}
</dl>
${day.name === 'yesterday' && refused}
<div class="halves">
${direction('in', inbound, day, c)}
${direction('out', outbound, day, c)}
</div>
${day.name === 'today' && refused}
${
  // How things stand now is no part of a day that is over.
  day.name === 'today' &&
  html`<div class="halves">
${conditionsTable(conditions, language)}
<div class="column">${sourcesTable(ages, language)}${latencyTable([came, went], language)}</div>
</div>
${endingsTable(ends, now, language)}`
}`
  return page(c, { title: day.name === 'today' ? s.today : t.yesterday, active: 'today' }, body)
}

function figure(name: string, n: number, c: Visit, more: Markup | string): Markup {
  return html`<div><dt>${name}</dt><dd>${countOf(n, c.get('language'))}</dd><dd class="row">${more}</dd></div>`
}

const words = spoken({
  yesterday: { zh: '昨日', en: 'Yesterday' },
  'to-yesterday': { zh: '查看昨日', en: 'See yesterday' },
  'to-today': { zh: '查看今日', en: 'See today' },
  unansweredOf: (n: string) => ({
    zh: `每个被查城市各计一次，${n} 次未获答复`,
    en: `each city counts once; ${n} without an answer`,
  }),
  counting: {
    zh: '网关启动不久，日志仍在清点，数字还会增加。请稍后刷新。',
    en: 'The gateway started not long ago and still counts the ledger: the figures will grow. Reload in a while.',
  },
  took: { zh: '答复用时', en: 'Time to answer' },
  entries: { zh: '日志条目', en: 'Ledger entries' },
  entriesOf: { zh: '含查询和人员操作', en: 'questions and acts of staff' },
})
