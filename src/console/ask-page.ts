/** Somebody asks for their department as the department itself would: judged, recorded and counted alike, and asked once however often it is looked at. */
import { html } from 'hono/html'
import type { AskAnswer } from '#exchange/ask.ts'
import { Refusal } from '#protocol/refusal.ts'
import type { Uscc } from '#protocol/subject.ts'
import { answerView } from './answer-view.ts'
import {
  codeFaults,
  codesAgain,
  commonFields,
  departmentOf,
  linesOf,
  mandateOf,
  nothingTyped,
  refusedNote,
  type Status,
  statusOf,
  type Typed,
} from './asking.ts'
import { BASE, type Visit } from './desk.ts'
import { field } from './form.ts'
import { MINUTES } from './kept.ts'
import { type Markup, page, trouble } from './layout.ts'
import { clock, purposeName } from './shown.ts'
import { words as shared, spoken } from './words.ts'

/** `GET /ask`: the form. `?codes=` fills in the codes. */
export function askPage(c: Visit): Promise<Response> {
  return formPage(c, { ...nothingTyped, codes: c.req.query('codes') ?? '' })
}

/** `POST /ask`: asks, keeps the answer for who asked, and goes to where it is shown. What is wrong comes back with the form. */
export async function askNow(c: Visit): Promise<Response> {
  const [{ asking, city, staff: staffing }, staff, language] = [c.get('desk'), c.get('staff'), c.get('language')]
  const t = words[language]
  const typed = await typedIn(c)
  const lines = linesOf(typed.codes)
  const again = { ...typed, codes: codesAgain(lines) }
  const department = departmentOf(typed, mandateOf(c).departments)
  if (staff === undefined || department === undefined) {
    return formPage(c, again, trouble(t.notYours, t.notYoursWhy), 403)
  }
  const faults = codeFaults(lines, c)
  if (faults !== '') return formPage(c, again, faults, 400)
  const { peer, purpose, matter } = typed
  if (purpose === '' || matter === '') return formPage(c, again, trouble(t.lacking, t.lackingWhy), 400)
  const subjects = lines.flatMap(({ uscc }) => uscc ?? [])
  try {
    // Before it is asked: who asked must not be lost when what follows fails.
    const filter = new URLSearchParams({ department: department.id, peer, purpose }).toString()
    await staffing.recorded(staff, 'asked', 'ask', { subjects, filter })
    const answer = await asking.ask({ peer, subjects, purpose, matter }, department, city)
    const at = city.now()
    const id = asking.kept.put(staff.name, { kind: 'answer', at, department: department.name, matter, answer })
    return c.redirect(`${BASE}/ask/answer?id=${id}`, 303)
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    return formPage(c, again, refusedNote(error, c), statusOf(error))
  }
}

async function typedIn(c: Visit): Promise<Typed> {
  const [department, peer, purpose, matter, codes] = await Promise.all(
    ['department', 'peer', 'purpose', 'matter', 'codes'].map(name => field(c, name)),
  )
  return {
    department: department ?? '',
    peer: peer || '*',
    purpose: purpose ?? '',
    matter: (matter ?? '').trim(),
    codes: codes ?? '',
  }
}

function formPage(c: Visit, typed: Typed, wrong: Markup | '' = '', status: Status = 200): Promise<Response> {
  const language = c.get('language')
  const [t, s] = [words[language], shared[language]]
  const { departments, missing } = mandateOf(c)
  const body = html`<div class="head"><h1>${s.ask}</h1><p><a class="button" href="${BASE}/report">${t.report}</a></p></div>
<p class="lead">${t.lead}</p>
${missing}
${wrong}
${
  departments.length > 0 &&
  html`<section class="sheet"><form class="filter" method="post" action="${BASE}/ask">
${commonFields(c, typed, departments)}
<label class="across">${t.codes}<textarea name="codes" rows="6" required spellcheck="false" autocomplete="off" aria-describedby="codes-help">${typed.codes}</textarea></label>
<p class="soft small across" id="codes-help">${t.codesHelp}</p>
<div class="does"><button class="button first">${s.ask}</button></div></form></section>`
}`
  return page(c, { title: s.ask, active: 'ask', status }, body)
}

/** `GET /ask/answer?id=`: an answer that was asked for lately, by whoever asked. Looking is recorded, and asks nothing. */
export async function answerPage(c: Visit): Promise<Response> {
  const [{ asking, staff: staffing }, staff, language] = [c.get('desk'), c.get('staff'), c.get('language')]
  const [t, s] = [words[language], shared[language]]
  const kept = staff && asking.kept.answer(staff.name, c.req.query('id'))
  if (kept === undefined || staff === undefined) {
    const body = html`<h1>${t.answer}</h1>${trouble(t.gone, t.goneWhy)}<p><a class="button" href="${BASE}/ask">${s.ask}</a></p>`
    return page(c, { title: t.answer, active: 'ask', status: 404 }, body)
  }
  const { answer, at, department, matter } = kept
  await staffing.recorded(staff, 'viewed', 'ask', {
    subjects: subjectsIn(answer),
    entries: answer.peers.flatMap(({ entry }) => entry ?? []),
  })
  const body = html`<div class="head"><h1>${t.answer}</h1><p><a class="button" href="${BASE}/ask">${t.another}</a></p></div>
<section class="sheet"><dl class="facts">
<div><dt>${s.time}</dt><dd>${clock(at)}</dd></div>
<div><dt>${s.department}</dt><dd>${department}</dd></div>
<div><dt>${s.purpose}</dt><dd>${purposeName(answer.purpose, c)}</dd></div>
<div><dt>${s.matter}</dt><dd>${matter}</dd></div>
</dl><p class="soft small">${t.keptFor(MINUTES)}</p></section>
${answerView(answer, c)}`
  return page(c, { title: t.answer, active: 'ask' }, body)
}

/** The subjects that an answer speaks of, each once. */
function subjectsIn({ peers }: AskAnswer): Uscc[] {
  const lines = peers.flatMap(({ results }) => results.flatMap(({ subject }) => subject ?? []))
  return linesOf(lines.join(' ')).flatMap(({ uscc }) => uscc ?? [])
}

const words = spoken({
  lead: {
    zh: '以您所代表部门的名义查询，按协议和目的判断，逐次记入日志。对方未答复的，显示为“未知”，不是“无记录”。',
    en: 'Asks in the name of your department; it is judged by agreement and purpose, and recorded. Where a city does not answer it says unknown, never that there is nothing.',
  },
  report: { zh: '出具信用报告', en: 'Credit report' },
  codes: { zh: '统一社会信用代码', en: 'Unified social credit codes' },
  codesHelp: {
    zh: '每行一个，一次最多 100 个。自然人不予查询。',
    en: 'One a line, at most 100. Natural persons are not asked about.',
  },
  notYours: { zh: '不能以该部门名义查询', en: 'You do not ask for that department' },
  notYoursWhy: { zh: '请选择您所代表的部门。', en: 'Choose one that you ask for.' },
  lacking: { zh: '请选择目的并填写事由', en: 'Choose a purpose and give a matter' },
  lackingWhy: { zh: '没有目的和事由不予查询。', en: 'Nothing is asked without them.' },
  answer: { zh: '查询结果', en: 'Answer' },
  another: { zh: '再次查询', en: 'Ask again' },
  keptFor: (minutes: number) => ({
    zh: `本结果保留 ${minutes} 分钟，重新打开不会再次查询。`,
    en: `Kept for ${minutes} minutes; opening it again asks nobody again.`,
  }),
  gone: { zh: '结果已不再保留', en: 'This answer is no longer kept' },
  goneWhy: {
    zh: '结果只保留一段时间，且只供查询人本人查看；查询本身见“发出的查询”。',
    en: 'Answers are kept for a while and for who asked alone; the question itself stands under Sent questions.',
  },
})
