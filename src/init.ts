/** A new city gets everything that it can make by itself, and is told what only others can give it. */
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { formatted, readAgreement } from '#agreement/agreement.ts'
import { createLedger } from '#ledger/sqlite.ts'
import { ConfigurationError } from '#protocol/fault.ts'
import { newLogKey } from '#trust/keys.ts'
import { newKey } from '#trust/request.ts'
import { home } from './federation.ts'

export type NewCity = {
  readonly id: string
  readonly zh: string
  readonly en: string
  /** GB/T 2260. */
  readonly division: string
  readonly peer: string
  readonly endpoint: string
  readonly folder: string
}

/**
 * Writes settings, keys, certificate requests, member file, first mapping, an agreement with `peer` ready to sign and an
 * empty ledger into `folder`, which must not hold a city yet. Gives the paths it wrote, in order.
 */
export async function initCity({ id, zh, en, division, peer, endpoint, folder }: NewCity): Promise<string[]> {
  const settings = join(folder, 'xinqiao.env')
  if (existsSync(settings)) {
    throw new ConfigurationError([
      { file: settings, path: '', problem: 'a city is here already', remedy: 'Name another folder with --dir' },
    ])
  }
  const written: string[] = []
  const write = (path: string, text: string, mode = 0o644) => {
    writeFileSync(join(folder, path), text, { mode, flag: 'wx' })
    written.push(path)
  }
  for (const private_ of ['keys', 'data']) mkdirSync(join(folder, private_), { recursive: true, mode: 0o700 })
  for (const open of [
    'certs/crls',
    'requests',
    'federation-config/members',
    'federation-config/mappings',
    'federation-config/agreements',
  ]) {
    mkdirSync(join(folder, open), { recursive: true })
  }
  for (const use of ['signing', 'transport'] as const) {
    const { key, request } = await newKey(id, use)
    write(`keys/${use}.pem`, key, 0o600)
    write(`requests/${id}-${use}.csr.pem`, request)
  }
  write('keys/log.pem', newLogKey(), 0o600)
  cpSync(join(home, 'federation-config', 'vocabulary'), join(folder, 'federation-config', 'vocabulary'), {
    recursive: true,
    dereference: true,
  })
  cpSync(join(home, 'federation-config', 'unusual.json'), join(folder, 'federation-config', 'unusual.json'))
  written.push('federation-config/vocabulary/', 'federation-config/unusual.json')
  const certificates = { signing: [`${id}-signing.pem`], transport: [`${id}-transport.pem`] }
  write(
    `federation-config/members/${id}.json`,
    formatted({ id, name: { zh, en }, divisions: [division], endpoint, certificates }),
  )
  const mapping = readFileSync(join(home, 'federation-config', 'mappings', 'huizhou.json'), 'utf8')
  const begun = {
    source: `${zh}的表结构文件，待填 the document that states ${en}’s tables, to be named`,
    note: 'Begun as a copy of Huizhou’s mapping: not one column of it has been held against the city’s own tables yet.',
  }
  write(
    `federation-config/mappings/${id}.json`,
    formatted({ ...JSON.parse(mapping), city: id, zh, en, ...begun, assumed: true }),
  )
  write(`federation-config/agreements/${id}-${peer}.json`, formatted(draft(id, zh, en, peer)))
  createLedger(join(folder, 'data', 'ledger.sqlite'), id)
  written.push('data/ledger.sqlite')
  write('xinqiao.env', environment(id))
  return written
}

/** The shipped agreement between two cities, as a draft for two others; dates and clauses are theirs to settle. */
function draft(id: string, zh: string, en: string, peer: string): unknown {
  const path = join(home, 'federation-config', 'agreements', 'jiangyin-huizhou-2026.json')
  const model = readAgreement(readFileSync(path, 'utf8'), path, [])
  if (model === undefined) throw new Error('the shipped agreement is damaged')
  const today = Temporal.Now.plainDateISO('Asia/Shanghai')
  const rename = (city: string) => (city === model.parties[0] ? id : peer)
  const between = <Part extends { readonly from: string[]; readonly to: string[] }>(part: Part): Part => ({
    ...part,
    from: part.from.map(rename),
    to: part.to.map(rename),
  })
  return {
    ...model,
    id: `${id}-${peer}`,
    title: {
      zh: `${zh}与 ${peer} 公共信用信息互认协议（草案）`,
      en: `Agreement between ${en} and ${peer} on mutual recognition of public credit information (draft)`,
    },
    parties: model.parties.map(rename),
    signedOn: today.toString(),
    validFrom: today.toString(),
    validTo: today.add({ years: 2 }).subtract({ days: 1 }).toString(),
    grants: model.grants.map(between),
    ...(model.recognition && { recognition: model.recognition.map(between) }),
  }
}

function environment(id: string): string {
  return `# 信桥 Xinqiao · ${id}
# 每项说明见 Each line is described by: xinqiao help serve
# 相对路径以本文件所在目录为起点 A relative path starts at the folder of this file
XINQIAO_CITY=${id}
XINQIAO_CONFIG=federation-config
XINQIAO_CERTS=certs
XINQIAO_KEYS=keys
XINQIAO_DATA=data
XINQIAO_SOURCE=sqlite:data/city.sqlite
XINQIAO_PEERS_LISTEN=0.0.0.0:8443
XINQIAO_INSIDE_LISTEN=127.0.0.1:8080
`
}
