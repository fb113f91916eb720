/** A form by which somebody asks for their department: what it says is checked piece by piece, and each fault stands where it belongs. */
import { html } from 'hono/html'
import { judge } from '#agreement/authorise.ts'
import { limits } from '#protocol/message.ts'
import { type Refusal, type RefusalCode, refusals } from '#protocol/refusal.ts'
import type { Uscc } from '#protocol/subject.ts'
import { validOn } from '#schema/vocabulary.ts'
import type { Department } from '#trust/departments.ts'
import type { Visit } from './desk.ts'
import { TOKEN } from './form.ts'
import { type Markup, type page, trouble } from './layout.ts'
import { MANDATES } from './mandates.ts'
import { cityName, dayOf, purposeName } from './shown.ts'
import { words as shared, spoken } from './words.ts'

/** What was typed, as it was typed; what is not there is empty. */
export type Typed = {
  readonly department: string
  readonly peer: string
  readonly purpose: string
  readonly matter: string
  readonly codes: string
}

export const nothingTyped: Typed = { department: '', peer: '*', purpose: '', matter: '', codes: '' }

/** One code as it was typed: what may be asked about, or why it may not. */
export type Line = {
  readonly text: string
  readonly uscc: Uscc | undefined
  readonly why: RefusalCode | undefined
}

/** The codes of a text field: one a line, or with blanks, commas or 、 between; each is judged once. */
export function linesOf(codes: string): readonly Line[] {
  const texts = [...new Set(codes.split(/[\s,，、;；]+/u).filter(text => text !== ''))]
  return texts.map(text => {
    const judged = judge(text)
    return 'subject' in judged
      ? { text, uscc: judged.subject.uscc, why: undefined }
      : { text, uscc: undefined, why: judged.refused }
  })
}

/**
 * The department that is asked for, of those that whoever has signed in asks for; the first where none was chosen. Undefined
 * where there is none, or another one was chosen: then nothing is asked.
 */
export function departmentOf(typed: Typed, departments: readonly Department[]): Department | undefined {
  return typed.department === '' ? departments[0] : departments.find(({ id }) => id === typed.department)
}

/** Whom somebody asks for, or what has to be done that they may. */
export function mandateOf(c: Visit): {
  readonly departments: readonly Department[]
  readonly missing: Markup | undefined
} {
  const [{ asking, city }, staff] = [c.get('desk'), c.get('staff')]
  const t = words[c.get('language')]
  const { departments, faults } = asking.mandates.of(staff?.name ?? '', city.now())
  if (faults.length > 0) {
    const said = faults.map(({ path, problem }) => `${path} ${problem}`.trim()).join('; ')
    return { departments, missing: trouble(t.badMandates(MANDATES), said) }
  }
  if (departments.length > 0) return { departments, missing: undefined }
  return { departments, missing: trouble(t.noMandate, t.noMandateWhy(MANDATES, staff?.name ?? '')) }
}

/** The fields that all ways of asking share: department, city, purpose and matter. */
export function commonFields(c: Visit, typed: Typed, departments: readonly Department[]): Markup {
  const [{ city }, language, staff] = [c.get('desk'), c.get('language'), c.get('staff')]
  const [t, s] = [words[language], shared[language]]
  const today = dayOf(city.now())
  const chosen = departmentOf(typed, departments)
  const purposes = [...new Set(departments.flatMap(each => each.purposes))].filter(code => {
    const term = city.vocabulary.purposes.get(code)
    return term !== undefined && validOn(term, today)
  })
  const peers = city.members.all.filter(
    ({ id }) => id !== city.id && city.agreements.all.some(({ text }) => text.parties.includes(id)),
  )
  const option = (value: string, name: string, selected: boolean) =>
    html`<option value="${value}"${selected ? html` selected` : ''}>${name}</option>`
  return html`<input type="hidden" name="${TOKEN}" value="${staff?.csrf ?? ''}">
<label>${s.department}<select name="department">${departments.map(({ id, name }) => option(id, name, id === chosen?.id))}</select></label>
<label>${s.peer}<select name="peer">${option('*', t.everybody, typed.peer === '*')}${peers.map(({ id }) => option(id, cityName(id, c), id === typed.peer))}</select></label>
<label>${s.purpose}<select name="purpose" required>${option('', t.choose, typed.purpose === '')}${purposes.map(code => option(code, purposeName(code, c), code === typed.purpose))}</select></label>
<label>${s.matter}<input name="matter" required maxlength="200" autocomplete="off" value="${typed.matter}" aria-describedby="matter-help"></label>
<p class="soft small across" id="matter-help">${t.matterHelp}</p>`
}

/** What is wrong with codes, one by one. A person's number is not shown again, since it should not have been typed. */
export function codeFaults(lines: readonly Line[], c: Visit): Markup | '' {
  const language = c.get('language')
  const t = words[language]
  if (lines.length === 0) return trouble(t.noCodes, t.noCodesWhy)
  if (lines.length > limits.subjects) return trouble(t.tooMany, refusals['query.subjects'][language])
  const wrong = lines.filter(({ why }) => why !== undefined)
  if (wrong.length === 0) return ''
  return html`<div class="trouble" role="alert" id="codes-faults"><p><b>${t.wrongCodes(wrong.length)}</b></p><ul>${wrong.map(
    ({ text, why }) =>
      why && html`<li><code>${why === 'subject.person' ? t.hidden : text}</code> ${refusals[why][language]}</li>`,
  )}</ul></div>`
}

/** The text of the field again, without what may not stand there at all. */
export function codesAgain(lines: readonly Line[]): string {
  return lines.flatMap(({ text, why }) => (why === 'subject.person' ? [] : [text])).join('\n')
}

/** What was refused, with what the operator can do about it, which is for our own staff to know. */
export function refusedNote({ code, hint }: Refusal, c: Visit): Markup {
  const language = c.get('language')
  return trouble(refusals[code][language], words[language].hint(hint[language], code))
}

export type Status = NonNullable<Parameters<typeof page>[1]['status']>

/** The status of a page that says why nothing was asked. */
export function statusOf({ status }: Refusal): Status {
  return status === 403 || status === 404 || status === 429 || status === 500 || status === 503 ? status : 400
}

const words = spoken({
  hint: (hint: string, code: string) => ({
    zh: `请按上述原因修改后再试。仍不能解决的，把这条技术提示告诉网关管理人员：${hint}（${code}）`,
    en: `${hint} (${code})`,
  }),
  everybody: { zh: '所有有协议的城市', en: 'All with an agreement' },
  choose: { zh: '请选择', en: 'Choose' },
  matterHelp: {
    zh: '填写触发本次核查的案卷号或者项目编号，如“苏澄招〔2026〕001号”。不得填写个人姓名、证件号码。',
    en: 'The file number of the case that calls for the check, such as 苏澄招〔2026〕001号; never a person’s name or number.',
  },
  noMandate: { zh: '尚未指定您代表哪个部门查询', en: 'You do not ask for any department yet' },
  noMandateWhy: (file: string, name: string) => ({
    zh: `由网关管理人员在数据目录的 ${file} 中写明，如 {"${name}": ["部门代码"]}；部门及其查询目的由 xinqiao keys department 登记。`,
    en: `Who runs the gateway names it in ${file} in the folder of data, such as {"${name}": ["id of a department"]}; departments and their purposes are registered by \`xinqiao keys department\`.`,
  }),
  badMandates: (file: string) => ({ zh: `${file} 有误`, en: `${file} has faults` }),
  noCodes: { zh: '请填写统一社会信用代码', en: 'Give at least one code' },
  noCodesWhy: { zh: '每行一个，18 位。', en: 'One a line, 18 characters each.' },
  tooMany: { zh: '一次查询的代码过多', en: 'Too many codes at once' },
  wrongCodes: (n: number) => ({ zh: `${n} 个代码有误，未发出任何查询`, en: `${n} wrong: nothing was asked` }),
  hidden: { zh: '（已隐去）', en: '(hidden)' },
})
