/** `xinqiao office`: what the federation's office does: its own key, the next roll, and the roll in plain words. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { ConfigurationError, type Fault } from '#protocol/fault.ts'
import { readMembers } from '#trust/members.ts'
import { OFFICE, type Roll } from '#trust/statement.ts'
import { encrypted, passphraseIn } from './keys-command.ts'
import { type Command, type Exit, needed, optional, parse, Usage } from './words.ts'

export const officeCommand: Command = {
  usage: [
    'office new --dir FOLDER [--passphrase-file FILE]',
    'office sign --config FOLDER --certs FOLDER --keys FOLDER [--days N] [--passphrase-file FILE]',
    'office show --config FOLDER --certs FOLDER [--json]',
  ],
  zh: '联盟办公室：生成签名密钥；签发成员名册；查看名册',
  en: 'the federation’s office: make its key, sign the roll of members, show the roll',
  more: `  sign             以 members/*.json 和 rules.json 签发下一号名册 roll.json；删去某市的文件再签发，即为除名
                   signs the next roll.json of members/*.json under rules.json; a city whose file is gone is expelled.
                   把 roll.json 放到任何一个网关的配置目录，其余网关会自行取得
                   put roll.json into the configuration of any one gateway, and the others learn of it from there
  --days N         名册有效天数 how long it holds, 1 to 400; default 180
  --keys FOLDER    放有 office.pem 的目录 the folder with office.pem; its certificate is federation.pem in --certs`,
  run: office,
}

async function office(words: string[]): Promise<Exit> {
  const option = { type: 'string' } as const
  const { values, positionals } = parse(words, {
    dir: option,
    config: option,
    certs: option,
    keys: option,
    days: option,
    'passphrase-file': option,
    json: { type: 'boolean' },
  })
  const [action] = positionals
  if (action === 'new') {
    const folder = needed(values, 'dir')
    const passphrase = passphraseIn(optional(values, 'passphrase-file'))
    const { newKey } = await import('#trust/request.ts')
    const { key, request } = newKey(OFFICE, 'statements')
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    const pem = passphrase === undefined ? key : encrypted(key, passphrase)
    writeFileSync(join(folder, 'office.pem'), pem, { mode: 0o600, flag: 'wx' })
    writeFileSync(join(folder, 'office.csr.pem'), request)
    console.log(`${join(folder, 'office.pem')}\n${join(folder, 'office.csr.pem')}`)
    return 0
  }
  const config = needed(values, 'config')
  const certs = needed(values, 'certs')
  if (action === 'sign') {
    const days = z.coerce
      .number()
      .int()
      .min(1)
      .max(400)
      .safeParse(optional(values, 'days') ?? '180')
    if (!days.success) throw new Usage({ zh: '--days 为 1 至 400', en: '--days is 1 to 400' })
    const { signRoll } = await import('./office.ts')
    const passphrase = optional(values, 'passphrase-file')
    console.log(
      described(await signRoll({ config, certs, keys: needed(values, 'keys'), passphrase }, days.data, Date.now())),
    )
    return 0
  }
  if (action !== 'show') throw new Usage({ form: 'office new|sign|show' })
  const faults: Fault[] = []
  const members = await readMembers({ config, certs }, Date.now, faults)
  if (members === undefined || faults.length > 0) throw new ConfigurationError(faults)
  const { number, rules, until, members: cities } = members.roll
  if (values['json'] !== true) console.log(described(members.roll))
  else {
    const listed = cities.map(({ id, name, endpoint, keys }) => ({
      id,
      name,
      endpoint,
      keys: keys.map(({ kid }) => kid),
    }))
    console.log(JSON.stringify({ number, until: new Date(until).toISOString(), rules, members: listed }))
  }
  return 0
}

/** A roll for whoever compares it by telephone. */
function described({ number, made, until, digest, rules, members }: Roll): string {
  const day = (at: number) =>
    Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO('Asia/Shanghai').toPlainDate()
  return [
    `名册 roll ${number}    ${day(made)} 至 until ${day(until)}    摘要 digest ${digest}`,
    `签名算法 algorithms ${rules.algorithms.join(', ')} · 吊销列表宽限 list grace ${rules.crlGraceSeconds} s · 新密钥公示 key published ${rules.publishSeconds} s`,
    ...members.flatMap(({ id, name, divisions, endpoint, keys, transport, encryption }) => [
      `  ${id}  ${name.zh} ${name.en}  ${divisions.join(' ')}  ${endpoint}`,
      ...keys.map(({ kid, alg, chain: [leaf] }) => `      签名 ${alg} ${kid}  至 until ${leaf && day(+leaf.notAfter)}`),
      ...transport.map(([leaf]) => `      传输 transport ${leaf?.digest}  至 until ${leaf && day(+leaf.notAfter)}`),
      ...encryption.map(({ kid }) => `      加密 encryption ${kid}`),
    ]),
  ].join('\n')
}
