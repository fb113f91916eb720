/** A report at a counter: proved offline, in both languages, and refused when a single letter of it is another. */
import { execFile } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { codeOf, ReportFile } from '#exchange/report.ts'
import { canonical, sha256 } from '#protocol/canonical.ts'
import { readCertificates, readCrls } from '#trust/certificate.ts'
import { REPORT_TYPE } from '#trust/sign.ts'
import { Bundle } from '#trust/statement.ts'
import { makeAuthority } from '../src/authority.ts'
import { home } from '../src/federation.ts'
import { type PublicMaterial, type Verdict, verifyReport } from '../src/report-proof.ts'
import { type Running, runFederation } from './federation.ts'

let running: Running
let file: ReportFile
let text: string
let everything: Required<PublicMaterial>
/** The files that a counter has. */
let at: Record<'report' | 'roots' | 'crls' | 'roll' | 'key', string>
const today = Temporal.Now.plainDateISO('Asia/Shanghai').toString()

beforeAll(async () => {
  running = await runFederation()
  const { folder } = running.federation
  const { departmentKey } = running.federation.city('huizhou')
  const response = await fetch(`${running.gateway('huizhou').insideUrl}/report`, {
    method: 'POST',
    headers: { authorization: `Bearer ${departmentKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      subject: '91320281XXXXXX0197',
      purpose: 'tendering',
      matter: '惠招〔2026〕118号',
      period: { from: '2020-01-01', to: today },
    }),
  })
  text = await response.text()
  file = ReportFile.parse(JSON.parse(text))
  const lists = join(folder, 'certs', 'crls')
  const crls = readdirSync(lists).map(name => readFileSync(join(lists, name), 'utf8'))
  at = {
    report: join(folder, 'report.json'),
    roots: join(folder, 'certs', 'root.pem'),
    crls: join(folder, 'lists.pem'),
    roll: join(folder, 'federation-config', 'roll.json'),
    key: join(folder, 'demo.key'),
  }
  writeFileSync(at.report, text)
  writeFileSync(at.crls, crls.join(''))
  writeFileSync(at.key, departmentKey, { mode: 0o600 })
  everything = {
    roots: readCertificates(readFileSync(at.roots, 'utf8')),
    crls: readCrls(crls.join('')),
    roll: Bundle.parse(JSON.parse(readFileSync(at.roll, 'utf8'))),
  }
})
afterAll(() => running[Symbol.asyncDispose]())

const verify = (
  changed: Partial<ReportFile> = {},
  material: PublicMaterial = everything,
  now = Date.now(),
): Promise<Verdict> => verifyReport(JSON.stringify({ ...file, ...changed }), material, now)

const wrong = ({ findings }: Verdict) => findings.filter(({ ok }) => !ok).map(({ zh }) => zh)

describe('a report that nobody touched', () => {
  it('is proved with the root, the lists and the roll: unchanged, by whom, certified then, valid now', async () => {
    const verdict = await verify()
    expect(wrong(verdict)).toEqual([])
    expect(verdict.verified).toBe(true)
    expect(verdict.findings.map(({ zh }) => zh).join('\n')).toMatch(
      /签发后内容未被改动\n核验码 .+ 与内容相符\n惠州市在成员名册（第 1 号）上\n由 huizhou 签发：签发时其密钥经联盟根证书认证，至今未被吊销\n签发于 .+，有效至 .+/,
    )
    for (const { zh, en } of [...verdict.findings, ...verdict.limits]) {
      expect(zh).toMatch(/\p{Script=Han}/u)
      expect(en).toMatch(/[a-z]{3}/)
    }
  })

  it('is proved with the root alone, and then it is said that neither revocation nor membership is', async () => {
    const { roots } = everything
    const verdict = await verify({}, { roots })
    expect(verdict.verified).toBe(true)
    expect(verdict.limits.map(({ zh }) => zh).join()).toMatch(/不证明密钥未被吊销.*不证明该城市现为联盟成员/)
    expect((await verify()).limits).toHaveLength(verdict.limits.length - 2)
  })
})

describe('a report is not proved', () => {
  it('when any single text, number or member of it is another', async () => {
    const places: (readonly (string | number)[])[] = []
    const walk = (value: unknown, path: readonly (string | number)[]) => {
      if (typeof value !== 'object' || value === null) places.push(path)
      else for (const [name, inner] of Object.entries(value)) walk(inner, [...path, name])
    }
    walk(file.report, [])
    const changed = (path: readonly (string | number)[], salt: number): string => {
      const copy: unknown = JSON.parse(text)
      let inside = Object(copy).report
      for (const name of path.slice(0, -1)) inside = inside[name]
      const last = path.at(-1) ?? ''
      const value: unknown = inside[last]
      if (salt === 0) delete inside[last]
      else if (typeof value === 'string') inside[last] = `${value}改`
      else inside[last] = typeof value === 'number' ? value + salt : !value
      return JSON.stringify(copy)
    }
    const material = { roots: everything.roots }
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...places), fc.nat({ max: 2 }), async (path, salt) => {
        const verdict = await verifyReport(changed(path, salt), material, Date.now())
        expect(verdict.verified, path.join('.')).toBe(false)
      }),
      { numRuns: 300 },
    )
  })

  it('when a letter of its token, its code or its certificates is another, or the file says more', async () => {
    const [header = '', payload = '', signature = ''] = file.jws.split('.')
    const flip = (part: string, i: number) => part.slice(0, i) + (part[i] === 'A' ? 'B' : 'A') + part.slice(i + 1)
    for (const jws of [
      `${flip(header, 20)}.${payload}.${signature}`,
      `${header}.${flip(payload, 999)}.${signature}`,
      `${header}.${payload}.${flip(signature, 5)}`,
      `${header}.${payload}.${signature} `,
    ])
      expect((await verify({ jws })).verified).toBe(false)
    expect(wrong(await verify({ code: codeOf(sha256('another')) }))).toEqual(['核验码与内容不符'])
    const [leaf = '', issuer = ''] = file.chain
    for (const chain of [[issuer, leaf], [leaf], [flip(leaf, 400), issuer], ['AAAA']])
      expect((await verify({ chain })).verified).toBe(false)
    const more = { ...file, note: '另有说明' }
    expect((await verifyReport(JSON.stringify(more), everything, Date.now())).verified).toBe(false)
    const doubled = text.replace('{"report":', '{"code":"0000-0000-0000-0000","report":')
    expect((await verifyReport(doubled, everything, Date.now())).verified).toBe(false)
    expect((await verifyReport('not a report', everything, Date.now())).verified).toBe(false)
  })

  it('when another member signed it in the name of the city, or a token of another kind holds it', async () => {
    const { keys } = await running.identity('jiangyin')
    const chain = keys.signing.chain.map(({ der }) => Buffer.from(der).toString('base64'))
    const { token } = keys.signer(REPORT_TYPE, canonical(file.report))
    expect(wrong(await verify({ jws: token, chain }))).toEqual(['签名密钥未经联盟证书机构为该城市认证'])
    expect(wrong(await verify({ jws: token, chain }, { roots: everything.roots }))).toHaveLength(1)
    const own = await running.identity('huizhou')
    const { token: statement } = own.keys.signer('entity-statement+jwt', canonical(file.report))
    expect(wrong(await verify({ jws: statement }))).toEqual(['签名或证书无法读取'])
  })

  it('when its text is signed in another order than the canonical one', async () => {
    const { keys } = await running.identity('huizhou')
    const { jti, ...rest } = file.report
    const { token } = keys.signer(REPORT_TYPE, JSON.stringify({ jti, ...rest }))
    expect(wrong(await verify({ jws: token }))).toEqual(['报告内容与所签内容不同：文件已被改动'])
  })

  it('under the root of another federation, with or without its lists', async () => {
    const other = await makeAuthority()
    const roots = readCertificates(other.root)
    expect((await verify({}, { roots })).verified).toBe(false)
    expect((await verify({}, { ...everything, roots })).verified).toBe(false)
  })

  it('when the key of its city was revoked since', async () => {
    const { authority, folder } = running.federation
    const revoked = await authority.revoke([readFileSync(join(folder, 'certs', 'huizhou-signing.pem'), 'utf8')])
    const verdict = await verify({}, { ...everything, crls: [...everything.crls, ...readCrls(revoked.pem)] })
    expect(wrong(verdict)).toContain('签名密钥未经联盟证书机构为该城市认证')
  })

  it('when its days are over, or when it comes from the future', async () => {
    const { roots } = everything
    const day = 86_400_000
    expect(wrong(await verify({}, { roots }, Date.now() + 31 * day)).join()).toContain('已过有效期')
    expect(wrong(await verify({}, { roots }, Date.now() - day))).toEqual(['签发时间在未来'])
    expect((await verify({}, { roots }, Date.now() + 29 * day)).verified).toBe(true)
  })

  it('when the city is not on the roll', async () => {
    const { keys } = await running.identity('huizhou')
    const report = { ...file.report, iss: 'atlantis' }
    const digest = sha256(canonical(report))
    const forged = { report, jws: keys.signer(REPORT_TYPE, canonical(report)).token, code: codeOf(digest) }
    expect(wrong(await verify(forged))).toEqual([
      'atlantis 不在成员名册（第 1 号）上',
      '签名密钥未经联盟证书机构为该城市认证',
    ])
  })
})

describe('xinqiao report', () => {
  const bare = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('XINQIAO_')))
  function xinqiao(...words: string[]): Promise<{ code: number; out: string; err: string }> {
    const { promise, resolve } = Promise.withResolvers<{ code: number; out: string; err: string }>()
    const cli = join(home, 'src', 'cli.ts')
    execFile(process.execPath, [cli, 'report', ...words], { env: bare }, (error, out, err) => {
      expect(`${out}${err}`, 'a stack trace').not.toMatch(/^\s+at .+:\d+/m)
      resolve({ code: error === null ? 0 : Number(error.code), out, err })
    })
    return promise
  }
  const asked = (over: Record<string, string> = {}) =>
    Object.entries({
      purpose: 'tendering',
      matter: '惠招〔2026〕118号',
      from: '2020-01-01',
      to: today,
      'key-file': at.key,
      url: running.gateway('huizhou').insideUrl,
      ...over,
    }).flatMap(([name, value]) => [`--${name}`, value])

  it('writes the report and its page, proves it in plain words, and compares the code on the paper', async () => {
    const out = join(running.federation.folder, 'made.json')
    const page = join(running.federation.folder, 'made.html')
    const making = await xinqiao('91320281XXXXXX0197', ...asked({ out, page }))
    expect(making).toMatchObject({ code: 0, err: '' })
    expect(making.out).toMatch(
      /核验码 code [0-9A-Z]{4}-[\s\S]*江阴市 Jiangyin {2}已答复[\s\S]*经营异常 Abnormal operation {2}未知/,
    )
    expect(readFileSync(page, 'utf8')).toContain('公共信用信息跨市查询报告')
    const { code } = ReportFile.parse(JSON.parse(readFileSync(out, 'utf8')))
    const [whole, wrongPaper, again] = await Promise.all([
      xinqiao('verify', out, '--roots', at.roots, '--crls', at.crls, '--roll', at.roll, '--code', code.toLowerCase()),
      xinqiao('verify', out, '--roots', at.roots, '--code', '0000-0000-0000-0000'),
      xinqiao('page', out, '--out', join(running.federation.folder, 'again.html')),
    ])
    expect(whole.code).toBe(0)
    expect(whole.out).toMatch(/核验通过 VERIFIED[\s\S]*与纸质件核验码一致[\s\S]*不能证明 what this does not prove/)
    expect([wrongPaper.code, wrongPaper.out]).toEqual([
      1,
      expect.stringMatching(/NOT VERIFIED[\s\S]*纸质件不是本文件的打印件/),
    ])
    expect(again.code).toBe(0)
    expect(readFileSync(join(running.federation.folder, 'again.html'), 'utf8')).toBe(readFileSync(page, 'utf8'))
  })

  it('ends with 1 for a changed file, 2 for wrong words, and says both for machines too', async () => {
    const changed = join(running.federation.folder, 'changed.json')
    writeFileSync(changed, text.replace('惠招〔2026〕118号', '惠招〔2026〕119号'))
    const [bad, json, noRoots, rollAlone, twice, noDay] = await Promise.all([
      xinqiao('verify', changed, '--roots', at.roots),
      xinqiao('verify', changed, '--roots', at.roots, '--json'),
      xinqiao('verify', at.report),
      xinqiao('verify', at.report, '--roots', at.roots, '--roll', at.roll),
      xinqiao('91320281XXXXXX0197', '91320281250344877K', ...asked()),
      xinqiao('91320281XXXXXX0197', ...asked({ to: '22.11.2026' })),
    ])
    expect([bad.code, bad.out]).toEqual([1, expect.stringContaining('文件已被改动')])
    expect([json.code, JSON.parse(json.out).verified]).toEqual([1, false])
    expect([noRoots.code, rollAlone.code, twice.code, noDay.code]).toEqual([2, 2, 2, 2])
  })

  it('tells a clerk why none was made, and writes no file', async () => {
    const out = join(running.federation.folder, 'none.json')
    const { code, err } = await xinqiao('11010519491231002X', ...asked({ out }))
    expect([code, err]).toEqual([1, expect.stringContaining('不受理自然人查询')])
    expect(existsSync(out)).toBe(false)
  })
})
