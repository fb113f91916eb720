#!/usr/bin/env node
/** Every command of `xinqiao`: reads its words, calls the one function that does the work, and ends with 0, 1 or 2. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { loadEnvFile } from 'node:process'
import { parseArgs } from 'node:util'
import { Agent, request } from 'undici'
import { z } from 'zod'
import { formatted, readAgreement, signAgreement } from '#agreement/agreement.ts'
import { AskAnswer } from '#exchange/ask.ts'
import { digest } from '#protocol/canonical.ts'
import { ConfigurationError, type Fault } from '#protocol/fault.ts'
import { CityId, Code, Problem } from '#protocol/message.ts'
import { Refusal, refusals } from '#protocol/refusal.ts'
import { readVocabulary, type Vocabulary } from '#schema/vocabulary.ts'
import { issueKey, readDepartments, withdrawKey } from '#trust/departments.ts'
import { jsonFiles, readMembers } from '#trust/members.ts'
import { describeSettings, readSettings, type Settings } from './settings.ts'

// What only one command needs is loaded by that command: a gateway starts without the certificate maker and the demo.

/** 0 done · 1 not so, or failed · 2 the words of the call are wrong. */
type Exit = 0 | 1 | 2

type Command = {
  readonly usage: string
  readonly zh: string
  readonly en: string
  readonly more?: string
  readonly run: (words: string[]) => Promise<Exit>
}

class Usage extends Error {}

/** What an operator can mend; the hint says how. */
class Failure extends Error {
  readonly hint: string
  constructor(message: string, hint: string) {
    super(message)
    this.hint = hint
  }
}

const ENV = '[--env FILE]'

const commands: Readonly<Record<string, Command>> = {
  init: {
    usage: 'init CITY --zh NAME --en NAME --division CODE --peer CITY --endpoint URL [--dir FOLDER]',
    zh: '为一个城市建立目录：设置、密钥、证书请求、待签协议',
    en: 'make the folder of a new city: settings, keys, certificate requests, an agreement ready to sign',
    run: init,
  },
  serve: {
    usage: `serve ${ENV}`,
    zh: '运行网关，直到收到 SIGTERM 或 Ctrl-C',
    en: 'run the gateway until SIGTERM or Ctrl-C',
    more: `Settings 设置 (environment, or lines of --env FILE):\n${describeSettings()}`,
    run: serve,
  },
  health: {
    usage: `health ${ENV}`,
    zh: '询问本机网关是否就绪',
    en: 'ask the gateway on this machine whether it is ready',
    run: health,
  },
  ask: {
    usage: 'ask PEER|all CODE... --purpose CODE --matter TEXT --key-file FILE [--url URL] [--json]',
    zh: '通过本市网关查询其他城市',
    en: 'ask other cities through this city’s gateway',
    run: askCommand,
  },
  check: {
    usage: `check ${ENV} [--json]`,
    zh: '检查全部配置，列出谁可为何目的看到哪些字段',
    en: 'check the whole configuration; print who may see which field for what purpose',
    run: check,
  },
  keys: {
    usage: `keys new signing|transport CITY --dir FOLDER\n  keys department ID --name NAME --purposes A,B --days N ${ENV}\n  keys withdraw ID ${ENV}\n  keys departments ${ENV}`,
    zh: '制作密钥和证书请求；发放、收回部门密钥',
    en: 'make a key and its certificate request; issue and withdraw department keys',
    run: keys,
  },
  agreement: {
    usage: `agreement sign ID ${ENV}\n  agreement verify ID ${ENV}`,
    zh: '以本市密钥签署协议；查验各方签名',
    en: 'sign an agreement with this city’s key; check every party’s signature',
    run: agreement,
  },
  ledger: {
    usage: 'ledger verify FILE [--json]',
    zh: '离线核验日志',
    en: 'check a ledger offline, entry by entry',
    run: ledger,
  },
  certs: {
    usage:
      'certs verify --roots FILE [--untrusted FILE] --leaf FILE --at ISO [--crls FILE] [--eku OID]... [--name NAME] [--max-depth N] [--profile federation]',
    zh: '核验证书路径',
    en: 'validate a certificate path',
    run: async ([sub, ...words]) => {
      if (sub !== 'verify') throw new Usage('certs verify …')
      const { certsVerify } = await import('#trust/certs-command.ts')
      return certsVerify(words, line => console.log(line))
    },
  },
  demo: {
    usage: 'demo [--once] [--json]',
    zh: '在本机演示城市之间的查询',
    en: 'show cities asking each other, on this machine',
    run: async words => {
      const { values } = parse(words, { once: { type: 'boolean' }, json: { type: 'boolean' } })
      const { demo } = await import('./demo.ts')
      return demo({ once: values['once'] === true, json: values['json'] === true })
    },
  },
}

type Options = Record<string, { type: 'string' | 'boolean'; multiple?: boolean }>

function parse(words: string[], options: Options) {
  try {
    return parseArgs({ args: words, options, allowPositionals: true })
  } catch (error) {
    throw new Usage(error instanceof Error ? error.message : String(error))
  }
}

/** A string option that has to be there. */
function needed(values: Readonly<Record<string, unknown>>, name: string): string {
  const value = values[name]
  if (typeof value !== 'string') throw new Usage(`--${name} is missing`)
  return value
}

function optional(values: Readonly<Record<string, unknown>>, name: string): string | undefined {
  const value = values[name]
  return typeof value === 'string' ? value : undefined
}

function settingsFrom(values: Readonly<Record<string, unknown>>): Settings {
  const file = optional(values, 'env')
  if (file !== undefined) loadEnvFile(file)
  return readSettings()
}

/** A city id as given in a call. */
function cityId(text: string): string {
  const id = CityId.safeParse(text)
  if (!id.success) throw new Usage(`${text} is no city id: small letters, digits and hyphens, for example huizhou`)
  return id.data
}

async function init(words: string[]): Promise<Exit> {
  const option = { type: 'string' } as const
  const { values, positionals } = parse(words, {
    zh: option,
    en: option,
    division: option,
    peer: option,
    endpoint: option,
    dir: option,
  })
  const [id, ...rest] = positionals
  if (id === undefined || rest.length > 0) throw new Usage('one CITY')
  const folder = optional(values, 'dir') ?? id
  const [zh, en, division, peer, endpoint] = ['zh', 'en', 'division', 'peer', 'endpoint'].map(name =>
    needed(values, name),
  )
  if (!zh || !en || !division || !peer || !endpoint) throw new Usage('an option is empty')
  if (cityId(id) === cityId(peer)) throw new Usage('--peer is another city')
  if (!/^[0-9]{6}$/.test(division)) throw new Usage('--division has six digits (GB/T 2260)')
  if (!URL.canParse(endpoint) || new URL(endpoint).protocol !== 'https:')
    throw new Usage('--endpoint is an https:// address')
  const { initCity } = await import('./init.ts')
  const written = await initCity({ id, zh, en, division, peer, endpoint, folder })
  console.log(`已建立 made in ${folder}/\n${written.map(path => `  ${path}`).join('\n')}

下一步 Next:
  1. 将 requests/ 中的证书请求交给联盟证书机构，把证书放入 certs/，联盟根证书存为 certs/root.pem，吊销列表放入 certs/crls/
     have the authority certify requests/*; put the certificates, root.pem and crls/ into certs/
  2. 把 ${peer} 的成员文件放入 federation-config/members/；按本市数据表修改 federation-config/mappings/${id}.json
     add the member file of ${peer}; fit the mapping to this city’s tables
  3. 在 xinqiao.env 中写明数据源和地址 name the source and the addresses in xinqiao.env
  4. xinqiao agreement sign ${id}-${peer} --env xinqiao.env
     与 ${peer} 交换：双方保存同一文本和两份签名
     exchange with ${peer}: both keep the one text, ${id}-${peer}.json, and both signatures beside it
  5. xinqiao check --env xinqiao.env
  6. xinqiao serve --env xinqiao.env`)
  return 0
}

async function serve(words: string[]): Promise<Exit> {
  const { values } = parse(words, { env: { type: 'string' } })
  const { startGateway } = await import('./gateway.ts')
  const { promise, resolve } = Promise.withResolvers<void>()
  process.once('SIGTERM', () => resolve())
  process.once('SIGINT', () => resolve())
  const gateway = await startGateway(settingsFrom(values))
  console.error(
    `信桥 Xinqiao · ${gateway.city.mapping.zh} ${gateway.city.id}\n  对外 peers   ${gateway.peersUrl}\n  对内 inside  ${gateway.insideUrl}`,
  )
  await promise
  await gateway.close()
  return 0
}

async function health(words: string[]): Promise<Exit> {
  const { values } = parse(words, { env: { type: 'string' } })
  const { insideListen, insideTls } = settingsFrom(values)
  const bound = { '0.0.0.0': '127.0.0.1', '::': '::1' }[insideListen.host] ?? insideListen.host
  const host = bound.includes(':') ? `[${bound}]` : bound
  const dispatcher = new Agent({
    connect:
      insideTls === undefined
        ? {}
        : {
            ca: readFileSync(join(insideTls, 'tls.pem')),
            allowPartialTrustChain: true,
            // The very certificate that we serve with, over loopback or our own address: its name may be any.
            checkServerIdentity: () => undefined,
          },
  })
  const { statusCode, body } = await request(
    `http${insideTls === undefined ? '' : 's'}://${host}:${insideListen.port}/health/ready`,
    { dispatcher },
  )
  console.log(await body.text())
  return statusCode === 200 ? 0 : 1
}

async function askCommand(words: string[]): Promise<Exit> {
  const option = { type: 'string' } as const
  const { values, positionals } = parse(words, {
    purpose: option,
    matter: option,
    'key-file': option,
    url: option,
    json: { type: 'boolean' },
  })
  const [peer, ...subjects] = positionals
  if (peer === undefined || subjects.length === 0) throw new Usage('a PEER and at least one CODE')
  const file = needed(values, 'key-file')
  const key = readFileSync(file === '-' ? 0 : file, 'utf8').trim()
  if (!/^xq_[!-~]+$/.test(key))
    throw new Failure(`${file} holds no department key`, 'Name the file that `xinqiao keys department` was written to')
  const response = await fetch(new URL('/ask', optional(values, 'url') ?? 'http://127.0.0.1:8080'), {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      peer: peer === 'all' ? '*' : peer,
      subjects,
      purpose: needed(values, 'purpose'),
      matter: needed(values, 'matter'),
    }),
  })
  const body: unknown = await response.json().catch(() => undefined)
  const problem = Problem.safeParse(body)
  if (problem.success) {
    const { code, zh, detail } = problem.data
    console.error(`${zh}\n${detail} (${code})\n提示 hint: ${refusals[code].hint}`)
    return 1
  }
  const answer = AskAnswer.safeParse(body)
  if (!answer.success) throw new Failure(`${response.url} does not answer as a gateway does`, 'Correct --url')
  const told = answer.data
  console.log(values['json'] === true ? JSON.stringify(told) : describeAnswer(told))
  return told.peers.every(({ outcome }) => outcome === 'answered') ? 0 : 1
}

function describeAnswer({ peers }: AskAnswer): string {
  return peers
    .flatMap(({ peer, outcome, reason, results }) => [
      `${peer}: ${outcome}${reason ? ` · ${reason.zh} ${reason.en}` : ''}`,
      ...results.flatMap(({ subject, status, reason: why, records }) => [
        `  ${subject ?? '—'}  ${status}${why ? ` · ${why.zh} ${why.en}` : ''}`,
        ...records.flatMap(({ shared, local }) => [
          `    ${local.title ?? shared.family}`,
          ...Object.entries(local.columns).map(
            ([column, value]) => `      ${local.labels[column] ?? column}  ${value}`,
          ),
          ...local.untranslated.map(each => `      （未转换 not translated）${each.zh}  ${each.original}`),
        ]),
      ]),
    ])
    .join('\n')
}

async function check(words: string[]): Promise<Exit> {
  const { values } = parse(words, { env: { type: 'string' }, json: { type: 'boolean' } })
  const settings = settingsFrom(values)
  const { readConfiguration } = await import('./gateway.ts')
  const { describeMatrix, matrix } = await import('./check.ts')
  const configuration = await readConfiguration(settings, Date.now())
  const rows = matrix(configuration)
  if (values['json'] === true) console.log(JSON.stringify({ ok: true, city: settings.city, disclosures: rows }))
  else console.log(`配置无误 The configuration is sound.\n${describeMatrix(rows, configuration)}`)
  return 0
}

async function keys(words: string[]): Promise<Exit> {
  const option = { type: 'string' } as const
  const { values, positionals } = parse(words, {
    dir: option,
    env: option,
    name: option,
    purposes: option,
    days: option,
  })
  const [action, first, second] = positionals
  if (action === 'new') {
    const use = first === 'signing' || first === 'transport' ? first : undefined
    if (use === undefined || second === undefined) throw new Usage('keys new signing|transport CITY --dir FOLDER')
    const folder = needed(values, 'dir')
    cityId(second)
    const { newKey } = await import('#trust/request.ts')
    const { key, request } = await newKey(second, use)
    writeFileSync(join(folder, `${use}.pem`), key, { mode: 0o600, flag: 'wx' })
    writeFileSync(join(folder, `${second}-${use}.csr.pem`), request)
    console.log(`${join(folder, `${use}.pem`)}\n${join(folder, `${second}-${use}.csr.pem`)}`)
    return 0
  }
  const settings = settingsFrom(values)
  const file = join(settings.data, 'departments.json')
  if (action === 'departments') {
    for (const { id, name, purposes, expiresAt } of readDepartments(file))
      console.log(`${id}  ${name}  ${purposes.join(',')}  ${expiresAt}`)
    return 0
  }
  if (first === undefined) throw new Usage('an ID')
  if (action === 'withdraw') {
    if (!withdrawKey(file, first))
      throw new Failure(`there is no department ${first}`, '`xinqiao keys departments` lists them')
    console.log(`已收回 withdrawn  ${first}`)
    return 0
  }
  if (action !== 'department') throw new Usage('new, department, withdraw or departments')
  const days = z.coerce.number().int().min(1).max(366).safeParse(needed(values, 'days'))
  if (!days.success) throw new Usage('--days is 1 to 366')
  if (!Code.safeParse(first).success) throw new Usage(`${first} is no department id: letters, digits, hyphens and dots`)
  const purposes = needed(values, 'purposes').split(',')
  const known = [...vocabularyOf(settings).purposes.keys()]
  const unknown = purposes.filter(purpose => !known.includes(purpose))
  if (unknown.length > 0) throw new Usage(`no such purpose: ${unknown.join(', ')}. There are: ${known.join(', ')}`)
  console.log(issueKey(file, { id: first, name: needed(values, 'name'), purposes, days: days.data }, Date.now()))
  console.error('密钥只显示这一次。The key is shown this once.')
  return 0
}

async function agreement(words: string[]): Promise<Exit> {
  const { values, positionals } = parse(words, { env: { type: 'string' } })
  const [action, id] = positionals
  if ((action !== 'sign' && action !== 'verify') || id === undefined) throw new Usage('agreement sign|verify ID')
  const settings = settingsFrom(values)
  const folder = join(settings.config, 'agreements')
  const path = join(folder, `${id}.json`)
  const faults: Fault[] = []
  return action === 'sign' ? await signCommand() : await verifyCommand()

  async function signCommand(): Promise<Exit> {
    if (!existsSync(path))
      throw new ConfigurationError([
        { file: path, path: '', problem: 'there is no such agreement', remedy: 'Put its text there' },
      ])
    const kept = inKeptForm(readFileSync(path, 'utf8'))
    const text = readAgreement(kept, path, faults)
    if (text === undefined) throw new ConfigurationError(faults)
    if (!text.parties.includes(settings.city))
      throw new Failure(
        `${settings.city} is no party of ${id}`,
        'Sign with the settings of a party, or correct the text',
      )
    const { readIdentity } = await import('./gateway.ts')
    const { keys } = await readIdentity(settings, Date.now(), faults)
    if (keys === undefined || faults.length > 0) throw new ConfigurationError(faults)
    // Written back in the form in which it is kept, so that what is signed is what the file says.
    writeFileSync(path, kept)
    writeFileSync(join(folder, `${id}.${settings.city}.jws`), `${signAgreement(text, keys.signer)}\n`)
    console.log(`已签署 signed  ${id}  ${digest(text)}`)
    return 0
  }

  async function verifyCommand(): Promise<Exit> {
    const text = existsSync(path) ? readAgreement(readFileSync(path, 'utf8'), path, faults) : undefined
    if (text === undefined || faults.length > 0) throw new ConfigurationError(faults)
    const members = await readMembers(settings.config, settings.certs, faults)
    const { signatures } = await import('./check.ts')
    const states = signatures(
      text,
      party => {
        const file = join(folder, `${id}.${party}.jws`)
        return existsSync(file) ? readFileSync(file, 'utf8') : undefined
      },
      members,
      Date.now(),
    )
    console.log(`${id}  ${digest(text)}`)
    for (const { party, state } of states) console.log(`  ${party}  ${state}`)
    return states.every(({ state }) => state === 'signed') ? 0 : 1
  }
}

/** The text in the form in which an agreement is kept; a text that is no JSON stays, for `readAgreement` to say so. */
function inKeptForm(text: string): string {
  try {
    return formatted(JSON.parse(text))
  } catch {
    return text
  }
}

function vocabularyOf({ config }: Settings): Vocabulary {
  const folder = join(config, 'vocabulary')
  return readVocabulary(
    jsonFiles(folder).map(name => ({ file: `vocabulary/${name}`, text: readFileSync(join(folder, name), 'utf8') })),
  )
}

async function ledger(words: string[]): Promise<Exit> {
  const { values, positionals } = parse(words, { json: { type: 'boolean' } })
  const [action, file] = positionals
  if (action !== 'verify' || file === undefined) throw new Usage('ledger verify FILE')
  const { verifyLedger } = await import('#ledger/verify.ts')
  const found = verifyLedger(file)
  if (values['json'] === true) console.log(JSON.stringify(found))
  else {
    console.log(`${file}: ${found.entries} 条 entries，${found.verified ? '完整 whole' : '有误 NOT whole'}`)
    for (const { name, index, detail } of found.faults)
      console.log(`  ${name}${index === undefined ? '' : ` #${index}`}: ${detail}`)
  }
  return found.verified ? 0 : 1
}

function help(name: string | undefined): string {
  const one = name === undefined ? undefined : commands[name]
  if (one !== undefined)
    return `xinqiao ${one.usage}\n\n${one.zh}\n${one.en}\n${one.more === undefined ? '' : `\n${one.more}\n`}`
  const lines = Object.entries(commands).map(
    ([command, { zh, en }]) => `  ${command.padEnd(11)}${zh}\n             ${en}`,
  )
  return `信桥 Xinqiao: a credit gateway between cities\n\n${lines.join('\n')}\n\nxinqiao help COMMAND · 退出码 exit codes: 0 完成 done, 1 否或失败 not so or failed, 2 用法错误 usage\n`
}

async function main([name, ...words]: string[]): Promise<Exit> {
  if (name === undefined || ['help', '--help', '-h'].includes(name) || words.includes('--help')) {
    const about = name === 'help' ? words[0] : name
    console.log(help(about))
    return name === undefined || (name === 'help' && about !== undefined && commands[about] === undefined) ? 2 : 0
  }
  const command = commands[name]
  try {
    if (command === undefined) throw new Usage(`there is no command ${name}`)
    return await command.run(words)
  } catch (error) {
    if (error instanceof Usage) {
      console.error(`用法 usage: xinqiao ${command?.usage ?? 'help'}\n${error.message}`)
      return 2
    }
    if (error instanceof ConfigurationError) {
      console.error(`配置有误 The configuration has ${error.faults.length} fault(s):\n${error.message}`)
      return 1
    }
    if (error instanceof Refusal) {
      const { public: said, detail, hint } = error
      console.error(`${said.zh}\n${said.en}${detail === undefined ? '' : `\n${detail}`}\n提示 hint: ${hint}`)
      return 1
    }
    const { message, hint } = error instanceof Failure ? error : explained(error)
    console.error(`${message}\n提示 hint: ${hint}`)
    return 1
  }
}

/** What the system said, by its code. */
const system: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file or folder; relative paths are taken from the folder you are in',
  EACCES: 'this user may not; look at the owner and the mode of the file, or take a port above 1023',
  EEXIST: 'it is there already and is not overwritten',
  ENOTDIR: 'a part of the path is a file',
  EISDIR: 'it is a folder',
  ENOSPC: 'free space on the volume',
  EROFS: 'the file system can only be read; name a folder on the data volume',
  EADDRINUSE: 'another process listens there; end it, or choose another port in the settings',
  EADDRNOTAVAIL: 'this machine has no such address; correct the settings',
  ECONNREFUSED: 'nothing listens there; start the gateway with `xinqiao serve`, or correct the address',
  ENOTFOUND: 'no such host; correct the address',
  ...Object.fromEntries(
    [
      'DEPTH_ZERO_SELF_SIGNED_CERT',
      'SELF_SIGNED_CERT_IN_CHAIN',
      'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
      'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    ].map(code => [code, 'set NODE_EXTRA_CA_CERTS to the file of the authority that certified the gateway’s inside']),
  ),
}

/** An error without its stack, and what to do about it. */
function explained(error: unknown): { message: string; hint: string } {
  for (let each: unknown = error; each instanceof Error; each = each.cause) {
    const hint = 'code' in each ? system[String(each.code)] : undefined
    if (hint !== undefined) return { message: each.message, hint }
  }
  return {
    message: error instanceof Error ? error.message : String(error),
    hint: 'this was not foreseen; please report it, with the words of the call',
  }
}

if (Number(process.versions.node.split('.')[0]) < 26) {
  console.error('需要 Node 26 needed: npm run -s xinqiao -- …')
  process.exitCode = 2
} else process.exitCode = await main(process.argv.slice(2))
