/** Whether a report is what a city signed is found with the file and the federation's public material alone, and said in plain words. */

import { codeOf, ReportFile, VALID_DAYS } from '#exchange/report.ts'
import { canonical, sha256 } from '#protocol/canonical.ts'
import { readJson } from '#protocol/json.ts'
import { limits as bounds } from '#protocol/message.ts'
import { Refusal } from '#protocol/refusal.ts'
import type { Said } from '#protocol/said.ts'
import { type Anchors, type CertifiedKey, proveFormerKey } from '#trust/anchors.ts'
import {
  type Certificate,
  type Crl,
  crlStore,
  pathCache,
  readCertificate,
  SIGNING,
  validatePath,
} from '#trust/certificate.ts'
import { Malformed } from '#trust/der.ts'
import { decode, defaultAlgorithms, proves, readJws, type Unproved } from '#trust/jws.ts'
import { REPORT_TYPE } from '#trust/sign.ts'
import { type Bundle, certifiedKey, entityOf, type Roll, readRoll } from '#trust/statement.ts'

/** What everybody may have: the federation's root, and the newest revocation lists and roll at hand. */
export type PublicMaterial = {
  readonly roots: readonly Certificate[]
  readonly crls?: readonly Crl[]
  readonly roll?: Bundle
}

type Finding = Said & { readonly ok: boolean }

export type Verdict = {
  readonly verified: boolean
  /** Undefined where the file is no report. */
  readonly file: ReportFile | undefined
  /** SHA-256 of the report's canonical text, base64url. */
  readonly digest: string | undefined
  /** In the order in which they were looked at; it ends with the first that makes the others meaningless. */
  readonly findings: readonly Finding[]
  /** What is not proved, whatever was found. */
  readonly limits: readonly Said[]
}

/**
 * Verifies the text of a report's file at this instant (epoch milliseconds). Never throws for what the file holds.
 */
export async function verifyReport(text: string, material: PublicMaterial, now: number): Promise<Verdict> {
  const findings: Finding[] = []
  const limits = limitsOf(material)
  const file = readFile(text)
  if (typeof file === 'string') {
    findings.push(bad('这不是一份完整的报告文件', `This is no whole report file (${file}).`))
    return { verified: false, file: undefined, digest: undefined, findings, limits }
  }
  const { report } = file
  const digest = sha256(canonical(report))
  const verdict = () => ({ verified: findings.every(({ ok }) => ok), file, digest, findings, limits })

  const key = await signed(file, findings)
  if (key === undefined) return verdict()
  findings.push(
    file.code === codeOf(digest)
      ? good(`核验码 ${file.code} 与内容相符`, `The verification code ${file.code} belongs to this content.`)
      : bad('核验码与内容不符', 'The verification code belongs to another content.'),
  )
  const anchors = anchorsOf(material)
  const roll = await rollOf(material, anchors, report.iss, key, now, findings)
  const held = roll === undefined ? anchors : { ...anchors, grace: () => roll.rules.crlGraceSeconds * 1000 }
  findings.push(certified(file, key, held, material, now))
  findings.push(...timely(file, now))
  const member = roll?.members.find(({ id }) => id === report.iss)
  if (member !== undefined && (member.name.zh !== report.issuer.name.zh || member.name.en !== report.issuer.name.en))
    findings.push(bad('出具单位名称与成员名册不符', `The report names another issuer than ${report.iss} on the roll.`))
  return verdict()
}

const good = (zh: string, en: string): Finding => ({ ok: true, zh, en })
const bad = (zh: string, en: string): Finding => ({ ok: false, zh, en })

/** The file, or what is wrong with it. */
function readFile(text: string): ReportFile | string {
  try {
    const file = ReportFile.safeParse(readJson(text))
    return file.success ? file.data : file.error.issues.map(({ path }) => path.join('.')).join(', ')
  } catch (error) {
    if (error instanceof Refusal) return error.code
    throw error
  }
}

/** Holds the signature to the report and to the first certificate of the file. Undefined: nothing more can be said. */
async function signed({ report, jws, chain }: ReportFile, findings: Finding[]): Promise<CertifiedKey | undefined> {
  let token: Unproved
  let key: CertifiedKey | undefined
  let same: boolean
  try {
    token = readJws(jws, REPORT_TYPE)
    same = decode(token.payload) === canonical(report)
    key = await certifiedKey(chain.map(each => readCertificate(Buffer.from(each, 'base64'))))
  } catch (error) {
    if (!(error instanceof Refusal || error instanceof Malformed)) throw error
    findings.push(bad('签名或证书无法读取', `The signature or its certificate cannot be read (${error.message}).`))
    return undefined
  }
  const { header } = token
  const fits =
    key !== undefined &&
    header.kid === key.kid &&
    header.alg === key.alg &&
    header['x5t#S256'] === key.thumbprint &&
    proves(token, key.key)
  if (!same)
    findings.push(
      bad('报告内容与所签内容不同：文件已被改动', 'The report is not what was signed: the file was changed.'),
    )
  else if (!fits)
    findings.push(bad('签名与所附证书不符', 'The signature is not by the key of the certificate that comes with it.'))
  else findings.push(good('签发后内容未被改动', 'Nothing was changed since it was signed.'))
  return same && fits ? key : undefined
}

function anchorsOf({ roots, crls = [] }: PublicMaterial): Anchors {
  const store = crlStore()
  for (const crl of crls) store.add(crl)
  return { roots, rootsPem: '', crls: store, grace: () => 0, validate: pathCache(), proofs: new WeakMap() }
}

/** The roll, where one is at hand and proves itself; its rules then hold. */
async function rollOf(
  { roll: bundle }: PublicMaterial,
  anchors: Anchors,
  city: string,
  { alg }: CertifiedKey,
  now: number,
  findings: Finding[],
): Promise<Roll | undefined> {
  if (bundle === undefined) {
    // Which other algorithms may be used, a roll says.
    if (!defaultAlgorithms.has(alg))
      findings.push(
        bad(`签名算法 ${alg} 须凭成员名册核验`, `Whether ${alg} may be used, the roll says: give it with --roll.`),
      )
    return undefined
  }
  try {
    const roll = await readRoll(bundle, anchors, now)
    const member = roll.members.find(({ id }) => id === city)
    if (member === undefined)
      findings.push(bad(`${city} 不在成员名册（第 ${roll.number} 号）上`, `${city} is not on roll ${roll.number}.`))
    else if (!roll.rules.algorithms.includes(alg))
      findings.push(bad(`名册未允许签名算法 ${alg}`, `Roll ${roll.number} does not allow ${alg}.`))
    else
      findings.push(
        good(
          `${member.name.zh}在成员名册（第 ${roll.number} 号）上`,
          `${member.name.en} is on roll ${roll.number} of the federation.`,
        ),
      )
    return roll
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    findings.push(bad('成员名册无法核验', `The roll does not prove itself (${error.message}).`))
    return undefined
  }
}

/** Whether the key was certified for the city when it signed; with lists, that it is not revoked now. */
function certified(
  { report: { iss, iat } }: ReportFile,
  key: CertifiedKey,
  anchors: Anchors,
  { crls }: PublicMaterial,
  now: number,
): Finding {
  const refused = (why: string) =>
    bad('签名密钥未经联盟证书机构为该城市认证', `The federation did not certify this key for ${iss} (${why}).`)
  const at = iat * 1000
  if (crls === undefined) {
    const [leaf, ...untrusted] = key.chain
    const names = leaf?.alternativeNames.some(({ form, value }) => form === 'uri' && value === entityOf(iss))
    if (leaf === undefined || names !== true) return refused('it names another city')
    const { roots } = anchors
    const path = validatePath({
      leaf,
      untrusted,
      roots,
      at: new Date(at),
      purposes: [SIGNING],
      profile: 'rfc5280',
    })
    if (!path.ok) return refused(path.reason)
    return good(
      `由 ${iss} 签发：签发时其密钥经联盟根证书认证（未核吊销情况）`,
      `Issued by ${iss}: its key was certified then, from the federation’s root (revocation not looked at).`,
    )
  }
  try {
    proveFormerKey(iss, key, anchors, at, now)
    return good(
      `由 ${iss} 签发：签发时其密钥经联盟根证书认证，至今未被吊销`,
      `Issued by ${iss}: its key was certified then, from the federation’s root, and is not revoked.`,
    )
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    return refused(error.message)
  }
}

function timely({ report: { iat, exp } }: ReportFile, now: number): Finding[] {
  const seconds = now / 1000
  if (exp - iat > VALID_DAYS * 86_400)
    return [bad('有效期长于规定', `It claims to be good for more than ${VALID_DAYS} days.`)]
  if (iat > seconds + bounds.skew) return [bad('签发时间在未来', 'It is dated in the future.')]
  return [
    exp > seconds
      ? good(
          `签发于 ${shanghai(iat)}，有效至 ${shanghai(exp)}`,
          `Made ${shanghai(iat)}, valid until ${shanghai(exp)} (Asia/Shanghai).`,
        )
      : bad(
          `已过有效期（${shanghai(exp)}）：须重新出具`,
          `No longer valid since ${shanghai(exp)} (Asia/Shanghai): have it made anew.`,
        ),
  ]
}

/** An instant in epoch seconds as a day and a time in Asia/Shanghai, to the second. */
export function shanghai(seconds: number): string {
  const at = Temporal.Instant.fromEpochMilliseconds(seconds * 1000).toZonedDateTimeISO('Asia/Shanghai')
  return `${at.toPlainDate()} ${at.toPlainTime()}`
}

function limitsOf({ crls, roll }: PublicMaterial): Said[] {
  return [
    {
      zh: '不证明各城市的记录本身真实、完整：只证明签发城市当时如此汇集',
      en: 'That the records of the cities are true and whole: only that the issuing city gathered them so, then.',
    },
    {
      zh: '不证明此后没有新记录、修复或撤销：须以最新数据为准时，请重新出具',
      en: 'That nothing was added, repaired or withdrawn since: where that matters, have it made anew.',
    },
    {
      zh: '签发时间由签发城市自述，可凭报告编号向其日志核对',
      en: 'When it was made, but by the issuing city’s own word: its ledger holds the number of the report and can be asked.',
    },
    ...(crls === undefined
      ? [
          {
            zh: '未提供吊销列表：不证明密钥未被吊销',
            en: 'That the key is not revoked: no revocation lists were given.',
          },
        ]
      : []),
    ...(roll === undefined
      ? [
          {
            zh: '未提供成员名册：不证明该城市现为联盟成员',
            en: 'That the city is a member of the federation today: no roll was given.',
          },
        ]
      : []),
  ]
}
