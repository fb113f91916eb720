/** `xinqiao keys`: the city's own keys, made, certified and changed in time; and the keys of its departments. */
import { createPrivateKey } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { ConfigurationError, type Fault } from '#protocol/fault.ts'
import { Code } from '#protocol/message.ts'
import { issueKey, readDepartments, withdrawKey } from '#trust/departments.ts'
import { type Algorithm, algorithms } from '#trust/jws.ts'
import { newLogKey, readPassphrase, type Use, uses } from '#trust/keys.ts'
import type { Settings } from './settings.ts'
import { type Command, cityId, ENV, type Exit, Failure, needed, optional, parse, settingsFrom, Usage } from './words.ts'

export const keysCommand: Command = {
  usage: [
    `keys new signing|transport|encryption|log CITY --dir FOLDER [--alg ALG] [--passphrase-file FILE]`,
    `keys rotate signing|transport|encryption [--alg ALG] [--out FOLDER] ${ENV}`,
    `keys request signing|transport --key FILE [--out FOLDER] ${ENV}`,
    `keys show ${ENV} [--json]`,
    `keys department ID --name NAME --purposes A,B --days N [--out FILE] ${ENV}`,
    `keys withdraw ID ${ENV}`,
    `keys departments ${ENV}`,
  ],
  zh: '生成、更换本市密钥和证书请求；签发、撤销部门密钥',
  en: 'make and change this city’s keys and certificate requests; issue and withdraw department keys',
  more: `  rotate           生成下一把密钥。证书放入 certs/ 后，网关先公示，期满后启用，无需重启；旧密钥文件可在启用后移走
                   make the next key. Once its certificate lies in certs/, the gateway publishes it first and signs with
                   it when the federation’s rules allow, without a restart; the old file can go after that
  request          为已有密钥重新生成证书请求（证书续期）a new request for a key that stays
  --alg ALG        签名算法 for signing keys: ES256 (default), Ed25519, ML-DSA-65, SGD_SM3_SM2; used only where the
                   federation’s rules name it
  --passphrase-file FILE  用口令加密密钥文件 encrypt the key file with the passphrase in FILE
  --out FOLDER     证书请求写入的目录，默认当前目录 where the request goes; default: here
  --purposes A,B   该部门可用的查询目的 the purposes that the department may ask for
  --days N         有效天数 1 to 366
  --out FILE       写入仅本用户可读的新文件 write the department’s key to a new file for this user alone; else it is printed once

例 examples:
  xinqiao keys rotate signing --env xinqiao.env
  xinqiao keys department tender-office --name 招标办 --purposes tendering --days 180 --out tender.key
  xinqiao keys withdraw tender-office`,
  run: keys,
}

async function keys(words: string[]): Promise<Exit> {
  const option = { type: 'string' } as const
  const { values, positionals } = parse(words, {
    dir: option,
    env: option,
    name: option,
    purposes: option,
    days: option,
    out: option,
    alg: option,
    key: option,
    'passphrase-file': option,
    json: { type: 'boolean' },
  })
  const [action, first, second] = positionals
  switch (action) {
    case 'new':
      return await makeKey(first, second, values)
    case 'rotate':
      return await rotate(use(first), settingsFrom(values), values)
    case 'request':
      return await request(use(first), settingsFrom(values), values)
    case 'show':
      return await show(settingsFrom(values), values['json'] === true)
    case 'departments':
      return departments(settingsFrom(values))
    case 'withdraw':
      return withdraw(first, settingsFrom(values))
    case 'department':
      return await department(first, settingsFrom(values), values)
    default:
      throw new Usage({ form: 'keys new|rotate|request|show|department|withdraw|departments' })
  }
}

type Values = Readonly<Record<string, unknown>>

function use(text: string | undefined): Use {
  const found = uses.find(each => each === text)
  if (found === undefined)
    throw new Usage({ zh: `用途为下列之一：${uses.join('、')}`, en: `one of ${uses.join(', ')}` })
  return found
}

async function makeKey(first: string | undefined, city: string | undefined, values: Values): Promise<Exit> {
  if (city === undefined) throw new Usage({ form: 'keys new signing|transport|encryption|log CITY --dir FOLDER' })
  const folder = needed(values, 'dir')
  const passphrase = passphraseIn(optional(values, 'passphrase-file'))
  if (first === 'log') {
    cityId(city)
    keep(join(folder, 'log.pem'), newLogKey(), passphrase)
    return 0
  }
  await write(use(first), cityId(city), '', { folder, out: folder, passphrase, values })
  return 0
}

/** Writes a new private key for us alone; a file that is there already stays. */
function keep(path: string, key: string, passphrase: string | undefined): void {
  writeFileSync(path, passphrase === undefined ? key : encrypted(key, passphrase), { mode: 0o600, flag: 'wx' })
  console.log(path)
}

/** The next key beside the one in use: `signing-2027-01-15.pem`. The gateway finds it there, and its certificate among the public ones. */
async function rotate(use: Use, settings: Settings, values: Values): Promise<Exit> {
  const day = Temporal.Now.plainDateISO('Asia/Shanghai').toString()
  const passphrase = passphraseIn(settings.passphrase)
  const out = optional(values, 'out') ?? '.'
  await write(use, settings.city, `-${day}`, { folder: settings.keys, out, passphrase, values })
  console.log(
    use === 'encryption'
      ? `网关随即公示，无需证书；旧密钥请保留一天，以便解开途中的报文
The gateway publishes it by itself, without a certificate; keep the old file for a day, for what is under way.`
      : `请联盟证书机构签发证书，放入 ${settings.certs}/；网关随即公示，期满后启用，无需重启
Have the request certified and put the certificate into ${settings.certs}/; the gateway goes on from there by itself.`,
  )
  return 0
}

async function request(use: Use, settings: Settings, values: Values): Promise<Exit> {
  if (use === 'encryption') throw new Usage({ zh: '加密密钥没有证书', en: 'an encryption key has no certificate' })
  const file = needed(values, 'key')
  const passphrase = passphraseIn(settings.passphrase)
  const { requestFor } = await import('#trust/request.ts')
  const key = createPrivateKey({ key: readFileSync(file, 'utf8'), ...(passphrase !== undefined && { passphrase }) })
  const path = join(optional(values, 'out') ?? '.', `${settings.city}-${use}.csr.pem`)
  writeFileSync(path, await requestFor(key, settings.city, use), { flag: 'wx' })
  console.log(path)
  return 0
}

/** Every key of ours as peers see it, and the one that signs now. */
async function show(settings: Settings, json: boolean): Promise<Exit> {
  const faults: Fault[] = []
  const { readIdentity } = await import('./configuration.ts')
  const { keys } = await readIdentity(settings, Date.now, faults)
  if (keys === undefined) throw new ConfigurationError(faults)
  const { described, signing, changesAt } = keys
  const found = {
    city: settings.city,
    signing: described.keys.map(({ kid, alg, chain: [leaf] }) => ({
      kid,
      alg,
      certifiedUntil: leaf?.notAfter.toISOString(),
      inUse: kid === signing.kid,
    })),
    transport: described.transport.map(([leaf], i) => ({
      subject: leaf?.subject.text,
      certifiedUntil: leaf?.notAfter.toISOString(),
      inUse: i === 0,
    })),
    encryption: described.encryption,
    ...(changesAt !== undefined && described.keys.length > 1 && { nextKeyFrom: new Date(changesAt).toISOString() }),
  }
  if (json) {
    console.log(JSON.stringify(found))
    return 0
  }
  const mark = (inUse: boolean) => (inUse ? '使用中 in use' : '已公示 published')
  for (const { kid, alg, certifiedUntil, inUse } of found.signing)
    console.log(`签名 signing     ${mark(inUse)}  ${alg}  ${kid}  至 until ${certifiedUntil}`)
  for (const { subject, certifiedUntil, inUse } of found.transport)
    console.log(`传输 transport   ${mark(inUse)}  ${subject}  至 until ${certifiedUntil}`)
  for (const { kid } of found.encryption) console.log(`加密 encryption  ${kid}`)
  if (found.nextKeyFrom !== undefined)
    console.log(`下一把签名密钥启用时间 the next key signs from ${found.nextKeyFrom}`)
  return 0
}

type Making = {
  readonly folder: string
  readonly out: string
  readonly passphrase: string | undefined
  readonly values: Values
}

/** Writes a fresh key for us alone and, beside it or where asked, what others need to certify or use it. */
async function write(
  use: Use,
  city: string,
  suffix: string,
  { folder, out, passphrase, values }: Making,
): Promise<void> {
  const path = join(folder, `${use}${suffix}.pem`)
  if (use === 'encryption') {
    const { newEncryptionKey } = await import('#trust/seal.ts')
    const { key, jwk } = newEncryptionKey()
    keep(path, key, passphrase)
    console.log(
      `公钥，填入成员文件的 encryption  public key, for "encryption" in the member’s form:\n${JSON.stringify(jwk)}`,
    )
    return
  }
  const { newKey } = await import('#trust/request.ts')
  const alg = optional(values, 'alg')
  if (alg !== undefined && use === 'transport')
    throw new Usage({ zh: '--alg 只用于签名密钥', en: '--alg is for signing keys' })
  const { key, request } = await newKey(city, use, signingAlgorithm(alg))
  keep(path, key, passphrase)
  const requestPath = join(out, `${city}-${use}${suffix}.csr.pem`)
  writeFileSync(requestPath, request)
  console.log(requestPath)
}

function signingAlgorithm(text: string | undefined): Algorithm {
  const found = algorithms.find(each => each === (text ?? 'ES256'))
  if (found === undefined)
    throw new Usage({
      zh: `--alg 为下列之一：${algorithms.join('、')}`,
      en: `--alg is one of ${algorithms.join(', ')}`,
    })
  return found
}

/** A private key (PKCS #8 PEM) under a passphrase. */
export function encrypted(pem: string, passphrase: string): string {
  return createPrivateKey(pem).export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase }).toString()
}

/** The passphrase in a file; undefined where none is named. Throws ConfigurationError. */
export function passphraseIn(file: string | undefined): string | undefined {
  const faults: Fault[] = []
  const passphrase = readPassphrase(file, faults)
  if (faults.length > 0) throw new ConfigurationError(faults)
  return passphrase
}

function departmentsFile({ data }: Settings): string {
  return join(data, 'departments.json')
}

function departments(settings: Settings): Exit {
  for (const { id, name, purposes, expiresAt } of readDepartments(departmentsFile(settings)))
    console.log(`${id}  ${name}  ${purposes.join(',')}  ${expiresAt}`)
  return 0
}

function withdraw(id: string | undefined, settings: Settings): Exit {
  if (id === undefined) throw new Usage({ zh: '缺少部门代码', en: 'an ID is missing' })
  if (!withdrawKey(departmentsFile(settings), id))
    throw new Failure(
      { zh: `没有部门 ${id}`, en: `there is no department ${id}` },
      { zh: '`xinqiao keys departments` 列出全部部门', en: '`xinqiao keys departments` lists them' },
    )
  console.log(`已撤销 withdrawn  ${id}`)
  return 0
}

async function department(id: string | undefined, settings: Settings, values: Values): Promise<Exit> {
  if (id === undefined) throw new Usage({ zh: '缺少部门代码', en: 'an ID is missing' })
  const days = z.coerce.number().int().min(1).max(366).safeParse(needed(values, 'days'))
  if (!days.success) throw new Usage({ zh: '--days 为 1 至 366', en: '--days is 1 to 366' })
  if (!Code.safeParse(id).success)
    throw new Usage({
      zh: `${id} 不是部门代码：字母、数字、连字符和点`,
      en: `${id} is no department id: letters, digits, hyphens and dots`,
    })
  const purposes = needed(values, 'purposes').split(',')
  const { readCodes } = await import('./check.ts')
  const known = [...readCodes(settings.config).purposes.keys()]
  const unknown = purposes.filter(purpose => !known.includes(purpose))
  if (unknown.length > 0)
    throw new Usage({
      zh: `没有此目的：${unknown.join('、')}。现有：${known.join('、')}`,
      en: `no such purpose: ${unknown.join(', ')}. There are: ${known.join(', ')}`,
    })
  const name = needed(values, 'name')
  const out = optional(values, 'out')
  // Taken before the key is made: one that cannot be kept would have withdrawn the one before it.
  if (out !== undefined) writeFileSync(out, '', { mode: 0o600, flag: 'wx' })
  const key = issueKey(departmentsFile(settings), { id, name, purposes, days: days.data }, Date.now())
  if (out === undefined) {
    console.log(key)
    console.error('密钥只显示这一次。The key is shown this once.')
    return 0
  }
  writeFileSync(out, `${key}\n`)
  console.log(`已签发 issued  ${id}  ${out}`)
  return 0
}
