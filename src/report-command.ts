/** `xinqiao report`: a signed report is asked for, put on a page, and verified at a counter without any gateway. */
import { readFileSync, writeFileSync } from 'node:fs'
import { type Report, ReportFile } from '#exchange/report.ts'
import { readJson } from '#protocol/json.ts'
import { readCertificates, readCrls } from '#trust/certificate.ts'
import { Malformed } from '#trust/der.ts'
import { Bundle } from '#trust/statement.ts'
import { askInside } from './department-call.ts'
import type { PublicMaterial, Verdict } from './report-proof.ts'
import { type Command, daysIn, type Exit, Failure, needed, optional, parse, Usage } from './words.ts'

export const reportCommand: Command = {
  usage: [
    'report CODE --purpose CODE --matter TEXT --from DAY --to DAY --key-file FILE [--peer CITY] [--url URL] [--out FILE] [--page FILE]',
    'report page FILE --out FILE',
    'report verify FILE --roots FILE [--crls FILE] [--roll FILE] [--code CODE] [--json]',
  ],
  zh: '出具跨市信用报告（代替有无违法违规证明）；生成打印页；离线核验',
  en: 'have a signed cross-city report made; put it on a page to print; verify one offline',
  more: `  CODE             统一社会信用代码 unified social credit code
  --purpose CODE   查询目的 why, as the agreements name it
  --matter TEXT    事由：办件文号 file number of the case
  --from, --to DAY 期间，含首尾两日 the period, both days included: 2023-11-22
  --peer CITY      只查询一个城市；默认为所有已签协议的城市 ask one city only; default: all that have an agreement
  --key-file FILE  部门密钥文件，- 为标准输入 the department's key, - for standard input
  --url URL        本市网关对内地址 inside surface of our gateway; default http://127.0.0.1:8080
  --out FILE       写入新文件；默认打印 JSON write to a new file; default: print the JSON
  --page FILE      同时写入可打印的网页 write the page to print as well
核验 verify:
  --roots FILE     联盟根证书 the federation's root certificate (PEM)
  --crls FILE      吊销列表 revocation lists (PEM, several in one file): without them, revocation is not looked at
  --roll FILE      成员名册 roll.json; needs --crls
  --code CODE      纸质件上的核验码 the verification code on the paper, to be compared

例 examples:
  xinqiao report 91320281250344877K --purpose tendering --matter 惠招〔2026〕118号 --from 2023-11-22 --to 2026-11-21 --key-file tender.key --out report.json --page report.html
  xinqiao report verify report.json --roots certs/root.pem --crls lists.pem --roll federation-config/roll.json

退出码 exit codes: 0 已出具且各城市均已答复，或核验通过 made and every city answered, or verified; 1 否则 otherwise; 2 用法 usage`,
  run: report,
}

async function report(words: string[]): Promise<Exit> {
  const option = { type: 'string' } as const
  const { values, positionals } = parse(words, {
    purpose: option,
    matter: option,
    from: option,
    to: option,
    peer: option,
    'key-file': option,
    url: option,
    out: option,
    page: option,
    roots: option,
    crls: option,
    roll: option,
    code: option,
    json: { type: 'boolean' },
  })
  const [first, file, ...rest] = positionals
  if (first === undefined || rest.length > 0) throw new Usage({ form: 'report CODE | page FILE | verify FILE' })
  if (first === 'verify') {
    if (file === undefined) throw new Usage({ form: 'report verify FILE' })
    return await verify(file, values)
  }
  if (first === 'page') {
    if (file === undefined) throw new Usage({ form: 'report page FILE' })
    await writePage(readReport(file), needed(values, 'out'))
    return 0
  }
  if (file !== undefined)
    throw new Usage({ zh: '只写一个代码：一份报告只关于一户企业', en: 'one CODE: a report is on one enterprise' })
  return await make(first, values)
}

type Values = Readonly<Record<string, unknown>>

async function make(subject: string, values: Values): Promise<Exit> {
  for (const name of ['from', 'to']) needed(values, name)
  const { from = '', to = '' } = daysIn(values)
  const [out, page] = [optional(values, 'out'), optional(values, 'page')]
  const request = {
    subject,
    purpose: needed(values, 'purpose'),
    matter: needed(values, 'matter'),
    period: { from, to },
    peer: peerOf(optional(values, 'peer')),
  }
  const file = await askInside(values, '/report', request, ReportFile)
  if (file === undefined) return 1
  const text = `${JSON.stringify(file, null, 2)}\n`
  if (out !== undefined) writeFileSync(out, text, { flag: 'wx' })
  if (page !== undefined) await writePage(file, page)
  console.log(
    out === undefined ? text.trimEnd() : [out, ...(page === undefined ? [] : [page]), summary(file)].join('\n'),
  )
  return file.report.cities.every(({ outcome }) => answered.has(outcome)) ? 0 : 1
}

/** Outcomes after which nothing that was asked is open; a city with which nothing is agreed was not asked. */
const answered: ReadonlySet<Report['cities'][number]['outcome']> = new Set(['own', 'answered', 'not-asked'])

function peerOf(text: string | undefined): string {
  return text === undefined || text === 'all' ? '*' : text
}

function readReport(path: string): ReportFile {
  const file = ReportFile.safeParse(readJson(readFileSync(path, 'utf8')))
  if (file.success) return file.data
  throw new Failure(
    { zh: `${path} 不是报告文件`, en: `${path} is no report` },
    {
      zh: '指定 `xinqiao report --out` 生成的 JSON 文件',
      en: 'name the JSON file that `xinqiao report --out` wrote',
    },
  )
}

async function writePage(file: ReportFile, path: string): Promise<void> {
  const { reportPage } = await import('./report-page.ts')
  writeFileSync(path, await reportPage(file.report), { flag: 'wx' })
}

const states = { records: '有记录 records', none: '无记录 no record', unknown: '未知 unknown' } as const
const outcomes = {
  own: '本市 own records',
  answered: '已答复 answered',
  refused: '未受理 refused',
  unknown: '未知 unknown',
  'not-asked': '未查询 not asked',
} as const

/** What a clerk sees of a report that was just made. */
function summary({ report: { cities, sections, subject }, code }: ReportFile): string {
  return [
    `核验码 code ${code}`,
    `${subject.code}  ${subject.names.map(({ name }) => name).join(' / ') || '名称未知 name unknown'}`,
    ...cities.map(
      ({ name, outcome, reason }) =>
        `  ${name.zh} ${name.en}  ${outcomes[outcome]}${reason === undefined ? '' : ` · ${reason.zh} ${reason.en}`}`,
    ),
    ...sections.map(({ zh, en, state, complete, entries, advice }) => {
      const part = state === 'records' && !complete ? '，部分未知 partly unknown' : ''
      const n = entries.length + (advice?.length ?? 0)
      return `  ${zh} ${en}  ${states[state]}${n > 0 ? ` (${n})` : ''}${part}`
    }),
  ].join('\n')
}

async function verify(path: string, values: Values): Promise<Exit> {
  const roots = needed(values, 'roots')
  const [crls, roll] = [optional(values, 'crls'), optional(values, 'roll')]
  if (roll !== undefined && crls === undefined)
    throw new Usage({
      zh: '--roll 须与 --crls 并用：名册要用现行吊销列表核验',
      en: '--roll needs --crls: a roll is proved with current lists',
    })
  const material: PublicMaterial = {
    roots: pemOf(roots, readCertificates),
    ...(crls !== undefined && { crls: pemOf(crls, readCrls) }),
    ...(roll !== undefined && { roll: bundleIn(roll) }),
  }
  const { verifyReport } = await import('./report-proof.ts')
  const found = compared(await verifyReport(readFileSync(path, 'utf8'), material, Date.now()), optional(values, 'code'))
  console.log(values['json'] === true ? JSON.stringify(outline(found)) : described(path, found))
  return found.verified ? 0 : 1
}

/** With the code on the paper beside the one of the file; as people write it, in any case and with or without hyphens. */
function compared(found: Verdict, paper: string | undefined): Verdict {
  if (paper === undefined || found.file === undefined) return found
  const plain = (text: string) => text.replace(/[^0-9A-Za-z]/g, '').toUpperCase()
  const ok = plain(paper) === plain(found.file.code)
  const finding = ok
    ? { ok, zh: '与纸质件核验码一致', en: 'The paper bears the same verification code.' }
    : {
        ok,
        zh: '与纸质件核验码不一致：纸质件不是本文件的打印件',
        en: 'The paper bears another code: it is no print of this file.',
      }
  return { ...found, verified: found.verified && ok, findings: [...found.findings, finding] }
}

function pemOf<T>(path: string, read: (pem: string) => T): T {
  try {
    return read(readFileSync(path, 'utf8'))
  } catch (error) {
    if (!(error instanceof Malformed)) throw error
    throw new Failure(
      { zh: `${path} 无法作为 PEM 文件读取`, en: `${path}: ${error.message}` },
      { zh: '使用联盟公布的 PEM 文件原样', en: 'give the PEM file as the federation publishes it' },
    )
  }
}

function bundleIn(path: string): Bundle {
  const bundle = Bundle.safeParse(readJson(readFileSync(path, 'utf8')))
  if (bundle.success) return bundle.data
  throw new Failure(
    { zh: `${path} 不是成员名册`, en: `${path} is no roll` },
    { zh: '使用联盟办公室的 roll.json', en: 'give the roll.json of the federation’s office' },
  )
}

function outline({ verified, file, digest, findings, limits }: Verdict) {
  const { iss, iat, exp, subject, purpose, period } = file?.report ?? {}
  return {
    verified,
    code: file?.code,
    digest,
    iss,
    iat,
    exp,
    subject: subject?.code,
    purpose,
    period,
    findings,
    limits,
  }
}

/** The verdict in plain words, both languages: what is proved, what is not, and what the report is about. */
function described(path: string, { verified, file, digest, findings, limits }: Verdict): string {
  const list = (each: { readonly zh: string; readonly en: string }, sign: string) =>
    `  ${sign} ${each.zh}\n    ${each.en}`
  const lines = [`${path}: ${verified ? '核验通过 VERIFIED' : '核验未通过 NOT VERIFIED'}`]
  for (const finding of findings) lines.push(list(finding, finding.ok ? '✓' : '✗'))
  if (verified && file !== undefined) {
    const { subject, purpose, matter, period, issuer } = file.report
    lines.push(
      '',
      '内容 what it is',
      `  ${subject.code}  ${subject.names.map(({ name }) => name).join(' / ')}`,
      `  ${purpose.zh} ${purpose.en} · ${matter} · ${period.from} 至 to ${period.to} · ${issuer.department.name}`,
      `  核验码 code ${file.code}  摘要 digest ${digest}`,
      `  报告编号 report ${file.report.jti}`,
    )
  }
  lines.push('', '不能证明 what this does not prove', ...limits.map(each => list(each, '·')))
  return lines.join('\n')
}
