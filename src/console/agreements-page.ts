/** Each agreement shows who signed it, checked as the page is made, and what it gives to whom for what, field by field. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { html } from 'hono/html'
import { type Agreement, readAgreement, type Signed } from '#agreement/agreement.ts'
import { digest } from '#protocol/canonical.ts'
import { refusals } from '#protocol/refusal.ts'
import { subjectKinds } from '#protocol/subject.ts'
import { jsonFiles } from '#trust/members.ts'
import { BASE, type Visit } from './desk.ts'
import { empty, type Markup, page, trouble } from './layout.ts'
import { type Given, type Matrix, matrixOf } from './matrix.ts'
import { cityName, countOf, dayOf, purposeName } from './shown.ts'
import { type Signature, signaturesOf } from './signature.ts'
import { type Language, words as shared, spoken } from './words.ts'

const DAY = 86_400_000
/** Days before its end at which an agreement ends soon: to negotiate another takes as long. */
const SOON = 90

/** An agreement's file, and what the gateway makes of it. */
type Known = {
  readonly text: Agreement
  /** The text in use; undefined where the gateway does not go by what lies on the disk. */
  readonly signed: Signed | undefined
  /** Why it rests. */
  readonly rests: string | undefined
}

type State = 'inForce' | 'soon' | 'begins' | 'ended' | 'rests' | 'changed'

/** `GET /agreements`: all of them, or with `?agreement=` one, its signatures and its matrix. */
export function agreementsPage(c: Visit): Promise<Response> {
  const [{ city, config }, language] = [c.get('desk'), c.get('language')]
  const [t, s] = [words[language], shared[language]]
  const known = knownIn(c)
  const wanted = c.req.query('agreement')
  const one = known.find(({ text }) => text.id === wanted)
  if (wanted !== undefined && one === undefined) {
    const body = html`<h1>${s.agreements}</h1>${trouble(t.none, t.noneWhy)}${back(t.all)}`
    return page(c, { title: s.agreements, active: 'agreements', status: 404 }, body)
  }
  if (one !== undefined) return onePage(one, c)
  const now = city.now()
  const row = ({ text, signed, rests }: Known) => {
    const signatures = signaturesOf(text, config, city.members, now)
    const good = signatures.filter(({ state }) => state === 'signed' || state === 'former').length
    return html`<tr><th scope="row"><a href="${BASE}/agreements?agreement=${text.id}">${text.title[language]}</a><span class="row small soft code">${text.id}</span></th>
<td data-label="${t.parties}">${text.parties.map(party => html`<span class="row">${cityName(party, c)}</span>`)}</td>
<td data-label="${t.days}" class="n">${t.fromTo(text.validFrom, text.validTo)}</td>
<td data-label="${t.signatures}" class="n">${good} / ${text.parties.length}</td>
<td data-label="${t.state}">${stateTag(stateOf({ text, signed, rests }, now), language)}</td></tr>`
  }
  const body = html`<div class="head"><h1>${s.agreements}</h1></div>
<p class="lead">${t.lead}</p>
${
  known.length === 0
    ? empty(t.nothing, t.nothingWhy)
    : html`<section class="sheet"><table class="stacked">
<thead><tr><th scope="col">${s.agreement}</th><th scope="col">${t.parties}</th><th scope="col" class="n">${t.days}</th><th scope="col" class="n">${t.signatures}</th><th scope="col">${t.state}</th></tr></thead>
<tbody>${known.map(row)}</tbody></table></section>`
}`
  return page(c, { title: s.agreements, active: 'agreements' }, body)
}

/** Every agreement in the folder that names us, in the order of its id. */
function knownIn(c: Visit): readonly Known[] {
  const { city, config } = c.get('desk')
  const folder = join(config, 'agreements')
  return jsonFiles(folder).flatMap(name => {
    const text = readAgreement(readFileSync(join(folder, name), 'utf8'), name, [])
    if (!text?.parties.includes(city.id)) return []
    const signed = city.agreements.find(text.id)
    return [
      {
        text,
        signed: signed?.digest === digest(text) ? signed : undefined,
        rests: city.agreements.idle.find(({ id }) => id === text.id)?.why,
      },
    ]
  })
}

function stateOf({ signed, rests }: Known, now: number): State {
  if (signed === undefined) return rests === undefined ? 'changed' : 'rests'
  if (now < signed.begins) return 'begins'
  if (now >= signed.ends) return 'ended'
  return signed.ends - now < SOON * DAY ? 'soon' : 'inForce'
}

const hues = { inForce: 'good', soon: 'warn', begins: 'warn', ended: 'bad', rests: 'bad', changed: 'bad' } as const

function stateTag(state: State, language: Language): Markup {
  return html`<span class="tag ${hues[state]}">${words[language][state]}</span>`
}

function back(text: string): Markup {
  return html`<p><a class="button" href="${BASE}/agreements">${text}</a></p>`
}

function onePage(known: Known, c: Visit): Promise<Response> {
  const [{ city, config }, language] = [c.get('desk'), c.get('language')]
  const t = words[language]
  const { text, signed, rests } = known
  const now = city.now()
  const state = stateOf(known, now)
  const { questionsPerMinute, subjectsPerDay } = text.quota
  const body = html`<div class="head"><h1>${text.title[language]}</h1>${back(t.all)}</div>
${state === 'changed' && trouble(t.changed, t.changedWhy)}
${state === 'rests' && trouble(t.rests, rests ?? '')}
<section class="sheet"><h2>${t.about}</h2><dl class="facts">
<div><dt>${t.state}</dt><dd>${stateTag(state, language)}</dd></div>
<div><dt>${t.id}</dt><dd><code>${text.id}</code></dd></div>
<div><dt>${t.signedOn}</dt><dd>${text.signedOn}</dd></div>
<div><dt>${t.days}</dt><dd>${t.fromTo(text.validFrom, text.validTo)}</dd></div>
<div><dt>${t.quota}</dt><dd>${t.quotaOf(countOf(questionsPerMinute, language), countOf(subjectsPerDay, language))}</dd></div>
<div><dt>${t.sealed}</dt><dd>${text.confidential === true ? t.sealedYes : t.sealedNo}</dd></div>
<div><dt>${t.digest}</dt><dd><code>${digest(text)}</code></dd></div>
</dl></section>
<section class="sheet"><h2>${t.signatures}</h2><p class="soft">${t.checkedNow}</p>
<table class="stacked"><thead><tr><th scope="col">${t.party}</th><th scope="col">${t.state}</th><th scope="col">${t.key}</th><th scope="col">${t.certifiedUntil}</th></tr></thead>
<tbody>${signaturesOf(text, config, city.members, now).map(each => signatureRow(each, c))}</tbody></table></section>
${signed === undefined ? '' : matrixSection(signed, c)}`
  return page(c, { title: text.title[language], active: 'agreements' }, body)
}

const signatureHues = { signed: 'good', former: 'good', missing: 'bad', 'not-a-member': 'warn', wrong: 'bad' } as const

function signatureRow({ party, state, code, kid, certifiedUntil }: Signature, c: Visit): Markup {
  const language = c.get('language')
  const t = words[language]
  return html`<tr><th scope="row">${cityName(party, c)}</th>
<td data-label="${t.state}"><span class="tag ${signatureHues[state]}">${t[state]}</span>${code && html`<span class="row small">${refusals[code][language]} <code>${code}</code></span>`}</td>
<td data-label="${t.key}">${kid === undefined ? '—' : html`<code>${kid.slice(0, 12)}…</code>`}</td>
<td data-label="${t.certifiedUntil}" class="nowrap">${certifiedUntil === undefined ? '—' : dayOf(certifiedUntil)}</td></tr>`
}

function matrixSection(signed: Signed, c: Visit): Markup {
  const [{ city }, language] = [c.get('desk'), c.get('language')]
  const [t, s] = [words[language], shared[language]]
  const others = signed.text.parties.filter(party => party !== city.id)
  const peer = others.find(party => party === c.req.query('peer')) ?? others[0] ?? ''
  const way = c.req.query('way') === 'in' ? 'in' : 'out'
  const [from, to] = way === 'in' ? [peer, city.id] : [city.id, peer]
  const matrix = matrixOf(signed, from, to, city.vocabulary)
  const option = (value: string, name: string, chosen: boolean) =>
    html`<option value="${value}"${chosen ? html` selected` : ''}>${name}</option>`
  return html`<section class="sheet" id="matrix"><h2>${t.matrix}</h2><p class="soft">${t.matrixWhat}</p>
<form class="filter" method="get" action="${BASE}/agreements#matrix"><input type="hidden" name="agreement" value="${signed.text.id}">
<label>${s.peer}<select name="peer">${others.map(party => option(party, cityName(party, c), party === peer))}</select></label>
<label>${t.way}<select name="way">${option('out', t.out, way === 'out')}${option('in', t.in, way === 'in')}</select></label>
<div class="does"><button class="button">${s.show}</button></div></form>
<h3>${t.gives(cityName(from, c), cityName(to, c))}</h3>
${matrix.columns.length === 0 ? empty(t.givesNothing, t.givesNothingWhy) : matrixTable(matrix, c)}</section>`
}

/** One table, so that purposes stand under each other; a family is a group of its rows. */
function matrixTable({ columns, families }: Matrix, c: Visit): Markup {
  const [{ city }, language] = [c.get('desk'), c.get('language')]
  const t = words[language]
  const { vocabulary } = city
  const purposes = columns.map(column => column.purposes.map(purpose => purposeName(purpose, c)).join(t.comma))
  const named = (codes: readonly string[], set: 'lists' | 'schemes') =>
    codes.map(code => vocabulary[set].get(code)?.[language] ?? code).join(t.comma)
  return html`<div class="wide" tabindex="0" role="region" aria-label="${t.matrix}"><table class="stacked">
<thead><tr><th scope="col">${t.field}</th>${purposes.map(purpose => html`<th scope="col">${purpose}</th>`)}</tr></thead>
${families.map(({ family, narrowed, fields }) => {
  const known = vocabulary.families.get(family)
  return html`<tbody><tr><th class="group" scope="rowgroup" colspan="${columns.length + 1}">${known?.[language] ?? family}
${narrowed.map(
  ({ clause, lists, schemes }) =>
    html`<span class="row small soft">${clause} · ${lists.length > 0 ? t.lists : t.schemes} ${named(lists, 'lists')}${named(schemes, 'schemes')}</span>`,
)}</th></tr>
${fields.map(
  ({ field, cells }) =>
    html`<tr><th scope="row">${known?.fields.get(field)?.[language] ?? field}</th>${cells.map((cell, i) => html`<td data-label="${purposes[i] ?? ''}">${cellOf(cell, c)}</td>`)}</tr>`,
)}</tbody>`
})}</table></div>`
}

function cellOf(given: readonly Given[], c: Visit): Markup {
  const [{ city }, language] = [c.get('desk'), c.get('language')]
  const t = words[language]
  if (given.length === 0) return html`<span class="soft">${t.notGiven}</span>`
  const { sets } = city.vocabulary
  return html`${given.map(({ clause, level, kinds }) => {
    const only =
      kinds.length < subjectKinds.length
        ? kinds.map(kind => sets.get('subject-kinds')?.get(kind)?.[language] ?? kind)
        : []
    return html`<span class="row">${sets.get('share-levels')?.get(level)?.[language] ?? level} <span class="soft small">${clause}${only.length > 0 && html` · ${t.only(only.join(t.comma))}`}</span></span>`
  })}`
}

const words = spoken({
  lead: {
    zh: '每份协议由各方签署，一字不差。下列签名在打开本页时逐一核验。',
    en: 'Each agreement is what its parties signed, to the letter. Their signatures are checked as this page is made.',
  },
  all: { zh: '全部协议', en: 'All agreements' },
  none: { zh: '没有这份协议', en: 'There is no such agreement' },
  noneWhy: {
    zh: '配置目录中没有本市参加的这份协议。',
    en: 'No agreement of that name to which we are a party is in the configuration folder.',
  },
  nothing: { zh: '尚无协议', en: 'No agreements yet' },
  nothingWhy: {
    zh: '协议文本及各方签名放入配置目录 agreements 后显示在这里。没有协议，不向任何城市提供信息。',
    en: 'They appear here once their texts and signatures lie in the folder agreements. Without one nothing is given to anybody.',
  },
  parties: { zh: '各方', en: 'Parties' },
  party: { zh: '签署方', en: 'Party' },
  days: { zh: '有效期', en: 'In force' },
  signatures: { zh: '签名', en: 'Signatures' },
  state: { zh: '状态', en: 'State' },
  inForce: { zh: '有效', en: 'In force' },
  soon: { zh: '将到期', en: 'Ends soon' },
  begins: { zh: '尚未生效', en: 'Not yet in force' },
  ended: { zh: '已到期', en: 'Ended' },
  rests: { zh: '暂停，待重新签署', en: 'Rests until it is signed anew' },
  changed: { zh: '文本未采用', en: 'This text is not in use' },
  changedWhy: {
    zh: '配置目录中的文本与网关现行文本不同，或签名不完整。运行 xinqiao check 查看原因。',
    en: 'The text in the folder is not the one that the gateway goes by, or not all have signed it. `xinqiao check` says why.',
  },
  about: { zh: '基本情况', en: 'About' },
  id: { zh: '协议代码', en: 'Agreement code' },
  signedOn: { zh: '签署日期', en: 'Signed on' },
  fromTo: (from: string, to: string) => ({ zh: `${from} 至 ${to}`, en: `${from} to ${to}` }),
  quota: { zh: '查询限额', en: 'Quota' },
  quotaOf: (questions: string, subjects: string) => ({
    zh: `每个查询方每分钟 ${questions} 次，每日 ${subjects} 个主体`,
    en: `each asking party: ${questions} questions a minute, ${subjects} subjects a day`,
  }),
  sealed: { zh: '加密传输', en: 'Sealed messages' },
  sealedYes: { zh: '是，消息正文加密', en: 'yes, the messages themselves are encrypted' },
  sealedNo: { zh: '否（连接本身始终加密）', en: 'no (the connection always is)' },
  digest: { zh: '文本摘要', en: 'Digest of the text' },
  checkedNow: {
    zh: '签名、证书路径和吊销情况均按此刻核验。',
    en: 'Signature, certificate path and revocation are checked at this moment.',
  },
  key: { zh: '签名密钥', en: 'Key' },
  certifiedUntil: { zh: '证书有效至', en: 'Certificate until' },
  signed: { zh: '有效', en: 'Valid' },
  former: { zh: '有效（密钥已更换）', en: 'Valid, by a former key' },
  missing: { zh: '未签署', en: 'Not signed' },
  'not-a-member': { zh: '现非成员', en: 'No member now' },
  wrong: { zh: '无效', en: 'Not valid' },
  matrix: { zh: '提供范围', en: 'What is given' },
  matrixWhat: {
    zh: '按判断每次查询的同一规则算出，未列明的即不提供。格内为共享级别上限和条款。',
    en: 'Worked out by the rule that every question is judged by; what is not named is not given. Each cell says up to which share level, and by which clause.',
  },
  way: { zh: '方向', en: 'Direction' },
  out: { zh: '本市提供', en: 'We give' },
  in: { zh: '对方提供', en: 'They give' },
  gives: (from: string, to: string) => ({ zh: `${from}提供给${to}`, en: `${from} gives to ${to}` }),
  givesNothing: { zh: '此方向没有可提供的信息', en: 'Nothing is given this way' },
  givesNothingWhy: { zh: '协议没有这个方向的条款。', en: 'The agreement has no clause for it.' },
  lists: { zh: '名单：', en: 'Lists:' },
  schemes: { zh: '评价体系：', en: 'Schemes:' },
  field: { zh: '字段', en: 'Field' },
  notGiven: { zh: '不提供', en: 'not given' },
  only: (kinds: string) => ({ zh: `仅${kinds}`, en: `only ${kinds}` }),
  comma: { zh: '、', en: ', ' },
})
