/** `xinqiao evidence`: taken out of the ledger into one file, and verified wherever that file comes to, without network or configuration. */
import {
  closeSync,
  createReadStream,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { userInfo } from 'node:os'
import type { Proof } from '#exchange/proof.ts'
import type { Selection } from '#ledger/bundle.ts'
import { ConfigurationError, type Fault } from '#protocol/fault.ts'
import { Refusal } from '#protocol/refusal.ts'
import type { Said } from '#protocol/said.ts'
import { readSubject } from '#protocol/subject.ts'
import type { Exported } from './evidence.ts'
import {
  type Command,
  cityId,
  daysIn,
  ENV,
  type Exit,
  Failure,
  needed,
  optional,
  parse,
  settingsFrom,
  Usage,
} from './words.ts'

export const evidenceCommand: Command = {
  usage: [
    `evidence export --out FILE [--from DAY] [--to DAY] [--peer CITY] [--subject CODE] [--by NAME] [--wait SECONDS] ${ENV}`,
    'evidence verify FILE --root FILE [--json]',
  ],
  zh: '导出证据文件；只凭该文件和联盟根证书离线核验',
  en: 'take evidence out into one file; verify such a file with nothing but the federation’s root',
  more: `  export           网关运行时即可；导出本身记入日志 also while gateways run; the taking is recorded in the ledger
  --out FILE       证据文件，只有本人可读 the file, readable by you alone; it must not be there yet
  --from, --to     起止日期（北京时间，含首尾） days in Asia/Shanghai, both included, for example 2026-11-22
  --peer CITY      只导出与该城市的往来 only what was exchanged with this city
  --subject CODE   只导出涉及该主体的条目 only what is about this subject
  --by NAME        导出人姓名，默认为操作系统账户 who takes it; default: the account of the operating system
  --wait SECONDS   等待其他城市副署检查点的时间，默认 20 秒 how long to wait for cosignatures of peers; default 20
  verify           不需要网络、配置或日志 needs no network, configuration or ledger
  --root FILE      联盟根证书（PEM） the federation’s root certificate

例 examples:
  xinqiao evidence export --out case-118.evidence --from 2026-11-01 --to 2026-11-22 --peer huizhou --env xinqiao.env
  xinqiao evidence verify case-118.evidence --root root.pem`,
  run: evidence,
}

async function evidence(words: string[]): Promise<Exit> {
  const option = { type: 'string' } as const
  const { values, positionals } = parse(words, {
    env: option,
    out: option,
    from: option,
    to: option,
    peer: option,
    subject: option,
    by: option,
    wait: option,
    root: option,
    json: { type: 'boolean' },
  })
  const [action, file, ...rest] = positionals
  if (action === 'export' && file === undefined) return await take(values)
  if (action === 'verify' && file !== undefined && rest.length === 0) return await verify(file, values)
  throw new Usage({ form: 'evidence export|verify' })
}

type Values = Readonly<Record<string, unknown>>

async function take(values: Values): Promise<Exit> {
  const { writeLine } = await import('#ledger/bundle.ts')
  const { openLedgerAt, openLogStoreAt } = await import('#ledger/open.ts')
  const { readIdentity } = await import('./configuration.ts')
  const { exportEvidence } = await import('./evidence.ts')
  const out = needed(values, 'out')
  const selection = selected(values)
  const by = optional(values, 'by') ?? account()
  if (by.length < 1 || by.length > 80)
    throw new Usage({ zh: '--by 为 1 至 80 个字符', en: '--by has 1 to 80 characters' })
  const wait = Number(optional(values, 'wait') ?? 20)
  if (!Number.isInteger(wait) || wait < 0 || wait > 600)
    throw new Usage({ zh: '--wait 为秒数，不超过 600', en: '--wait is a number of seconds up to 600' })
  if (existsSync(out))
    throw new Failure(
      { zh: `已有此文件：${out}`, en: `it is there already: ${out}` },
      { zh: '另取一个文件名', en: 'name another file' },
    )
  const settings = settingsFrom(values)
  const faults: Fault[] = []
  const { members, keys } = await readIdentity(settings, Date.now, faults)
  if (members === undefined || keys === undefined) throw new ConfigurationError(faults)
  const unfinished = `${out}.new`
  rmSync(unfinished, { force: true })
  // Evidence names enterprises: the file is its owner's alone from its first byte.
  const handle = openSync(unfinished, 'wx', 0o600)
  try {
    await using ledger = await openLedgerAt(settings.ledger, settings.city)
    await using store = await openLogStoreAt(settings.ledger)
    const told = await exportEvidence({
      ledger,
      store,
      members,
      keys,
      data: settings.data,
      selection,
      by,
      now: Date.now,
      patience: wait * 1000,
      write: line => writeFileSync(handle, writeLine(line)),
      progress,
    })
    if (told === undefined)
      throw new Failure(
        { zh: '没有符合条件的条目', en: 'nothing fits' },
        { zh: '另选日期或对方城市', en: 'choose other days, or another peer' },
      )
    fsyncSync(handle)
    renameSync(unfinished, out)
    console.log(summary(out, told))
    return 0
  } finally {
    closeSync(handle)
    rmSync(unfinished, { force: true })
  }
}

/** The name of the account at the operating system; in a container there may be none. */
function account(): string {
  try {
    return userInfo().username
  } catch {
    throw new Usage({ zh: '请写 --by NAME：当前用户没有名称', en: '--by NAME: this account has no name of its own' })
  }
}

function selected(values: Values): Selection {
  const { from, to } = daysIn(values)
  const [peer, subject] = [optional(values, 'peer'), optional(values, 'subject')]
  return {
    ...(from !== undefined && { from }),
    ...(to !== undefined && { to }),
    ...(peer !== undefined && { peer: cityId(peer) }),
    ...(subject !== undefined && { subject: codeIn(subject) }),
  }
}

function codeIn(text: string): string {
  try {
    return readSubject(text).uscc
  } catch (fault) {
    if (fault instanceof Refusal)
      throw new Usage({ zh: `--subject：${fault.public.zh}`, en: `--subject: ${fault.public.en}` })
    throw fault
  }
}

/** One line on standard error: written over on a terminal, every ten thousand entries elsewhere. */
function progress(done: number, total: number): void {
  const isLast = done === total
  if (process.stderr.isTTY) {
    if (done % 100 === 0 || isLast) process.stderr.write(`\r${done}/${total}${isLast ? '\n' : ''}`)
  } else if (done % 10_000 === 0 || isLast) process.stderr.write(`${done}/${total}\n`)
}

function summary(out: string, told: Exported): string {
  const { entries, expired, missing, uncovered, checkpoint, cosignatures } = told
  const lines = [
    `${out}: ${entries} 条 entries，检查点 checkpoint ${checkpoint}，副署 cosignatures ${cosignatures}`,
    ...(expired > 0
      ? [`  ${expired} 条的原文已过保存期，只有摘要 the texts of ${expired} have expired: digests only`]
      : []),
    ...(missing > 0 ? [`  ${missing} 条的原文缺失 the texts of ${missing} are missing: verify the ledger`] : []),
    ...(uncovered > 0
      ? [`  最新 ${uncovered} 条尚无检查点，未导出 the last ${uncovered} are left out: no checkpoint covers them yet`]
      : []),
    ...(cosignatures === 0
      ? ['  尚无其他城市副署 no other city has cosigned it yet: export again when gateways have met']
      : []),
  ]
  return lines.join('\n')
}

async function verify(file: string, values: Values): Promise<Exit> {
  const { proveEvidence } = await import('#exchange/proof.ts')
  const { faultWords } = await import('#exchange/proof-words.ts')
  const { linesOf } = await import('#ledger/bundle.ts')
  const root = needed(values, 'root')
  if (!existsSync(file))
    throw new Failure(
      { zh: `没有此文件：${file}`, en: `there is no such file: ${file}` },
      { zh: '指定证据文件', en: 'name a file of evidence' },
    )
  const proof = await proveEvidence(linesOf(createReadStream(file)), await rootsIn(root), Date.now())
  console.log(values['json'] === true ? JSON.stringify(proof) : describe(file, proof, faultWords))
  return proof.verified ? 0 : 1
}

async function rootsIn(file: string) {
  const { readCertificates } = await import('#trust/certificate.ts')
  const { Malformed } = await import('#trust/der.ts')
  try {
    return readCertificates(readFileSync(file, 'utf8'))
  } catch (fault) {
    if (!(fault instanceof Malformed)) throw fault
    throw new Failure(
      { zh: `${file} 无法作为 PEM 证书读取`, en: `${file}: ${fault.message}` },
      { zh: '指定联盟根证书的 PEM 文件', en: 'name the PEM file of the federation’s root certificate' },
    )
  }
}

type Words = Readonly<Record<Proof['faults'][number]['name'], Said>>

function describe(file: string, { verified, faults, faultCount, proves, limits }: Proof, faultWords: Words): string {
  const both = ({ zh, en }: Said) => `  · ${zh}\n    ${en}`
  const lines = [`${file}: ${verified ? '核验通过 verified' : `核验未通过 NOT verified，${faultCount} 处 faults`}`]
  for (const { name, index, detail } of faults) {
    const { zh, en } = faultWords[name]
    lines.push(`  ${name}${index === undefined ? '' : ` #${index}`}: ${zh} ${en} (${detail})`)
  }
  if (faultCount > faults.length) lines.push(`  另有 and ${faultCount - faults.length} more`)
  if (verified) lines.push('证明 It proves:', ...proves.map(both))
  lines.push('不证明 It does not prove:', ...limits.map(both))
  return lines.join('\n')
}
