/** Every alert says in plain words who, what, since when and held against what, with the way to the entries; an operator answers for it. */
import { html } from 'hono/html'
import { maskPersonalNumbers } from '#protocol/subject.ts'
import { BASE, type Visit } from './desk.ts'
import { field, TOKEN } from './form.ts'
import { empty, type Markup, page, reaches, trouble } from './layout.ts'
import { cityName, clock, countOf, dayOf, departmentName, timeOf } from './shown.ts'
import type { Staff } from './staff.ts'
import { type Rule, rules, THRESHOLDS, type Thresholds } from './thresholds.ts'
import { type Alert, type Asker, acknowledgement, type Measured, PAGE, SHOWN_DAYS } from './unusual.ts'
import { type Language, words as shared, spoken } from './words.ts'

/** Characters of a reason. */
const MOST = 300
/** Milliseconds that a page waits for the newest entries to be seen; after a start it may take minutes, and that is said. */
const PATIENCE = 1_000

/** `GET /unusual`: what stands out, what nobody has answered for first; then the thresholds. */
export function unusualPage(c: Visit): Promise<Response> {
  return shown(c)
}

/** `POST /unusual`: an operator says that an alert was looked into, and what came of it. It is recorded, then it counts. */
export async function acknowledge(c: Visit): Promise<Response> {
  const t = words[c.get('language')]
  const [{ lookout, staff: staffing }, staff] = [c.get('desk'), c.get('staff')]
  const alert = lookout.unusual.find(await field(c, 'alert'))
  const reason = maskPersonalNumbers((await field(c, 'reason')).replace(/\s+/gu, ' ').trim())
  if (alert === undefined || staff === undefined) return shown(c, trouble(t.gone, t.goneWhy), 404)
  if (reason.length === 0 || reason.length > MOST) return shown(c, trouble(t.noReason, t.noReasonWhy(MOST)), 400)
  await staffing.recorded(staff, 'acknowledged', PAGE, {
    entries: [...new Set([alert.first, alert.last])],
    said: acknowledgement(alert.id, reason),
  })
  return c.redirect(`${BASE}/unusual`, 303)
}

async function shown(c: Visit, wrong: Markup | '' = '', status: 200 | 400 | 404 = 200): Promise<Response> {
  const [{ lookout, city }, language] = [c.get('desk'), c.get('language')]
  const [t, s] = [words[language], shared[language]]
  const isWhole = await lookout.caughtUp(PATIENCE)
  const alerts = lookout.unusual.alerts()
  const open = alerts.filter(({ acknowledged }) => acknowledged === undefined)
  const done = alerts.filter(({ acknowledged }) => acknowledged !== undefined)
  const since = lookout.unusual.since()
  const { thresholds } = lookout.unusual
  const year = dayOf(city.now()).slice(0, 4)
  const body = html`
<div class="head"><h1>${s.unusual}</h1></div>
<p class="lead">${t.lead(SHOWN_DAYS)}${since !== undefined && html`${t.reads} ${timeOf(since)}${t.stop}`}</p>
${wrong}
${!isWhole && html`<div class="told"><p>${t.reading}</p></div>`}
${!lookout.own && html`<div class="told"><p>${t.shipped(THRESHOLDS)}</p></div>`}
${!thresholds.hours.holidays.some(day => day.startsWith(year)) && html`<div class="told"><p>${t.noHolidays(year)}</p></div>`}
${open.length === 0 ? empty(t.nothing, t.nothingWhy) : open.map(alert => sheetOf(alert, c))}
${done.length > 0 && html`<h2>${t.done}</h2>${done.map(alert => sheetOf(alert, c))}`}
${thresholdsTable(thresholds, c)}`
  return page(c, { title: s.unusual, active: 'unusual', status }, body)
}

function sheetOf(alert: Alert, c: Visit): Markup {
  const language = c.get('language')
  const t = words[language]
  const { asker, measured, since, until, first, last, acknowledged } = alert
  const { thresholds } = c.get('desk').lookout.unusual
  return html`<section class="sheet">
<h2>${askerName(asker, c)} · ${t[measured.rule]} <span class="tag ${acknowledged === undefined ? 'bad' : 'good'}">${acknowledged === undefined ? t.open : t.answered}</span></h2>
<p>${sentenceOf(measured, thresholds, language)}</p>
<dl class="facts">
<div><dt>${t.who}</dt><dd>${asker.direction === 'in' ? t.peer : t.ours} · ${askerName(asker, c)}</dd></div>
<div><dt>${t.since}</dt><dd>${timeOf(since)}</dd></div>
<div><dt>${t.until}</dt><dd>${timeOf(until)}</dd></div>
<div><dt>${t.evidence}</dt><dd><a href="${logOf(alert)}">${t.toLog}</a> <span class="soft">${t.entries(countOf(first, language), countOf(last, language))}</span></dd></div>
${
  acknowledged &&
  html`<div><dt>${t.answeredBy}</dt><dd>${acknowledged.staff} · ${timeOf(acknowledged.at)}</dd></div>
<div><dt>${t.reason}</dt><dd>${acknowledged.reason}</dd></div>`
}
</dl>
${acknowledged === undefined && formOf(alert, c.get('staff'), language)}
</section>`
}

function formOf({ id }: Alert, staff: Staff | undefined, language: Language): Markup {
  const t = words[language]
  if (staff === undefined || !reaches(staff.role, 'operator')) return html`<p class="soft small">${t.operators}</p>`
  return html`<form class="filter" method="post" action="${BASE}/unusual">
<input type="hidden" name="${TOKEN}" value="${staff.csrf}"><input type="hidden" name="alert" value="${id}">
<label class="across">${t.reasonFor}<input name="reason" required maxlength="${MOST}" autocomplete="off"></label>
<div class="does"><button class="button first">${t.acknowledge}</button></div>
</form>`
}

/** The log from the first minute of an alert to its last, of who asked. */
function logOf({ asker: { direction, name }, since, until }: Alert): string {
  const by = direction === 'in' ? { peer: name } : { department: name }
  const minute = (at: string) => clock(at).slice(0, 16).replace(' ', 'T')
  return `${BASE}/${direction}?${new URLSearchParams({ from: minute(since), until: minute(until), ...by })}`
}

function askerName({ direction, name }: Asker, c: Visit): string {
  return direction === 'in' ? cityName(name, c) : departmentName(name, c)
}

/** An exception names a city or a department by its id alone. */
function anyName(id: string, c: Visit): string {
  return c.get('desk').city.members.find(id) === undefined ? departmentName(id, c) : cityName(id, c)
}

/** What was measured and what it was held against, in one sentence or two. */
function sentenceOf(measured: Measured, { hours }: Thresholds, language: Language): string {
  const t = words[language]
  const n = (count: number) => countOf(count, language)
  switch (measured.rule) {
    case 'walk': {
      const { period, fresh, limit, row, nothing } = measured
      return t.walked(t[period], n(fresh), n(limit), n(row), percent(nothing))
    }
    case 'volume': {
      const { hour, counted, limit, habit } = measured
      const from = clock(hour).slice(0, 16)
      if (habit === undefined) return t.beyondAll(from, n(counted), n(limit))
      const { days, working, median, most } = habit
      return t.beyondHabit(
        from,
        n(counted),
        n(limit),
        n(days),
        working ? t.workingDays : t.freeDays,
        n(median),
        n(most),
      )
    }
    case 'hours': {
      const { off, limit, share, most } = measured
      return t.atNight(`${hours.from}:00–${hours.until}:00`, n(off), n(limit), percent(share), percent(most))
    }
    case 'matter':
      return t.withoutMatter(n(measured.questions), n(measured.limit))
    case 'same-matter':
      return t.oneMatter(measured.matter, n(measured.subjects), n(measured.limit))
  }
}

function percent(share: number): string {
  return `${Math.round(share * 100)}%`
}

function thresholdsTable(thresholds: Thresholds, c: Visit): Markup {
  const language = c.get('language')
  const t = words[language]
  const said: Readonly<Record<Rule, string>> = limitsOf(thresholds, language)
  const { exceptions } = thresholds
  return html`<section class="sheet"><h2>${t.thresholds}</h2><p class="soft">${t.thresholdsIn(THRESHOLDS)}</p>
<table class="stacked"><thead><tr><th scope="col">${t.rule}</th><th scope="col">${t.standsOut}</th></tr></thead>
<tbody>${rules.map(rule => html`<tr><th scope="row">${t[rule]}</th><td data-label="${t.standsOut}">${said[rule]}</td></tr>`)}</tbody></table>
<h3>${t.exceptions}</h3>
${
  exceptions.length === 0
    ? html`<p class="soft">${t.noExceptions}</p>`
    : html`<table class="stacked"><thead><tr><th scope="col">${t.who}</th><th scope="col">${t.rule}</th><th scope="col">${t.reason}</th><th scope="col">${t.lastDay}</th></tr></thead>
<tbody>${exceptions.map(
        ({ asker, rule, reason, until }) =>
          html`<tr><th scope="row">${anyName(asker, c)}</th><td data-label="${t.rule}">${t[rule]}</td><td data-label="${t.reason}">${reason}</td><td data-label="${t.lastDay}" class="nowrap">${until}</td></tr>`,
      )}</tbody></table>`
}
</section>`
}

function limitsOf({ walk, volume, hours, matter }: Thresholds, language: Language): Readonly<Record<Rule, string>> {
  const t = words[language]
  const n = (count: number) => countOf(count, language)
  return {
    walk: t.walkLimits(n(walk.perHour), n(walk.perDay), n(walk.row), percent(walk.nothing)),
    volume: t.volumeLimits(n(volume.days), n(volume.times), n(volume.least), n(volume.most)),
    hours: t.hoursLimits(`${hours.from}:00–${hours.until}:00`, n(hours.least), percent(hours.share)),
    matter: t.matterLimits(n(matter.questions)),
    'same-matter': t.sameMatterLimits(n(matter.sameMatter)),
  }
}

const words = spoken({
  lead: (days: number) => ({
    zh: `本页只看谁在查询，不评价任何企业。显示近 ${days} 日内的异常；每条都可以按日志重新算出。`,
    en: `This page looks at who asks and judges no enterprise. It shows the alerts of ${days} days; each can be worked out again from the log.`,
  }),
  reads: { zh: '比较所用的日志始于', en: ' The log that is compared begins at' },
  stop: { zh: '。', en: '.' },
  reading: {
    zh: '日志尚在读取中，以下可能不全，请稍后刷新。',
    en: 'The ledger is still being read: what stands here may not be all. Load the page again in a while.',
  },
  shipped: (file: string) => ({
    zh: `配置目录中没有 ${file}，现按随附的默认阈值监测。请按本市情况确定阈值并放入该文件。`,
    en: `There is no ${file} in the configuration folder: the shipped thresholds hold. Decide your own and put them there.`,
  }),
  noHolidays: (year: string) => ({
    zh: `阈值文件中没有 ${year} 年的节假日安排，目前仅以周六、周日为非工作日。`,
    en: `The thresholds name no holidays of ${year}: only Saturdays and Sundays count as free days.`,
  }),
  nothing: { zh: '没有待核实的异常', en: 'Nothing waits for an answer' },
  nothingWhy: {
    zh: '有城市或部门的查询超出下列阈值时，会显示在这里，同时写入监测指标和运行日志。',
    en: 'When a city or a department goes beyond the thresholds below it appears here, in the metrics and in the log.',
  },
  done: { zh: '已核实', en: 'Answered for' },
  open: { zh: '待核实', en: 'Open' },
  answered: { zh: '已核实', en: 'Answered for' },
  who: { zh: '查询方', en: 'Who asks' },
  peer: { zh: '城市', en: 'City' },
  ours: { zh: '本市部门', en: 'Department of ours' },
  since: { zh: '开始', en: 'Since' },
  until: { zh: '最近一次', en: 'Latest' },
  evidence: { zh: '依据', en: 'Evidence' },
  toLog: { zh: '查看日志', en: 'See the log' },
  entries: (first: string, last: string) => ({
    zh: `第 ${first} 条至第 ${last} 条`,
    en: `entries ${first} to ${last}`,
  }),
  answeredBy: { zh: '核实人', en: 'Answered by' },
  reason: { zh: '理由', en: 'Reason' },
  reasonFor: { zh: '核实情况和理由（写入日志）', en: 'What was found, and why it is in order (kept in the ledger)' },
  acknowledge: { zh: '确认已核实', en: 'Acknowledge' },
  operators: { zh: '由操作员核实。', en: 'An operator answers for it.' },
  gone: { zh: '没有这条异常', en: 'There is no such alert' },
  goneWhy: { zh: '可能已过显示期限。', en: 'It may be past the days for which alerts are shown.' },
  noReason: { zh: '请写明理由', en: 'Give a reason' },
  noReasonWhy: (most: number) => ({ zh: `1 至 ${most} 个字。`, en: `1 to ${most} characters.` }),
  walk: { zh: '逐个试查代码', en: 'Walks through codes' },
  volume: { zh: '查询量远超平常', en: 'Far beyond its habit' },
  hours: { zh: '非办公时间查询', en: 'Outside office hours' },
  matter: { zh: '无事由', en: 'Without a matter' },
  'same-matter': { zh: '同一事由查询大量主体', en: 'One matter for very many' },
  hour: { zh: '一小时内', en: 'In one hour' },
  day: { zh: '一日内', en: 'In one day' },
  walked: (period: string, fresh: string, limit: string, row: string, nothing: string) => ({
    zh: `${period}查询了 ${fresh} 个此前从未查询过的代码（达到 ${limit} 个即留意）：其中最多 ${row} 个前后相连成串，所查主体 ${nothing} 查无记录。`,
    en: `${period} it asked about ${fresh} codes it had never asked about (${limit} are worth a look): as many as ${row} of them stand in one row, and of ${nothing} of its subjects nothing was found.`,
  }),
  beyondAll: (from: string, counted: string, limit: string) => ({
    zh: `${from} 起一小时内查询了 ${counted} 个主体，超过任何情况下的上限 ${limit} 个。`,
    en: `In the hour from ${from} it asked about ${counted} subjects, more than the ${limit} that are too many whatever the habit.`,
  }),
  beyondHabit: (
    from: string,
    counted: string,
    limit: string,
    days: string,
    kind: string,
    median: string,
    most: string,
  ) => ({
    zh: `${from} 起一小时内查询了 ${counted} 个主体，超过 ${limit} 个。比较依据：此前 ${days} 个${kind}的同一时段（前后各一小时），每小时中位数 ${median} 个，最多 ${most} 个。`,
    en: `In the hour from ${from} it asked about ${counted} subjects, more than ${limit}. Compared with the same hour, and one before and after, of its last ${days} ${kind}: a median of ${median} in an hour, at most ${most}.`,
  }),
  workingDays: { zh: '工作日', en: 'working days' },
  freeDays: { zh: '非工作日', en: 'free days' },
  atNight: (office: string, off: string, limit: string, share: string, most: string) => ({
    zh: `24 小时内在办公时间（工作日 ${office}）以外查询了 ${off} 个主体（超过 ${limit} 个即留意）；近七日内这类查询占 ${share}（上限 ${most}）。`,
    en: `Within 24 hours it asked about ${off} subjects outside office hours (working days ${office}; more than ${limit} are worth a look); of the last seven days that is ${share} (at most ${most}).`,
  }),
  withoutMatter: (questions: string, limit: string) => ({
    zh: `一日内有 ${questions} 次查询的事由没有内容，如“无”“测试”“-”（达到 ${limit} 次即留意）。`,
    en: `In one day ${questions} questions came with a matter that says nothing, such as 无, 测试 or - (${limit} are worth a look).`,
  }),
  oneMatter: (matter: string, subjects: string, limit: string) => ({
    zh: `一日内以同一事由“${matter}”查询了 ${subjects} 个主体（超过 ${limit} 个即留意）。`,
    en: `In one day it asked about ${subjects} subjects under one matter, “${matter}” (more than ${limit} are worth a look).`,
  }),
  thresholds: { zh: '阈值', en: 'Thresholds' },
  thresholdsIn: (file: string) => ({
    zh: `由本市在配置文件 ${file} 中确定，重启后生效。时间均为北京时间。`,
    en: `Decided by this city in ${file}; taken up at the next start. Times are Beijing time.`,
  }),
  rule: { zh: '规则', en: 'Rule' },
  standsOut: { zh: '何时提示', en: 'Alert when' },
  lastDay: { zh: '截止日期', en: 'Last day' },
  exceptions: { zh: '已约定的例外', en: 'Exceptions agreed' },
  noExceptions: { zh: '没有例外。', en: 'There are none.' },
  walkLimits: (hour: string, day: string, row: string, nothing: string) => ({
    zh: `一小时 ${hour} 个或一日 ${day} 个此前从未查询过的代码，且其中 ${row} 个前后相连成串，或者所查主体 ${nothing} 查无记录`,
    en: `${hour} codes in an hour or ${day} in a day never asked about before, where ${row} of them stand in one row or of ${nothing} of the subjects nothing is found`,
  }),
  volumeLimits: (days: string, times: string, least: string, most: string) => ({
    zh: `一小时超过该查询方此前 ${days} 日同类日同一时段中位数的 ${times} 倍（不足 ${least} 个不提示；超过 ${most} 个一律提示）`,
    en: `in an hour more than ${times} times the median of the same hours of its last ${days} days of the same kind (never below ${least}, always above ${most})`,
  }),
  hoursLimits: (office: string, least: string, share: string) => ({
    zh: `24 小时内办公时间（工作日 ${office}）以外超过 ${least} 个主体，且占近七日的 ${share} 以上`,
    en: `more than ${least} subjects within 24 hours outside office hours (working days ${office}), where these are ${share} or more of the last seven days`,
  }),
  matterLimits: (questions: string) => ({
    zh: `一日 ${questions} 次查询的事由没有内容`,
    en: `${questions} questions in a day whose matter says nothing`,
  }),
  sameMatterLimits: (most: string) => ({
    zh: `一日内同一事由超过 ${most} 个主体`,
    en: `more than ${most} subjects in a day under one matter`,
  }),
})
