/** The command line as an operator uses it: every step a process of its own, told apart by what it prints and how it ends. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import stringWidth from 'string-width'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { AskAnswer } from '#exchange/ask.ts'
import { jsonFiles } from '#trust/members.ts'
import { makeAuthority } from '../src/authority.ts'
import { fillSqlite } from '../src/demo-tables.ts'
import { freePort, home } from '../src/federation.ts'
import { demoTables } from './schema/cities.ts'

const folder = mkdtempSync(join(tmpdir(), 'xinqiao-cli-'))
const [here, there] = [join(folder, 'linjiang'), join(folder, 'haiyang')]
const cli = join(home, 'src', 'cli.ts')
writeFileSync(join(folder, 'made.key'), `xq_made_${'A'.repeat(43)}\n`)
const serving: ChildProcess[] = []
afterAll(async () => {
  for (const child of serving) {
    if (child.exitCode !== null || child.signalCode !== null) continue
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
  }
  rmSync(folder, { recursive: true })
})

/** No variable of ours is inherited: what a command knows, it was told. */
const bare = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('XINQIAO_')))

type Ended = { readonly code: number; readonly out: string; readonly err: string }

function xinqiao(cwd: string, ...words: string[]): Promise<Ended> {
  const { promise, resolve } = Promise.withResolvers<Ended>()
  execFile(process.execPath, [cli, ...words], { cwd, env: bare }, (error, out, err) => {
    expect(`${out}${err}`, 'a stack trace').not.toMatch(/^\s+at .+:\d+/m)
    resolve({ code: error === null ? 0 : Number(error.code), out, err })
  })
  return promise
}

/** Starts `serve` and resolves when both surfaces are open. */
async function serve(cwd: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, [cli, 'serve', '--env', 'xinqiao.env'], {
    cwd,
    env: bare,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  serving.push(child)
  let said = ''
  for await (const chunk of child.stderr ?? []) {
    said += String(chunk)
    if (said.includes('inside')) return child
  }
  throw new Error(said)
}

describe('help', () => {
  it('names every command in both languages, and nothing to do is a wrong use', async () => {
    const [none, help, dashes] = await Promise.all([[], ['help'], ['--help']].map(words => xinqiao(folder, ...words)))
    expect([none?.code, help?.code, dashes?.code]).toEqual([2, 0, 0])
    expect(help?.out).toBe(dashes?.out)
    for (const command of ['init', 'serve', 'health', 'ask', 'check', 'keys', 'agreement', 'ledger', 'certs', 'demo'])
      expect(help?.out).toMatch(new RegExp(`^ {2}${command} +\\p{Script=Han}.*\\n +[a-z]`, 'mu'))
    expect(help?.out).toContain('exit codes')
  })

  it('of one command shows its words, and of serve every setting', async () => {
    const [ask, serve, flag] = await Promise.all([
      xinqiao(folder, 'help', 'ask'),
      xinqiao(folder, 'help', 'serve'),
      xinqiao(folder, 'serve', '--help'),
    ])
    expect(ask?.out).toMatch(/--key-file[\s\S]*通过本市网关/)
    expect(serve?.out).toBe(flag?.out)
    for (const name of [
      'CITY',
      'CONFIG',
      'CERTS',
      'KEYS',
      'DATA',
      'SOURCE',
      'PEERS_LISTEN',
      'INSIDE_LISTEN',
      'INSIDE_TLS',
    ])
      expect(serve?.out).toContain(`XINQIAO_${name}`)
  })

  it('of serve says what is required and what is otherwise taken, of certs the same as the command itself', async () => {
    const [serve, help, wrong, nothing] = await Promise.all([
      xinqiao(folder, 'help', 'serve'),
      xinqiao(folder, 'help', 'certs'),
      xinqiao(folder, 'certs', 'verify', '--leaf'),
      xinqiao(folder, 'help', 'frobnicate'),
    ])
    expect(serve?.out).toMatch(/XINQIAO_CITY .*\n.*required[\s\S]*XINQIAO_PEERS_LISTEN .*\n.*0\.0\.0\.0:8443/)
    for (const { out } of [help, wrong])
      for (const way of ['xinqiao certs verify --roots', '--max-depth', 'xinqiao certs verify --cases'])
        expect(out).toContain(way)
    expect(nothing?.out).toMatch(/^没有此命令 there is no command frobnicate\n/)
  })
})

describe('a command that is called wrongly', () => {
  const newCity = ['init', 'linjiang', '--zh', '临江', '--en', 'Linjiang', '--peer', 'haiyang']
  const good = ['--division', '999901', '--endpoint', 'https://a.example/']
  it.concurrent.each([
    ['with no such name', ['frobnicate'], 'no command frobnicate'],
    ['with help about nothing', ['help', 'frobnicate'], 'no command frobnicate'],
    ['without its words', ['init'], 'one CITY'],
    ['without an option', [...newCity, '--division', '999901'], '--endpoint is missing'],
    ['with an option of no command', ['check', '--force'], '--force'],
    ['with a word that it does not take', ['demo', 'help'], 'unexpected: help'],
    ['with a word after serve', ['serve', 'now'], 'unexpected: now'],
    ['with a word after health', ['health', 'now'], 'unexpected: now'],
    ['with a word after check', ['check', 'now'], 'unexpected: now'],
    ['with a city id of no form', ['init', 'Linjiang', ...newCity.slice(2), ...good], 'no city id'],
    ['with itself as its peer', [...newCity.slice(0, -1), 'linjiang', ...good], '--peer'],
    ['with a division of no form', [...newCity, '--division', '99', ...good.slice(2)], '--division'],
    ['with an endpoint in clear', [...newCity, ...good.slice(0, 3), 'http://a.example/'], '--endpoint'],
    ['to ask about nobody', ['ask', 'haiyang', '--purpose', 'tendering'], 'at least one CODE'],
    ['to make a key of no use', ['keys', 'new', 'other', 'linjiang', '--dir', '.'], 'keys new'],
    ['to do no such thing', ['ledger', 'burn', 'x'], 'ledger verify'],
  ])('%s ends with 2 and says how', async (_, words, says) => {
    const { code, out, err } = await xinqiao(folder, ...words)
    expect(code).toBe(2)
    expect(`${out}${err}`).toMatch(/usage|exit codes/)
    expect(`${out}${err}`).toContain(says)
  })
})

describe('a command that cannot do what it is told', () => {
  const ask = ['ask', 'haiyang', '91320281250344877K', '--purpose', 'tendering', '--matter', 'x']
  it.concurrent.each([
    ['because no setting is there', ['serve'], /XINQIAO_CITY[\s\S]*XINQIAO_KEYS[\s\S]*XINQIAO_DATA/],
    ['because the file of settings is not there', ['serve', '--env', 'nowhere.env'], /nowhere\.env[\s\S]*hint/],
    ['because the key file holds no key', [...ask, '--key-file', cli], /holds no department key[\s\S]*hint/],
    ['because the key file is not there', [...ask, '--key-file', 'nowhere'], /nowhere[\s\S]*hint/],
    [
      'because no gateway listens',
      [...ask, '--key-file', 'made.key', '--url', 'http://127.0.0.1:49151'],
      /hint: nothing listens there/,
    ],
    ['because there is no ledger', ['ledger', 'verify', 'nowhere.sqlite'], /no such file: nowhere\.sqlite[\s\S]*hint/],
    [
      'because the folder is not there',
      ['keys', 'new', 'signing', 'linjiang', '--dir', 'nowhere'],
      /nowhere[\s\S]*hint/,
    ],
  ])('%s ends with 1 and a hint', async (_, words, says) => {
    const { code, err } = await xinqiao(folder, ...words)
    expect([code, err]).toEqual([1, expect.stringMatching(says)])
  })
})

describe('ask', () => {
  it('leaves out nothing that is not known, not given, doubtful or not exact, and never reads as clean where it is not', async () => {
    const reason = { code: 'source.down', zh: '数据源不可用', en: 'The source is down.' }
    const subject = '91320281250344877K'
    const untranslated = [{ field: 'kind', zh: '类别', original: '特许', meaning: '特许 / 认可', reason: 'ambiguous' }]
    const local = {
      title: '行政许可',
      columns: { LB: '普通', JG: '水利局' },
      labels: { LB: '许可类别', JG: '许可机关' },
      meanings: { LB: { original: '备案', relation: 'broader' }, JG: { original: '水利局', relation: 'exact' } },
      untranslated,
    }
    const shared = { id: 'r1', family: 'licence', fields: {}, objection: true, masked: ['content'] }
    const answer = AskAnswer.parse({
      city: 'linjiang',
      schema: { version: '1', assumed: false },
      purpose: 'tendering',
      peers: [
        {
          peer: 'haiyang',
          outcome: 'answered',
          withheld: [
            { family: 'list', rule: 'agreement.family' },
            { family: 'licence', records: ['record.ended'] },
          ],
          freshness: [{ family: 'penalty', status: 'unknown' }],
          results: [
            { subject, status: 'answered', doubt: 'check-character', records: [{ shared, local }] },
            { subject, status: 'answered', records: [], unknown: [{ family: 'penalty', reason }] },
            { subject, status: 'answered', records: [] },
          ],
        },
      ],
    })
    await using server = createServer((_, response) => response.end(JSON.stringify(answer))).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = z.object({ port: z.number() }).parse(server.address())
    const { out } = await xinqiao(
      folder,
      ...['ask', 'haiyang', subject, '--purpose', 'tendering', '--matter', 'x', '--key-file', 'made.key'],
      ...['--url', `http://127.0.0.1:${port}`],
    )
    expect(out.trimEnd().split('\n')).toEqual([
      'haiyang: 已答复 answered，但不完整 but not in full',
      '  数据时间 freshness: penalty 未知 unknown',
      expect.stringMatching(/^ {2}不提供 withheld: list · .*\(agreement\.family\)$/),
      '  如有则不提供 records kept back, if any: licence · record.ended',
      `  ${subject}  已答复 answered`,
      expect.stringContaining('存疑 doubt'),
      '    行政许可  ［异议处理中 under objection］',
      '      许可类别  普通  （对方原文 original: 备案；含义不完全一致 not exact: broader）',
      '      许可机关  水利局',
      '      （未转换 not translated）类别  特许，含义 meaning: 特许 / 认可 · 含义不唯一 ambiguous',
      '      已遮盖个人号码 personal numbers masked in: content',
      `  ${subject}  已答复 answered，部分类别未知 but some families unknown`,
      '    未知 unknown: penalty · 数据源不可用 The source is down. (source.down)',
      '    其余类别未查到可提供的记录 of the other families, no record that may be given',
      `  ${subject}  已答复 answered`,
      '    其余类别未查到可提供的记录 of the other families, no record that may be given',
    ])
  })
})

describe('an operator with an empty folder', () => {
  const agreement = 'linjiang-haiyang'
  const inConfig = (city: string, path: string) => join(city, 'federation-config', path)
  const env = ['--env', 'xinqiao.env']
  let insideUrl: string

  beforeAll(async () => {
    const ports = [await freePort(), await freePort(), await freePort(), await freePort()]
    const init = (city: string, zh: string, peer: string, port: number | undefined) => {
      const division = city === 'linjiang' ? '999901' : '999902'
      const names = ['--zh', zh, '--en', city, '--division', division, '--peer', peer]
      return xinqiao(folder, 'init', city, ...names, '--endpoint', `https://127.0.0.1:${port}/`)
    }
    const made = await Promise.all([
      init('linjiang', '临江市（虚构）', 'haiyang', ports[0]),
      init('haiyang', '海阳市（虚构）', 'linjiang', ports[2]),
    ])
    expect(made.map(({ code, err }) => [code, err])).toEqual([
      [0, ''],
      [0, ''],
    ])
    for (const [i, city] of [here, there].entries()) {
      const file = join(city, 'xinqiao.env')
      writeFileSync(
        file,
        readFileSync(file, 'utf8')
          .replace('0.0.0.0:8443', `127.0.0.1:${ports[2 * i]}`)
          .replace('127.0.0.1:8080', `127.0.0.1:${ports[2 * i + 1]}`),
      )
    }
    insideUrl = `http://127.0.0.1:${ports[1]}`
  }, 60_000)

  it('finds all that a city makes by itself, the keys for its own eyes alone, and is not let do it twice', async () => {
    for (const use of ['signing', 'transport']) {
      expect(statSync(join(here, 'keys', `${use}.pem`)).mode & 0o777).toBe(0o600)
      expect(readFileSync(join(here, 'requests', `linjiang-${use}.csr.pem`), 'utf8')).toContain('CERTIFICATE REQUEST')
    }
    expect(statSync(join(here, 'keys')).mode & 0o777).toBe(0o700)
    const names = ['--zh', 'x', '--en', 'x', '--division', '999901', '--peer', 'haiyang', '--endpoint', 'https://x/']
    const again = await xinqiao(folder, 'init', 'linjiang', ...names)
    expect([again.code, again.err]).toEqual([1, expect.stringContaining('a city is here already')])
  })

  it('is told by check, before anything came from others, all that is still to come', async () => {
    const [{ code, out, err }, json] = [
      await xinqiao(here, 'check', ...env),
      await xinqiao(here, 'check', ...env, '--json'),
    ]
    expect(code).toBe(1)
    // What is about to be signed can be read before.
    expect(out).toMatch(/linjiang-haiyang {3}haiyang → linjiang {3}未生效 unsigned\n.*tendering/)
    const form = z.object({ ok: z.boolean(), faults: z.array(z.unknown()), disclosures: z.array(z.looseObject({})) })
    const { ok, faults, disclosures } = form.parse(JSON.parse(json.out))
    expect([json.code, ok]).toEqual([1, false])
    expect(faults.length).toBeGreaterThan(3)
    expect(disclosures[0]).toMatchObject({ agreement, signed: false })
    for (const missing of ['certs/root.pem', 'roll.json', 'haiyang has not signed', 'linjiang has not signed'])
      expect(err).toContain(missing)
  })

  it('takes the paths of its file of settings from the folder of that file, and the file before the environment', async () => {
    const { promise, resolve } = Promise.withResolvers<string>()
    const words = ['check', '--env', join('linjiang', 'xinqiao.env'), '--json']
    const options = { cwd: folder, env: { ...bare, XINQIAO_CITY: 'elsewhere', XINQIAO_CONFIG: '/config' } }
    execFile(process.execPath, [cli, ...words], options, (_, out) => resolve(out))
    expect(JSON.parse(await promise)).toEqual(JSON.parse((await xinqiao(here, 'check', ...env, '--json')).out))
  })

  it('is not let sign before the office has admitted it, or verify what is not there', async () => {
    const [sign, verify] = await Promise.all(
      [
        ['sign', agreement],
        ['verify', 'nosuch'],
      ].map(words => xinqiao(here, 'agreement', ...words, ...env)),
    )
    expect([sign?.code, sign?.err]).toEqual([1, expect.stringContaining('there is no roll of members')])
    expect([verify?.code, verify?.err]).toEqual([1, expect.stringMatching(/no such agreement: .*nosuch[\s\S]*hint/)])
  })

  it('signs with the peer once the authority has certified and the office admitted both, and neither signature alone is enough', async () => {
    const authority = await makeAuthority()
    for (const city of ['linjiang', 'haiyang']) {
      for (const use of ['signing', 'transport'] as const) {
        const request = readFileSync(join(folder, city, 'requests', `${city}-${use}.csr.pem`), 'utf8')
        const certificate = await authority.certify(request, city, use)
        for (const folder of [here, there]) writeFileSync(join(folder, 'certs', `${city}-${use}.pem`), certificate)
      }
    }
    for (const city of [here, there]) {
      writeFileSync(join(city, 'certs', 'root.pem'), authority.root)
      for (const { name, pem } of authority.crls) writeFileSync(join(city, 'certs', 'crls', name), pem)
    }
    // The file as it was received: the certificate, and behind it that of the office that issued it.
    const received = ['--leaf', 'certs/linjiang-signing.pem', '--roots', 'certs/root.pem', '--eku', 'signing']
    const path = await xinqiao(here, 'certs', 'verify', ...received, '--at', new Date().toISOString())
    expect([path.code, path.out]).toEqual([0, '{"ok":true,"reason":null}\n'])
    const office = join(folder, 'office')
    mkdirSync(join(office, 'members'), { recursive: true })
    mkdirSync(join(office, 'keys'), { mode: 0o700 })
    expect((await xinqiao(office, 'office', 'new', '--dir', 'keys')).code).toBe(0)
    const request = readFileSync(join(office, 'keys', 'office.csr.pem'), 'utf8')
    const places = ['--config', '.', '--certs', join(here, 'certs'), '--keys', 'keys']
    writeFileSync(join(here, 'certs', 'federation.pem'), await authority.certify(request, 'federation', 'statements'))
    // What is missing is said all at once, and nothing is signed.
    const early = await xinqiao(office, 'office', 'sign', ...places)
    expect([early.code, early.err]).toEqual([1, expect.stringMatching(/rules\.json[\s\S]*no member/)])
    copyFileSync(join(home, 'federation-config', 'rules.json'), join(office, 'rules.json'))
    copyFileSync(inConfig(here, 'members/linjiang.json'), join(office, 'members', 'linjiang.json'))
    copyFileSync(inConfig(there, 'members/haiyang.json'), join(office, 'members', 'haiyang.json'))
    const signed = await xinqiao(office, 'office', 'sign', ...places)
    expect([signed.code, signed.out]).toEqual([0, expect.stringMatching(/roll 1 [\s\S]*haiyang[\s\S]*linjiang/)])
    for (const city of [here, there]) copyFileSync(join(office, 'roll.json'), inConfig(city, 'roll.json'))
    const shown = await xinqiao(here, 'office', 'show', '--config', 'federation-config', '--certs', 'certs', '--json')
    expect(JSON.parse(shown.out)).toMatchObject({ number: 1, members: [{ id: 'haiyang' }, { id: 'linjiang' }] })
    copyFileSync(inConfig(here, `agreements/${agreement}.json`), inConfig(there, `agreements/${agreement}.json`))
    rmSync(inConfig(there, 'agreements/haiyang-linjiang.json'))

    const [ours, theirs] = await Promise.all(
      [here, there].map(city => xinqiao(city, 'agreement', 'sign', agreement, ...env)),
    )
    expect([ours?.code, theirs?.code]).toEqual([0, 0])
    expect(ours?.out).toMatch(/signed {2}linjiang-haiyang {2}[\w-]{43}/)
    const half = await xinqiao(here, 'agreement', 'verify', agreement, ...env)
    expect([half.code, half.out]).toEqual([1, expect.stringMatching(/linjiang {2}signed\n {2}haiyang {2}missing/)])

    const signature = (city: string) => `agreements/${agreement}.${city}.jws`
    copyFileSync(inConfig(there, signature('haiyang')), inConfig(here, signature('haiyang')))
    copyFileSync(inConfig(here, signature('linjiang')), inConfig(there, signature('linjiang')))
    const whole = await xinqiao(here, 'agreement', 'verify', agreement, ...env)
    expect([whole.code, whole.out]).toEqual([0, expect.stringMatching(/linjiang {2}signed\n {2}haiyang {2}signed/)])
    const other = await xinqiao(here, 'agreement', 'sign', 'nothing', ...env)
    expect([other.code, other.err]).toEqual([1, expect.stringContaining('no such agreement')])
  })

  it('reads in check who may see which field for what purpose', async () => {
    const [text, json] = await Promise.all([xinqiao(here, 'check', ...env), xinqiao(here, 'check', ...env, '--json')])
    expect([text?.code, text?.err]).toEqual([0, ''])
    expect(text?.out).not.toContain('unsigned')
    for (const word of ['haiyang → linjiang', 'linjiang → haiyang', 'tendering', '许可', '处罚决定书文号']) {
      expect(text?.out).toContain(word)
    }
    const { ok, disclosures } = z
      .object({ ok: z.boolean(), disclosures: z.array(z.object({ from: z.string(), fields: z.array(z.string()) })) })
      .parse(JSON.parse(json?.out ?? ''))
    expect(ok).toBe(true)
    expect(disclosures.length).toBeGreaterThan(10)
    expect(disclosures.flatMap(({ fields }) => fields)).not.toContain('remark')
  })

  it('serves, issues a key, asks, and ends with every ledger whole', async () => {
    for (const city of [here, there]) fillSqlite(join(city, 'data', 'city.sqlite'), demoTables('huizhou'))
    const gateways = await Promise.all([here, there].map(serve))
    const department = ['keys', 'department', 'tender-office', '--name', '招标办', '--days', '30', ...env, '--purposes']
    const [key, wrong, ready] = await Promise.all([
      xinqiao(here, ...department, 'tendering'),
      xinqiao(here, ...department, 'tendring'),
      xinqiao(here, 'health', ...env),
    ])
    expect([wrong?.code, wrong?.err]).toEqual([2, expect.stringContaining('no such purpose: tendring')])
    expect([ready?.code, ready?.out]).toEqual([0, expect.stringContaining('"ready":true')])
    expect(key?.out).toMatch(/^xq_tender-office_[\w-]{43}\n$/)
    expect(readFileSync(join(here, 'data', 'departments.json'), 'utf8')).not.toContain(key?.out.trim().slice(-43))
    const kept = ['--out', 'tender.key']
    const first = await xinqiao(here, ...department, 'tendering', ...kept)
    expect([first.code, first.out]).toEqual([0, expect.not.stringContaining('xq_')])
    expect(statSync(join(here, 'tender.key')).mode & 0o777).toBe(0o600)
    const again = await xinqiao(here, ...department, 'tendering', ...kept)
    expect([again.code, again.err]).toEqual([1, expect.stringContaining('is not overwritten')])

    const question = [
      '91441300195971850Y',
      '--matter',
      '临招〔2026〕1号',
      '--key-file',
      'tender.key',
      '--url',
      insideUrl,
    ]
    const ask = (peer: string, purpose: string, ...more: string[]) =>
      xinqiao(here, 'ask', peer, ...question, '--purpose', purpose, ...more)
    const [text, json, refused, nobody] = await Promise.all([
      ask('haiyang', 'tendering'),
      ask('all', 'tendering', '--json'),
      ask('haiyang', 'awards'),
      ask('atlantis', 'tendering'),
    ])
    expect([text?.code, text?.out]).toEqual([0, expect.stringContaining('TCL科技集团股份有限公司')])
    // What is not given is said, and how old the rest is.
    for (const word of [
      '数据时间 freshness: licence 按期 fresh',
      '不提供 withheld: licence',
      '如有则不提供',
      'assumed',
    ])
      expect(text?.out).toContain(word)
    const told = AskAnswer.parse(JSON.parse(json?.out ?? ''))
    expect(told.peers).toMatchObject([{ peer: 'haiyang', outcome: 'answered', results: [{ status: 'answered' }] }])
    expect([refused?.code, refused?.err]).toEqual([1, expect.stringMatching(/department\.purpose[\s\S]*hint/)])
    expect([nobody?.code, nobody?.err]).toEqual([1, expect.stringMatching(/peer\.unknown[\s\S]*hint/)])

    const [listed, withdrawn] = [
      await xinqiao(here, 'keys', 'departments', ...env),
      await xinqiao(here, 'keys', 'withdraw', 'tender-office', ...env),
    ]
    expect(listed.out).toContain('tender-office  招标办  tendering')
    expect(withdrawn.code).toBe(0)
    const [late, twice] = await Promise.all([
      ask('haiyang', 'tendering'),
      xinqiao(here, 'keys', 'withdraw', 'tender-office', ...env),
    ])
    expect([late?.code, late?.err]).toEqual([1, expect.stringContaining('department.key')])
    expect([twice?.code, twice?.err]).toEqual([1, expect.stringContaining('no department tender-office')])

    for (const [i, child] of gateways.entries()) {
      const gone = once(child, 'exit')
      child.kill(i === 0 ? 'SIGTERM' : 'SIGINT')
      expect(await gone).toEqual([0, null])
    }
    const [down, ...ledgers] = await Promise.all([
      xinqiao(here, 'health', ...env),
      ...[here, there].map(city => xinqiao(city, 'ledger', 'verify', join('data', 'ledger.sqlite'))),
    ])
    expect([down?.code, down?.err]).toEqual([1, expect.stringContaining('hint')])
    for (const { code, out } of ledgers) expect([code, out]).toEqual([0, expect.stringContaining('whole')])
  }, 90_000)

  it('has a ledger that was changed in one letter found out', async () => {
    const copy = join(folder, 'copy.sqlite')
    copyFileSync(join(here, 'data', 'ledger.sqlite'), copy)
    {
      using db = new DatabaseSync(copy)
      const trigger = db.prepare(`select sql from sqlite_schema where name = 'entry_not_updated'`).get()?.['sql']
      db.exec('drop trigger entry_not_updated')
      db.exec(`update entry set body = replace(body, '临招', '临投') where ix = 1`)
      db.exec(String(trigger))
    }
    const [text, json] = await Promise.all([
      xinqiao(folder, 'ledger', 'verify', copy),
      xinqiao(folder, 'ledger', 'verify', copy, '--json'),
    ])
    expect([text?.code, text?.out]).toEqual([1, expect.stringMatching(/NOT whole[\s\S]*edited #1/)])
    expect(json?.code).toBe(1)
    expect(JSON.parse(json?.out ?? '')).toMatchObject({
      verified: false,
      faults: expect.arrayContaining([expect.objectContaining({ name: 'edited', index: 1 })]),
    })
  })
})

describe('the demo', () => {
  const Shown = z.strictObject({
    cities: z.array(z.strictObject({ id: z.string(), name: z.string(), url: z.url() })).min(2),
    exchanges: z
      .array(
        z.strictObject({
          from: z.string(),
          to: z.string(),
          subjects: z.int().min(1),
          purpose: z.string(),
          outcome: z.enum(['answered', 'refused', 'unknown']),
          records: z.int(),
          withheld: z.int(),
          ms: z.number(),
          reason: z.string().optional(),
        }),
      )
      .min(6),
    ledgers: z.record(z.string(), z.strictObject({ entries: z.int().min(1), verified: z.literal(true) })),
  })

  /** Who may ask whom, as the agreements themselves say. */
  function agreedPairs(): string[] {
    const folder = join(home, 'federation-config', 'agreements')
    const form = z.object({ grants: z.array(z.object({ from: z.array(z.string()), to: z.array(z.string()) })) })
    const pairs = jsonFiles(folder).flatMap(name =>
      form
        .parse(JSON.parse(readFileSync(join(folder, name), 'utf8')))
        .grants.flatMap(({ from, to }) =>
          from.flatMap(gives => to.flatMap(asks => (asks === gives ? [] : [`${asks} → ${gives}`]))),
        ),
    )
    return [...new Set(pairs)].sort()
  }

  it('ends by itself with one JSON object of the documented shape: every pair with an agreement answered, every ledger verified', async () => {
    const { promise, resolve, reject } = Promise.withResolvers<string>()
    execFile('npm', ['run', '-s', 'demo', '--', '--once', '--json'], { cwd: home, env: bare }, (error, out) =>
      error === null ? resolve(out) : reject(error),
    )
    const { cities, exchanges, ledgers } = Shown.parse(JSON.parse(await promise))
    const ids = cities.map(({ id }) => id).sort()
    expect(ids).toEqual(['huizhou', 'jiangyin', 'jimo', 'ningbo', 'quzhou', 'suqian'])
    expect(Object.keys(ledgers).sort()).toEqual(ids)
    for (const { from, to } of exchanges) expect(ids).toEqual(expect.arrayContaining([from, to]))
    const answered = new Set(
      exchanges.filter(({ outcome }) => outcome === 'answered').map(({ from, to }) => `${from} → ${to}`),
    )
    expect([...answered].sort()).toEqual(agreedPairs())
    // Of everything that is refused, the reason; and nothing else is left unanswered.
    const reasons = exchanges.flatMap(({ outcome, reason }) => (outcome === 'answered' ? [] : [reason]))
    expect(reasons.sort()).toEqual(['agreement.purpose', 'subject.person', 'token.signature'])
    for (const { outcome, records } of exchanges) if (outcome !== 'answered') expect(records).toBe(0)
  }, 120_000)

  it('prints for a person what fits a terminal of 100 columns, and who knows what of one enterprise', async () => {
    const { promise, resolve, reject } = Promise.withResolvers<string>()
    execFile('npm', ['run', '-s', 'demo', '--', '--once'], { cwd: home, env: bare }, (error, out) =>
      error === null ? resolve(out) : reject(error),
    )
    const lines = (await promise).split('\n')
    expect(lines.filter(line => stringWidth(line) > 100)).toEqual([])
    // Of a question that its own city's gateway refused, the other city is not said to have refused it.
    const scene = (title: string) => lines.find(line => line.startsWith(title))
    for (const title of ['未约定的目的', '自然人证件号码']) expect(scene(title)).toContain('未发出')
    expect(scene('途中被篡改的报文')).toContain('未受理')
    const at = lines.findIndex(line => line.startsWith('city asked'))
    const matrix = lines.slice(at + 2, at + 7).map(line => line.split(/\s{2,}/))
    const names = ['惠州 Huizhou', '即墨 Jimo', '宁波 Ningbo', '衢州 Quzhou', '宿迁 Suqian']
    expect(matrix.map(([city]) => city).sort()).toEqual(names.sort())
    for (const [, ...cells] of matrix) for (const cell of cells) expect(cell).toMatch(/^(\d+|—|·)$/)
    const [suqian = []] = matrix.filter(([city]) => city === '宿迁 Suqian')
    // What only one city keeps, only that one can know; what Quzhou does not keep was not agreed.
    expect(matrix.filter(row => row.slice(5).some(cell => cell !== '·'))).toEqual([suqian])
    expect(matrix.find(([city]) => city === '衢州 Quzhou')?.[1]).toBe('·')
  }, 120_000)
})
