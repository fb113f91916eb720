#!/usr/bin/env node
/** Every command of `xinqiao`: reads its words, calls the one function that does the work, and ends with 0, 1 or 2. */
import cluster from 'node:cluster'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Agent, request } from 'undici'
import { formatted, readAgreement, signAgreement } from '#agreement/agreement.ts'
import { AskAnswer } from '#exchange/ask.ts'
import { digest } from '#protocol/canonical.ts'
import { ConfigurationError, type Fault } from '#protocol/fault.ts'
import { Refusal } from '#protocol/refusal.ts'
import type { Said } from '#protocol/said.ts'
import { certsUsage, certsVerify } from '#trust/certs-command.ts'
import { jsonFiles, readMembers } from '#trust/members.ts'
import { askInside } from './department-call.ts'
import { describeAnswer } from './describe.ts'
import { evidenceCommand } from './evidence-command.ts'
import { keysCommand } from './keys-command.ts'
import { ledgerCommand } from './ledger-command.ts'
import { officeCommand } from './office-command.ts'
import { reportCommand } from './report-command.ts'
import { describeSettings, type Settings } from './settings.ts'
import { staffCommand } from './staff-command.ts'
import { tryCommand } from './try-command.ts'
import {
  type Command,
  call,
  cityId,
  ENV,
  type Exit,
  Failure,
  inLines,
  needed,
  optional,
  optionsAlone,
  parse,
  settingsFrom,
  Usage,
  withHint,
} from './words.ts'

// What only one command needs is loaded by that command: a gateway starts without the certificate maker and the demo.

const commands: Readonly<Record<string, Command>> = {
  init: {
    usage: ['init CITY --zh NAME --en NAME --division CODE --peer CITY --endpoint URL [--dir FOLDER]'],
    zh: '为新接入城市生成配置目录：设置、密钥、证书请求、待签协议',
    en: 'make the folder of a new city: settings, keys, certificate requests, an agreement ready to sign',
    more: `  CITY             本市代码 id of this city: small letters, digits and hyphens, for example jimo
  --zh, --en       本市名称 its name in Chinese and in English
  --division CODE  行政区划代码，六位数字 its administrative division, six digits (GB/T 2260), for example 370215
  --peer CITY      对方城市代码 id of the first city to agree with
  --endpoint URL   对外地址 the https:// address at which peer cities reach the gateway
  --dir FOLDER     目录，默认为本市代码 the folder to make; default: CITY`,
    run: init,
  },
  serve: {
    usage: [`serve [--workers N] ${ENV}`],
    zh: '运行网关，直到收到 SIGTERM 或 Ctrl-C；收到 SIGHUP 时重新读取配置',
    en: 'run the gateway until SIGTERM or Ctrl-C; at SIGHUP it reads its configuration anew',
    more: `  --workers N      处理对方城市查询的进程数，默认 1 processes that answer peers, behind one port; default 1

设置 Settings (environment, or lines of --env FILE; the file wins, and its relative paths start at its folder):\n${describeSettings()}`,
    run: serve,
  },
  health: {
    usage: [`health ${ENV}`],
    zh: '检查本机网关是否就绪',
    en: 'ask the gateway on this machine whether it is ready',
    run: health,
  },
  ask: {
    usage: ['ask PEER|all CODE... --purpose CODE --matter TEXT --key-file FILE [--url URL] [--json]'],
    zh: '通过本市网关查询其他城市',
    en: 'ask other cities through this city’s gateway',
    more: `  PEER             对方城市代码；all 为所有已签协议的城市 id of the city to ask, or all that have an agreement for this
  CODE             统一社会信用代码 unified social credit code
  --purpose CODE   查询目的 why, as the agreement names it
  --matter TEXT    事由：办件文号 file number of the case
  --key-file FILE  部门密钥文件，- 为标准输入 the department's key, - for standard input
  --url URL        本市网关对内地址 inside surface of our gateway; default http://127.0.0.1:8080

例 example:
  xinqiao ask jiangyin 91320281250344877K --purpose tendering --matter 惠招〔2026〕118号 --key-file tender.key`,
    run: askCommand,
  },
  report: reportCommand,
  check: {
    usage: [`check ${ENV} [--report] [--json]`],
    zh: '检查全部配置，列出各方按何种目的可查看哪些字段，以及转换的得失',
    en: 'check the whole configuration; print who may see which field for what purpose, and what translation loses',
    more: `  --report         转换报告全文：每个字段、每一列、每个词语的去向及原因
                   the whole translation report: what becomes of every field, column and word, and why`,
    run: check,
  },
  try: tryCommand,
  keys: keysCommand,
  office: officeCommand,
  staff: staffCommand,
  agreement: {
    usage: [`agreement sign ID ${ENV}`, `agreement verify ID ${ENV}`],
    zh: '以本市密钥签署协议；查验各方签名',
    en: 'sign an agreement with this city’s key; check every party’s signature',
    run: agreement,
  },
  ledger: ledgerCommand,
  evidence: evidenceCommand,
  certs: {
    usage: certsUsage,
    zh: '核验证书路径',
    en: 'validate a certificate path',
    run: async ([sub, ...words]) => {
      if (sub !== 'verify') throw new Usage({ form: 'certs verify …' })
      return certsVerify(words, line => console.log(line))
    },
  },
  demo: {
    usage: ['demo [--once] [--json]'],
    zh: '在本机演示城市之间的查询',
    en: 'show cities asking each other, on this machine',
    run: async words => {
      const values = optionsAlone(words, { once: { type: 'boolean' }, json: { type: 'boolean' } })
      const { demo } = await import('./demo.ts')
      return demo({ once: values['once'] === true, json: values['json'] === true, call })
    },
  },
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
  if (id === undefined || rest.length > 0) throw new Usage({ zh: '请填写一个城市代码', en: 'one CITY' })
  const folder = optional(values, 'dir') ?? id
  const [zh, en, division, peer, endpoint] = ['zh', 'en', 'division', 'peer', 'endpoint'].map(name =>
    needed(values, name),
  )
  if (!zh || !en || !division || !peer || !endpoint) throw new Usage({ zh: '有选项为空', en: 'an option is empty' })
  if (cityId(id) === cityId(peer)) throw new Usage({ zh: '--peer 应为另一个城市', en: '--peer is another city' })
  if (!/^[0-9]{6}$/.test(division))
    throw new Usage({ zh: '--division 为六位数字（GB/T 2260）', en: '--division has six digits (GB/T 2260)' })
  if (!URL.canParse(endpoint) || new URL(endpoint).protocol !== 'https:')
    throw new Usage({ zh: '--endpoint 为 https:// 地址', en: '--endpoint is an https:// address' })
  const { initCity } = await import('./init.ts')
  const written = await initCity({ id, zh, en, division, peer, endpoint, folder })
  const env = join(folder, 'xinqiao.env')
  console.log(`已生成 made in ${folder}/\n${written.map(path => `  ${path}`).join('\n')}

下一步 Next:
  1. 将 requests/ 中的证书请求交给联盟证书机构，把证书放入 certs/，联盟根证书存为 certs/root.pem，吊销列表放入 certs/crls/
     have the federation’s certificate office certify requests/*; put the certificates, root.pem and crls/ into certs/
  2. 把 federation-config/members/${id}.json 和证书交给联盟办公室；取回名册 roll.json，放入 federation-config/
     hand federation-config/members/${id}.json and the certificates to the federation’s office; put its roll.json there
     按本市数据表修改 federation-config/mappings/${id}.json fit the mapping to this city’s tables
  3. 在 xinqiao.env 中写明数据源和地址 name the source and the addresses in ${env}
  4. 检查配置，阅读将要签署的内容 check, and read what is about to be signed
     ${call('check', '--env', env)}
  5. 签署协议 sign the agreement
     ${call('agreement', 'sign', `${id}-${peer}`, '--env', env)}
     与 ${peer} 交换：双方保存同一文本和两份签名，再次检查，直到无误
     exchange with ${peer}: both keep the one text, ${id}-${peer}.json, and both signatures beside it; check again
  6. 运行 run
     ${call('serve', '--env', env)}
  7. 为部门签发密钥 issue a department’s key
     ${call('keys', 'department', 'tender-office', '--name', '招标办', '--purposes', 'tendering', '--days', '180', '--out', join(folder, 'tender.key'), '--env', env)}`)
  return 0
}

async function serve(words: string[]): Promise<Exit> {
  const values = optionsAlone(words, { env: { type: 'string' }, workers: { type: 'string' } })
  const workers = Number(optional(values, 'workers') ?? 1)
  if (!Number.isInteger(workers) || workers < 1 || workers > 64)
    throw new Usage({ zh: '--workers 为 1 至 64 的整数', en: '--workers is a number from 1 to 64' })
  const settings = settingsFrom(values)
  if (cluster.isWorker) return serveAsWorker(settings)
  const { promise, resolve } = Promise.withResolvers<void>()
  process.once('SIGTERM', () => resolve())
  process.once('SIGINT', () => resolve())
  const { startGateway } = await import('./gateway.ts')
  const { startWorkers } = await import('./workers.ts')
  const gateway = await (workers === 1 ? startGateway(settings) : startWorkers(settings, workers))
  // What came of it is in the log, and in readiness as `configuration`.
  process.on('SIGHUP', () => void gateway.reload().catch(() => undefined))
  console.error(
    `信桥 Xinqiao · ${gateway.city.mapping.zh} ${gateway.city.id}\n  对外 peers   ${gateway.peersUrl}\n  对内 inside  ${gateway.insideUrl}`,
  )
  await promise
  await gateway.close()
  return 0
}

/** What ends the parent reaches its workers by the parent's word: a terminal would send them its signal as well. */
async function serveAsWorker(settings: Settings): Promise<Exit> {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined)
  const { failed, work } = await import('./workers.ts')
  try {
    await work(settings)
    return 0
  } catch (error) {
    failed(error instanceof Error ? error.message : String(error))
    return 1
  }
}

async function health(words: string[]): Promise<Exit> {
  const values = optionsAlone(words, { env: { type: 'string' } })
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
  if (peer === undefined || subjects.length === 0)
    throw new Usage({ zh: '请填写对方城市和至少一个统一社会信用代码', en: 'a PEER and at least one CODE' })
  const question = {
    peer: peer === 'all' ? '*' : peer,
    subjects,
    purpose: needed(values, 'purpose'),
    matter: needed(values, 'matter'),
  }
  const told = await askInside(values, '/ask', question, AskAnswer)
  if (told === undefined) return 1
  console.log(values['json'] === true ? JSON.stringify(told) : describeAnswer(told))
  return told.peers.every(({ outcome }) => outcome === 'answered') ? 0 : 1
}

async function check(words: string[]): Promise<Exit> {
  const values = optionsAlone(words, {
    env: { type: 'string' },
    report: { type: 'boolean' },
    json: { type: 'boolean' },
  })
  const settings = settingsFrom(values)
  const { describeMatrix, survey } = await import('./check.ts')
  const { faults, disclosures, vocabulary, translation, keys } = await survey(settings, Date.now())
  const ok = faults.length === 0
  if (values['json'] === true) {
    console.log(JSON.stringify({ ok, city: settings.city, ...(!ok && { faults }), disclosures, translation, keys }))
    return ok ? 0 : 1
  }
  if (ok) console.log('配置无误 The configuration is sound.')
  else console.error(describeFaults(new ConfigurationError(faults)))
  if (translation !== undefined) {
    const { describeReport, summariseReport } = await import('./describe-report.ts')
    const env = optional(values, 'env')
    const how = call('check', '--report', ...(env === undefined ? [] : ['--env', env]))
    console.log(values['report'] === true ? describeReport(translation) : summariseReport(translation, how))
  }
  if (keys !== undefined) {
    const { describeCounts } = await import('./key-counts.ts')
    console.log(describeCounts(keys))
  }
  if (vocabulary !== undefined && disclosures.length > 0) console.log(describeMatrix(disclosures, vocabulary))
  return ok ? 0 : 1
}

function describeFaults({ faults, message }: ConfigurationError): string {
  return `配置有误 The configuration has ${faults.length} fault${faults.length === 1 ? '' : 's'}:\n${message}`
}

async function agreement(words: string[]): Promise<Exit> {
  const { values, positionals } = parse(words, { env: { type: 'string' } })
  const [action, id] = positionals
  if ((action !== 'sign' && action !== 'verify') || id === undefined)
    throw new Usage({ form: 'agreement sign|verify ID' })
  const settings = settingsFrom(values)
  const folder = join(settings.config, 'agreements')
  const path = join(folder, `${id}.json`)
  if (!existsSync(path)) {
    const there = jsonFiles(folder).map(name => name.replace(/\.json$/, ''))
    throw new Failure(
      { zh: `没有此协议：${path}`, en: `there is no such agreement: ${path}` },
      there.length === 0
        ? { zh: '把协议文本放在该处', en: 'put its text there' }
        : { zh: `已有：${there.join('、')}`, en: `there are: ${there.join(', ')}` },
    )
  }
  const faults: Fault[] = []
  return action === 'sign' ? await signCommand(id) : await verifyCommand(id)

  async function signCommand(id: string): Promise<Exit> {
    const kept = inKeptForm(readFileSync(path, 'utf8'))
    const text = readAgreement(kept, path, faults)
    if (text === undefined) throw new ConfigurationError(faults)
    if (!text.parties.includes(settings.city))
      throw new Failure(
        { zh: `${settings.city} 不是协议 ${id} 的签署方`, en: `${settings.city} is no party of ${id}` },
        { zh: '用签署方的设置签署，或更正协议文本', en: 'sign with the settings of a party, or correct the text' },
      )
    const { agreementFaults } = await import('./check.ts')
    faults.push(...(await agreementFaults(settings, id, Date.now())))
    const { readIdentity } = await import('./configuration.ts')
    const { keys } = await readIdentity(settings, Date.now, faults)
    if (keys === undefined || faults.length > 0) throw new ConfigurationError(faults)
    // Written back in the form in which it is kept, so that what is signed is what the file says.
    writeFileSync(path, kept)
    writeFileSync(join(folder, `${id}.${settings.city}.jws`), `${signAgreement(text, keys.signer)}\n`)
    console.log(`已签署 signed  ${id}  ${digest(text)}`)
    return 0
  }

  async function verifyCommand(id: string): Promise<Exit> {
    const text = readAgreement(readFileSync(path, 'utf8'), path, faults)
    if (text === undefined || faults.length > 0) throw new ConfigurationError(faults)
    const members = await readMembers(settings, Date.now, faults)
    if (members === undefined) throw new ConfigurationError(faults)
    const { signatures } = await import('./check.ts')
    const states = signatures(settings.config, id, text, members, Date.now())
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

const usageOf = ({ usage }: Command) => usage.map(each => `xinqiao ${each}`).join('\n  ')

function help(name: string | undefined): string {
  const one = name === undefined ? undefined : commands[name]
  if (one !== undefined)
    return `用法 usage:\n  ${usageOf(one)}\n\n${one.zh}\n${one.en}\n${one.more === undefined ? '' : `\n${one.more}\n`}`
  const lines = Object.entries(commands).map(
    ([command, { zh, en }]) => `  ${command.padEnd(11)}${zh}\n             ${en}`,
  )
  const wrong =
    name === undefined || name.startsWith('-') || name === 'help' ? '' : `没有此命令 there is no command ${name}\n\n`
  return `${wrong}信桥 Xinqiao: a credit gateway between cities\n\n${lines.join('\n')}\n\nxinqiao help COMMAND · 退出码 exit codes: 0 完成 done, 1 未通过或失败 not so or failed, 2 用法错误 usage\n`
}

async function main([name, ...words]: string[]): Promise<Exit> {
  if (name === undefined || ['help', '--help', '-h'].includes(name) || words.includes('--help')) {
    const about = name === 'help' ? words[0] : name
    console.log(help(about))
    return name === undefined || (name === 'help' && about !== undefined && commands[about] === undefined) ? 2 : 0
  }
  const command = commands[name]
  try {
    if (command === undefined) throw new Usage({ zh: `没有命令 ${name}`, en: `there is no command ${name}` })
    return await command.run(words)
  } catch (error) {
    if (error instanceof Usage) {
      console.error(`${error.message}\n用法 usage:\n  ${command === undefined ? 'xinqiao help' : usageOf(command)}`)
      return 2
    }
    if (error instanceof ConfigurationError) {
      console.error(describeFaults(error))
      return 1
    }
    if (error instanceof Refusal) {
      const { public: said, detail, hint } = error
      console.error(withHint(detail === undefined ? inLines(said) : `${inLines(said)}\n${detail}`, hint))
      return 1
    }
    const { message, hint } = error instanceof Failure ? error : explained(error)
    console.error(withHint(message, hint))
    return 1
  }
}

/** What the system said, by its code. */
const system: Readonly<Record<string, Said>> = {
  ENOENT: {
    zh: '没有此文件或目录；相对路径从当前目录算起',
    en: 'there is no such file or folder; relative paths are taken from the folder you are in',
  },
  EACCES: {
    zh: '当前用户没有权限；查看文件的所有者和权限，或改用 1023 以上的端口',
    en: 'this user may not; look at the owner and the mode of the file, or take a port above 1023',
  },
  EEXIST: { zh: '已经存在，不予覆盖', en: 'it is there already and is not overwritten' },
  ENOTDIR: { zh: '路径中有一段是文件', en: 'a part of the path is a file' },
  EISDIR: { zh: '这是一个目录', en: 'it is a folder' },
  ENOSPC: { zh: '腾出磁盘空间', en: 'free space on the volume' },
  EROFS: {
    zh: '该文件系统只读；改用数据盘上的目录',
    en: 'the file system can only be read; name a folder on the data volume',
  },
  EADDRINUSE: {
    zh: '该端口已被其他进程占用；结束该进程，或在设置中改用其他端口',
    en: 'another process listens there; end it, or choose another port in the settings',
  },
  EADDRNOTAVAIL: { zh: '本机没有此地址；更正设置', en: 'this machine has no such address; correct the settings' },
  ECONNREFUSED: {
    zh: '该地址无服务在监听；用 `xinqiao serve` 启动网关，或更正地址',
    en: 'nothing listens there; start the gateway with `xinqiao serve`, or correct the address',
  },
  ENOTFOUND: { zh: '没有此主机；更正地址', en: 'no such host; correct the address' },
  ...Object.fromEntries(
    [
      'DEPTH_ZERO_SELF_SIGNED_CERT',
      'SELF_SIGNED_CERT_IN_CHAIN',
      'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
      'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    ].map(code => [
      code,
      {
        zh: '将 NODE_EXTRA_CA_CERTS 设为签发网关对内地址证书的机构的证书文件',
        en: 'set NODE_EXTRA_CA_CERTS to the file of the authority that certified the gateway’s inside',
      },
    ]),
  ),
}

/** An error without its stack, and what to do about it. */
function explained(error: unknown): { message: string; hint: Said } {
  for (let each: unknown = error; each instanceof Error; each = each.cause) {
    const hint = 'code' in each ? system[String(each.code)] : undefined
    if (hint !== undefined) return { message: each.message, hint }
  }
  return {
    message: error instanceof Error ? error.message : String(error),
    hint: {
      zh: '未曾预料到的错误；请连同所用的命令一并反馈',
      en: 'this was not foreseen; please report it, with the words of the call',
    },
  }
}

if (Number(process.versions.node.split('.')[0]) < 26) {
  console.error('需要 Node 26 needed: npm run -s xinqiao -- …')
  process.exitCode = 2
} else process.exitCode = await main(process.argv.slice(2))
