/** Who belongs and by which keys, each with its certificates up to the root, proved as the page is made, and with every end that is near. */
import { html } from 'hono/html'
import { verifierKey } from '#ledger/checkpoint.ts'
import { Refusal } from '#protocol/refusal.ts'
import { type Anchors, type CertifiedKey, proveKey, provePath } from '#trust/anchors.ts'
import { type Certificate, STATEMENTS, TRANSPORT } from '#trust/certificate.ts'
import type { Member } from '#trust/members.ts'
import { OFFICE } from '#trust/statement.ts'
import type { Visit } from './desk.ts'
import { type Markup, page, trouble } from './layout.ts'
import { clock, countOf, dayOf } from './shown.ts'
import { type Language, words as shared, spoken } from './words.ts'

const DAY = 86_400_000
/** Milliseconds before their end at which a certificate and a revocation list end soon. */
const SOON = { certificate: 30 * DAY, list: 2 * DAY }

/** `GET /members`: the roll and its rules, each member with its keys and chains, and the revocation lists. */
export function membersPage(c: Visit): Promise<Response> {
  const [{ city }, language] = [c.get('desk'), c.get('language')]
  const [t, s] = [words[language], shared[language]]
  const { members } = city
  const { roll, anchors } = members
  const now = city.now()
  const { algorithms, crlGraceSeconds, publishSeconds } = roll.rules
  const office = proof(() => provePath(OFFICE, roll.office, anchors, now, [STATEMENTS]))
  const body = html`<div class="head"><h1>${s.members}</h1></div>
<p class="lead">${t.lead}</p>
${now >= roll.until && trouble(t.rollEnded, t.rollEndedWhy)}
<section class="sheet"><h2>${t.roll}</h2><dl class="facts">
<div><dt>${t.number}</dt><dd>${countOf(roll.number, language)}</dd></div>
<div><dt>${t.made}</dt><dd>${clock(roll.made)}</dd></div>
<div><dt>${t.until}</dt><dd>${clock(roll.until)} ${endTag(roll.until, now, 5 * DAY, language)}</dd></div>
<div><dt>${t.digest}</dt><dd><code>${roll.digest}</code></dd></div>
<div><dt>${t.rules}</dt><dd>${t.rulesOf(algorithms.join(t.comma), days(publishSeconds, t), crlGraceSeconds === 0 ? t.noGrace : t.grace(days(crlGraceSeconds, t)))}</dd></div>
<div><dt>${t.office}</dt><dd>${proofTag(office, language)}${chainOf(roll.office, anchors, now, language)}</dd></div>
</dl></section>
${[...members.all].sort((a, b) => Number(b.id === city.id) - Number(a.id === city.id)).map(member => memberSheet(member, c))}
${listsSheet(anchors, now, language)}`
  return page(c, { title: s.members, active: 'members' }, body)
}

/** The log of our own, as we tell others of it. */
function ourLog(c: Visit): { readonly origin: string; readonly key: string } {
  const { origin, keys } = c.get('desk').transparency.log
  return { origin, key: verifierKey(keys.log) }
}

/** How a path stands at this instant: until when it holds, or why it does not. */
type Proof = { readonly until: number } | { readonly why: string }

function proof(prove: () => number): Proof {
  try {
    return { until: prove() }
  } catch (error) {
    if (error instanceof Refusal) return { why: error.message }
    throw error
  }
}

function memberSheet(member: Member, c: Visit): Markup {
  const [{ city }, language] = [c.get('desk'), c.get('language')]
  const t = words[language]
  const { id, name, divisions, endpoint, keys, transport, encryption } = member
  const { anchors } = city.members
  const now = city.now()
  const isUs = id === city.id
  // What a member says of its log is heard from it, and nobody hears of themselves.
  const log = isUs ? ourLog(c) : member.log
  return html`<section class="sheet" id="${id}"><h2>${name[language]} ${isUs && html`<span class="tag">${t.us}</span>`}</h2>
<dl class="facts">
<div><dt>${t.code}</dt><dd><code>${id}</code></dd></div>
<div><dt>${t.endpoint}</dt><dd><code>${endpoint}</code></dd></div>
<div><dt>${t.divisions}</dt><dd>${divisions.join(t.comma)}</dd></div>
${log && html`<div><dt>${t.log}</dt><dd><code>${log.origin}</code><span class="row"><code>${log.key}</code></span></dd></div>`}
</dl>
<h3>${t.signing}</h3>
${signingOf(member, c).map(
  ({ key, stage }) =>
    html`<dl class="facts"><div><dt><span class="tag ${stage === 'current' ? 'good' : ''}">${t[stage]}</span></dt><dd><code>${key.kid}</code> <span class="soft">${key.alg}</span> ${proofTag(
      proof(() => proveKey(id, key, anchors, now)),
      language,
    )}${chainOf(key.chain, anchors, now, language)}</dd></div></dl>`,
)}
${keys.size === 0 && html`<p class="soft">${t.noKey}</p>`}
<h3>${t.transport}</h3>
${transport.map(
  ({ chain }) =>
    html`<dl class="facts"><div><dt>${t.tls}</dt><dd>${proofTag(
      proof(() => provePath(id, chain, anchors, now, TRANSPORT)),
      language,
    )}${chainOf(chain, anchors, now, language)}</dd></div></dl>`,
)}
<h3>${t.encryption}</h3>
${
  encryption.size === 0
    ? html`<p class="soft">${t.noEncryption}</p>`
    : html`<dl class="facts">${[...encryption.keys()].map((kid, i) => html`<div><dt><span class="tag ${i === 0 ? 'good' : ''}">${i === 0 ? t.current : t.former}</span></dt><dd><code>${kid}</code></dd></div>`)}</dl>`
}
</section>`
}

type Stage = 'current' | 'next' | 'former' | 'published'

/**
 * The keys that a member publishes, the oldest certificate first. Which signs we know of ourselves, and of another that has
 * but one; with which of several it signs is its own matter, and each is taken.
 */
function signingOf({ id, keys }: Member, c: Visit): readonly { readonly key: CertifiedKey; readonly stage: Stage }[] {
  const { city } = c.get('desk')
  const { signing } = city.keys()
  const stageOf = (key: CertifiedKey): Stage => {
    if (id !== city.id) return keys.size === 1 ? 'current' : 'published'
    return key.kid === signing.kid ? 'current' : begins(key) >= begins(signing) ? 'next' : 'former'
  }
  return [...keys.values()].sort((a, b) => begins(a) - begins(b)).map(key => ({ key, stage: stageOf(key) }))
}

function begins({ chain: [leaf] }: CertifiedKey): number {
  return leaf?.notBefore.getTime() ?? 0
}

/** The certificate and its issuers up to the root, each with its end. */
function chainOf(chain: readonly Certificate[], { roots }: Anchors, now: number, language: Language): Markup {
  const t = words[language]
  const last = chain.at(-1)
  const root = roots.find(({ subject }) => subject.key === last?.issuer.key)
  const whole = root === undefined || root.digest === last?.digest ? chain : [...chain, root]
  return html`<details><summary>${t.chain(countOf(whole.length, language))}</summary><table class="stacked">
<thead><tr><th scope="col">${t.subject}</th><th scope="col">${t.serial}</th><th scope="col" class="n">${t.from}</th><th scope="col" class="n">${t.until}</th><th scope="col">${t.fingerprint}</th></tr></thead>
<tbody>${whole.map(
    certificate => html`<tr><th scope="row">${certificate.subject.text}${certificate === root && html` <span class="tag">${t.root}</span>`}</th>
<td data-label="${t.serial}"><code>${certificate.serial}</code></td>
<td data-label="${t.from}" class="n">${dayOf(certificate.notBefore.getTime())}</td>
<td data-label="${t.until}" class="n">${dayOf(certificate.notAfter.getTime())} ${endTag(certificate.notAfter.getTime(), now, SOON.certificate, language)}</td>
<td data-label="${t.fingerprint}"><code>${certificate.digest}</code></td></tr>`,
  )}</tbody></table></details>`
}

function proofTag(found: Proof, language: Language): Markup {
  const t = words[language]
  if ('why' in found) return html`<span class="tag bad">${t.unproved}</span> <span class="small">${found.why}</span>`
  // It holds no longer than the lists that it rests on, which are renewed every few days.
  return html`<span class="tag good">${t.proved}</span> <span class="soft small">${t.provedUntil(clock(found.until))}</span>`
}

/** Says nothing while the end is far. */
function endTag(end: number, now: number, notice: number, language: Language): Markup | '' {
  const t = words[language]
  if (end <= now) return html`<span class="tag bad">${t.ended}</span>`
  return end - now < notice ? html`<span class="tag warn">${shared[language].soon}</span>` : ''
}

function listsSheet({ crls }: Anchors, now: number, language: Language): Markup {
  const t = words[language]
  const lists = crls
    .list()
    .toSorted((a, b) => a.issuer.text.localeCompare(b.issuer.text) || Number(b.number - a.number))
  return html`<section class="sheet"><h2>${t.lists}</h2><p class="soft">${t.listsWhat}</p>
${lists.length === 0 ? trouble(t.noLists, t.noListsWhy) : ''}
<table class="stacked"><thead><tr><th scope="col">${t.issuer}</th><th scope="col" class="n">${t.number}</th><th scope="col" class="n">${t.made}</th><th scope="col" class="n">${t.nextUpdate}</th><th scope="col" class="n">${t.revoked}</th></tr></thead>
<tbody>${lists.map(
    ({ issuer, number, thisUpdate, nextUpdate, revoked }) => html`<tr><th scope="row">${issuer.text}</th>
<td data-label="${t.number}" class="n">${String(number)}</td>
<td data-label="${t.made}" class="n">${clock(thisUpdate.getTime())}</td>
<td data-label="${t.nextUpdate}" class="n">${clock(nextUpdate.getTime())} ${endTag(nextUpdate.getTime(), now, SOON.list, language)}</td>
<td data-label="${t.revoked}" class="n">${countOf(revoked.size, language)}</td></tr>`,
  )}</tbody></table></section>`
}

type Words = (typeof words)[Language]

function days(seconds: number, t: Words): string {
  return seconds % 86_400 === 0 ? t.days(seconds / 86_400) : t.hours(Math.round(seconds / 360) / 10)
}

const words = spoken({
  lead: {
    zh: '成员由联盟办公室签名的名册确定；密钥由证书证明，证书路径直至联盟根证书。下列各项在打开本页时核验。',
    en: 'Who belongs is said by the roll that the federation’s office signed; keys are proved by certificates up to the root. All is checked as this page is made.',
  },
  roll: { zh: '成员名册', en: 'Roll of members' },
  number: { zh: '编号', en: 'Number' },
  made: { zh: '签发时间', en: 'Issued' },
  until: { zh: '有效至', en: 'Valid until' },
  digest: { zh: '摘要', en: 'Digest' },
  rules: { zh: '联盟规则', en: 'Rules' },
  rulesOf: (algorithms: string, publish: string, grace: string) => ({
    zh: `签名算法 ${algorithms}；新密钥公示 ${publish}后启用；${grace}`,
    en: `signatures by ${algorithms}; a new key is published ${publish} before it signs; ${grace}`,
  }),
  grace: (time: string) => ({ zh: `吊销列表宽限期 ${time}`, en: `a revocation list may outlive its end by ${time}` }),
  noGrace: { zh: '吊销列表无宽限期', en: 'a revocation list may not outlive its end' },
  days: (n: number) => ({ zh: `${n} 天`, en: n === 1 ? '1 day' : `${n} days` }),
  hours: (n: number) => ({ zh: `${n} 小时`, en: n === 1 ? '1 hour' : `${n} hours` }),
  office: { zh: '联盟办公室', en: 'The office' },
  rollEnded: { zh: '成员名册已到期', en: 'The roll has ended' },
  rollEndedWhy: {
    zh: '在取得新名册之前，不认可任何成员。请联系联盟办公室。',
    en: 'Until there is a new one nobody is a member. Ask the federation’s office for it.',
  },
  us: { zh: '本市', en: 'This city' },
  code: { zh: '成员代码', en: 'Code' },
  endpoint: { zh: '网关地址', en: 'Address' },
  divisions: { zh: '区划代码', en: 'Division codes' },
  log: { zh: '日志密钥', en: 'Key of its log' },
  signing: { zh: '签名密钥', en: 'Signing keys' },
  current: { zh: '使用中', en: 'current' },
  next: { zh: '待启用', en: 'next' },
  former: { zh: '已停用', en: 'former' },
  published: { zh: '已公布', en: 'published' },
  noKey: { zh: '没有符合联盟规则的签名密钥。', en: 'No key of an algorithm that the rules name.' },
  transport: { zh: '传输证书', en: 'Transport certificates' },
  tls: { zh: '连接用证书', en: 'For connections' },
  encryption: { zh: '加密密钥', en: 'Encryption keys' },
  noEncryption: { zh: '未公布。', en: 'None is published.' },
  proved: { zh: '核验通过', en: 'Proved' },
  unproved: { zh: '核验不通过', en: 'Not proved' },
  provedUntil: (at: string) => ({
    zh: `按现有证书和吊销列表，有效至 ${at}`,
    en: `by today’s certificates and lists, until ${at}`,
  }),
  ended: { zh: '已到期', en: 'Ended' },
  chain: (n: string) => ({ zh: `证书链（${n} 张）`, en: `Chain of ${n} certificates` }),
  subject: { zh: '名称', en: 'Subject' },
  serial: { zh: '序列号', en: 'Serial' },
  from: { zh: '自', en: 'From' },
  fingerprint: { zh: '指纹（SHA-256）', en: 'Fingerprint (SHA-256)' },
  root: { zh: '根证书', en: 'root' },
  lists: { zh: '吊销列表', en: 'Revocation lists' },
  listsWhat: { zh: '每个签发者以编号最大的一份为准。', en: 'Of each issuer the one with the highest number counts.' },
  noLists: { zh: '没有吊销列表', en: 'There is no revocation list' },
  noListsWhy: { zh: '没有吊销列表，任何证书都不予认可。', en: 'Without one no certificate is accepted.' },
  issuer: { zh: '签发者', en: 'Issuer' },
  nextUpdate: { zh: '下次更新', en: 'Next update' },
  revoked: { zh: '吊销证书数', en: 'Revoked' },
  comma: { zh: '、', en: ', ' },
})
